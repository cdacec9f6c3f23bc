"""What a search for duplicates tells while it runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Looked:
    """How far a step is: what is being done, how many photos of how many."""

    doing: str
    done: int
    total: int


@dataclass(frozen=True)
class Unread:
    """Photos that could not be looked at, and so are in no group of pictures; why the first."""

    photos: int
    reason: str

    def __str__(self) -> str:
        return f"{self.photos:,} could not be looked at; the first: {self.reason}"
