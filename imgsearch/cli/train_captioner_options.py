"""The options of `imgsearch train-captioner`: one type each, in the groups that `--help` shows.

The names of options and their defaults meet in the command; what they mean is in
`imgsearch.training.captioner.recipe`.
"""

from typing import Annotated

import typer

from imgsearch.cli.finetune_options import (
    LEARNING,
    MEASURING,
    START,
    Keep,
    Pairs,
    Restart,
    Seed,
    Val,
    option,
)

MAPPER = "The mapper"
LANGUAGE_MODEL = "The language model"

__all__ = ["Keep", "Pairs", "Restart", "Seed", "Val"]  # as those of `finetune`

Name = Annotated[
    str, typer.Option("--name", metavar="NAME", help="What the new captioner is called.")
]
Encoder = Annotated[str, option("--encoder", "ENCODER", START, "Whose embeddings it is to read.")]
Start = Annotated[
    str | None,
    option(
        "--start",
        "CAPTIONER",
        START,
        "A captioner to train further; its shape and its words stay.",
        show_default=False,
    ),
]
Language = Annotated[
    str | None,
    option(
        "--language",
        "LIST",
        START,
        "Sets of sentences to learn, with commas: en,zh or zh_translated; all but the translated "
        "unless given.",
        show_default=False,
    ),
]
Mapper = Annotated[str, option("--mapper", "KIND", MAPPER, "mlp, linear, transformer or bert.")]
PrefixLength = Annotated[
    str,
    option(
        "--prefix-length",
        "N[,N...]",
        MAPPER,
        "Vectors the language model reads of a photo; several lengths train one captioner each, "
        "NAME-k5 and so on, to be compared.",
    ),
]
ClipLength = Annotated[
    int,
    option("--clip-length", "N", MAPPER, "A transformer's vectors of the embedding.", min=1),
]
MapperLayers = Annotated[
    int, option("--mapper-layers", "N", MAPPER, "Of a transformer or BERT.", min=1)
]
MapperHeads = Annotated[
    int, option("--mapper-heads", "N", MAPPER, "Of a transformer or BERT.", min=1)
]
LanguageModel = Annotated[
    str,
    option(
        "--language-model",
        "MODEL",
        LANGUAGE_MODEL,
        "small, which starts from nothing; a GPT-2's folder or file; gpt2, or another repository "
        "of the hub.",
    ),
]
Tokenizer = Annotated[
    str | None,
    option(
        "--tokenizer",
        "PATH",
        LANGUAGE_MODEL,
        "Its words: a folder or file; else beside the weights, or a vocabulary of the captions.",
        show_default=False,
    ),
]
FreezeLm = Annotated[bool, option("--freeze-lm", None, LANGUAGE_MODEL, "Train the mapper alone.")]
Width = Annotated[int, option("--width", "N", LANGUAGE_MODEL, "Of small.", min=1)]
Layers = Annotated[int, option("--layers", "N", LANGUAGE_MODEL, "Of small.", min=1)]
Heads = Annotated[int, option("--heads", "N", LANGUAGE_MODEL, "Of small.", min=1)]
Dropout = Annotated[
    float, option("--dropout", "SHARE", LANGUAGE_MODEL, "While it learns.", min=0, max=0.99)
]
Views = Annotated[
    int,
    option(
        "--views",
        "N",
        LEARNING,
        "Random views of each photo to learn from beside the whole of it; each is embedded once.",
        min=0,
    ),
]
Noise = Annotated[
    float,
    option(
        "--noise",
        "X",
        LEARNING,
        "Turn embeddings by noise of this length on average, theirs being 1.",
        min=0,
    ),
]
Mix = Annotated[
    float,
    option(
        "--mix",
        "SHARE",
        LEARNING,
        "Mix up to this share of another photo's embedding into each.",
        min=0,
        max=1,
    ),
]
Epochs = Annotated[
    float, option("--epochs", "N", LEARNING, "How often each caption is seen.", min=0.01)
]
BatchSize = Annotated[
    int | None,
    option(
        "--batch-size",
        "N",
        LEARNING,
        "Captions a step; 256 from nothing, 40 with weights.",
        min=1,
        show_default=False,
    ),
]
LearningRate = Annotated[
    float | None,
    option(
        "--learning-rate",
        "RATE",
        LEARNING,
        "The highest; 1e-3 from nothing, 2e-5 with weights.",
        min=0,
        show_default=False,
    ),
]
Warmup = Annotated[
    int | None,
    option(
        "--warmup",
        "STEPS",
        LEARNING,
        "While the rate rises; 300 from nothing, 5000 with weights, less in a short run.",
        min=0,
        show_default=False,
    ),
]
WeightDecay = Annotated[
    float | None,
    option(
        "--weight-decay",
        "X",
        LEARNING,
        "On matrices; 0.05 from nothing, 0 with weights.",
        min=0,
        show_default=False,
    ),
]
Smoothing = Annotated[
    float, option("--smoothing", "SHARE", LEARNING, "Of the labels.", min=0, max=0.99)
]
Precision = Annotated[str, option("--precision", "TYPE", LEARNING, "auto, fp32 or bf16.")]
Evaluations = Annotated[
    float, option("--evaluations", "N", MEASURING, "An epoch; 0: only at the end.", min=0)
]
