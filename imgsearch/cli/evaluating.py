"""`imgsearch eval` measures encoders or captioners side by side; `imgsearch score` scores files of
predictions.

Two commands, since they share no argument: one embeds photos, the other only compares two files.
`score` takes the three paths of Chinese-CLIP's `evaluation.py` in their order, so that a script
that calls that one needs another name and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from imgsearch.cli import decoding_options as options
from imgsearch.cli import frame, measuring
from imgsearch.errors import NoLibraryError, UsageError

if TYPE_CHECKING:
    from imgsearch.prompts import Policy


def evaluate(
    context: typer.Context,
    pairs: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            parser=frame.expanded,
            help="Photos with sentences or classes: a folder with .txt or .json beside the photos, "
            "class folders, WebDataset tars, CSV, TSV, JSONL, COCO, Flickr or Chinese-CLIP files.",
        ),
    ],
    encoder: frame.EncodersOption = None,
    precision: frame.PrecisionOption = None,
    captioner: Annotated[
        list[str] | None,
        typer.Option(
            "--captioner",
            metavar="NAME",
            help="Measure its captions instead: a name or path, such as builtin; repeatable.",
            show_default=False,
        ),
    ] = None,
    tokenizer: frame.TokenizerOption = None,
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
        typer.Option(
            "--language", metavar="LANG", help="Measure this language alone; repeatable, or en,zh."
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            metavar="FOLDER",
            parser=frame.expanded,
            help="Write Chinese-CLIP's prediction files here, or the captions; a folder each of "
            "several encoders or captioners.",
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
    device: frame.DeviceOption = "auto",
    library: frame.LibraryOption = None,
    quiet: frame.QuietOption = False,
    json: frame.JsonOption = False,
) -> None:
    """Measure encoders: recall on photos with sentences, zero-shot accuracy on class folders. With
    --captioner, measure captions: BLEU, ROUGE-L and CIDEr.

    \b
    imgsearch eval flickr8k/val.tar --encoder builtin --encoder flowers-v2
    imgsearch eval tiny-imagenet/val.tar --encoder builtin --prompt raw --prompt ensemble
    imgsearch eval my-photos/ --encoder cn_clip/ViT-B-16 --language zh --json
    imgsearch eval my-photos/ --encoder cn_clip/ViT-B-16 --predictions out/
    imgsearch eval flickr8k/val.tar --captioner builtin --language en,zh

    An encoder or a captioner may be one of the library's own, by its name in the library's folder.
    """
    from imgsearch.pairs import read_pairs

    encoders = _once(frame.in_precision(encoder, precision, context, library))
    captioners = _once(captioner)
    flags = options.Flags(decode, beams, top_k, top_p, temperature, seed, longest, no_repeat)
    of_captions = [*(["--tokenizer"] if tokenizer else []), *flags.given]
    _check(encoders, captioners, prompt, of_captions)
    models, captioners_folder = _folders(context, library)
    asked = measuring.Asked(
        pairs=read_pairs(pairs),
        languages=frame.languages(language) or None,
        predictions=predictions,
        device=device,
        models=models,
        captioners=captioners_folder,
        tokenizer=tokenizer,
        is_quiet=quiet or frame.settings(context).is_quiet,
        is_json=json,
    )
    if captioners:
        measuring.measure_captioners(asked, captioners, encoders, flags.decoding())
    else:
        policies = [cast("Policy", each) for each in _once(prompt or ["auto"])]
        measuring.measure_encoders(asked, encoders or ["builtin"], policies)


def score(
    truth: Annotated[
        Path,
        typer.Argument(
            metavar="TRUTH",
            parser=frame.expanded,
            help='The right answers: {"text_id": 7, "image_ids": [3]} a line.',
        ),
    ],
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS",
            parser=frame.expanded,
            help="Ten ids a query, best first, in the same shape.",
        ),
    ],
    report: Annotated[
        Path | None,
        typer.Argument(
            metavar="REPORT",
            parser=frame.expanded,
            help="Write the report here as JSON, a failing one too.",
            show_default=False,
        ),
    ] = None,
    json: frame.JsonOption = False,
) -> None:
    """Score files of predictions as Chinese-CLIP's evaluation does: recall at 1, 5, 10, their mean.

    \b
    imgsearch score out/zh_texts.jsonl out/zh_auto_predictions.jsonl
    imgsearch score test_texts.jsonl tr_predictions.jsonl report.json

    The paths and the report are those of its evaluation.py and evaluation_tr.py, to the digit.
    Which of the two is told from the predictions; answers in the other shape are turned round.
    """
    from imgsearch.display import measurements as forms
    from imgsearch.evaluating import failure_report, score_predictions, write_report

    try:
        scored = score_predictions(truth, predictions)
    except UsageError as error:
        if report is not None:
            write_report(failure_report(error), report)
        raise
    if report is not None:
        write_report(scored.report, report)
    if json:
        frame.write(forms.score_json(scored))
    else:
        frame.show(forms.score_table(scored))


def _once(given: Iterable[str] | None) -> list[str]:
    """What was given, in its order, each once."""
    return list(dict.fromkeys(given or ()))


def _check(
    encoders: list[str], captioners: list[str], prompt: list[str] | None, of_captions: list[str]
) -> None:
    """Raises UsageError for an option that would change nothing; `of_captions` are those given that
    are of captions alone.
    """
    if captioners and prompt:
        raise UsageError("--prompt is of queries, and --captioner asks none: leave one of them out")
    if captioners and encoders[1:]:
        raise UsageError(
            f"a captioner reads one encoder's embeddings, and --encoder names {len(encoders)}: "
            "leave it out, and each captioner has the one it was trained on"
        )
    if of_captions and not captioners:
        raise UsageError(f"{of_captions[0]} is of captions: name a captioner with --captioner")


def _folders(context: typer.Context, given: Path | None) -> tuple[Path | None, Path | None]:
    """Where the library's own encoders and captioners are; None without a library, unless one was
    named.
    """
    try:
        with frame.existing_library(context, given) as opened:
            return opened.models_folder, opened.captioners_folder
    except NoLibraryError:
        if given or frame.settings(context).library:
            raise
        return None, None
