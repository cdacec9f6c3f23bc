"""Vectors as an image encoder gives them, made up: photos in clusters, and texts about them.

A chunk's number goes in, its rows come out, the same ones every time.

Well-separated clusters would flatter every index that learns. So, as in CLIP: all photos share a
direction (two of them have a cosine of 0.45 at the mean), topics hold clusters of very different
size and tightness, variance falls off over 512 directions (the first 50 hold 44%), and texts are
a cluster's meaning, a modality gap away, and more wording than meaning: the best photo scores about
0.38, and the ten best lie in several clusters.
"""

import numpy as np

from imgsearch.vectors import Vectors, normalise

DIM = 512

_SEED = 6
_TOPICS, _CLUSTERS = 400, 20_000
# Lengths, squared, of what a photo is the sum of; together 1.
_SHARED, _TOPIC, _CLUSTER, _PHOTO = 0.45, 0.15, 0.13, 0.27
_GAP, _MEANING, _WORDING = 0.68, 0.12, 0.20  # the same of a text
_TOWARDS_PHOTOS = 0.33  # the cosine of what all photos share and what all texts do
_OWN = 0.5  # of what a text means, how much is about one photo and not about its cluster


class Mixture:
    """Topics, clusters in topics, photos in clusters."""

    def __init__(self) -> None:
        rng = np.random.default_rng(_SEED)
        self._rotation = np.linalg.qr(rng.standard_normal((DIM, DIM)))[0].astype(np.float32)
        fall = (1 + np.arange(DIM) / 30) ** -1.2
        self._spread = np.sqrt(fall / fall.sum()).astype(np.float32)
        self._shared, self._gap = np.zeros((2, DIM), np.float32)
        self._shared[-1] = 1  # where contents hardly vary
        self._gap[-2:] = np.sqrt(1 - _TOWARDS_PHOTOS**2), _TOWARDS_PHOTOS
        topics = self._directions(rng, _TOPICS)
        weights = (1 + np.arange(_CLUSTERS)) ** -0.75  # Zipf's law, but the largest holds 0.5%
        self._weights = weights / weights.sum()
        self._meaning = np.sqrt(_TOPIC) * topics[rng.integers(0, _TOPICS, _CLUSTERS)]
        self._meaning += np.sqrt(_CLUSTER) * self._directions(rng, _CLUSTERS)
        self._looseness = rng.uniform(0.6, 1.2, _CLUSTERS).astype(np.float32)

    def photos(self, chunk: int, count: int) -> Vectors:
        """(count, 512) unit rows, the same ones for the same chunk."""
        rng = np.random.default_rng((_SEED, chunk))
        return self._turned(np.sqrt(_SHARED) * self._shared + self._contents(rng, count))

    def texts(self, chunk: int, count: int) -> Vectors:
        """(count, 512) unit rows, which are about photos of the mixture, and no photos."""
        rng = np.random.default_rng((_SEED, chunk))
        meaning = self._contents(rng, count, _OWN)
        meaning *= np.sqrt(_MEANING) / np.linalg.norm(meaning, axis=1, keepdims=True)
        wording = np.sqrt(_WORDING) * self._directions(rng, count)
        return self._turned(np.sqrt(_GAP) * self._gap + meaning + wording)

    def _contents(self, rng: np.random.Generator, count: int, own: float = 1) -> Vectors:
        clusters = rng.choice(_CLUSTERS, count, p=self._weights)
        looseness = own * np.sqrt(_PHOTO) * self._looseness[clusters, None]
        contents: Vectors = self._meaning[clusters] + looseness * self._directions(rng, count)
        return contents

    def _directions(self, rng: np.random.Generator, count: int) -> Vectors:
        rows: Vectors = rng.standard_normal((count, DIM), np.float32) * self._spread
        return rows

    def _turned(self, rows: Vectors) -> Vectors:
        return normalise(rows @ self._rotation)
