"""What a captioning run tells: what it is about to do, each batch, what came of it.

Values alone. Every photo of the selection is counted in a plan, in exactly one place: captioned
now, left for a reason, or impossible without an embedding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from imgsearch.describing.sidecars import SidecarChanges


@dataclass(frozen=True)
class Plan:
    """What becomes of the selected photos in one language.

    `photos` are to be captioned; `unembedded` should be and cannot, since the captioner's encoder
    has not seen them. Left as they are: those with a caption of a person's (`by_people`), those
    that this captioner has captioned in this very way (`up_to_date`), and those generated
    otherwise, by the name of the captioner (`by_others`).
    """

    language: str
    photos: int
    unembedded: int
    by_people: int
    up_to_date: int
    by_others: Mapping[str, int]


@dataclass(frozen=True)
class Began:
    """A captioner is about to read the embeddings of `encoder`, a language at a time.

    `embed_command` is what embeds the photos that it cannot caption yet.
    """

    captioner: str
    encoder: str
    plans: tuple[Plan, ...]
    sidecars: SidecarChanges
    embed_command: str

    @property
    def total(self) -> int:
        """How many captions are to be made."""
        return sum(plan.photos for plan in self.plans)


@dataclass(frozen=True)
class Captioned:
    """A batch is committed: `photos` more in this language, for `empty` of which the captioner had
    nothing to say; `done` in all.
    """

    language: str
    photos: int
    empty: int
    done: int


@dataclass(frozen=True)
class Finished:
    """All is committed. `captioned` and `empty` count photos per language."""

    began: Began
    captioned: Mapping[str, int]
    empty: Mapping[str, int]
    seconds: float


Event: TypeAlias = Began | Captioned | Finished
