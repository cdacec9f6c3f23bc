"""An encoder that is used for the first time on a machine, exported so that it starts faster.

In: an encoder as torch runs it. Out: its export, which ONNX Runtime does. It takes a while, so
whoever waits is told; what cannot be exported goes on with torch, and that is told as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from imgsearch.encoders import Encoder


@dataclass(frozen=True, slots=True)
class Preparing:
    """An encoder is being exported, so that it starts and runs faster on this machine from now on.

    Told once before, with `seconds` 0, and once after it; `damage` says what is wrong with the
    export that there was, `problem` why it goes on with torch.
    """

    encoder: str
    seconds: float = 0.0
    problem: str = ""
    damage: str = ""

    def __str__(self) -> str:
        if self.problem:
            return f"{self.encoder} stays with torch for now, slower to start: {self.problem}"
        if self.seconds:
            return f"{self.encoder} is prepared, in {self.seconds:.0f} s"
        if self.damage:
            return f"preparing {self.encoder} anew, since its export is damaged: {self.damage}"
        return f"preparing {self.encoder} to run faster on this machine (once)"


class Preparations:
    """Tells of each encoder that is exported, before it and after it; None hears of nothing."""

    def __init__(self, tell: Callable[[Preparing], None] | None) -> None:
        self.tell = tell or (lambda notice: None)
        self._under_way: tuple[str, float] | None = None

    def starting(self, encoder: str, damage: str) -> None:
        """One is exported now, so the one before it is done."""
        self.done()
        self._under_way = encoder, time.perf_counter()
        self.tell(Preparing(encoder, damage=damage))

    def done(self) -> None:
        """What was under way, if anything was, is exported."""
        if self._under_way is not None:
            encoder, started = self._under_way
            self._under_way = None
            self.tell(Preparing(encoder, time.perf_counter() - started))

    def failed(self, problem: UsageError) -> None:
        """What was under way, if anything was, goes on with torch."""
        if self._under_way is not None:  # else it was tried and told before
            encoder, _ = self._under_way
            self.tell(Preparing(encoder, problem=str(problem)))


def prepared(encoder: Encoder, tell: Callable[[Preparing], None]) -> Encoder:
    """The encoder's export, made now unless it was; itself where it cannot be exported.

    That is told when it is found out, and not again before it is tried again, a week later; but
    each time where the cache cannot be written, which can be mended.
    """
    from imgsearch import encoders

    preparations = Preparations(tell)
    try:
        exported = encoders.export(encoder, starting=preparations.starting)
    except UsageError as error:
        preparations.failed(error)
        return encoder
    except OSError as error:
        tell(
            Preparing(
                encoder.name,
                problem=f"its export cannot be kept ({error}); make room there, or name another "
                "folder that can be written in XDG_CACHE_HOME",
            )
        )
        return encoder
    preparations.done()
    return exported
