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
    published.py   the weights of others, recognised by their content
    builtin/       the bundled captioner
"""

from imgsearch.captioning.captioner import Caption, Captioner, TrainedOn
from imgsearch.captioning.decoding import Decoding
from imgsearch.captioning.loading import bundled, load

__all__ = ["Caption", "Captioner", "Decoding", "TrainedOn", "bundled", "load"]
