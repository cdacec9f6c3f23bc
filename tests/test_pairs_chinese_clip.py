"""Chinese-CLIP's files and its LMDB, written as its own scripts write them."""

import base64
import json
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lmdb
import pytest

from conftest import ColourEncoder, draw
from imgsearch.errors import PictureError, UsageError
from imgsearch.evaluating import evaluate
from imgsearch.pairs import CaptionedPhotos, Stored, Unpaired, content, read_pairs

TEXTS = [
    {"text_id": 8428, "text": "一片红色", "image_ids": [1001]},
    {"text_id": 8429, "text": "绿色 and green", "image_ids": [1002, 1001]},
    {"text_id": 8430, "text": "a red field", "image_ids": [1001]},
    {"text_id": 8431, "text": "of nothing", "image_ids": []},
    {"text_id": 8432, "text": "gone", "image_ids": [9]},
]
CAPTIONS = (
    {"zh": ("一片红色", "绿色 and green", "a red field")},
    {"zh": ("绿色 and green",)},
)


def pictures(tmp_path: Path) -> list[bytes]:
    """Encoded so that both special characters of base64 occur in each."""
    drawn = []
    for colour in ("red", "green", "blue"):
        path = draw(tmp_path / f"{colour}.png", colour)
        drawn.append(path.read_bytes() + b"\xfb\xff\xbf\xfb\xff\xbf")
    return drawn


def tsv_split(
    folder: Path, name: str, encoded: list[bytes], texts: Sequence[Mapping[str, Any]] = TEXTS
) -> Path:
    """`{name}_imgs.tsv` and `{name}_texts.jsonl`; returns the first."""
    folder.mkdir(exist_ok=True)
    lines = [f"{1001 + n}\t{each.decode()}\n" for n, each in enumerate(encoded)]
    (folder / f"{name}_imgs.tsv").write_text("".join(lines), "utf-8")
    (folder / f"{name}_texts.jsonl").write_text(
        "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in texts), "utf-8"
    )
    return folder / f"{name}_imgs.tsv"


def lmdb_split(
    folder: Path,
    encoded: list[bytes],
    dump: object = pickle.dumps,
    texts: Sequence[Mapping[str, Any]] = TEXTS,
) -> Path:
    """`pairs` and `imgs` as the reference's script writes them."""
    assert callable(dump)
    folder.mkdir(parents=True)
    with (
        lmdb.open(str(folder / "pairs"), map_size=1 << 22) as pairs,
        pairs.begin(write=True) as out,
    ):
        number = 0
        for each in texts:
            for image_id in each["image_ids"]:
                out.put(str(number).encode(), dump((image_id, each["text_id"], each["text"])))
                number += 1
        out.put(b"num_samples", str(number).encode())
    with (
        lmdb.open(str(folder / "imgs"), map_size=1 << 22) as images,
        images.begin(write=True) as out,
    ):
        for n, text in enumerate(encoded):
            out.put(str(1001 + n).encode(), text)
        out.put(b"num_images", str(len(encoded)).encode())
    return folder


@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("given", ["train_imgs.tsv", "train_texts.jsonl", ""])
def test_a_split_is_read_from_either_file_or_the_folder(
    given: str, alphabet: object, tmp_path: Path
) -> None:
    assert callable(alphabet)
    drawn = pictures(tmp_path)
    encoded = [alphabet(each) for each in drawn]
    assert any(mark in encoded[0] for mark in (b"+/", b"-_", b"/+", b"_-")), "both are told apart"
    tsv_split(tmp_path / "muge", "train", encoded)
    pairs = read_pairs([tmp_path / "muge" / given])
    assert isinstance(pairs, CaptionedPhotos)
    assert pairs.captions == CAPTIONS
    assert [content(each) for each in pairs.pictures] == drawn[:2]
    assert all(isinstance(each, Stored) for each in pairs.pictures)
    assert len(set(pairs.pictures)) == 2
    assert pairs.unpaired == Unpaired(pictures=1, texts=2)


def test_both_files_of_a_split_are_one_set(tmp_path: Path) -> None:
    images = tsv_split(tmp_path / "muge", "train", list(map(base64.b64encode, pictures(tmp_path))))
    pairs = read_pairs([images, tmp_path / "muge" / "train_texts.jsonl"])
    assert len(pairs) == 2


