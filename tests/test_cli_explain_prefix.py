"""`imgsearch explain-prefix`: a photo in, its captions and the words of its prefix out."""

import json
from pathlib import Path

import pytest

from commands import Run
from imgsearch import captioning, encoders
from imgsearch.captioning import TrainedOn
from imgsearch.captioning.folder import save_captioner
from small_captioners import bilingual

pytest_plugins = ["commands"]


@pytest.fixture
def captioner(encoder: Path, tmp_path: Path) -> Path:
    reads = encoders.load(str(encoder))
    trained_on = TrainedOn((str(encoder),), reads.identity, reads.dim)
    save_captioner(bilingual(tmp_path, trained_on=trained_on), tmp_path / "babbles")
    return tmp_path / "babbles"


def test_a_picture_is_explained_without_a_library(run: Run, photos: Path, captioner: Path) -> None:
    result = run("explain-prefix", photos / "red.png", "--captioner", captioner, "-k", 2)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["en", "zh", "1", "2"]
    assert len(lines[2].split()) == 5  # two words with a cosine each


def test_a_photo_of_the_library_says_what_its_file_says(
    indexed: Run, photos: Path, captioner: Path
) -> None:
    asked = ["--captioner", captioner, "--language", "zh", "--json"]
    by_path = json.loads(indexed("explain-prefix", photos / "blue.png", *asked).stdout)
    found = [
        json.loads(indexed("explain-prefix", f"id:{each}", *asked).stdout) for each in (1, 2, 3)
    ]
    assert by_path["captions"].keys() == {"zh"}
    assert [len(words) for words in by_path["prefix"]] == [3, 3]
    near = [[word["word"] for words in each["prefix"] for word in words] for each in found]
    assert [word["word"] for words in by_path["prefix"] for word in words] in near
    loaded = captioning.load(str(captioner), device="cpu")
    assert by_path["captioner"] == loaded.name


def test_a_picture_is_read_by_the_librarys_encoder_whatever_its_name(
    indexed: Run, photos: Path, encoder: Path, tmp_path: Path
) -> None:
    reads = encoders.load(str(encoder))
    trained_on = TrainedOn(("elsewhere/tiny",), reads.identity, reads.dim)
    save_captioner(bilingual(tmp_path, trained_on=trained_on), tmp_path / "moved")
    result = indexed("explain-prefix", photos / "red.png", "--captioner", tmp_path / "moved")
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        ("id:99", "has no photo 99 embedded by"),
        ("a dog", "'a dog' is no picture"),
        ("./none.png", "'./none.png' does not exist"),
    ],
)
def test_what_is_no_photo_is_an_error(photo: str, said: str, indexed: Run, captioner: Path) -> None:
    result = indexed("explain-prefix", photo, "--captioner", captioner)
    assert result.exit_code == 2
    assert said in result.stderr.replace("\n", " ")


def test_an_id_needs_a_library(run: Run, captioner: Path) -> None:
    result = run("explain-prefix", "id:1", "--captioner", captioner)
    assert result.exit_code == 2
    assert "there is no library to look photo 1 up in" in result.stderr
