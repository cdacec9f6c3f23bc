"""Training encoders: sets of photos with text, contrastive losses, the plain loop, and the folder
that comes out.

`benchmarks/train_builtin.py` is the shortest complete use.
"""

from imgsearch.training.encoder_folder import build, save_encoder, small_clip
from imgsearch.training.loop import Progress, Recipe, Stage, train
from imgsearch.training.photos import TrainingSet, captioned_set, labelled_set, texts_of
from imgsearch.training.vocabulary import Vocabulary, learn_vocabulary

__all__ = [
    "Progress",
    "Recipe",
    "Stage",
    "TrainingSet",
    "Vocabulary",
    "build",
    "captioned_set",
    "labelled_set",
    "learn_vocabulary",
    "save_encoder",
    "small_clip",
    "texts_of",
    "train",
]
