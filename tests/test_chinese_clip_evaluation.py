"""Chinese-CLIP's evaluation files: our score of them is its score, and it reads what we write.

The oracle is the reference's own scripts, run as a person runs them.
"""

import base64
import json
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest

from conftest import ColourEncoder, draw
from imgsearch.errors import UsageError
from imgsearch.evaluating import evaluate, failure_report, score_predictions, write_report
from imgsearch.pairs import CaptionedPhotos, read_pairs
from imgsearch.vectors import Vectors, normalise

PHOTOS, TEXTS = 30, 50


def their(script: str, *arguments: object) -> None:
    """Run one of the reference's scripts."""
    spec = find_spec("cn_clip")
    assert spec is not None and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "eval" / f"{script}.py"
    subprocess.run([sys.executable, path, *map(str, arguments)], check=True, capture_output=True)


def their_report(truth: Path, predictions: Path, *, script: str = "evaluation") -> str:
    out = predictions.with_suffix(f".{script}.json")
    their(script, truth, predictions, out)
    return out.read_text("utf-8")


def our_report(truth: Path, predictions: Path) -> str:
    out = predictions.with_suffix(".ours.json")
    write_report(score_predictions(truth, predictions).report, out)
    return out.read_text("utf-8")


def write_lines(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """50 texts, each right for one to four of 30 photos; ids are neither sorted nor dense."""
    rng = random.Random(3)
    photos = [1000 + 7 * number for number in range(PHOTOS)]
    rows = [
        {"text_id": 90 - number, "text": "猫", "image_ids": rng.sample(photos, rng.randint(1, 4))}
        for number in range(TEXTS)
    ]
    return write_lines(tmp_path / "test_texts.jsonl", rows)


def predicted_images(truth: Path, seed: int) -> Path:
    """Ten photos a text, some of them right."""
    rng = random.Random(seed)
    photos = [1000 + 7 * number for number in range(PHOTOS)]
    rows = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    rng.shuffle(rows)
    found = [{"text_id": row["text_id"], "image_ids": rng.sample(photos, 10)} for row in rows]
    return write_lines(truth.with_name(f"{seed}_predictions.jsonl"), found)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_report_of_text_to_image_predictions_is_the_reference_report(
    truth: Path, seed: int
) -> None:
    predictions = predicted_images(truth, seed)
    ours = our_report(truth, predictions)
    assert 0 < json.loads(ours)["scoreJson"]["r1"] < json.loads(ours)["scoreJson"]["r10"] < 100
    assert ours == their_report(truth, predictions)


def test_the_report_of_image_to_text_predictions_is_the_reference_report(truth: Path) -> None:
    their("transform_ir_annotation_to_tr", "--input", truth)
    turned = truth.with_name("test_texts.tr.jsonl")
    rng = random.Random(4)
    texts = [90 - number for number in range(TEXTS)]
    rows = [json.loads(line) for line in turned.read_text("utf-8").splitlines()]
    found = [{"image_id": row["image_id"], "text_ids": rng.sample(texts, 10)} for row in rows]
    predictions = write_lines(truth.with_name("tr_predictions.jsonl"), found)
    expected = their_report(turned, predictions, script="evaluation_tr")
    assert our_report(turned, predictions) == expected
    assert our_report(truth, predictions) == expected, "the answers are turned round where needed"
    assert 0 < json.loads(expected)["score"] < 100


def first(change: Callable[[dict[str, Any]], object]) -> Callable[[list[Any]], None]:
    def changed(rows: list[Any]) -> None:
        change(rows[0])

    return changed


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (first(lambda row: row["image_ids"].pop()), r"line 1 of .* has 9 image_ids for text_id \d"),
        (first(lambda row: row["image_ids"].append(1)), "has 11 image_ids .*, not 10"),
        (
            first(lambda row: row["image_ids"].__setitem__(3, row["image_ids"][0])),
            r"has \d+ twice in the image_ids of text_id",
        ),
        (first(lambda row: row["image_ids"].__setitem__(3, "1007")), "no list of integers"),
        (first(lambda row: row.update(image_ids=7)), "no list of integers as image_ids"),
        (first(lambda row: row.pop("image_ids")), "no list of integers as image_ids"),
        (first(lambda row: row.update(text_id="90")), "has no text_id, or one that is no integer"),
        (lambda rows: rows[1].pop("text_id"), "line 2 of .* has no text_id"),
        (lambda rows: rows.__delitem__(slice(0, 12)), r"no prediction for 12 of 50 .*, \.\.\.\)"),
        (lambda rows: rows.pop(), r"no prediction for 1 of 50 queries \(text_id \d+\)"),
        (lambda rows: rows.clear(), "is empty"),
        (lambda rows: rows.append([1, 2]), "line 51 of .* is no JSON object"),
    ],
)
def test_what_the_reference_refuses_is_refused_with_a_failing_report(
    spoil: Callable[[list[Any]], None], message: str, truth: Path
) -> None:
    predictions = predicted_images(truth, 1)
    rows = [json.loads(line) for line in predictions.read_text("utf-8").splitlines()]
    spoil(rows)
    write_lines(predictions, rows)
    with pytest.raises(UsageError, match=message) as refused:
        score_predictions(truth, predictions)
    ours, theirs = failure_report(refused.value), json.loads(their_report(truth, predictions))
    assert not theirs["success"]
    assert list(ours) == list(theirs)
    words = ("errorDetail", "errorMsg")
    assert {k: v for k, v in ours.items() if k not in words} == {
        k: v for k, v in theirs.items() if k not in words
    }


