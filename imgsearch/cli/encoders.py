"""`imgsearch encoders` lists what can be used; `imgsearch eval` measures how good it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from imgsearch.cli import frame

if TYPE_CHECKING:
    from imgsearch.display.encoders import LibraryEncoder
    from imgsearch.prompts import Policy


def encoders(
    context: typer.Context,
    json: frame.JsonOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """List the encoders that can be used, and which ones this library has.

    \b
    imgsearch encoders
    imgsearch encoders --json | jq -r 'select(.photos).name'

    Any other name of open_clip's works as well, as do a checkpoint file and a folder of weights.
    """
    from imgsearch.display import encoders as forms
    from imgsearch.encoders import known

    here = _of_library(context, library)
    if json:
        frame.write(forms.encoders_json(known(), here))
    else:
        frame.show(forms.encoders_table(known(), here))


def _of_library(context: typer.Context, given: Path | None) -> list[LibraryEncoder]:
    """What the library does with each of its encoders; empty without a library."""
    from imgsearch.display.encoders import LibraryEncoder
    from imgsearch.errors import NoLibraryError

    try:
        opened = frame.existing_library(context, given)
    except NoLibraryError:
        return []
    with opened:
        catalog = opened.catalog
        active = catalog.active_encoders()
        return [
            LibraryEncoder(
                row.name,
                row.languages,
                row.dim,
                catalog.photo_count(row.id),
                tuple(language for language, each in active.items() if each.id == row.id),
            )
            for row in catalog.encoders()
        ]


def evaluate(
    context: typer.Context,
    pairs: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            parser=frame.expanded,
            help="Tars or folders of photos with sentences, or of class folders.",
        ),
    ],
    encoder: frame.EncodersOption = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt",
            metavar="POLICY",
            help="auto, raw, photo, seven or ensemble; repeatable.",
            show_default="auto",
        ),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option("--language", metavar="LANG", help="Measure this language alone; repeatable."),
    ] = None,
    device: frame.DeviceOption = "auto",
    json: frame.JsonOption = False,
) -> None:
    """Measure encoders: recall on photos with sentences, zero-shot accuracy on class folders.

    \b
    imgsearch eval flickr8k/val.tar --encoder builtin
    imgsearch eval tiny-imagenet/val.tar --encoder builtin --prompt raw --prompt ensemble
    imgsearch eval my-photos/ --encoder builtin --encoder cn_clip/ViT-B-16 --language zh --json
    """
    from imgsearch.display import encoders as forms
    from imgsearch.encoders import load
    from imgsearch.evaluating import evaluate as measure
    from imgsearch.pairs import read_pairs

    read = read_pairs(pairs)
    found = []
    for name in encoder or ["builtin"]:
        policies = [cast("Policy", each) for each in prompt or ["auto"]]
        for measurement in measure(
            read, load(name, device=device), languages=language, policies=policies
        ):
            if json:
                frame.write(forms.measurement_json(measurement))  # as it comes: this may take long
            found.append(measurement)
    if not json:
        frame.show(forms.measurements_table(found))
