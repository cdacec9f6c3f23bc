"""Relevance: what a cosine means, from 0 to 1, for every query, library and encoder alike.

A query's vector and photos' vectors go in, relevances come out, and LEAST_RELEVANT is where a list
of hits is cut unless somebody asks otherwise. It is told of words: what is added up in a query of
several, whatever is taken away from it. A picture has none, and its hits are not cut: who shows one
asks for what is most like it, and something always is (see benchmarks/README.md). A photo that
words found is relevant whatever its cosine, since a caption or its name says so. A sentence is less
near to its photo than a name is, and is judged by what sentences reach; of one whose photo is
absent there is mostly something to show all the same, another dog that runs.

    background.py   ordinary texts on a library's photos, and how far a query stands out from them
    ordinary.py     the ordinary texts of a language, embedded once per encoder
"""

from imgsearch.relevance.background import LEAST_RELEVANT, Background
from imgsearch.relevance.ordinary import background_of, ordinary_labels, ordinary_texts, prepare

__all__ = [
    "LEAST_RELEVANT",
    "Background",
    "background_of",
    "ordinary_labels",
    "ordinary_texts",
    "prepare",
]
