"""How an index was made: what was asked for, what came of it, what it was measured to find.

Plain values that go into the manifest and come back out of it. Manifests of before these were
written say nothing of them; what is then taken for true stands in `Making.of`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from imgsearch.errors import UsageError
from imgsearch.vector_index.kinds import AUTO, KINDS, RECALL_K, kind_for


@dataclass(frozen=True)
class Asked:
    """What an index is to be: of a `kind`, "auto" for what suits its size, and tuned to find the
    share `recall` of the ten nearest.

    Raises UsageError for an unknown kind, and for a recall that is not above 0 and at most 1.
    """

    kind: str = AUTO
    recall: float = 0.99

    def __post_init__(self) -> None:
        if self.kind not in (AUTO, *KINDS):
            known = ", ".join((AUTO, *KINDS))
            raise UsageError(f"no kind of index is called {self.kind!r}; there are {known}")
        if not 0 < self.recall <= 1:
            raise UsageError(f"recall is a share above 0 and at most 1, like 0.99: {self.recall}")

    def changed(self, kind: str | None, recall: float | None) -> "Asked":
        """The same but for what is not None. Raises UsageError as the constructor does."""
        return Asked(self.kind if kind is None else kind, self.recall if recall is None else recall)

    @staticmethod
    def likely(kind: str, count: int, dim: int) -> "Asked":
        """What was asked where only the kind is known that came of it, for so many vectors.

        The usual where "auto" comes to that kind too, and where there is no such kind.
        """
        is_usual = kind not in KINDS or kind == kind_for(AUTO, count, dim)
        return USUAL if is_usual else Asked(kind)


USUAL = Asked()


@dataclass(frozen=True)
class Recall:
    """The share of the k nearest that was found, after exact scoring: of `photo_queries` photos of
    the gallery (not counted as their own hit), and of `text_queries` texts."""

    photos: float
    photo_queries: int
    texts: float | None = None
    text_queries: int = 0
    k: int = RECALL_K

    @property
    def least(self) -> float:
        """That of the sort of query which finds less."""
        return self.photos if self.texts is None else min(self.photos, self.texts)


@dataclass(frozen=True)
class Step:
    """An index is being built: `done` of `total` vectors are through what is being done."""

    doing: Literal["learning", "adding", "measuring"]
    done: int
    total: int


@dataclass(frozen=True)
class Making:
    """What was asked, the parameters in FAISS's names, the recall that was measured when it was
    built of `trained_on` vectors, and how long that took.

    `recall` is None for kinds that are exact, and where nobody measured.
    """

    asked: Asked = USUAL
    parameters: Mapping[str, int] = field(default_factory=dict)
    recall: Recall | None = None
    trained_on: int = 0
    build_seconds: float = 0.0

    def as_mapping(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return asdict(self)

    @staticmethod
    def of(manifest: Mapping[str, Any]) -> "Making":
        """What a manifest says. Raises what values of other kinds raise.

        One of before these were written: flat was the default then, so that nobody asked for it;
        any other kind somebody did.
        """
        if "making" not in manifest:
            kind = manifest["kind"]
            asked = Asked(AUTO if kind == "flat" else kind)
            return Making(asked, trained_on=int(manifest["count"]))
        making = dict(manifest["making"])
        recall = making["recall"]
        return Making(
            asked=Asked(**making["asked"]),
            parameters={str(name): int(value) for name, value in making["parameters"].items()},
            recall=None if recall is None else Recall(**recall),
            trained_on=int(making["trained_on"]),
            build_seconds=float(making["build_seconds"]),
        )