@pytest.mark.parametrize("line", ["", "{", "no JSON"])
def test_a_line_that_is_no_json_is_refused_as_the_reference_refuses_it(
    line: str, truth: Path
) -> None:
    predictions = predicted_images(truth, 1)
    with predictions.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(UsageError, match=r"line 51 of .* is no JSON"):
        score_predictions(truth, predictions)
    assert not json.loads(their_report(truth, predictions))["success"]


def test_a_query_of_two_lines_counts_as_its_last_and_unknown_queries_are_left_out(
    truth: Path,
) -> None:
    predictions = predicted_images(truth, 1)
    rows = [json.loads(line) for line in predictions.read_text("utf-8").splitlines()]
    rows.append({**rows[0], "image_ids": list(range(10))})
    rows.append({"text_id": 12345, "image_ids": list(range(10))})
    write_lines(predictions, rows)
    assert our_report(truth, predictions) == their_report(truth, predictions)


def test_texts_without_answers_score_nothing(truth: Path) -> None:
    rows = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    write_lines(truth, [{**row, "image_ids": []} for row in rows])
    predictions = predicted_images(truth, 1)
    assert our_report(truth, predictions) == their_report(truth, predictions)
    assert score_predictions(truth, predictions).mean_recall == 0


def test_answers_that_do_not_fit_the_predictions_are_refused(truth: Path, tmp_path: Path) -> None:
    predictions = predicted_images(truth, 1)
    turned = write_lines(tmp_path / "turned.jsonl", [{"image_id": 1, "text_ids": [2]}])
    with pytest.raises(UsageError, match="holds the right texts of each image"):
        score_predictions(turned, predictions)
    answerless = write_lines(tmp_path / "none.jsonl", [{"text_id": 1, "image_ids": []}])
    tr = write_lines(tmp_path / "tr.jsonl", [{"image_id": 1, "text_ids": list(range(10))}])
    with pytest.raises(UsageError, match="names no image for any text"):
        score_predictions(answerless, tr)
    with pytest.raises(UsageError, match="nowhere cannot be read: No such file"):
        score_predictions(tmp_path / "nowhere", predictions)
    (tmp_path / "latin").write_bytes(b'{"text_id": 1, "text": "\xe9", "image_ids": [1]}\n')
    with pytest.raises(UsageError, match="latin cannot be read: it is no UTF-8 text"):
        score_predictions(tmp_path / "latin", predictions)
    with pytest.raises(UsageError, match="cannot be written to"):
        write_report({}, tmp_path / "nowhere" / "report.json")


class NumberEncoder(ColourEncoder):
    """Reads a colour from its numbers, so that texts can be as near to a photo as wanted."""

    def embed_texts(self, texts: list[str]) -> Vectors:
        rows = [[int(number) + 1 for number in text.split()] for text in texts]
        return normalise(np.array(rows, np.float32))


