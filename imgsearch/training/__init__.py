"""Training encoders: sets of photos with text, contrastive losses, the plain loop, and the folder
that comes out.

`benchmarks/train_builtin.py` is the shortest complete use.
"""

from imgsearch.training.encoder_folder import build, save_encoder
from imgsearch.training.loop import Progress, Recipe, Stage, train
from imgsearch.training.photos import TrainingSet, captioned_set, labelled_set
from imgsearch.training.vocabulary import learn_merges, save_merges

__all__ = [
    "Progress",
    "Recipe",
    "Stage",
    "TrainingSet",
    "build",
    "captioned_set",
    "labelled_set",
    "learn_merges",
    "save_encoder",
    "save_merges",
    "train",
]
