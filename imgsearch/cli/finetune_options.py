"""The options of `imgsearch finetune`: one type each, in the groups that `--help` shows.

The names of options and their defaults meet in the command; what they mean is in
`imgsearch.training.recipe`.
"""

from pathlib import Path
from typing import Annotated

import typer

from imgsearch.cli import frame

START = "Where it starts"
LEARNING = "How it learns"
LOSS = "The loss"
MEASURING = "How it is measured"

Pairs = Annotated[
    list[Path],
    typer.Argument(
        metavar="PAIRS",
        parser=frame.expanded,
        help="Photos with text: a folder with .txt or .json beside the photos, CSV, TSV, JSONL, "
        "WebDataset tars, class folders, COCO, Flickr or Chinese-CLIP files.",
    ),
]
Name = Annotated[
    str, typer.Option("--name", metavar="NAME", help="What the new encoder is called.")
]
Start = Annotated[
    str,
    typer.Option(
        "--start", metavar="ENCODER", help="The encoder to improve.", rich_help_panel=START
    ),
]
FromScratch = Annotated[
    str | None,
    typer.Option(
        "--from-scratch",
        metavar="ARCHITECTURE",
        help="Random weights instead: small, an open_clip architecture, cn_clip/ARCHITECTURE, "
        "or an open_clip_config.json.",
        rich_help_panel=START,
        show_default=False,
    ),
]
Freeze = Annotated[
    str,
    typer.Option("--freeze", metavar="TOWER", help="image, text or none.", rich_help_panel=START),
]
TwoStage = Annotated[
    float,
    typer.Option(
        "--two-stage",
        metavar="SHARE",
        min=0,
        max=1,
        help="Lock the image tower for this share of the run, then train both.",
        rich_help_panel=START,
        show_default=False,
    ),
]
Epochs = Annotated[
    float,
    typer.Option(
        "--epochs",
        metavar="N",
        min=0.01,
        help="How often each photo is seen.",
        rich_help_panel=LEARNING,
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(
        "--batch-size",
        metavar="N",
        min=2,
        help="Photos contrasted with one another.",
        rich_help_panel=LEARNING,
    ),
]
MicroBatch = Annotated[
    int | None,
    typer.Option(
        "--micro-batch",
        metavar="N",
        min=1,
        help="Photos computed at a time, where a batch does not fit the memory; the gradient "
        "is the same.",
        rich_help_panel=LEARNING,
        show_default=False,
    ),
]
GradientCheckpointing = Annotated[
    bool,
    typer.Option(
        "--gradient-checkpointing",
        help="Less memory, more time.",
        rich_help_panel=LEARNING,
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        metavar="RATE",
        min=0,
        help="The highest rate; chosen by the encoder's size and the batch unless given.",
        rich_help_panel=LEARNING,
        show_default=False,
    ),
]
ImageRate = Annotated[
    float | None,
    typer.Option(
        "--image-rate",
        metavar="RATE",
        min=0,
        help="Of the image tower alone.",
        rich_help_panel=LEARNING,
        show_default=False,
    ),
]
TextRate = Annotated[
    float | None,
    typer.Option(
        "--text-rate",
        metavar="RATE",
        min=0,
        help="Of the text tower alone.",
        rich_help_panel=LEARNING,
        show_default=False,
    ),
]
HeadRate = Annotated[
    float | None,
    typer.Option(
        "--head-rate",
        metavar="RATE",
        min=0,
        help="Of the projections alone.",
        rich_help_panel=LEARNING,
        show_default=False,
    ),
]
WeightDecay = Annotated[
    float,
    typer.Option(
        "--weight-decay",
        metavar="X",
        min=0,
        help="On matrices; never on norms and biases.",
        rich_help_panel=LEARNING,
    ),
]
HeadDecay = Annotated[
    float | None,
    typer.Option(
        "--head-decay",
        metavar="X",
        min=0,
        help="Of the projections alone.",
        rich_help_panel=LEARNING,
        show_default=False,
    ),
]
Schedule = Annotated[
    str,
    typer.Option(
        "--schedule",
        metavar="SHAPE",
        help="cosine, linear, constant or plateau.",
        rich_help_panel=LEARNING,
    ),
]
Warmup = Annotated[
    float,
    typer.Option(
        "--warmup",
        metavar="SHARE",
        min=0,
        max=1,
        help="Of the run, while the rate rises.",
        rich_help_panel=LEARNING,
    ),
]
PlateauPatience = Annotated[
    int,
    typer.Option(
        "--plateau-patience",
        metavar="N",
        min=0,
        help="Evaluations without a lower loss before the rate falls.",
        rich_help_panel=LEARNING,
    ),
]
PlateauFactor = Annotated[
    float,
    typer.Option(
        "--plateau-factor",
        metavar="X",
        min=0,
        max=1,
        help="What it is multiplied by.",
        rich_help_panel=LEARNING,
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="TYPE",
        help="auto, fp32, bf16 or fp16.",
        rich_help_panel=LEARNING,
    ),
]
SmallestCrop = Annotated[
    float,
    typer.Option(
        "--smallest-crop",
        metavar="SHARE",
        min=0.01,
        max=1,
        help="Of a photo's area; 1 shows all of it.",
        rich_help_panel=LEARNING,
    ),
]
CutMix = Annotated[
    float,
    typer.Option(
        "--cut-mix",
        metavar="SHARE",
        min=0,
        max=1,
        help="Of the batches, with photos mixed in pairs.",
        rich_help_panel=LEARNING,
    ),
]
TokenDrop = Annotated[
    float,
    typer.Option(
        "--token-drop",
        metavar="SHARE",
        min=0,
        max=1,
        help="Of the tokens of every other sentence, left out.",
        rich_help_panel=LEARNING,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", metavar="N", help="Another seed, another order.", rich_help_panel=LEARNING
    ),
]
Loss = Annotated[
    str,
    typer.Option(
        "--loss",
        metavar="LOSS",
        help="auto, clip, same-caption, same-label, siglip, soft or soft-per-axis.",
        rich_help_panel=LOSS,
    ),
]
Temperature = Annotated[
    float,
    typer.Option(
        "--temperature", metavar="T", min=1e-4, help="Of the soft losses.", rich_help_panel=LOSS
    ),
]
NormalizeEmbeddings = Annotated[
    bool,
    typer.Option(
        "--normalize-embeddings",
        help="Soft losses on rows of unit length.",
        rich_help_panel=LOSS,
    ),
]
DetachTargets = Annotated[
    bool,
    typer.Option(
        "--detach-targets",
        help="Soft losses whose targets are constants.",
        rich_help_panel=LOSS,
    ),
]
Val = Annotated[
    str,
    typer.Option(
        "--val",
        metavar="PAIRS|SHARE",
        help="Other pairs, or how much of these to measure on; 0 for none.",
        rich_help_panel=MEASURING,
    ),
]
Guard = Annotated[
    list[Path] | None,
    typer.Option(
        "--guard",
        metavar="PAIRS",
        parser=frame.expanded,
        help="Pairs that must not get worse; the library's own captioned photos unless given.",
        rich_help_panel=MEASURING,
        show_default=False,
    ),
]
GuardLoss = Annotated[
    float,
    typer.Option(
        "--guard-loss",
        metavar="SHARE",
        min=0,
        max=1,
        help="How much mean recall the guard may lose.",
        rich_help_panel=MEASURING,
    ),
]
Evaluations = Annotated[
    float,
    typer.Option(
        "--evaluations",
        metavar="N",
        min=0,
        help="An epoch; 0: only before and after.",
        rich_help_panel=MEASURING,
    ),
]
Keep = Annotated[
    str,
    typer.Option(
        "--keep",
        metavar="WHICH",
        help="best or last: the weights that come out.",
        rich_help_panel=MEASURING,
    ),
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Forget an unfinished run under this name.")
]
