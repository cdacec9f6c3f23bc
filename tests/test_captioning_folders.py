"""A captioner on disk: the same before and after, refused where it does not fit."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from imgsearch import captioning
from imgsearch.captioning import TrainedOn, explained, loading
from imgsearch.captioning.folder import save_captioner
from imgsearch.errors import NoEncoderError, UsageError
from small_captioners import ENGLISH, bilingual, published, rows


@pytest.mark.parametrize("half", [False, True])
def test_a_saved_captioner_says_the_same(half: bool, tmp_path: Path) -> None:
    made = bilingual(tmp_path)
    save_captioner(made, tmp_path / "kept", half=half)
    read = captioning.load("kept", device="cpu", captioners=tmp_path)
    assert (read.name, read.source, read.languages) == ("kept", "kept", ("en", "zh"))
    assert (read.trained_on, read.speech) == (made.trained_on, made.speech)
    for language in ("en", "zh"):
        told, telling = (each.caption(rows(20), language) for each in (made, read))
        assert [each.text for each in told] == [each.text for each in telling]
    by_file = captioning.load(str(tmp_path / "kept" / "model.safetensors"), device="cpu")
    assert (by_file.name, by_file.identity) == ("toy/bilingual", read.identity)


def test_byte_pairs_are_kept_with_a_captioner(tmp_path: Path) -> None:
    made = published(ENGLISH[1], tmp_path)
    save_captioner(made, tmp_path / "kept")
    read = captioning.load(str(tmp_path / "kept"), device="cpu")
    assert read.caption(rows(6, 24), "en") == made.caption(rows(6, 24), "en")
    assert read.trained_on == made.trained_on


def test_the_identity_changes_with_weights_speech_and_vocabulary(tmp_path: Path) -> None:
    save_captioner(bilingual(tmp_path), tmp_path / "kept")
    other = bilingual(tmp_path, seed=4)
    save_captioner(other, tmp_path / "weights")
    (tmp_path / "words").mkdir()
    for name in ("speech", "copy"):
        shutil.copytree(tmp_path / "kept", tmp_path / name)
    config = json.loads((tmp_path / "speech" / "captioner.json").read_text("utf-8"))
    config["speech"]["longest"] = 5
    (tmp_path / "speech" / "captioner.json").write_text(json.dumps(config), "utf-8")
    shutil.copytree(tmp_path / "kept", tmp_path / "vocabulary")
    vocabulary = tmp_path / "vocabulary" / "vocab.txt"
    vocabulary.write_text(vocabulary.read_text("utf-8").replace("dog", "cat"), "utf-8")
    found = {
        name: captioning.load(name, device="cpu", captioners=tmp_path).identity
        for name in ("kept", "copy", "weights", "speech", "vocabulary")
    }
    assert found.pop("copy") == found["kept"]
    assert len(set(found.values())) == 4
    assert all(len(each) == 64 for each in found.values())


def test_a_folder_is_never_overwritten_and_a_broken_one_says_so(tmp_path: Path) -> None:
    made = bilingual(tmp_path)
    save_captioner(made, tmp_path / "kept")
    with pytest.raises(UsageError, match="exists already"):
        save_captioner(made, tmp_path / "kept")
    file = tmp_path / "kept" / "captioner.json"
    config = json.loads(file.read_text("utf-8"))
    for changed, said in (
        ({"format": 2}, "has format 2 and this imgsearch knows 1"),
        ({"tokenizer": "words"}, "wants a tokenizer of kind 'words'"),
        ({"mapper": {"kind": "mlp", "depth": 3}}, "is no configuration of a captioner"),
    ):
        file.write_text(json.dumps(config | changed), "utf-8")
        with pytest.raises(UsageError, match=said):
            captioning.load(str(tmp_path / "kept"), device="cpu")


def changed(config: Any, **parts: Any) -> Any:
    return {
        name: {**value, **parts[name]} if name in parts else value for name, value in config.items()
    }


@pytest.mark.parametrize(
    ("part", "name", "value", "expected"),
    [
        ("trained_on", "norm", "x", "a finite number above 0"),
        ("trained_on", "norm", float("nan"), "a finite number above 0"),
        ("trained_on", "norm", 10**400, "a finite number above 0"),
        ("trained_on", "encoders", [], "a list of names"),
        ("trained_on", "encoders", "toy/small", "a list of names"),
        ("trained_on", "dim", 7, "16, the mapper's embedding_dim"),
        ("language_model", "n_head", 0, "a whole number above 0"),
        ("language_model", "n_head", 3, "a divisor of n_embd, 16"),
        ("language_model", "n_embd", "16", "a whole number above 0"),
        ("language_model", "n_embd", -16, "a whole number above 0"),
        ("language_model", "n_embd", 32, "16, the mapper's width"),
        ("language_model", "n_positions", 2, "more than the prefix and the longest opening, 3"),
        ("language_model", "dropout", 1, "a number from 0 to 1, which it is not"),
        ("language_model", "tie_word_embeddings", "yes", "true or false"),
        ("mapper", "kind", "foo", "mlp, linear, transformer or bert"),
        ("mapper", "ratio", 0, "a whole number above 0, or null"),
        ("speech", "openings", [5], "an object of languages, each with a list of ids"),
        ("speech", "openings", {}, "an object of languages, each with a list of ids"),
        ("speech", "openings", {"en": [9999]}, "made of ids below 17"),
        ("speech", "barred", [99999], "made of ids below 17"),
        ("speech", "stop", [], "a list of ids"),
        ("speech", "stop", ["a"], "a list of ids"),
        ("speech", "stop", [9999], "made of ids below 17"),
        ("speech", "longest", None, "a whole number above 0"),
    ],
)
def test_a_configuration_that_cannot_be_says_which_value(
    part: str, name: str, value: Any, expected: str, tmp_path: Path
) -> None:
    save_captioner(bilingual(tmp_path), tmp_path / "kept")
    file = tmp_path / "kept" / "captioner.json"
    config = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(changed(config, **{part: {name: value}})), "utf-8")
    with pytest.raises(UsageError) as refused:
        captioning.load(str(tmp_path / "kept"), device="cpu")
    assert f"{file}: {part}: {name} is " in str(refused.value)
    assert f"; it must be {expected}" in str(refused.value)


def test_a_vocabulary_of_another_length_than_the_token_table_is_refused(tmp_path: Path) -> None:
    save_captioner(bilingual(tmp_path), tmp_path / "kept")
    vocabulary = tmp_path / "kept" / "vocab.txt"
    lines = vocabulary.read_text("utf-8").splitlines()
    for words in (lines[:-3], [*lines, "more"]):
        vocabulary.write_text("\n".join(words) + "\n", "utf-8")
        with pytest.raises(UsageError, match=rf"has {len(words)} words .* 17") as refused:
            captioning.load(str(tmp_path / "kept"), device="cpu")
        assert str(vocabulary) in str(refused.value)


def test_rows_of_the_table_that_are_never_said_need_no_word(tmp_path: Path) -> None:
    save_captioner(bilingual(tmp_path), tmp_path / "kept")
    vocabulary = tmp_path / "kept" / "vocab.txt"
    lines = vocabulary.read_text("utf-8").splitlines()
    vocabulary.write_text("\n".join(lines[:-2]) + "\n", "utf-8")
    file = tmp_path / "kept" / "captioner.json"
    config = json.loads(file.read_text("utf-8"))
    barred = [*config["speech"]["barred"], 15, 16]
    file.write_text(json.dumps(changed(config, speech={"barred": barred})), "utf-8")
    padded = captioning.load(str(tmp_path / "kept"), device="cpu")
    assert len(padded.caption(rows(4), "en")) == 4
    near = explained(padded, rows(1), k=17)[0][0]
    assert {"[id 15]", "[id 16]"} < {each.word for each in near}


def test_where_there_is_no_captioner_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "BUNDLED", tmp_path / "builtin")  # an installation without any
    with pytest.raises(UsageError, match="there are none yet, and a path"):
        captioning.load("nobody", device="cpu", captioners=tmp_path)


def test_names_that_no_file_can_have_are_unknown_captioners(tmp_path: Path) -> None:
    for name in ("a" * 300, "a\0b", "a/" * 3000):
        with pytest.raises(UsageError, match="no captioner and no file is called"):
            captioning.load(name, device="cpu", captioners=tmp_path)
    for name in ("builtin/" + "9" * 5000, "builtin/x", "builtin/"):
        with pytest.raises(UsageError, match="is part of this installation"):
            captioning.load(name, device="cpu")


def test_a_captioner_with_words_of_its_own_takes_no_others(tmp_path: Path) -> None:
    made = bilingual(tmp_path)
    save_captioner(made, tmp_path / "kept")
    for name in ("kept", str(tmp_path / "kept"), str(tmp_path / "kept" / "model.safetensors")):
        with pytest.raises(UsageError, match="has its own words; leave --tokenizer out"):
            captioning.load(
                name, device="cpu", captioners=tmp_path, tokenizer=tmp_path / "vocab.txt"
            )


def test_a_captioner_reads_its_own_encoder_alone(tmp_path: Path) -> None:
    made = bilingual(tmp_path, trained_on=TrainedOn(("builtin/2",), "sha256-of-builtin/2", 16))
    made.check("my copy", "sha256-of-builtin/2", 16)
    with pytest.raises(NoEncoderError) as refused:
        made.check("builtin/2", "sha256-of-another", 16)
    assert "reads embeddings of builtin/2 (16 numbers)" in str(refused.value)
    assert "imgsearch index --encoder builtin/2" in str(refused.value)
    made.trained_on = replace(made.trained_on, identity=None)
    made.check("builtin/2", "sha256-of-another", 16)
    with pytest.raises(NoEncoderError):
        made.check("builtin/2", "sha256-of-another", 17)


def test_other_languages_and_widths_are_refused(tmp_path: Path) -> None:
    made = bilingual(tmp_path)
    with pytest.raises(UsageError, match="speaks en and zh, not 'fr'"):
        made.caption(rows(1), "fr")
    with pytest.raises(UsageError, match=r"embeddings of 16 numbers; these are \(1, 15\)"):
        made.caption(rows(1, 15), "en")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_row_that_is_not_finite_is_named(number: float, tmp_path: Path) -> None:
    made = bilingual(tmp_path)
    vectors = rows(5)
    vectors[3, 2] = number
    with pytest.raises(UsageError, match="row 3 of the embeddings is not finite"):
        made.caption(vectors, "en")
    with pytest.raises(UsageError, match="row 3 of the embeddings is not finite"):
        made.prefix(vectors)
    with pytest.raises(UsageError, match=r"embeddings of 16 numbers; these are \(1, 15\)"):
        made.prefix(rows(1, 15))


def test_rows_that_may_not_be_written_or_stand_backwards_are_read(tmp_path: Path) -> None:
    made = bilingual(tmp_path)
    vectors = rows(5)
    expected = made.caption(vectors, "en")
    vectors.setflags(write=False)
    assert made.caption(vectors, "en") == expected
    backwards = made.caption(vectors[::-1], "en")
    assert [each.text for each in backwards[::-1]] == [each.text for each in expected]


def test_the_words_near_a_prefix_are_those_of_highest_cosine(tmp_path: Path) -> None:
    made = bilingual(tmp_path)
    vectors = rows(2)
    table = made.model.language_model.transformer.wte.weight.detach()
    prefix = made.prefix(vectors)
    for photo, near in zip(prefix, explained(made, vectors, k=4), strict=True):
        for vector, words in zip(photo, near, strict=True):
            cosines = torch.nn.functional.cosine_similarity(table, vector[None])
            order = cosines.argsort(descending=True)[:4].tolist()
            assert [each.word for each in words] == [made.tokenizer.written(each) for each in order]
            assert [each.score for each in words] == pytest.approx(cosines[order].tolist())
    assert len(explained(made, vectors, k=500)[0][0]) == made.tokenizer.size
