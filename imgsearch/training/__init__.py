"""Training encoders on photos with text: one's own, or from nothing. Captioners: `captioner/`.

`finetune` is the verb: pairs and an encoder become a better one in the library's `models/`. `train`
is the plain loop under it, for any number of sets; `benchmarks/train_builtin.py` is its shortest
complete use.

    finetuning.py      the verb: what fits together becomes a run
    run_folder.py      a run's folder: what is written down, what is proposed
    unfinished.py      whose an unfinished run is, and that it goes on alone
    checkpoint.py      its state on disk
    material.py        what is learnt from, what is measured on
    recipe.py          everything that decides a run
    loop.py            step, report, evaluate, save
    state.py           all that changes in a run
    steps.py           the gradient of a batch, in pieces and over processes
    ranks.py           several processes as one
    batches.py         the photos and texts of a step
    sets.py            what may be said of which photo
    squares.py         decoded pictures
    views.py           crops, light, mixing
    towers.py          an encoder that can learn
    architectures.py   encoders that have learnt nothing yet
    activations.py     less memory for more time
    objective.py       which loss a recipe means
    losses.py          contrastive losses: pure functions
    collapse.py        noticing that all embeddings are alike
    measuring.py       how good the towers are at this moment
    events.py          what a run tells while it goes on
    logs.py            metrics.jsonl and TensorBoard
    curves.py          what they look like
    panels.py          what all curves look like
    drawing.py         when they are drawn
    model_card.py      what a person should know of the result
    markdown.py        what model cards are made of
    encoder_folder.py  the weights on disk
    vocabulary.py      byte pairs of one's own
    captioner/         the same for captioners
"""

from imgsearch.training.finetuning import FromScratch, finetune, forget
from imgsearch.training.loop import train
from imgsearch.training.material import Material
from imgsearch.training.recipe import Objective, Rates, Recipe, Stage, Variation
from imgsearch.training.sets import TrainingSet, captioned_set, labelled_set, texts_of
from imgsearch.training.squares import Squares
from imgsearch.training.towers import Towers, fresh_towers, open_towers

__all__ = [
    "FromScratch",
    "Material",
    "Objective",
    "Rates",
    "Recipe",
    "Squares",
    "Stage",
    "Towers",
    "TrainingSet",
    "Variation",
    "captioned_set",
    "finetune",
    "forget",
    "fresh_towers",
    "labelled_set",
    "open_towers",
    "texts_of",
    "train",
]
