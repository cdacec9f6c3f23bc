"""cluster(): groups of photos that are alike, each named by the words that tell it from the rest.

A library goes in, groups come out, the largest first. Spherical k-means on stored embeddings: unit
rows, cosines, centres that are mean directions. It is seeded, and reads photos in the order of
their ids, so the same library gives the same groups. Centres of a large library come from an even
sample of it, and every photo then goes to its nearest: some at a time, for a million are not held.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imgsearch.catalog import Ids
from imgsearch.errors import UsageError
from imgsearch.library import Library
from imgsearch.organising.texts import embed_words, encoder_of, live_embedded, spread_out
from imgsearch.vectors import Vectors, normalise

SEED = 0
ROUNDS = 50  # of k-means; it is still before that, mostly
STARTS = 4  # the best of so many beginnings
SAMPLE = 20_000  # photos that centres are found from
TRIED = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)  # where nobody says how many
TRIED_ON = 3_000  # photos
WORDS = 3
CENTRAL = 5

Places = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Cluster:
    """Photos that are alike: their ids, the most central first, the first few paths of those, the
    words nearest to them, and the mean cosine to their centre.
    """

    words: tuple[str, ...]
    photo_ids: tuple[int, ...]
    central: tuple[tuple[int, Path], ...]
    cohesion: float


def cluster(
    library: Library,
    k: int | None = None,
    *,
    language: str = "en",
    only: Ids | None = None,
    progress: Progress | None = None,
) -> list[Cluster]:
    """Groups of the photos with a live file, the largest first; `k` is how many, or chosen.

    `only` bounds the photos; `progress` is told how many numbers of groups were tried, and how many
    there are. Raises UsageError for more groups than photos and where there are no photos,
    NoEncoderError where no encoder knows the language.
    """
    encoder = encoder_of(library, language)
    ids = live_embedded(library, encoder, only)
    if not len(ids):
        raise UsageError(f"no photo of {library.path} is left to group; take in more, or ask wider")
    if k is not None and not 1 <= k <= len(ids):
        raise UsageError(f"{len(ids):,} photos make from 1 to {len(ids):,} groups, not {k:,}")
    _, sample = library.catalog.embeddings(encoder.id, photo_ids=spread_out(ids, SAMPLE))
    if k is None:
        k = choose_k(sample[spread_out(np.arange(len(sample)), TRIED_ON)], progress)
    centres = spherical_k_means(sample, k)
    words, rows = embed_words(library, encoder, language)
    sorting = Sorting(centres, rows)
    for start in range(0, len(ids), SAMPLE):
        sorting.add(*library.catalog.embeddings(encoder.id, photo_ids=ids[start : start + SAMPLE]))
    names = [tuple(words[word] for word in best) for best in sorting.names()]
    groups = [
        _cluster(library, names[place], *members) for place, members in sorting.groups().items()
    ]
    return sorted(groups, key=lambda each: (-len(each.photo_ids), each.photo_ids))


def spherical_k_means(vectors: Vectors, k: int, seed: int = SEED) -> Vectors:
    """(n, d) unit rows, k <= n -> (k, d) unit centres: the tightest of a few seeded beginnings."""
    found = [_k_means(vectors, k, np.random.default_rng(seed + start)) for start in range(STARTS)]
    return max(found, key=lambda centres: float((vectors @ centres.T).max(axis=1).sum()))


def choose_k(vectors: Vectors, progress: Progress | None = None) -> int:
    """How many groups (n, d) unit rows fall into: where the mean silhouette is highest.

    The silhouette is taken between centres (the simplified one): how much nearer a photo is to its
    own than to the next, as a share of the distance to that. A group of one has a perfect one, so
    no more groups are tried than photos are in a group of that many.
    """
    tried = [k for k in TRIED if k * k <= len(vectors)] or [1]
    best, best_score = tried[0], -np.inf
    for done, k in enumerate(tried, 1):
        score = silhouette(vectors, spherical_k_means(vectors, k)) if k > 1 else 0.0
        if score > best_score:
            best, best_score = k, score
        if progress is not None:
            progress(done, len(tried))
    return best


def silhouette(vectors: Vectors, centres: Vectors) -> float:
    """The mean simplified silhouette of (n, d) photos and (k, d) centres, k >= 2, in [0, 1]."""
    distances = 1 - np.sort(vectors @ centres.T, axis=1)[:, ::-1][:, :2]  # own, next
    own, following = np.maximum(distances, 0).T
    return float(np.mean((following - own) / np.maximum(following, 1e-9)))


class Sorting:
    """Photos that go to the nearest of (k, d) centres, some at a time, and what the groups have of
    (w, d) words; no vector is held.
    """

    def __init__(self, centres: Vectors, words: Vectors) -> None:
        self._centres, self._words = centres, words
        self._ids: list[Ids] = []
        self._nearest: list[Places] = []
        self._cosines: list[npt.NDArray[np.float32]] = []  # to the nearest
        self._counts = np.zeros(len(centres), np.int64)
        self._sums = np.zeros((len(centres), len(words)))  # of the words' cosines, a row a group
        self._squares = np.zeros(len(words))

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Sort (n, d) photos."""
        cosines = vectors @ self._centres.T  # (n, k)
        nearest = cosines.argmax(axis=1)
        self._ids.append(ids)
        self._nearest.append(nearest)
        self._cosines.append(cosines.max(axis=1))
        self._counts += np.bincount(nearest, minlength=len(self._centres))
        of_words = (vectors @ self._words.T).astype(np.float64)  # (n, w)
        np.add.at(self._sums, nearest, of_words)
        self._squares += (of_words**2).sum(axis=0)

    def groups(self) -> dict[int, tuple[Ids, npt.NDArray[np.float32]]]:
        """Place of a centre -> its photos, the nearest first, and their cosines; none is empty."""
        ids, nearest = np.concatenate(self._ids), np.concatenate(self._nearest)
        cosines = np.concatenate(self._cosines)
        found = {}
        for place in np.flatnonzero(self._counts).tolist():
            members = np.flatnonzero(nearest == place)
            ordered = members[np.argsort(-cosines[members], kind="stable")]
            found[place] = ids[ordered], cosines[ordered]
        return found

    def names(self) -> list[Places]:
        """The few words of each centre that its group is nearer to than all photos are on the
        whole."""
        total = self._counts.sum()
        ordinary = self._sums.sum(axis=0) / total
        spread = np.sqrt(np.maximum(self._squares / total - ordinary**2, 1e-12))
        typical = self._sums / np.maximum(self._counts, 1)[:, None]
        # What it looks like counts as much as what sets it apart: half of a library may be of dogs.
        standing_out = (typical - ordinary) / spread + typical / spread.mean()
        return list(np.argsort(-standing_out, axis=1, kind="stable")[:, :WORDS])