def test_files_with_a_mark_and_windows_line_ends_read_the_same(tmp_path: Path) -> None:
    drawn = pictures(tmp_path)
    images = tsv_split(tmp_path / "muge", "train", list(map(base64.b64encode, drawn)))
    for file in images.parent.iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    pairs = read_pairs([images])
    assert isinstance(pairs, CaptionedPhotos)
    assert pairs.captions == CAPTIONS
    assert [content(each) for each in pairs.pictures] == drawn[:2]


def test_a_folder_of_several_splits_is_asked_about(tmp_path: Path) -> None:
    encoded = list(map(base64.b64encode, pictures(tmp_path)))
    for name in ("train", "valid"):
        tsv_split(tmp_path / "muge", name, encoded)
        lmdb_split(tmp_path / "muge" / "lmdb" / name, encoded)
    with pytest.raises(
        UsageError, match=r"several sets: .*train_texts\.jsonl, .*valid_texts\.jsonl"
    ):
        read_pairs([tmp_path / "muge"])
    with pytest.raises(UsageError, match=r"several sets: give one of .*lmdb/train, .*lmdb/valid"):
        read_pairs([tmp_path / "muge" / "lmdb"])
    assert len(read_pairs([tmp_path / "muge" / "valid_imgs.tsv"])) == 2


def test_a_split_without_its_other_file_is_refused(tmp_path: Path) -> None:
    images = tsv_split(tmp_path / "muge", "train", [b"AAAA"])
    (tmp_path / "muge" / "train_texts.jsonl").unlink()
    with pytest.raises(
        UsageError, match=r"train_texts\.jsonl does not exist: it belongs to .*_imgs"
    ):
        read_pairs([images])


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("train_texts.jsonl", '{"text": "a", "image_ids": [1]}\n{"text"', "line 2 is no JSON"),
        ("train_texts.jsonl", '{"text": "a"}', "line 1 has no text and image_ids"),
        ("train_texts.jsonl", '{"text": 7, "image_ids": [1]}', "line 1 has no text and image_ids"),
        ("train_imgs.tsv", "1001\tAAAA\n1002\n", "line 2 is no id, a tab and a picture"),
    ],
)
def test_a_broken_line_is_named(file: str, content: str, message: str, tmp_path: Path) -> None:
    images = tsv_split(tmp_path / "muge", "train", [b"AAAA"])
    (tmp_path / "muge" / file).write_text(content, "utf-8")
    with pytest.raises(UsageError, match=rf"{file.replace('.', '[.]')}, {message}"):
        read_pairs([images])


def test_a_picture_that_is_no_base64_is_told_when_it_is_read(tmp_path: Path) -> None:
    images = tsv_split(tmp_path / "muge", "train", [b"AAAA", b"A*==A"])
    pairs = read_pairs([images])
    assert content(pairs.pictures[0]) == b"\0\0\0"
    with pytest.raises(PictureError, match=r"train_imgs\.tsv holds a picture that is no base64"):
        content(pairs.pictures[1])
    images.write_bytes(b"")
    with pytest.raises(PictureError, match="became shorter"):
        content(pairs.pictures[0])
    images.unlink()
    with pytest.raises(PictureError, match="cannot be read: No such file"):
        content(pairs.pictures[0])


@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("given", ["lmdb/train", "lmdb"])
def test_an_lmdb_reads_as_the_files_it_was_made_of(
    given: str, alphabet: object, tmp_path: Path
) -> None:
    assert callable(alphabet)
    drawn = pictures(tmp_path)
    lmdb_split(tmp_path / "lmdb" / "train", [alphabet(each) for each in drawn])
    pairs = read_pairs([tmp_path / given])
    assert isinstance(pairs, CaptionedPhotos)
    assert pairs.captions == CAPTIONS
    assert [content(each) for each in pairs.pictures] == drawn[:2]
    assert pairs.unpaired == Unpaired(pictures=1, texts=1), "texts of no picture are not in it"


