"""Training captioners: from photos with sentences and an encoder to a ClipCap.

`train_captioner` is the verb. A run works as an encoder's does (`imgsearch.training`): the same
pairs go in, a step's chance comes from its number, an interrupted run goes on, and a folder with a
model card comes out.

    training.py         the verb, and the study of prefix lengths
    ground.py           what captioners are trained on: encoder, photos, embeddings
    run_folder.py       a run's folder: what is written down, the captioner it becomes
    beginnings.py       the captioner that is trained, as it begins
    recipe.py           everything that decides a run
    language_models.py  language models to begin with, and their words
    sentences.py        captions as tokens
    embeddings.py       photos as embeddings, whole and in views
    batches.py          the captions of a step
    loop.py             step, report, evaluate, save
    measuring.py        how good the captioner is at this moment
    events.py           what a run tells while it goes on
    curves.py           what it looks like
    card.py             what a person should know of the result
"""

from imgsearch.training.captioner.recipe import CaptionerRecipe, LanguageModel, Mapper
from imgsearch.training.captioner.training import forget, study_prefix_lengths, train_captioner

__all__ = [
    "CaptionerRecipe",
    "LanguageModel",
    "Mapper",
    "forget",
    "study_prefix_lengths",
    "train_captioner",
]
