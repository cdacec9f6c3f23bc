"""Relevance: what a cosine means, from 0 to 1, for every query, library and encoder alike.

A query's vector and photos' vectors go in, relevances come out, and LEAST_RELEVANT is where a list
of hits is cut unless somebody asks otherwise. Nothing here knows what a search is: searching and
labelling both ask.

    background.py   ordinary texts on a library's photos, and how far a query stands out from them
    ordinary.py     the ordinary texts of a language, embedded once per encoder
"""

from imgsearch.relevance.background import LEAST_RELEVANT, Background
from imgsearch.relevance.ordinary import background_of, ordinary_labels, ordinary_texts

__all__ = ["LEAST_RELEVANT", "Background", "background_of", "ordinary_labels", "ordinary_texts"]
