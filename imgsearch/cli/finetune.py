"""`imgsearch finetune`: a recipe read from options, a run drawn as a bar, a table of what it
gave."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from imgsearch.cli import finetune_options as options
from imgsearch.cli import frame

if TYPE_CHECKING:
    from imgsearch.training.events import Event, Finished
    from imgsearch.training.recipe import Keep, Loss, Precision, Schedule, Tower
START = "builtin"


def finetune(
    context: typer.Context,
    name: options.Name,
    pairs: options.Pairs = None,
    start: options.Start = START,
    from_scratch: options.FromScratch = None,
    freeze: options.Freeze = "none",
    two_stage: options.TwoStage = 0.0,
    epochs: options.Epochs = 5.0,
    batch_size: options.BatchSize = 128,
    micro_batch: options.MicroBatch = None,
    gradient_checkpointing: options.GradientCheckpointing = False,
    learning_rate: options.LearningRate = None,
    image_rate: options.ImageRate = None,
    text_rate: options.TextRate = None,
    head_rate: options.HeadRate = None,
    weight_decay: options.WeightDecay = 0.05,
    head_decay: options.HeadDecay = None,
    schedule: options.Schedule = "cosine",
    warmup: options.Warmup = 0.05,
    plateau_patience: options.PlateauPatience = 1,
    plateau_factor: options.PlateauFactor = 0.8,
    precision: options.Precision = "auto",
    smallest_crop: options.SmallestCrop = 0.6,
    cut_mix: options.CutMix = 0.0,
    token_drop: options.TokenDrop = 0.0,
    seed: options.Seed = 0,
    loss: options.Loss = "auto",
    temperature: options.Temperature = 1.0,
    target_temperature: options.TargetTemperature = None,
    normalize_embeddings: options.NormalizeEmbeddings = False,
    detach_targets: options.DetachTargets = False,
    val: options.Val = "0.1",
    guard: options.Guard = None,
    guard_loss: options.GuardLoss = 0.05,
    evaluations: options.Evaluations = 1.0,
    keep: options.Keep = "best",
    restart: options.Restart = False,
    device: frame.DeviceOption = "auto",
    json: frame.JsonOption = False,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Train an encoder further on your own photos with text, and say whether it helped.

    \b
    imgsearch finetune flowers/ --name flowers-v1
    imgsearch finetune shop.csv --val 500 --name shop-v2 --start cn_clip/ViT-B-16
    imgsearch finetune pairs-*.tar --name big --batch-size 1024 --micro-batch 64
    imgsearch rebuild --encoder flowers-v1          then let it answer

    The encoder that answers now goes on answering. Interrupted, the same command goes on.
    """
    from imgsearch.cli.training_progress import TrainingProgress
    from imgsearch.errors import UsageError
    from imgsearch.library import open_library
    from imgsearch.training import FromScratch, Material, forget
    from imgsearch.training import finetune as train
    from imgsearch.training.recipe import Objective, Rates, Recipe, Variation

    if from_scratch and start != START:
        raise UsageError("--start and --from-scratch exclude each other; leave one of them out")
    recipe = Recipe(
        epochs=epochs,
        batch_size=batch_size,
        micro_batch=micro_batch,
        objective=Objective(
            cast("Loss", loss),
            temperature,
            target_temperature,
            normalize_embeddings,
            detach_targets,
        ),
        rates=Rates(learning_rate, image_rate, text_rate, head_rate),
        weight_decay=weight_decay,
        head_decay=head_decay,
        schedule=cast("Schedule", schedule),
        warmup=warmup,
        plateau_patience=plateau_patience,
        plateau_factor=plateau_factor,
        freeze=cast("Tower", freeze),
        image_locked=two_stage,
        variation=Variation(smallest_crop=smallest_crop, cut_mix=cut_mix, token_drop=token_drop),
        precision=cast("Precision", precision),
        checkpoint_activations=gradient_checkpointing,
        evaluations=evaluations,
        keep=cast("Keep", keep),
        largest_guard_loss=guard_loss,
        seed=seed,
    )
    material = Material(pairs or None, held_out(val), guard)
    is_first = os.environ.get("RANK", "0") == "0"  # torchrun numbers its processes
    is_quiet = quiet or frame.settings(context).is_quiet or not is_first
    with open_library(frame.library_path(context, library)) as opened:
        if restart and is_first:
            forget(opened, name)
        events = train(
            opened,
            material,
            name=name,
            start=FromScratch(from_scratch) if from_scratch else start,
            recipe=recipe,
            device=device,
        )
        with TrainingProgress(is_quiet=is_quiet) as bar:
            finished = None
            for event in events:
                bar.show(event)
                finished = _told(event, is_json=json) or finished
        if finished is not None and not (json or is_quiet):
            from imgsearch.display.finetuning import finished_page

            command = opened.command("rebuild", "--encoder", name)
            frame.show(finished_page(finished, command))


def _told(event: Event, *, is_json: bool) -> Finished | None:
    from imgsearch.training import logs
    from imgsearch.training.events import Finished

    if is_json:
        frame.write(logs.line(event) + "\n")
    return event if isinstance(event, Finished) else None


def held_out(given: str) -> float | int | list[Path]:
    """`--val`: a share, a number of photos, or a path."""
    try:
        return float(given) if "." in given else int(given)
    except ValueError:
        return [frame.expanded(given)]
