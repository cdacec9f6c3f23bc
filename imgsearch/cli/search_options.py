"""The options of `imgsearch search`, in the groups that its help shows them in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imgsearch.cli import completion, frame

RANKING = "What is ranked, and how"
OUTPUT = "What is shown"

AddOption = Annotated[
    list[str] | None,
    typer.Option(
        "--add",
        metavar="TERM",
        help="Add a term, as `+ TERM` does; repeatable. A sum ranks by vector alone.",
    ),
]
SubtractOption = Annotated[
    list[str] | None,
    typer.Option("--subtract", metavar="TERM", help="Subtract one, as `- TERM` does; repeatable."),
]
QueriesOption = Annotated[
    Path | None,
    typer.Option(
        "--queries",
        metavar="FILE",
        parser=frame.expanded,
        help="Search for every line of a text file (- is standard input), all embedded at once.",
    ),
]
AllowUrlOption = Annotated[
    bool,
    typer.Option("--allow-url", help="Let a term be the http(s) address of a picture."),
]
MinScoreOption = Annotated[
    float | None,
    typer.Option(
        "--min-score",
        metavar="S",
        help="Leave out lower cosines, instead of what is not relevant.",
        rich_help_panel=RANKING,
    ),
]
AllOption = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Show the nearest photos however far they are.",
        rich_help_panel=RANKING,
    ),
]
SortOption = Annotated[
    str,
    typer.Option(
        "--sort",
        metavar="ORDER",
        help="Show the best hits by score, by date (newest first) or by path.",
        autocompletion=completion.choices(("score", "date", "path")),
        rich_help_panel=RANKING,
    ),
]
DiverseOption = Annotated[
    bool,
    typer.Option(
        "--diverse",
        help="Unlike photos before alike ones, so that a burst does not fill the page.",
        rich_help_panel=RANKING,
    ),
]
ModeOption = Annotated[
    str,
    typer.Option(
        "--mode",
        metavar="MODE",
        help="Rank by vector, by text (words of captions and file names) or hybrid (both); "
        "auto is hybrid for one text where there are captions; a sum has only a vector.",
        autocompletion=completion.choices(completion.MODES),
        rich_help_panel=RANKING,
    ),
]
PromptOption = Annotated[
    str,
    typer.Option(
        "--prompt",
        metavar="POLICY",
        help="How words become prompts: auto, raw, photo, seven or ensemble.",
        autocompletion=completion.choices(completion.PROMPTS),
        rich_help_panel=RANKING,
    ),
]
LanguageOption = Annotated[
    str | None,
    typer.Option(
        "--language",
        metavar="LANG",
        help="en or zh; else by the letters of the query.",
        autocompletion=completion.choices(completion.LANGUAGES),
        rich_help_panel=RANKING,
    ),
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="NAME",
        help="Search with this encoder of the library.",
        autocompletion=completion.encoders,
        rich_help_panel=RANKING,
    ),
]
ExplainOption = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="Say what of the query carried each hit; a contact sheet shows where in the photo.",
        rich_help_panel=OUTPUT,
    ),
]
PathsOption = Annotated[
    bool, typer.Option("-f", "--paths", help="Print paths alone.", rich_help_panel=OUTPUT)
]
NullOption = Annotated[
    bool,
    typer.Option("-0", "--null", help="Paths ended by NUL, for xargs -0.", rich_help_panel=OUTPUT),
]
SheetOption = Annotated[
    Path | None,
    typer.Option(
        "--contact-sheet",
        metavar="OUT.png",
        parser=frame.expanded,
        help="Draw the hits into a picture.",
        rich_help_panel=OUTPUT,
    ),
]
