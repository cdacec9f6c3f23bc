"""Query: the sum that is searched for, and the conditions that hits must satisfy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from imgsearch.queries.conditions import Condition

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Words:
    """A text with single spaces, never empty."""

    text: str


@dataclass(frozen=True)
class Picture:
    """A picture file."""

    path: Path


@dataclass(frozen=True)
class PhotoId:
    """A photo of the library."""

    id: int


@dataclass(frozen=True)
class Address:
    """A picture on the web, by its http or https address; `content` is what was fetched there."""

    url: str
    content: bytes | None = field(default=None, repr=False)


Subject: TypeAlias = "Words | Picture | PhotoId | Address | Image.Image"


@dataclass(frozen=True)
class Term:
    """One thing of a sum; a negative weight subtracts it. The weight is never 0."""

    subject: Subject
    weight: float = 1.0


@dataclass(frozen=True)
class Query:
    """A sum of terms, under conditions. Without a term, whatever satisfies the conditions."""

    terms: tuple[Term, ...] = ()
    conditions: tuple[Condition, ...] = ()


Asked: TypeAlias = "str | Path | int | Image.Image | Query"  # what one may search with from Python
