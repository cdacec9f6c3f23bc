"""How good an answer is: pure functions of scores and of words.

ranking.py   recall@k, ranks, mean average precision: of a matrix of scores
captions.py  BLEU, ROUGE-L, CIDEr: of sentences and the references of each
words.py     sentences as the words that these three count
"""

from imgsearch.metrics.captions import bleu, cider, rouge_l
from imgsearch.metrics.ranking import (
    average_precision,
    best,
    mean_average_precision,
    mean_recall,
    median_rank,
    rank_of_first_relevant,
    recall_at_k,
)
from imgsearch.metrics.words import words_of

__all__ = [
    "average_precision",
    "best",
    "bleu",
    "cider",
    "mean_average_precision",
    "mean_recall",
    "median_rank",
    "rank_of_first_relevant",
    "recall_at_k",
    "rouge_l",
    "words_of",
]
