"""How sure an encoder may be of a label: cosines become probabilities, with `none of these` as one.

Cosines of photos with labels, and the ground they stand on, go in; (n, k) probabilities come out.
A cosine means something else with every encoder, so it is counted in units of the ground: how this
encoder scores ordinary words over ordinary photos. The two constants are in those units. They were
fitted once, on photos with known classes of which a part was left out of the list
(benchmarks/labels.py). CLIP's own temperature of 1/100 comes to about the same: its spread is about
a fortieth.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgsearch.vectors import Vectors

SURENESS = 2.8  # the logit of one spread
NONE_AT = 1.4  # spreads above the mean at which a photo is as likely none of the labels
LEAST_SPREAD = 1e-3  # of an encoder to which all words are alike; float32 is noise below

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ground:
    """Cosines of ordinary photos with ordinary words: their mean, and how far the words of one
    photo lie apart (a standard deviation).
    """

    mean: float
    spread: float

    @classmethod
    def of(cls, photos: Vectors, words: Vectors) -> "Ground":
        """Of (n, d) photos and (w, d) words, both at least one."""
        cosines = photos @ words.T  # (n, w)
        spread = float(np.median(cosines.std(axis=1)))
        return cls(float(cosines.mean()), max(spread, LEAST_SPREAD))


def confidences(
    cosines: npt.NDArray[np.floating],
    ground: Ground,
    *,
    sureness: float = SURENESS,
    none_at: float = NONE_AT,
) -> Probabilities:
    """(n, k) cosines of photos with labels -> (n, k) probabilities; what a row lacks to 1 is none.

    A photo is taken to be none of the labels as often as one of them, each alike, before it is
    looked at: so a longer list does not make it surer that one of them is right.
    """
    logits = sureness * (cosines.astype(np.float64) - ground.mean) / ground.spread
    logits -= np.log(cosines.shape[1])
    none = sureness * none_at
    highest = np.maximum(logits.max(axis=1, keepdims=True), none)
    shares = np.exp(logits - highest)
    sure: Probabilities = shares / (shares.sum(axis=1, keepdims=True) + np.exp(none - highest))
    return sure
