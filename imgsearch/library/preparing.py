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

    Told once before, with `seconds` 0, and once after it; `problem` says why it goes on with torch.
    """

    encoder: str
    seconds: float = 0.0
    problem: str = ""

    def __str__(self) -> str:
        if self.problem:
            return f"{self.encoder} stays with torch for now, slower to start: {self.problem}"
        if self.seconds:
            return f"{self.encoder} is prepared, in {self.seconds:.0f} s"
        return f"preparing {self.encoder} to run faster on this machine (once)"


def prepared(encoder: Encoder, tell: Callable[[Preparing], None]) -> Encoder:
    """The encoder's export, made now unless it was; itself where it cannot be exported.

    That is told when it is found out, and not again before it is tried again, a week later; but
    each time where the cache cannot be written, which can be mended.
    """
    from imgsearch import encoders

    started: list[float] = []

    def starting() -> None:
        started.append(time.perf_counter())
        tell(Preparing(encoder.name))

    try:
        exported = encoders.export(encoder, starting=starting)
    except UsageError as error:
        if started:  # else it was tried and told before
            tell(Preparing(encoder.name, problem=str(error)))
        return encoder
    except OSError as error:
        tell(
            Preparing(
                encoder.name,
                problem=f"its export cannot be kept ({error}); name a "
                "folder that can be written in XDG_CACHE_HOME",
            )
        )
        return encoder
    if started:
        tell(Preparing(encoder.name, time.perf_counter() - started[0]))
    return exported
