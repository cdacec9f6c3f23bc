"""Measure encoders: recall on photos with sentences, zero-shot accuracy on photos with classes.
Measure captioners: how near their captions come to people's.

In: pairs as `imgsearch.pairs` reads them and an encoder or a captioner. Out: `Measurement`s or
`CaptionScores`, and Chinese-CLIP's evaluation files, which are read as well.

    measuring.py   evaluate, recall_of_vectors: a Measurement a language and prompt policy
    captions.py    evaluate_captioner, score_captions: CaptionScores a language
    embedding.py   the pictures and queries of a set as vectors
    truth.py       which text tells of which photo
    ranking.py     who ranks where
    predictions.py what was ranked as Chinese-CLIP's prediction files, and captions as a file
    scoring.py     the score of prediction files, as Chinese-CLIP's evaluation gives it
"""

from imgsearch.evaluating.captions import CaptionScores, evaluate_captioner, score_captions
from imgsearch.evaluating.embedding import embed_pictures, embed_queries
from imgsearch.evaluating.measuring import Measurement, evaluate, recall_of_vectors
from imgsearch.evaluating.scoring import Score, failure_report, score_predictions, write_report

__all__ = [
    "CaptionScores",
    "Measurement",
    "Score",
    "embed_pictures",
    "embed_queries",
    "evaluate",
    "evaluate_captioner",
    "failure_report",
    "recall_of_vectors",
    "score_captions",
    "score_predictions",
    "write_report",
]