@pytest.fixture
def pairs(tmp_path: Path) -> CaptionedPhotos:
    """24 photos, some of them equal, and 50 texts that are roughly right; two photos have none."""
    rng = random.Random(5)
    colours = [tuple(rng.choice((0, 80, 160, 240)) for _ in range(3)) for _ in range(24)]
    texts = [[] for _ in colours]
    for number in range(50):
        colour = colours[number % 22]
        texts[number % 22].append(" ".join(str(max(0, c + rng.randint(-90, 90))) for c in colour))
    pictures = [draw(tmp_path / f"{n}.png", colour) for n, colour in enumerate(colours)]
    return CaptionedPhotos(
        tuple(pictures), tuple({"zh": tuple(each)} if each else {} for each in texts)
    )


def test_their_scripts_score_our_predictions_as_we_measure_the_encoder(
    pairs: CaptionedPhotos, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (row,) = evaluate(pairs, NumberEncoder(), policies=["raw"], predictions=out)
    turned = out / "zh_texts.tr.jsonl"
    ours = turned.read_bytes()
    their("transform_ir_annotation_to_tr", "--input", out / "zh_texts.jsonl")
    assert turned.read_bytes() == ours, "theirs has written the same"
    for direction, script, truth, found in (
        ("text_to_image", "evaluation", "zh_texts", "zh_raw_predictions"),
        ("image_to_text", "evaluation_tr", "zh_texts.tr", "zh_raw_tr_predictions"),
    ):
        truth_file, predictions = out / f"{truth}.jsonl", out / f"{found}.jsonl"
        theirs = their_report(truth_file, predictions, script=script)
        assert theirs == our_report(truth_file, predictions)
        recalls = json.loads(theirs)["scoreJson"]
        for k in (1, 5, 10):
            assert recalls[f"r{k}"] == row.metrics[f"{direction}_recall@{k}"] * 100
        assert 0 < recalls["r1"] < recalls["r10"] < 100


def as_benchmark(folder: Path, pairs: CaptionedPhotos) -> Path:
    """The pairs as Chinese-CLIP's files, with ids of their own; each text is about equal photos."""
    pictures = [path for path in pairs.pictures if isinstance(path, Path)]
    contents = [path.read_bytes() for path in pictures]
    ids = [500 + 3 * number for number in range(len(pictures))]
    lines = (
        f"{photo_id}\t{base64.urlsafe_b64encode(content).decode()}\n"
        for photo_id, content in zip(ids, contents, strict=True)
    )
    (folder / "valid_imgs.tsv").write_text("".join(lines))
    rows = [
        {"text_id": 7000 - n, "text": f"{text} 猫", "image_ids": same}
        for n, (content, text) in enumerate(
            (content, text)
            for content, captions in zip(contents, pairs.captions, strict=True)
            for text in captions.get("zh", ())
        )
        if (same := [each for each, other in zip(ids, contents, strict=True) if other == content])
    ]
    return write_lines(folder / "valid_texts.jsonl", rows)


class CatEncoder(NumberEncoder):
    """The same where every text ends with a cat, which makes it Chinese."""

    def embed_texts(self, texts: list[str]) -> Vectors:
        return super().embed_texts([text.removesuffix(" 猫") for text in texts])


def test_a_benchmark_keeps_its_ids_its_several_right_photos_and_those_without_a_text(
    pairs: CaptionedPhotos, tmp_path: Path
) -> None:
    truth, out = as_benchmark(tmp_path, pairs), tmp_path / "out"
    rows = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    assert max(len(row["image_ids"]) for row in rows) > 1
    (row,) = evaluate(read_pairs([truth]), CatEncoder(), policies=["raw"], predictions=out)
    assert (row.photos, row.texts) == (24, 50), "photos without a text are in the gallery"
    written = [
        json.loads(line) for line in (out / "zh_texts.jsonl").read_text("utf-8").splitlines()
    ]
    for each in rows:
        assert {**each, "image_ids": sorted(each["image_ids"])} in [
            {**other, "image_ids": sorted(other["image_ids"])} for other in written
        ]
    # the reference scores our predictions against its own file, not against ours
    recalls = json.loads(their_report(truth, out / "zh_raw_predictions.jsonl"))["scoreJson"]
    for k in (1, 5, 10):
        assert recalls[f"r{k}"] == row.metrics[f"text_to_image_recall@{k}"] * 100
    their("transform_ir_annotation_to_tr", "--input", truth)
    turned = their_report(
        truth.with_name("valid_texts.tr.jsonl"),
        out / "zh_raw_tr_predictions.jsonl",
        script="evaluation_tr",
    )
    for k in (1, 5, 10):
        measured = row.metrics[f"image_to_text_recall@{k}"]
        assert json.loads(turned)["scoreJson"][f"r{k}"] == measured * 100


def as_lmdb(folder: Path, truth: Path) -> Path:
    """What Chinese-CLIP's own conversion makes of a split."""
    images = [
        line.split("\t") for line in truth.with_name("valid_imgs.tsv").read_text().splitlines()
    ]
    rows = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    triples = [(each, row["text_id"], row["text"]) for row in rows for each in row["image_ids"]]
    contents = {
        "pairs": {str(n): pickle.dumps(triple) for n, triple in enumerate(triples)},
        "imgs": {image_id: content.encode() for image_id, content in images},
    }
    contents["pairs"]["num_samples"] = str(len(triples)).encode()
    contents["imgs"]["num_images"] = str(len(images)).encode()
    for name, entries in contents.items():
        (folder / name).mkdir(parents=True)
        with lmdb.open(str(folder / name)) as environment, environment.begin(write=True) as writing:
            for key, value in entries.items():
                writing.put(key.encode(), value)
    return folder


def test_an_lmdb_has_the_ids_of_the_files_it_was_made_of(
    pairs: CaptionedPhotos, tmp_path: Path
) -> None:
    truth = as_benchmark(tmp_path, pairs)
    from_files = read_pairs([truth])
    from_lmdb = read_pairs([as_lmdb(tmp_path / "lmdb" / "valid", truth)])
    assert isinstance(from_files, CaptionedPhotos) and isinstance(from_lmdb, CaptionedPhotos)
    assert from_files.ids is not None
    assert set(from_files.ids.photos) == {500 + 3 * number for number in range(24)}
    assert from_lmdb.ids == from_files.ids
    assert len(from_lmdb.others) == len(from_files.others) == 24 - len(from_files)


def test_ids_that_are_no_integers_become_places(pairs: CaptionedPhotos, tmp_path: Path) -> None:
    truth = as_benchmark(tmp_path, pairs)
    rows = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    for number, row in enumerate(rows):
        row["text_id"] = f"t{number}"
    write_lines(truth, rows)
    read = read_pairs([truth])
    assert isinstance(read, CaptionedPhotos) and read.ids is not None
    assert {each for texts in read.ids.texts for each in texts["zh"]} == set(range(50))
    assert set(read.ids.photos) == {500 + 3 * number for number in range(24)}


class BrandEncoder(ColourEncoder):
    """Knows Chinese alone, and a brand by its Latin letters."""

    def __init__(self) -> None:
        super().__init__("toy/brand", ("zh",))

    def embed_texts(self, texts: list[str]) -> Vectors:
        return super().embed_texts([text.replace("vans", "red") for text in texts])


def test_a_query_in_latin_letters_is_one_of_a_chinese_benchmark(tmp_path: Path) -> None:
    colours = [(240 - 20 * number, 20 * number, 0) for number in range(12)]
    contents = [draw(tmp_path / f"{n}.png", each).read_bytes() for n, each in enumerate(colours)]
    (tmp_path / "test_imgs.tsv").write_text(
        "".join(f"{n}\t{base64.b64encode(each).decode()}\n" for n, each in enumerate(contents))
    )
    texts = ["vans", *("红" * (12 - number) + "绿" * number for number in range(1, 12))]
    truth = write_lines(
        tmp_path / "test_texts.jsonl",
        [{"text_id": 50 + n, "text": each, "image_ids": [n]} for n, each in enumerate(texts)],
    )
    out = tmp_path / "out"
    (row,) = evaluate(read_pairs([truth]), BrandEncoder(), policies=["raw"], predictions=out)
    assert (row.language, row.texts) == ("zh", 12)
    scored = score_predictions(truth, out / "zh_raw_predictions.jsonl")
    assert scored.report["success"] is True
    assert scored.mean_recall == pytest.approx(100 * row.metrics["text_to_image_mean_recall"])
