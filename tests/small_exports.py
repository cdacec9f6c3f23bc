"""The tiny encoder of `commands`, exported: once for all workers of a run, since they share its
cache.

A plugin of pytest, for files that name `commands` as well in `pytest_plugins`.
(PYTEST_DONT_REWRITE: they may have imported it before, and pytest would warn.)
"""

import shutil
from pathlib import Path
from typing import Any

import pytest

from conftest import CACHE
from imgsearch import encoders
from imgsearch.encoders.exports import cache
from imgsearch.encoders.exports.exported import Exported
from imgsearch.errors import QueryError
from small_encoders import CHINESE, TEXTS, furthest, pictures

ALL_TEXTS = [*TEXTS, *CHINESE, "word " * 40, "a"]


@pytest.fixture
def exported(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of that encoder, whose export lies in a cache of this test alone."""
    made: Any = encoders.export(encoders.load(str(encoder), device="cpu"))
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    shutil.copytree(made.export.folder, cache.folder() / made.identity)
    return encoder


def check_equal(exported: Any, torch: Any) -> None:
    """An export has all that a caller asks of the encoder it was made of, the vectors included."""
    assert isinstance(exported, Exported) and not isinstance(torch, Exported)
    for attribute in ("identity", "name", "source", "dim", "languages", "image_size", "context"):
        assert getattr(exported, attribute) == getattr(torch, attribute)
    for count in (1, 2, 11):
        images = pictures(count)
        assert furthest(exported.embed_images(images), torch.embed_images(images)) < 1e-6
    empty = (0, torch.dim)
    assert exported.embed_images([]).shape == exported.embed_texts([]).shape == empty
    assert furthest(exported.embed_texts(ALL_TEXTS), torch.embed_texts(ALL_TEXTS)) < 1e-6
    assert exported.shorten("狗 " * 90) == torch.shorten("狗 " * 90)
    with pytest.raises(QueryError, match="this encoder reads at most"):
        exported.embed_texts(["狗 " * 90])