@pytest.mark.slow
def test_an_lmdb_reads_as_the_reference_reads_it(tmp_path: Path) -> None:
    data = pytest.importorskip("cn_clip.training.data", exc_type=ImportError)
    from cn_clip.clip import tokenize

    drawn = [draw(tmp_path / f"{each}.png", each).read_bytes() for each in ("red", "green")]
    texts = [each for each in TEXTS if each["image_ids"] != [9]]
    folder = tmp_path / "lmdb" / "train"
    lmdb_split(folder, list(map(base64.urlsafe_b64encode, drawn)))
    with (
        lmdb.open(str(folder / "pairs"), map_size=1 << 22) as pairs,
        pairs.begin(write=True) as out,
    ):
        out.put(b"num_samples", b"4")  # the last is of a picture that is not there
    theirs = data.LMDBDataset(str(folder), split="train", max_txt_length=52, resolution=32)
    samples = [theirs[index] for index in range(len(theirs))]
    del theirs
    ours = read_pairs([folder])
    assert isinstance(ours, CaptionedPhotos)
    said = [text for each in ours.captions for sentences in each.values() for text in sentences]
    assert len(said) == len(samples) == sum(len(each["image_ids"]) for each in texts)
    assert sorted(tokenize([each])[0].tolist() for each in said) == sorted(
        text.tolist() for _, text, _ in samples
    )
    assert [content(each) for each in ours.pictures] == drawn


def test_an_lmdb_is_measured_like_any_set(tmp_path: Path) -> None:
    folder = lmdb_split(
        tmp_path / "train",
        [base64.b64encode(draw(tmp_path / f"{c}.png", c).read_bytes()) for c in ("red", "green")],
    )
    (row,) = evaluate(read_pairs([folder]), ColourEncoder(), policies=["raw"])
    assert (row.language, row.photos, row.texts) == ("zh", 2, 3)
    assert row.metrics["text_to_image_recall@1"] == 1


@pytest.mark.parametrize("kind", ["files", "lmdb"])
@pytest.mark.parametrize(
    ("texts", "language"), [(["vans", "红色", "nike 鞋"], "zh"), (["vans", "red", "shoe"], "en")]
)
def test_all_texts_of_a_split_are_in_one_language(
    kind: str, texts: list[str], language: str, tmp_path: Path
) -> None:
    encoded = [base64.b64encode(pictures(tmp_path)[0])]
    rows = [{"text_id": 7 - n, "text": t, "image_ids": [1001]} for n, t in enumerate(texts)]
    if kind == "files":
        given = tsv_split(tmp_path / "split", "test", encoded, rows)
    else:
        given = lmdb_split(tmp_path / "split", encoded, texts=rows)
    pairs = read_pairs([given])
    assert isinstance(pairs, CaptionedPhotos) and pairs.ids is not None
    assert pairs.captions == ({language: tuple(texts)},)
    assert pairs.ids.texts == ({language: (7, 6, 5)},)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (os.environ["EVIL"],)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Evil(), "is no pickle of plain values .*it asks for (posix|nt).mkdir"),
        ((Path("x"), 1, "a"), "is no pickle of plain values .*it asks for pathlib"),
        ((1001, 1), "holds .*expected"),
        (["a"], "holds .*expected"),
        ((1001, 1, b"a"), "holds .*expected"),
        ((None, 1, "a"), "holds .*expected"),
    ],
)
def test_a_pickle_may_hold_plain_values_alone(
    value: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVIL", str(tmp_path / "evil"))
    folder = lmdb_split(tmp_path / "train", [b"AAAA"], lambda pair: pickle.dumps(value))
    with pytest.raises(UsageError, match=rf"pair 0 {message}"):
        read_pairs([folder])
    assert not (tmp_path / "evil").exists()


def test_an_lmdb_cut_off_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = lmdb_split(tmp_path / "train", [b"AAAA"])
    with lmdb.open(str(folder / "pairs")) as pairs, pairs.begin(write=True) as out:
        out.put(b"num_samples", b"99")
    with pytest.raises(UsageError, match="pair 5 is missing"):
        read_pairs([folder])
    with lmdb.open(str(folder / "pairs")) as pairs, pairs.begin(write=True) as out:
        out.delete(b"num_samples")
    with pytest.raises(UsageError, match="has no num_samples: it was not written to its end"):
        read_pairs([folder])
    (folder / "pairs" / "data.mdb").write_bytes(b"no database" * 1000)
    with pytest.raises(UsageError, match="no LMDB that can be read"):
        read_pairs([folder])


def test_a_picture_taken_out_of_an_lmdb_is_told_when_it_is_read(tmp_path: Path) -> None:
    folder = lmdb_split(tmp_path / "train", [b"AAAA"])
    pairs = read_pairs([folder])
    with lmdb.open(str(folder / "imgs")) as images, images.begin(write=True) as out:
        out.delete(b"1001")
    with pytest.raises(PictureError, match="no longer has the picture '1001'"):
        content(pairs.pictures[0])
    (folder / "imgs" / "data.mdb").unlink()
    with pytest.raises(PictureError, match="no LMDB that can be read"):
        content(pairs.pictures[0])
