"""Measure encoders: recall on photos with sentences, zero-shot accuracy on photos with classes.

In: pairs as `imgsearch.pairs` reads them and an encoder. Out: `Measurement`s.
"""

from imgsearch.evaluating.embedding import embed_pictures, embed_queries
from imgsearch.evaluating.measuring import Measurement, evaluate, recall_of_vectors

__all__ = ["Measurement", "embed_pictures", "embed_queries", "evaluate", "recall_of_vectors"]
