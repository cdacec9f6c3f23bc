"""The decoding flags of `imgsearch caption` and `imgsearch eval --captioner`: how a sentence is
chosen.

What a flag means, and its value where it is left out, is `imgsearch.captioning.Decoding`'s to say:
each is None here unless given, so that one that would change nothing is refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from imgsearch.captioning import Decoding

PANEL = "How a sentence is chosen"


def _option(name: str, metavar: str, text: str) -> Any:
    """An option in a group of the help."""
    return typer.Option(name, metavar=metavar, help=text, rich_help_panel=PANEL, show_default=False)


Decode = Annotated[str | None, _option("--decode", "METHOD", "beam, greedy or sample; else beam.")]
Beams = Annotated[
    int | None, _option("--beams", "N", "Sentences that a beam search follows at once; else 5.")
]
TopK = Annotated[
    int | None, _option("--top-k", "N", "Sample from the N likeliest tokens; else from all.")
]
TopP = Annotated[
    float | None,
    _option("--top-p", "P", "Sample from the likeliest that reach P together; else from all."),
]
Temperature = Annotated[
    float | None, _option("--temperature", "T", "Sample bolder above 1, safer below; else 1.")
]
Seed = Annotated[int | None, _option("--seed", "N", "Another seed, another sample; else 0.")]
Longest = Annotated[
    int | None, _option("--longest", "N", "Tokens at most; else as the captioner was trained.")
]
NoRepeat = Annotated[
    int | None,
    _option("--no-repeat", "N", "No N tokens in a row come twice; 0: they may; else 3."),
]

METHOD_OF = {  # the only method that looks at the flag
    "beams": "beam",
    "top_k": "sample",
    "top_p": "sample",
    "temperature": "sample",
    "seed": "sample",
}


@dataclass(frozen=True)
class Flags:
    """The flags as they were typed, None where they were not."""

    decode: str | None = None
    beams: int | None = None
    top_k: int | None = None
    top_p: float | None = None
    temperature: float | None = None
    seed: int | None = None
    longest: int | None = None
    no_repeat: int | None = None

    @property
    def given(self) -> list[str]:
        """Those that were typed, as they were: --top-k."""
        return [_typed(name) for name, value in vars(self).items() if value is not None]

    def decoding(self) -> Decoding:
        """The decoding they ask for.

        Raises UsageError for a value that cannot be, and for a flag that the method ignores.
        """
        from imgsearch.captioning import Decoding

        given = {name: value for name, value in vars(self).items() if value is not None}
        plain = Decoding(given.pop("decode", "beam"))
        for name in given:
            if METHOD_OF.get(name, plain.method) != plain.method:
                raise UsageError(
                    f"{_typed(name)} is for --decode {METHOD_OF[name]}, and this is --decode "
                    f"{plain.method}: leave one of them out"
                )
        return dataclasses.replace(plain, **given)


def _typed(name: str) -> str:
    return f"--{name.replace('_', '-')}"
