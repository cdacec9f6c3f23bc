"""`imgsearch train-captioner`: what it says, in how many lines, and what it refuses."""

import json
import re
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from imgsearch.cli import app
from learning import shapes

SHAPE = ["--prefix-length", "2", "--width", "16", "--layers", "1", "--heads", "2"]
TINY = ["--epochs", "1", "--batch-size", "12", "--val", "6"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    pairs = shapes(tmp_path / "photos")
    for path, captions in zip(pairs.pictures, pairs.captions, strict=True):
        assert isinstance(path, Path)
        path.with_suffix(".json").write_text(
            json.dumps({key: list(value) for key, value in captions.items()}), "utf-8"
        )
    return tmp_path / "photos"


def train(photos: Path, *words: str) -> Result:
    library = str(photos.parent / "library")
    options = ["--library", library, *TINY, *([] if "--start" in words else SHAPE)]
    return CliRunner().invoke(app, ["train-captioner", str(photos), *options, *words])


def test_it_says_how_good_the_captions_are_and_what_to_type_next(photos: Path) -> None:
    result = train(photos, "--name", "shapes-v1")
    assert result.exit_code == 0, result.stderr
    assert "captions, en: 6 photos" in result.stdout and "CIDEr" in result.stdout
    assert "captions, zh by character: 6 photos" in result.stdout
    folder = photos.parent / "library" / "captioners" / "shapes-v1"
    assert "shapes-v1 is in" in result.stdout and folder.is_dir()
    assert "imgsearch caption --library" in result.stdout
    assert "--captioner shapes-v1" in result.stdout
    assert "18 photos to learn from (18 en, 18 zh captions), 6 to measure on" in result.stderr
    assert "after 36 captions:  en BLEU-4" in result.stderr
    again = train(photos, "--name", "shapes-v1")
    assert again.exit_code == 2 and "already" in again.stderr


def test_json_is_the_events_a_line_each(photos: Path) -> None:
    result = train(photos, "--name", "lines", "--json", "--language", "zh", "--quiet")
    assert result.exit_code == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    names = [each["event"] for each in events]
    assert names[0] == "began" and names[-1] == "finished" and "embedded" in names
    assert events[0]["captions"] == {"zh": 18}
    assert [row["language"] for row in events[-1]["scores"]] == ["zh"]
    assert result.stderr == ""


def test_several_prefix_lengths_are_compared_in_one_table(photos: Path) -> None:
    result = train(photos, "--name", "study", "--prefix-length", "1,3", "--language", "en")
    assert result.exit_code == 0, result.stderr
    table = result.stdout.splitlines()
    assert table[0] == "captions, en: 6 photos"
    assert [line.split()[0] for line in table[2:4]] == ["study-k1", "study-k3"]
    assert "--captioner study-k3" in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prefix-length", "many"], "must be a number, or several with commas"),
        (["--prefix-length", "0"], "a prefix has at least 1 vector"),
        (["--prefix-length", "1,2", "--start", "x"], "leave --start out"),
        (["--mapper", "lstm"], "it is one of mlp, linear, transformer, bert"),
        (["--start", "nobody"], "no captioner and no file is called 'nobody'"),
        (["--language", "fr"], "the pairs have no sentences in 'fr'"),
        (["--language", ""], "--language is '' and names nothing"),
        (["--language", " ,"], "--language is ' ,' and names nothing"),
        (["--val", "-1"], "--val is -1; it must be 0 for none, a share such as 0.1, a number"),
        (["--val", "-0.5"], "--val is -0.5; it must be 0 for none"),
        (["--epochs", "inf"], "epochs is inf; it must be a finite number"),
        (["--prefix-length", "99999999"], "prefix_length is 99999999"),
        (["--seed", "99999999999999999999"], "it must fit 64 bits"),
        (["--start", "x", "--mapper", "bert", "--heads", "4"], "leave --mapper, --heads out"),
        (["--start", "x", "--dropout", "0.5"], "leave --dropout out"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    photos: Path, words: list[str], message: str
) -> None:
    result = train(photos, "--name", "no", *words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_restart_forgets_an_unfinished_run(photos: Path) -> None:
    folder = photos.parent / "library" / "training-captioners" / "mine"
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(b"of another run")
    (folder / "run.json").write_text("{}", "utf-8")
    refused = train(photos, "--name", "mine")
    assert refused.exit_code == 2 and "--restart" in refused.stderr
    assert train(photos, "--name", "mine", "--restart").exit_code == 0


def test_restart_of_a_study_says_what_is_in_its_way_and_deletes_nothing(photos: Path) -> None:
    library = photos.parent / "library"
    state = library / "training-captioners" / "study" / "trained"
    state.mkdir(parents=True)
    finished = library / "captioners" / "study-k3"
    finished.mkdir(parents=True)
    words = ["--name", "study", "--prefix-length", "1,3", "--restart"]
    refused = train(photos, *words)
    assert refused.exit_code == 2
    message = " ".join(refused.stderr.split())
    assert "leave --restart out to go on with the study, use another --name" in message
    assert "".join(str(finished).split()) in "".join(refused.stderr.split())
    assert state.is_dir() and finished.is_dir()
    finished.rmdir()
    assert train(photos, *words).exit_code == 0
    assert not state.exists()


@pytest.mark.parametrize("pairs", ["folder", "tar"])
def test_pictures_that_cannot_be_decoded_are_named_and_left_out(photos: Path, pairs: str) -> None:
    given = sorted(photos.glob("*.png"))
    given[0].write_bytes(given[0].read_bytes()[:60])
    given[9].write_bytes(b"no picture")
    given[20].write_bytes(b"")
    source = photos
    if pairs == "tar":
        source = photos.parent / "pairs.tar"
        with tarfile.open(source, "w") as tar:
            for file in sorted(photos.iterdir()):
                tar.add(file, file.name)
    result = train(source, "--name", "most", "--views", "1", "--language", "en")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("left out: ") == 3
    for reason in ("damaged or cut short", "not a picture of a kind", "the file is empty"):
        assert reason in " ".join(result.stdout.split())
    began = re.search(r"([0-9]+) photos to learn from \(.*\), ([0-9]+) to measure", result.stderr)
    assert began is not None and int(began[1]) + int(began[2]) == 21


def test_photos_of_which_none_can_be_decoded_are_refused(photos: Path) -> None:
    for each in photos.glob("*.png"):
        each.write_text(f"{each.name} is no picture", "utf-8")
    result = train(photos, "--name", "none")
    assert result.exit_code == 2
    assert "none of these photos can be decoded" in " ".join(result.stderr.split())
