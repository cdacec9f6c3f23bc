"""Background: which cosines are ordinary for one encoder and one library, and which say something.

The vectors of ordinary texts and of a sample of the library's photos go in; a query and photos come
out as relevances in [0, 1]. A cosine alone says nothing: one encoder calls 0.25 a match, another
0.6. So it is measured in what ordinary texts score on these very photos, and all that is weighed is
free of the encoder's scale. Ordinary texts times photos make a background of hundreds of cosines
even where a library has three photos.

The weights were a logistic regression on classes and on words that are in photos or are not; those
fitted to larger and smaller galleries told other classes apart no better. What they add up to says
more of some galleries than of others: the more photos, the nearer the nearest of them is to
anything, and a sentence is less near to its photo than a name is. So a relevance counts from
SHORTFALL, what LOSS of the answers to what is there fall short of among so many photos, and
LEAST_RELEVANT loses as many answers whatever the library's size and whatever is asked:
`benchmarks/relevance.py` fits those lines and tells what they lose. A relevance is no share of
right answers, therefore; it is how far a photo is beyond that loss.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgsearch.vectors import Vectors

Relevances = npt.NDArray[np.float64]

LEAST_RELEVANT = 0.15  # the default cut
LOSS = 0.05  # of the answers to what is there, at that cut
WEIGHTS = {"level": 1.69, "lift": 0.53, "mean": 1.57, "reach": 0.38}


@dataclass(frozen=True)
class Line:
    """What falls short of a loss among n photos: start + slope * ln(n), rising up to `most`."""

    start: float
    slope: float
    most: int

    def at(self, count: int) -> float:
        """The line's height for so many photos."""
        return self.start + self.slope * math.log(np.clip(count, _LEAST_PHOTOS, self.most))


# Of names of classes it is 0.62 + 0.52 ln n; ordinary words fall a good deal lower, so that the
# line of labels lies between the two, and loses few names and a tenth or two of such words.
SHORTFALL = {"label": Line(0.02, 0.52, 2000), "sentence": Line(-0.84, 0.69, 300)}

_LEAST_PHOTOS = 10  # fewer were not measured
_SAME_MEANING = 2.5  # texts so many robust deviations nearer to a query than most are no rivals
_RIVALS = 3
_PRIOR_PHOTOS = 10  # in the mean of a query, the mean of ordinary texts counts as so many photos
_LEAST_DEVIATION = 1e-3  # of cosines: an encoder may take all ordinary texts for one
_LEAST_SHARE = 0.25  # of the deviation of all cosines: the best ones of ordinary texts have 0.4
_GREATEST = 10.0  # beyond it a feature tells no more
_ODDS_AGAINST = 1 / LEAST_RELEVANT - 1


class Background:
    """Ordinary texts (m, d) and a sample of a library's photos (n, d), as one encoder sees them.

    Unit rows, m and n at least 1; `count` is how many photos the sample stands for.
    """

    def __init__(self, texts: Vectors, photos: Vectors, count: int) -> None:
        self.texts, self.photos, self.count = texts, photos, count
        self._exact = texts.astype(np.float64)  # once, and not for every query
        cosines = texts @ photos.T  # (m, n)
        self._mean = float(cosines.mean())
        self._deviation = max(float(cosines.std()), _LEAST_DEVIATION)
        best = cosines.max(axis=1)
        self._best_mean = self._mean + _stretch(len(photos), count) * (best.mean() - self._mean)
        self._best_deviation = max(float(best.std()), _LEAST_SHARE * self._deviation)

    def relevance(self, vector: Vectors, photos: Vectors, *, is_sentence: bool) -> Relevances:
        """How relevant photos (k, d) are to a query (d,): (k,) in [0, 1], LEAST_RELEVANT is where
        LOSS of the answers to what is there fall short.

        The photos are its best hits, or any with the best among them.
        """
        line = SHORTFALL["sentence" if is_sentence else "label"]
        beyond = self.weighed(vector, photos) - line.at(self.count)
        relevances: Relevances = 1 / (1 + _ODDS_AGAINST * np.exp(-beyond))
        return relevances

    def weighed(self, vector: Vectors, photos: Vectors) -> Relevances:
        """What the features of photos (k, d) for a query (d,) add up to: (k,), without bounds."""
        features = self.features(vector, photos)
        weighed: Relevances = sum(
            (weight * features[name] for name, weight in WEIGHTS.items()), np.zeros(len(photos))
        )
        return weighed

    def features(self, vector: Vectors, photos: Vectors) -> dict[str, Relevances]:
        """What is weighed: name -> (k,) for a query (d,) and photos (k, d).

        `level` is the cosine, `lift` how far it is above the best ordinary texts on that photo,
        `mean` what the query scores on the library's photos, each in deviations of the background;
        `reach` is the best cosine of the query among the best ones of ordinary texts.

        By one thread: `@` asks all, and waits where others run. For 100 photos it took 152 ms on
        the clock and 24 of a processor, einsum 55 and 6; on the sample 60 and 8, and 0.2.
        """
        cosines = np.einsum("kd,d->k", photos, vector).astype(np.float64)
        ordinary = np.einsum("kd,rd->kr", photos, self._exact[self._are_rivals(vector)])
        count = min(_RIVALS, ordinary.shape[1])
        rivals = np.partition(ordinary, -count, axis=1)[:, -count:].mean(axis=1)
        own = np.einsum("nd,d->n", self.photos, vector.astype(np.float32)).astype(np.float64)
        mean = (own.sum() + _PRIOR_PHOTOS * self._mean) / (len(own) + _PRIOR_PHOTOS)
        best = max(own.max(), cosines.max(initial=-1))
        ones = np.ones(len(photos))
        features = {
            "level": (cosines - self._mean) / self._deviation,
            "lift": (cosines - rivals) / self._deviation,
            "mean": (mean - self._mean) / self._deviation * ones,
            "reach": (best - self._best_mean) / self._best_deviation * ones,
        }
        return {name: np.clip(each, -_GREATEST, _GREATEST) for name, each in features.items()}

    def _are_rivals(self, vector: Vectors) -> npt.NDArray[np.bool_]:
        """Which ordinary texts do not mean what the query means: half of them at least."""
        near = np.einsum("md,d->m", self._exact, vector)
        middle = _median(near)
        deviation = 1.4826 * _median(np.abs(near - middle))  # of a normal distribution
        rivals: npt.NDArray[np.bool_] = near <= middle + _SAME_MEANING * deviation
        return rivals


def _median(values: npt.NDArray[np.float64]) -> float:
    """numpy's own loads its masked arrays, 8 ms of a search in a new process."""
    ordered = np.sort(values)
    middle = len(ordered) // 2
    return float(ordered[middle] + ordered[-1 - middle]) / 2  # the same one where they are odd


def _stretch(sample: int, count: int) -> float:
    """How much further than a sample's the best of all photos is: as of normal deviates."""
    return math.sqrt(math.log(max(count, 2)) / math.log(min(max(sample, 2), max(count, 2))))
