"""`imgsearch caption`: photos get sentences; and people's own come in (--import), all go out
(--export).

One command of four jobs, because they share what they are about. Here its options are read, and
those that do not go together are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imgsearch.cli import decoding_options as options
from imgsearch.cli import filter_options, frame, showing
from imgsearch.cli.caption_jobs import Job
from imgsearch.errors import UsageError


def caption(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            parser=frame.expanded,
            help="With --import: tables, JSON lines, folders or tars of photos with captions.",
            show_default=False,
        ),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option(
            "--language",
            metavar="LANG",
            help="Caption in this language: en, zh or en,zh; else in all the captioner speaks.",
            show_default=False,
        ),
    ] = None,
    captioner: Annotated[
        str, typer.Option("--captioner", metavar="NAME", help="A captioner by name or path.")
    ] = "builtin",
    tokenizer: frame.TokenizerOption = None,
    path: showing.PathOption = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Caption photos with a caption of a person's, too, beside it."),
    ] = False,
    recaption: Annotated[
        str | None,
        typer.Option(
            "--recaption",
            metavar="NAME",
            help="Make anew what this captioner generated, unless it is just what would be made.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        int | None,
        typer.Option(
            "--dry-run",
            metavar="N",
            min=1,
            help="Only show the captions of the first N photos that would get one.",
            show_default=False,
        ),
    ] = None,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(
            "--contact-sheet",
            metavar="OUT.png",
            parser=frame.expanded,
            help="Where --dry-run draws them with their photos.",
            show_default="captions.png, or captions-2.png where that is there",
        ),
    ] = None,
    is_import: Annotated[
        bool,
        typer.Option(
            "--import",
            help="Take in captions: of FILE; without one, those beside and inside the photos.",
        ),
    ] = False,
    export: Annotated[
        str | None,
        typer.Option(
            "--export",
            metavar="OUT",
            help="Write captions to OUT.csv or OUT.jsonl, or `sidecars`: people's, to a .txt "
            "beside each photo without text.",
            show_default=False,
        ),
    ] = None,
    decode: options.Decode = None,
    beams: options.Beams = None,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    temperature: options.Temperature = None,
    seed: options.Seed = None,
    longest: options.Longest = None,
    no_repeat: options.NoRepeat = None,
    wait: frame.WaitOption = False,
    device: frame.DeviceOption = "auto",
    json: frame.JsonOption = False,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Give photos without a caption one, from their embeddings; take in and write out captions.

    A caption that a person wrote, in the library or beside a photo, is never replaced.

    \b
    imgsearch caption                                 in English and Chinese
    imgsearch caption --dry-run 20                    look first: captions.png
    imgsearch caption --path ~/Pictures/2024 --language en --decode greedy
    imgsearch caption --captioner mine --recaption builtin
    imgsearch caption --import                        text beside and inside the photos
    imgsearch caption --import captions.csv
    imgsearch caption --export captions.jsonl
    imgsearch caption --export sidecars               0001.txt beside 0001.jpg

    Interrupted, the same command goes on where it was.
    """
    flags = options.Flags(decode, beams, top_k, top_p, temperature, seed, longest, no_repeat)
    made = {
        "--captioner": captioner != "builtin",
        "--tokenizer": tokenizer,
        "--all": everything,
        "--recaption": recaption,
        "--dry-run": dry_run,
        **dict.fromkeys(flags.given, True),
    }
    _check(paths, is_import=is_import, export=export, made=[each for each in made if made[each]])
    if is_import:
        filter_options.check_unused(context, path, "--import takes all captions in: leave it out")
    if is_import and language:
        raise UsageError("--import takes all captions in: leave --language out")
    if contact_sheet and not dry_run:
        raise UsageError("--contact-sheet draws what --dry-run N shows: name both")
    languages = frame.languages(language)
    is_quiet = quiet or frame.settings(context).is_quiet
    with frame.existing_library(context, library) as opened:
        job = Job(opened, languages or None, wait=wait, is_json=json, is_quiet=is_quiet)
        if is_import:
            job.take_in(paths or [])
        elif export is not None:
            job.write_out(export, filter_options.only(context, opened, path))
        else:
            from imgsearch import captioning
            from imgsearch.describing import Selection

            only = filter_options.only(context, opened, path)
            selection = Selection(only, everything, recaption)
            decoding = flags.decoding()
            loaded = captioning.load(
                captioner,
                device=device,
                captioners=opened.captioners_folder,
                tokenizer=tokenizer,
            )
            if dry_run:
                job.preview(loaded, decoding, selection, dry_run, contact_sheet)
            else:
                job.caption(loaded, decoding, selection)


def _check(
    paths: list[Path] | None, *, is_import: bool, export: str | None, made: list[str]
) -> None:
    """Raises UsageError for options of more than one job."""
    if is_import and export is not None:
        raise UsageError(
            "--import takes captions in and --export writes them out: not both at once"
        )
    if paths and not is_import:
        raise UsageError(
            f"{str(paths[0])!r} is given without --import; the photos of a folder are captioned "
            "with --path FOLDER"
        )
    if made and (is_import or export is not None):
        job = "--import" if is_import else "--export"
        raise UsageError(f"{made[0]} is of making captions, and {job} makes none: leave one out")
