"""A captioner of random weights for the embeddings of `ColourEncoder`, or of any other encoder: it
says nonsense in both languages, and the same for the same embedding.
"""

from pathlib import Path

from conftest import ColourEncoder
from imgsearch.captioning import Captioner, TrainedOn, load
from imgsearch.captioning.folder import save_captioner
from small_captioners import bilingual


def write_captioner(
    folder: Path, *, trained_on: TrainedOn | None = None, name: str = "toy/captioner", seed: int = 1
) -> Path:
    """Make the folder of a captioner; another seed, other weights."""
    encoder = ColourEncoder()
    trained_on = trained_on or TrainedOn((encoder.name,), encoder.identity, encoder.dim)
    words = folder.with_name(f"{folder.name}-words")
    words.mkdir(parents=True)
    captioner = bilingual(words, seed=seed, dim=trained_on.dim, longest=6, trained_on=trained_on)
    captioner.name = name
    save_captioner(captioner, folder)
    return folder


def captioner_in(
    folder: Path, *, trained_on: TrainedOn | None = None, name: str = "toy/captioner", seed: int = 1
) -> Captioner:
    """The same, loaded."""
    written = write_captioner(folder, trained_on=trained_on, name=name, seed=seed)
    return load(str(written), device="cpu")
