"""A captioner on disk: the same before and after, refused where it does not fit."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from imgsearch import captioning
from imgsearch.captioning import TrainedOn, explained
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
