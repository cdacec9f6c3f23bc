"""What hits must satisfy, as typed values: a key, and tests of which one must hold.

The keys are PhotoPrism's. `catalog` turns each into a statement; here is only what a value means.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias


@dataclass(frozen=True)
class Span:
    """Numbers from `low` to `high`, both included; None: no bound on that side."""

    low: float | None
    high: float | None


@dataclass(frozen=True)
class Period:
    """Moments from `start` on and before `end`, with their zones; None: no bound on that side."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class Like:
    """A text in any letter case; `*` stands for any number of characters."""

    pattern: str


@dataclass(frozen=True)
class Flag:
    """A claim that must be true, or must not be."""

    is_so: bool


@dataclass(frozen=True)
class Near:
    """At most so far from a point: degrees, signed, and kilometres."""

    latitude: float
    longitude: float
    kilometres: float


Test: TypeAlias = Span | Period | Like | Flag | Near


@dataclass(frozen=True)
class Condition:
    """A key, and tests of which at least one must hold; all conditions of a query must."""

    key: str
    tests: tuple[Test, ...]
