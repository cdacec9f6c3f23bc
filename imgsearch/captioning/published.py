"""The weights of others, recognised by their content: ClipCap's and ClipCap-Chinese's."""

from __future__ import annotations

from pathlib import Path

from imgsearch.captioning.captioner import Captioner


def read_published(path: Path, *, tokenizer: Path | None, device: str) -> Captioner:
    """The captioner of a published weights file."""
    raise NotImplementedError
