"""An encoder in int8: another identity, nearly the same vectors; where it runs, how it is asked
for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import Run
from conftest import CACHE
from imgsearch import encoders
from imgsearch.encoders import exports
from imgsearch.encoders.exports import cache
from imgsearch.errors import UsageError
from imgsearch.library import Preparing, open_library
from small_encoders import TEXTS, pictures

pytest_plugins = ["commands", "small_exports"]

INT8 = ("--precision", "int8", "--device", "cpu")


def test_int8_has_an_identity_and_a_name_of_its_own_and_nearly_the_same_vectors(
    exported: Path,
) -> None:
    name = str(exported)
    full, small = (encoders.load(each, device="cpu") for each in (name, name + "@int8"))
    assert small.identity == exports.int8_identity(full.identity) != full.identity
    assert small.name == full.name + "@int8"
    images = pictures(5)
    rows = small.embed_images(images)
    cosines = (rows * full.embed_images(images)).sum(1)
    assert 0.99 < cosines.min() < 0.99999
    assert np.array_equal(rows[3:4], small.embed_images(images[3:4]))  # whatever is beside it
    assert np.array_equal(small.embed_texts(TEXTS), full.embed_texts(TEXTS))
    again: Any = encoders.load(name + "@int8", device="cpu")
    assert again.identity == small.identity and again.source == name + "@int8"


def test_int8_is_refused_for_a_tower_that_convolves() -> None:
    with pytest.raises(UsageError, match=r"only 3% .* matrix products.* without @int8"):
        encoders.load("builtin@int8", device="cpu")


def test_int8_is_refused_where_it_cannot_run(exported: Path) -> None:
    with pytest.raises(UsageError, match="only runs on a CPU"):
        encoders.load(f"{exported}@int8", device="cuda")
    with pytest.raises(UsageError, match=f"or trains: name {exported}$"):
        encoders.load(f"{exported}@int8", runtime="torch")


def test_int8_that_cannot_be_kept_says_where_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE, str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"builtin@int8 cannot be kept in .*XDG_CACHE_HOME"):
        encoders.load("builtin@int8", device="cpu")


def test_making_int8_is_told_before_and_after(exported: Path, tmp_path: Path) -> None:
    told: list[Preparing] = []
    with open_library(tmp_path / "library") as library:
        library.preparing = told.append
        for _ in range(2):
            library.load_encoder(f"{exported}@int8", "cpu")
    assert [(each.encoder, bool(each.seconds)) for each in told] == [
        ("toy/tiny@int8", False),
        ("toy/tiny@int8", True),
    ]


def test_precision_is_asked_for_where_photos_are_embedded(
    run: Run, exported: Path, photos: Path
) -> None:
    result = run("index", photos, "--encoder", exported, *INT8)
    assert result.exit_code == 0 and "preparing toy/tiny@int8" in result.stderr
    assert names(run) == ["toy/tiny@int8"]
    told = run("index", photos, "--precision", "int16")
    assert told.exit_code == 2 and "it is float32 or int8" in told.stderr


def test_precision_without_an_encoder_is_of_those_that_answer(
    run: Run, exported: Path, photos: Path
) -> None:
    told = run("index", photos, *INT8)
    assert told.exit_code == 2 and "no library has one that can be loaded" in told.stderr
    assert run("index", photos, "--encoder", exported, "--device", "cpu").exit_code == 0
    assert run("index", *INT8).exit_code == 0
    assert names(run) == ["toy/tiny", "toy/tiny@int8"]


def test_rebuild_in_int8_and_back_lets_each_answer(run: Run, exported: Path, photos: Path) -> None:
    assert run("index", photos, "--encoder", exported, "--device", "cpu").exit_code == 0
    for options, answers in (
        (INT8, "toy/tiny@int8"),
        (INT8, "toy/tiny@int8"),
        (("--precision", "float32"), "toy/tiny"),
    ):
        result = run("rebuild", *options)
        assert result.exit_code == 0, result.stderr
        status = json.loads(run("status", "--json").stdout)
        assert {each["name"] for each in status["encoders"] if each["active_for"]} == {answers}


def test_eval_measures_in_int8_what_answers(run: Run, exported: Path, photos: Path) -> None:
    (photos / "captions.txt").write_text("image,caption\nred.png,red\nblue.png,blue\n", "utf-8")
    measure = ("eval", photos, "--prompt", "raw", "--json", *INT8)
    told = run(*measure)
    assert told.exit_code == 2 and "--encoder NAME" in told.stderr
    assert run("index", photos, "--encoder", exported, "--device", "cpu").exit_code == 0
    for more in ((), ("--encoder", exported)):
        result = run(*measure, *more)
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout.splitlines()[0])["encoder"] == "toy/tiny@int8"
    assert list(cache.folder().glob("*/manifest.json"))


def names(run: Run) -> list[str]:
    return sorted(each["name"] for each in json.loads(run("status", "--json").stdout)["encoders"])
