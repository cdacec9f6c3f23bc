"""Background: which cosines are ordinary for one encoder and one library, and which say something.

The vectors of ordinary texts and of a sample of the library's photos go in; a query and photos come
out as relevances in [0, 1]. A cosine alone says nothing: one encoder calls 0.25 a match, another
0.6. So it is measured in what ordinary texts score on these very photos, and all that is weighed is
free of the encoder's scale. Ordinary texts times photos make a background of hundreds of cosines
even where a library has three photos.

The weights are a logistic regression over the first hits of class queries, fitted and measured by
`benchmarks/relevance.py`.
"""

import numpy as np
import numpy.typing as npt

from imgsearch.vectors import Vectors

Relevances = npt.NDArray[np.float64]

LEAST_RELEVANT = 0.15  # the default cut
WEIGHTS = {"level": 2.71, "lift": 0.70, "photo": 0.33, "mean": 1.33, "spread": 2.65}
BIAS = -7.56

_SAME_MEANING = 2.5  # texts so many robust deviations nearer to a query than most are no rivals
_RIVALS = 3
_PRIOR_PHOTOS = 10  # what ordinary texts score counts as so many photos of the query's own
_LEAST_DEVIATION = 1e-3  # of cosines: an encoder may take all ordinary texts for one
_GREATEST = 10.0  # beyond it a feature tells no more


class Background:
    """Ordinary texts (m, d) and a sample of a library's photos (n, d), as one encoder sees them.

    Unit rows, m and n at least 1. A query of pictures has photos for ordinary texts.
    """

    def __init__(self, texts: Vectors, photos: Vectors) -> None:
        self.texts, self.photos = texts, photos
        cosines = texts @ photos.T  # (m, n)
        self._mean = float(cosines.mean())
        self._deviation = max(float(cosines.std()), _LEAST_DEVIATION)

    def relevance(self, vector: Vectors, photos: Vectors) -> Relevances:
        """How relevant photos (k, d) are to a query (d,): (k,) in [0, 1], 0.5 is even odds."""
        features = self.features(vector, photos)
        total = BIAS + sum(weight * features[name] for name, weight in WEIGHTS.items())
        relevances: Relevances = 1 / (1 + np.exp(-total))
        return relevances

    def features(self, vector: Vectors, photos: Vectors) -> dict[str, Relevances]:
        """What is weighed: name -> (k,) for a query (d,) and photos (k, d).

        `level` is the cosine, `lift` how far it is above the best ordinary texts on the photo,
        `photo` what ordinary texts score on it, `mean` what the query scores on the library's
        photos, all in deviations of the background; `spread` is the logarithm of how much the
        query's own cosines deviate.
        """
        cosines = photos @ vector  # (k,)
        ordinary = photos @ self._rivals(vector).T  # (k, r)
        count = min(_RIVALS, ordinary.shape[1])
        best = np.partition(ordinary, -count, axis=1)[:, -count:].mean(axis=1)
        own = self.photos @ vector  # (n,)
        weight = len(own) / (len(own) + _PRIOR_PHOTOS)
        mean = weight * (float(own.mean()) - self._mean) + self._mean
        variance = weight * np.square(own - mean).mean() + (1 - weight) * self._deviation**2
        ones = np.ones(len(photos))
        features = {
            "level": self._scaled(cosines - self._mean),
            "lift": self._scaled(cosines - best),
            "photo": self._scaled(ordinary.mean(axis=1) - self._mean),
            "mean": self._scaled((mean - self._mean) * ones),
            "spread": 0.5 * np.log(variance / self._deviation**2) * ones,
        }
        return {name: np.clip(each, -_GREATEST, _GREATEST) for name, each in features.items()}

    def _scaled(self, differences: npt.NDArray[np.floating]) -> Relevances:
        return differences.astype(np.float64) / self._deviation

    def _rivals(self, vector: Vectors) -> Vectors:
        """The ordinary texts that do not mean what the query means."""
        near = self.texts @ vector
        middle = np.median(near)
        deviation = 1.4826 * np.median(np.abs(near - middle))  # of a normal distribution
        rivals: Vectors = self.texts[near <= middle + _SAME_MEANING * deviation]
        return rivals
