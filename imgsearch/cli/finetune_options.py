"""The options of `imgsearch finetune`: one type each, in the groups that `--help` shows.

The names of options and their defaults meet in the command; what they mean is in
`imgsearch.training.recipe`.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from imgsearch.cli import frame

START = "Where it starts"
LEARNING = "How it learns"
LOSS = "The loss"
MEASURING = "How it is measured"


def option(name: str, metavar: str | None, panel: str, text: str, **limits: Any) -> Any:
    """An option in a group of the help."""
    return typer.Option(name, metavar=metavar, help=text, rich_help_panel=panel, **limits)


Pairs = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PAIRS",
        parser=frame.expanded,
        help="Photos with text: a folder with .txt or .json beside the photos, CSV, TSV, JSONL, "
        "WebDataset tars, class folders, COCO, Flickr or Chinese-CLIP files. Without any, the "
        "library's own photos with text beside them.",
        show_default=False,
    ),
]

Name = Annotated[
    str, typer.Option("--name", metavar="NAME", help="What the new encoder is called.")
]
Start = Annotated[str, option("--start", "ENCODER", START, "The encoder to improve.")]
FromScratch = Annotated[
    str | None,
    option(
        "--from-scratch",
        "ARCHITECTURE",
        START,
        "Random weights instead: small, small-96, an open_clip architecture, cn_clip/ARCHITECTURE, "
        "or an open_clip_config.json.",
        show_default=False,
    ),
]
Freeze = Annotated[str, option("--freeze", "TOWER", START, "image, text or none.")]
TwoStage = Annotated[
    float,
    option(
        "--two-stage",
        "SHARE",
        START,
        "Lock the image tower for this share of the run, then train both.",
        min=0,
        max=1,
        show_default=False,
    ),
]
Epochs = Annotated[
    float, option("--epochs", "N", LEARNING, "How often each photo is seen.", min=0.01)
]
BatchSize = Annotated[
    int, option("--batch-size", "N", LEARNING, "Photos contrasted with one another.", min=2)
]
MicroBatch = Annotated[
    int | None,
    option(
        "--micro-batch",
        "N",
        LEARNING,
        "Photos computed at a time, where a batch does not fit the memory; the gradient is the "
        "same.",
        min=1,
        show_default=False,
    ),
]
GradientCheckpointing = Annotated[
    bool, option("--gradient-checkpointing", None, LEARNING, "Less memory, more time.")
]
LearningRate = Annotated[
    float | None,
    option(
        "--learning-rate",
        "RATE",
        LEARNING,
        "The highest rate; chosen by the encoder's size and the batch unless given.",
        min=0,
        show_default=False,
    ),
]
ImageRate = Annotated[
    float | None,
    option(
        "--image-rate", "RATE", LEARNING, "Of the image tower alone.", min=0, show_default=False
    ),
]
TextRate = Annotated[
    float | None,
    option("--text-rate", "RATE", LEARNING, "Of the text tower alone.", min=0, show_default=False),
]
HeadRate = Annotated[
    float | None,
    option("--head-rate", "RATE", LEARNING, "Of the projections alone.", min=0, show_default=False),
]
WeightDecay = Annotated[
    float,
    option("--weight-decay", "X", LEARNING, "On matrices; never on norms and biases.", min=0),
]
HeadDecay = Annotated[
    float | None,
    option("--head-decay", "X", LEARNING, "Of the projections alone.", min=0, show_default=False),
]
Schedule = Annotated[
    str, option("--schedule", "SHAPE", LEARNING, "cosine, linear, constant or plateau.")
]
Warmup = Annotated[
    float, option("--warmup", "SHARE", LEARNING, "Of the run, while the rate rises.", min=0, max=1)
]
PlateauPatience = Annotated[
    int,
    option(
        "--plateau-patience",
        "N",
        LEARNING,
        "Evaluations without a lower loss before the rate falls.",
        min=0,
    ),
]
PlateauFactor = Annotated[
    float, option("--plateau-factor", "X", LEARNING, "What it is multiplied by.", min=0, max=1)
]
Precision = Annotated[str, option("--precision", "TYPE", LEARNING, "auto, fp32, bf16 or fp16.")]
SmallestCrop = Annotated[
    float,
    option(
        "--smallest-crop",
        "SHARE",
        LEARNING,
        "Of a photo's area; 1 shows all of it.",
        min=0.01,
        max=1,
    ),
]
CutMix = Annotated[
    float,
    option(
        "--cut-mix", "SHARE", LEARNING, "Of the batches, with photos mixed in pairs.", min=0, max=1
    ),
]
TokenDrop = Annotated[
    float,
    option(
        "--token-drop",
        "SHARE",
        LEARNING,
        "Of the tokens of every other sentence, left out.",
        min=0,
        max=1,
    ),
]
Seed = Annotated[int, option("--seed", "N", LEARNING, "Another seed, another order.")]
Loss = Annotated[
    str,
    option(
        "--loss",
        "LOSS",
        LOSS,
        "auto, clip, same-caption, same-label, siglip, soft or soft-per-axis.",
    ),
]
Temperature = Annotated[
    float, option("--temperature", "T", LOSS, "Of the soft losses.", min=0.0001)
]
TargetTemperature = Annotated[
    float | None,
    option(
        "--target-temperature",
        "T",
        LOSS,
        "Of the soft losses' targets; as published unless given.",
        min=0.0001,
        show_default=False,
    ),
]
NormalizeEmbeddings = Annotated[
    bool, option("--normalize-embeddings", None, LOSS, "Soft losses on rows of unit length.")
]
DetachTargets = Annotated[
    bool, option("--detach-targets", None, LOSS, "Soft losses whose targets are constants.")
]
Val = Annotated[
    str,
    option(
        "--val",
        "PAIRS|SHARE",
        MEASURING,
        "Other pairs, or how much of these to measure on; 0 for none.",
    ),
]
Guard = Annotated[
    list[Path] | None,
    option(
        "--guard",
        "PAIRS",
        MEASURING,
        "Pairs that must not get worse; the library's own captioned photos unless given.",
        parser=frame.expanded,
        show_default=False,
    ),
]
GuardLoss = Annotated[
    float,
    option(
        "--guard-loss", "SHARE", MEASURING, "How much mean recall the guard may lose.", min=0, max=1
    ),
]
Evaluations = Annotated[
    float, option("--evaluations", "N", MEASURING, "An epoch; 0: only before and after.", min=0)
]
Keep = Annotated[
    str, option("--keep", "WHICH", MEASURING, "best or last: the weights that come out.")
]

Restart = Annotated[
    bool, typer.Option("--restart", help="Forget an unfinished run under this name.")
]