def _cluster(
    library: Library, words: tuple[str, ...], ids: Ids, cosines: npt.NDArray[np.float32]
) -> Cluster:
    central = ids[:CENTRAL].tolist()
    paths = library.catalog.live_paths(central)
    shown = tuple((i, paths[i]) for i in central if i in paths)
    return Cluster(words, tuple(ids.tolist()), shown, float(cosines.mean()))


def _k_means(vectors: Vectors, k: int, generator: np.random.Generator) -> Vectors:
    centres = _far_apart(vectors, k, generator)
    nearest = np.full(len(vectors), -1)
    for _ in range(ROUNDS):
        cosines = vectors @ centres.T  # (n, k)
        before, nearest = nearest, cosines.argmax(axis=1)
        if np.array_equal(before, nearest):
            break
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, vectors)
        is_whole = np.linalg.norm(sums, axis=1) > 0
        centres[is_whole] = normalise(sums[is_whole])
        for place in np.flatnonzero(np.bincount(nearest, minlength=k) == 0):
            lonely = cosines.max(axis=1).argmin()  # an empty group begins anew where none is near
            centres[place] = vectors[lonely]
            cosines[lonely] = 1
    return centres


def _far_apart(vectors: Vectors, k: int, generator: np.random.Generator) -> Vectors:
    """k-means++: each further centre is a photo, the likelier the farther from those so far."""
    chosen = [int(generator.integers(len(vectors)))]
    distances = np.full(len(vectors), np.inf)
    for _ in range(k - 1):
        distances = np.minimum(distances, np.maximum(1 - vectors @ vectors[chosen[-1]], 0))
        total = distances.sum()
        shares = distances / total if total > 0 else None
        chosen.append(int(generator.choice(len(vectors), p=shares)))
    return vectors[chosen].copy()
