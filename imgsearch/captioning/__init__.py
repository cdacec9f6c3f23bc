"""Captioning: from the embedding of a photo to a sentence about it.

ClipCap (Mokady, Hertz, Bermano 2021), English and Chinese. In: unit rows that one encoder made.
Out: captions. The published captioners load as they are, those trained here are folders of our own.

    captioner.py   Captioner: embeddings in, sentences out
    model.py       a mapper and a language model as one
    mappers.py     the mappers: MLP, linear, Transformer, BERT
    gpt2.py        the language model
    decoding.py    beam search, greedy, sampling
    tokenizers.py  between sentences and token ids
    folder.py      a captioner on disk
    consistency.py whether its parts can be, and fit
    published.py   the weights of others, recognised by their content
    shapes.py      their sizes, read off the tensors
    settings.py    what the tensors do not tell, as a file beside them says it
    builtin/       the bundled captioner
"""

from imgsearch.captioning.captioner import Caption, Captioner, NearWord, TrainedOn, explained
from imgsearch.captioning.decoding import Decoding
from imgsearch.captioning.loading import bundled, load

__all__ = [
    "Caption",
    "Captioner",
    "Decoding",
    "NearWord",
    "TrainedOn",
    "bundled",
    "explained",
    "load",
]
