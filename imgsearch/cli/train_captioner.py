"""`imgsearch train-captioner`: a recipe read from options, a run drawn as a bar, a table of how
good the captions are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from imgsearch.cli import frame
from imgsearch.cli import train_captioner_options as options
from imgsearch.cli.finetune import held_out
from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from imgsearch.captioning.mappers import Kind
    from imgsearch.training.captioner.events import Event, Finished
    from imgsearch.training.captioner.recipe import Precision
    from imgsearch.training.recipe import Keep

SHAPES = (
    *("mapper", "prefix_length", "clip_length", "mapper_layers", "mapper_heads"),
    *("language_model", "tokenizer", "width", "layers", "heads", "dropout"),
)


def train_captioner(
    context: typer.Context,
    name: options.Name,
    pairs: options.Pairs = None,
    encoder: options.Encoder = "builtin",
    start: options.Start = None,
    language: options.Language = None,
    mapper: options.Mapper = "mlp",
    prefix_length: options.PrefixLength = "10",
    clip_length: options.ClipLength = 10,
    mapper_layers: options.MapperLayers = 8,
    mapper_heads: options.MapperHeads = 8,
    language_model: options.LanguageModel = "small",
    tokenizer: options.Tokenizer = None,
    freeze_lm: options.FreezeLm = False,
    width: options.Width = 256,
    layers: options.Layers = 4,
    heads: options.Heads = 4,
    dropout: options.Dropout = 0.1,
    views: options.Views = 0,
    noise: options.Noise = 0.0,
    mix: options.Mix = 0.0,
    epochs: options.Epochs = 10.0,
    batch_size: options.BatchSize = None,
    learning_rate: options.LearningRate = None,
    warmup: options.Warmup = None,
    weight_decay: options.WeightDecay = None,
    smoothing: options.Smoothing = 0.0,
    precision: options.Precision = "auto",
    seed: options.Seed = 0,
    val: options.Val = "0.1",
    evaluations: options.Evaluations = 1.0,
    keep: options.Keep = "best",
    restart: options.Restart = False,
    device: frame.DeviceOption = "auto",
    json: frame.JsonOption = False,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Train a captioner on your own photos with text: it writes sentences about other photos.

    \b
    imgsearch train-captioner flowers/ --name flowers-v1
    imgsearch train-captioner shop.csv --val 500 --name shop --views 8 --noise 0.5
    imgsearch train-captioner coco.json --name coco --language-model gpt2 --mapper transformer \\
        --freeze-lm
    imgsearch train-captioner flowers/ --name study --prefix-length 5,10,20
    imgsearch caption --captioner flowers-v1        then let it speak

    Interrupted, the same command goes on.
    """
    from imgsearch.library import open_library
    from imgsearch.training import Material
    from imgsearch.training import captioner as training

    if start is not None:
        _refuse_shapes(context)
    lengths = _lengths(prefix_length)
    recipe = training.CaptionerRecipe(
        mapper=training.Mapper(
            cast("Kind", mapper), lengths[0], clip_length, mapper_layers, mapper_heads
        ),
        language_model=training.LanguageModel(
            language_model, tokenizer, width, layers, heads, dropout, freeze_lm
        ),
        languages=_languages(language),
        views=views,
        noise=noise,
        mix=mix,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup=warmup,
        weight_decay=weight_decay,
        smoothing=smoothing,
        precision=cast("Precision", precision),
        evaluations=evaluations,
        keep=cast("Keep", keep),
        seed=seed,
    )
    material = Material(pairs or None, _held_out(val))
    is_quiet = quiet or frame.settings(context).is_quiet
    with open_library(frame.library_path(context, library)) as opened:
        if restart:
            training.forget(opened, name, lengths if len(lengths) > 1 else ())
        if len(lengths) > 1:
            events = training.study_prefix_lengths(
                opened,
                material,
                lengths,
                name=name,
                encoder=encoder,
                recipe=recipe,
                device=device,
            )
        else:
            events = training.train_captioner(
                opened,
                material,
                name=name,
                encoder=encoder,
                start=start,
                recipe=recipe,
                device=device,
            )
        finished = _shown(events, is_json=json, is_quiet=is_quiet)
        if not (json or is_quiet):
            from imgsearch.display.captioner_training import finished_page

            command = opened.command("caption", "--captioner", finished[-1].name)
            frame.show(finished_page(finished, command))


def _shown(events: Iterator[Event], *, is_json: bool, is_quiet: bool) -> list[Finished]:
    """Draw what happens; the captioners that came out, in the order of it."""
    from imgsearch.cli.captioner_progress import CaptionerProgress
    from imgsearch.training import logs
    from imgsearch.training.captioner.events import Finished, Studied

    finished: list[Finished] = []
    with CaptionerProgress(is_quiet=is_quiet) as bar:
        for event in events:
            bar.show(event)
            if is_json:
                frame.write(logs.line(event) + "\n")
            if isinstance(event, Finished):
                finished.append(event)
            elif isinstance(event, Studied):
                finished = list(event.finished)
    return finished


def _refuse_shapes(context: typer.Context) -> None:
    """A captioner that is trained further keeps its shape: nobody may ask for another."""
    sources = {name: context.get_parameter_source(name) for name in SHAPES}
    typed = [
        f"--{name.replace('_', '-')}"
        for name, source in sources.items()
        if source is not None and source.name == "COMMANDLINE"
    ]
    if typed:
        raise UsageError(
            f"a captioner that is trained further keeps its shape and its words: leave "
            f"{', '.join(typed)} out, or leave --start out"
        )


def _languages(given: str | None) -> tuple[str, ...]:
    """`--language`: sets of sentences, with commas."""
    if given is None:
        return ()
    named = tuple(each.strip() for each in given.split(",") if each.strip())
    if not named:
        raise UsageError(
            f"--language is {given!r} and names nothing; it must be a set of sentences, or several "
            "with commas: en,zh"
        )
    return named


def _held_out(given: str) -> float | int | list[Path]:
    """`--val`: as that of `finetune`, and nothing below 0."""
    found = held_out(given)
    if isinstance(found, float | int) and not found >= 0:
        raise UsageError(
            f"--val is {given}; it must be 0 for none, a share such as 0.1, a number of photos "
            "such as 500, or the path of other pairs"
        )
    return found


def _lengths(given: str) -> list[int]:
    """`--prefix-length`: a number, or several with commas."""
    try:
        lengths = [int(each) for each in given.split(",")]
    except ValueError as error:
        raise UsageError(
            f"--prefix-length is {given!r}; it must be a number, or several with commas: 5,10,20"
        ) from error
    if min(lengths) < 1:
        raise UsageError(f"--prefix-length is {given!r}; a prefix has at least 1 vector")
    return lengths
