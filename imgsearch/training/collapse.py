"""Mode collapse: noticing that embeddings have become all alike, so that any query brings the same
photos.

In: embeddings and losses while a run goes on. Out: numbers to plot, and a `CollapsedError` once two
different signs are there. A sign tells something only against the start of the run, because a fresh
model looks collapsed without being so: its cosines are near 1, its loss is that of guessing, and
one photo is the best hit of most texts. So a sign counts only where there was none then.

The standard deviation of each dimension, which others watch as well, is no sign of its own: for
unit rows the variances add up to (1 - spread)(1 - 1/n).
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from imgsearch.errors import CollapsedError
from imgsearch.training.events import Health

Array = npt.NDArray[np.floating]

NARROW = 0.02  # 1 - mean cosine; encoders that search well have 0.2 and more
FLAT = 3.0  # dimensions
FEW_HITS = 0.05
NEAR_GUESSING = 0.02  # of the loss
WORSE = 1 / 3  # of what it was at the start
LEAST_TEXTS = 8  # with fewer, one photo can be the best of all by accident
LEAST_PHOTOS = 31  # with fewer, a healthy batch does not fill many dimensions either
PATIENCE = 50  # steps; a tenth of a short run, but five at least
ROWS = 1024  # texts ranked at once: bounds the memory of the score matrix
OPTIONS = {"image": "--image-rate", "text": "--text-rate", "heads": "--head-rate"}

Room = Mapping[str, float]  # what is left, by the name of the sign: smaller is worse


def spread(vectors: Array) -> float:
    """The mean cosine of two different rows of (n, d): 1 when all point one way, about 0 when they
    point everywhere; 0 for fewer than two rows.
    """
    n = len(vectors)
    if n < 2:
        return 0.0
    total = _unit(vectors).sum(axis=0)
    return float((total @ total - n) / (n * (n - 1)))


def effective_rank(vectors: Array) -> float:
    """How many dimensions tell the rows of (n, d) apart: exp of the entropy of the spectrum of
    their covariance, between 1 and min(n - 1, d) (Roy & Vetterli 2007).

    Rows are scaled to length 1 and centred: what all rows have in common tells none apart, and it
    is `spread` that measures it. Not centred, an encoder whose photos share a direction (most do)
    would seem flat however well it ranks. 1 when there is no difference beyond rounding.
    """
    rows = _unit(vectors)
    rows = rows - rows.mean(axis=0)
    gram = rows.T @ rows if rows.shape[1] < len(rows) else rows @ rows.T
    powers = np.linalg.eigvalsh(gram).clip(min=0)  # the covariance's, up to a factor
    if powers.sum() < 1e-6 * len(rows):
        return 1.0
    shares = powers[powers > 0] / powers.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def distinct_top_1(texts: Array, images: Array) -> float:
    """How many different photos are the best hit of some text, as a share of how many could be.

    texts (u, d), images (n, d), at least one each; in (0, 1]. At most min(u, n) photos could be.
    """
    gallery = _unit(images)
    best = [
        (_unit(texts[start : start + ROWS]) @ gallery.T).argmax(axis=1)
        for start in range(0, len(texts), ROWS)
    ]
    return len(np.unique(np.concatenate(best))) / min(len(texts), len(images))


def health(images: Array, texts: Array) -> Health:
    """The three measures of validation photos (n, d) and of their texts (u, d)."""
    return Health(spread(images), effective_rank(images), distinct_top_1(texts, images))


def loss_of_guessing(photos: int, texts: int) -> float:
    """What embeddings that are all alike cost: ln b with one text a photo, in nats.

    It is that of the clip, soft, same-caption and same-label losses; siglip's depends on its bias.
    """
    return (math.log(photos) + math.log(texts)) / 2


class Watch:
    """Follows a run of `steps` steps, and stops it when it has collapsed.

    `rates` are the highest of each part, for the message; `starting` is the health before the first
    step, None when there is nothing to measure it on. What a batch shows is compared with the first
    look, so that should be early; what an evaluation shows with `starting`: norms and dropout make
    the two differ.
    """

    def __init__(
        self, steps: int, rates: Mapping[str, float], starting: Health | None = None
    ) -> None:
        self._steps = steps
        self._rates = dict(rates)
        self._starting = None if starting is None else _room(starting)
        self._first: Room | None = None
        self._since: int | None = None

    @property
    def memory(self) -> dict[str, Any]:
        """What a run that goes on after an interruption has to `remember`."""
        return {"starting": self._starting, "first": self._first, "since": self._since}

    def remember(self, memory: Mapping[str, Any]) -> None:
        """Go on with what was seen before; nothing to remember at the start of a run."""
        if memory:
            self._starting = memory["starting"]
            self._first, self._since = memory["first"], memory["since"]

    def look(
        self, step: int, images: Tensor, texts: Tensor, loss: float, guessing: float | None
    ) -> float:
        """Look at the embeddings (b, d) and (u, d) of a step and at its loss; the mean cosine of
        the photos.

        `guessing` is the `loss_of_guessing`; None where no such number is known, and where a
        healthy run stays near it, as the soft losses do with normalised rows. Raises CollapsedError
        when two signs were there at every look for a while, and at once for a loss or embeddings
        that are not finite.
        """
        photos, sentences = _array(images), _array(texts)
        if not all(np.isfinite(each).all() for each in (photos, sentences, np.array(loss))):
            raise self._error(step, [f"the loss is {loss:g}, or embeddings are not finite"])
        could_be = min(len(photos), len(sentences))
        room = {"photos": 1 - spread(photos), "texts": 1 - spread(sentences)}
        if len(photos) >= LEAST_PHOTOS:
            room["rank"] = effective_rank(photos)
        if could_be >= LEAST_TEXTS:
            room["hits"] = distinct_top_1(sentences, photos)
        if self._first is None:
            self._first = room
        signs = _signs(room, self._first, max(FEW_HITS, 1 / could_be))
        told = [self._told(sign, room[sign], self._first) for sign in signs]
        is_guessing = guessing is not None and abs(loss - guessing) < NEAR_GUESSING * guessing
        if is_guessing:
            told.append(f"the loss is {loss:.3f}, and guessing costs {guessing:.3f}")
        if len(_kinds(signs)) + is_guessing < 2:
            self._since = None
        elif self._since is None:
            self._since = step
        elif step - self._since >= max(5, min(PATIENCE, self._steps / 10)):
            raise self._error(step, told)
        return 1 - room["photos"]

    def judge(self, step: int, health: Health) -> None:
        """Look at an evaluation: raises CollapsedError when two signs are there that were not at
        the start. One look is enough, for it is at many photos.
        """
        room = _room(health)
        if self._starting is None:
            self._starting = room
            return
        signs = _signs(room, self._starting, FEW_HITS)
        if len(_kinds(signs)) >= 2:
            told = [self._told(sign, room[sign], self._starting) for sign in signs]
            raise self._error(step, told)

    def _told(self, sign: str, value: float, start: Room) -> str:
        was = start[sign]
        if sign == "rank":
            return (
                f"the photos differ in few dimensions (effective rank {value:.1f}, {was:.1f} at "
                "the start)"
            )
        if sign == "hits":
            return (
                f"nearly all texts find the same photos ({value:.1%} of the possible ones, "
                f"{was:.1%} at the start)"
            )
        return (
            f"the embeddings of {sign} are nearly all the same (mean cosine {1 - value:.3f}, "
            f"{1 - was:.3f} at the start)"
        )

    def _error(self, step: int, told: list[str]) -> CollapsedError:
        if len(set(self._rates.values())) == 1:
            rate = next(iter(self._rates.values()))
            were, advice = f"rate was {rate:g}", f"--learning-rate {rate / 10:g}"
        else:
            of_parts = ", ".join(f"{rate:g} ({part})" for part, rate in self._rates.items())
            were = f"rates were {of_parts}"
            advice = " ".join(f"{OPTIONS[part]} {r / 10:g}" for part, r in self._rates.items())
        return CollapsedError(
            f"training collapsed, seen after {step:,} of {self._steps:,} steps: "
            f"{'; '.join(told)}. The {were}: try a tenth, {advice} --restart. "
            "Nothing of the library was changed"
        )


def _room(health: Health) -> Room:
    cosine, rank, hits = health.cosine, health.effective_rank, health.distinct_top_1
    return {"photos": 1 - cosine, "rank": rank, "hits": hits}


def _signs(room: Room, start: Room, few_hits: float) -> list[str]:
    """The signs that are there, were not at the start, and are much worse than then."""
    limits = {"photos": NARROW, "texts": NARROW, "rank": FLAT, "hits": few_hits}
    return [
        sign
        for sign, value in room.items()
        if value <= limits[sign] < start.get(sign, 0.0) and value <= WORSE * start[sign]
    ]


def _kinds(signs: list[str]) -> set[str]:
    """Photos and texts are pulled together by the loss: that both are narrow is one sign."""
    return {"spread" if sign in ("photos", "texts") else sign for sign in signs}


def _array(vectors: Tensor) -> Array:
    rows: Array = vectors.detach().float().cpu().numpy()
    return rows


def _unit(vectors: Array) -> npt.NDArray[np.float64]:
    """Rows of length 1 in float64; a zero row stays zero, as torch leaves it."""
    rows: npt.NDArray[np.float64] = vectors.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True).clip(min=1e-12)
    return rows
