"""What is trained on and what is held back: by picture, whatever the order."""

import io
import random
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import draw
from imgsearch.errors import UsageError
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos, Unpaired, read_pairs, split


def captioned(n: int) -> CaptionedPhotos:
    return CaptionedPhotos(
        tuple(f"picture {i}".encode() for i in range(n)),
        tuple({"en": (f"caption {i}",)} for i in range(n)),
        tuple(f"label {i}" for i in range(n)),
        Unpaired(3, 4),
    )


def labelled(sizes: dict[str, int]) -> LabelledPhotos:
    pairs = [(f"{label} {i}".encode(), label) for label, n in sizes.items() for i in range(n)]
    names = {label: {"en": (label,)} for label in sizes}
    return LabelledPhotos(tuple(p for p, _ in pairs), tuple(label for _, label in pairs), names)


def test_both_sides_make_the_set_each_in_its_order() -> None:
    photos = captioned(40)
    train, held = split(photos, 0.25)
    assert (len(train), len(held)) == (30, 10)
    assert set(train.pictures) | set(held.pictures) == set(photos.pictures)
    assert not set(train.pictures) & set(held.pictures)
    for side in (train, held):
        rows = [photos.pictures.index(picture) for picture in side.pictures]
        assert rows == sorted(rows)
        assert side.captions == tuple(photos.captions[row] for row in rows)
        assert side.labels == tuple(photos.labels[row] for row in rows)
        assert side.unpaired == Unpaired()
    assert len(split(photos, 7)[1]) == 7
    assert split(replace(photos, labels=()), 7)[0].labels == ()


def test_a_seed_decides_and_the_order_of_the_set_does_not() -> None:
    photos = captioned(40)
    held = set(split(photos, 10, seed=5)[1].pictures)
    rows = list(range(40))
    random.Random(0).shuffle(rows)
    shuffled = replace(
        photos,
        pictures=tuple(photos.pictures[row] for row in rows),
        captions=tuple(photos.captions[row] for row in rows),
    )
    assert set(split(shuffled, 10, seed=5)[1].pictures) == held
    assert set(split(photos, 10, seed=6)[1].pictures) != held


def test_one_picture_is_on_one_side_however_often_and_wherever_it_is_stored(
    tmp_path: Path,
) -> None:
    tar = tmp_path / "x.tar"
    with tarfile.open(tar, "w") as out:
        for i in range(12):
            for name, text in ((f"{i}.jpg", b"%d" % (i // 2)), (f"{i}.txt", b"caption")):
                entry = tarfile.TarInfo(name)
                entry.size = len(text)
                out.addfile(entry, io.BytesIO(text))
    stored = read_pairs([tar])
    assert isinstance(stored, CaptionedPhotos)
    in_memory = tuple(b"%d" % i for i in range(6))
    photos = CaptionedPhotos(stored.pictures + in_memory, ({"en": ("x",)},) * 18)
    for seed in range(20):
        train, held = split(photos, 2, seed)
        sides = [
            {each if isinstance(each, bytes) else each.read() for each in side.pictures}
            for side in (train, held)
        ]
        assert not sides[0] & sides[1]
        assert (len(train), len(held)) == (12, 6), "two pictures, three entries each"


def test_two_ways_to_one_file_are_one_picture(tmp_path: Path) -> None:
    paths = [draw(tmp_path / f"{i}.jpg", (60 * i, 0, 0)) for i in range(4)]
    links = [tmp_path / "links" / path.name for path in paths]
    (tmp_path / "links").mkdir()
    for link, path in zip(links, paths, strict=True):
        link.symlink_to(path)
    photos = CaptionedPhotos((*paths, *links), ({"en": ("x",)},) * 8)
    for seed in range(10):
        train, held = split(photos, 0.5, seed)
        assert (len(train), len(held)) == (4, 4)
        assert not {path.name for path in train.pictures} & {path.name for path in held.pictures}


def test_copies_of_a_file_are_one_picture(tmp_path: Path) -> None:
    contents = [b"a", b"b", b"cc", b"ddd", b"eee", b"ffff"]  # some of one size, some of their own
    pictures: list[Path | bytes] = []
    for name in ("first", "second"):
        for n, content in enumerate(contents):
            pictures.append(tmp_path / f"{name}-{n}.jpg")
            pictures[-1].write_bytes(content)
    photos = CaptionedPhotos((*pictures, *contents), ({"en": ("x",)},) * 18)
    for seed in range(20):
        sides = [
            [each if isinstance(each, bytes) else each.read_bytes() for each in side.pictures]
            for side in split(photos, 2, seed)
        ]
        assert list(map(len, sides)) == [12, 6], "two pictures, three entries each"
        assert not set(sides[0]) & set(sides[1])


def test_a_split_is_the_same_wherever_the_photos_lie(tmp_path: Path) -> None:
    contents = [b"%d" % (n * n) for n in range(20)] + [b"x" * n for n in range(5, 25)]
    held = []
    for folder in (tmp_path / "here", tmp_path / "there"):
        folder.mkdir()
        for n, content in enumerate(contents):
            (folder / f"{n}.jpg").write_bytes(content)
        paths = tuple(folder / f"{n}.jpg" for n in range(40))
        photos = CaptionedPhotos(paths, ({"en": ("x",)},) * 40)
        held.append([path.name for path in split(photos, 10)[1].pictures])
    assert held[0] == held[1]


def test_files_that_cannot_be_read_are_pictures_by_their_names(tmp_path: Path) -> None:
    paths = tuple(tmp_path / f"gone-{n}.jpg" for n in range(4))
    train, held = split(CaptionedPhotos(paths, ({"en": ("x",)},) * 4), 1)
    assert {*train.pictures, *held.pictures} == set(paths)
    assert len(held) == 1


def test_classes_are_divided_in_proportion_and_none_is_lost_to_training() -> None:
    photos = labelled({"ant": 10, "bee": 20, "cow": 1, "dog": 9})
    train, held = split(photos, 0.25)
    assert {label: held.labels.count(label) for label in ("ant", "bee", "cow", "dog")} == {
        "ant": 3,
        "bee": 5,
        "cow": 0,
        "dog": 2,
    }, "2.5, 5, 0.25 and 2.25 of them; the largest remainder first"
    assert train.names is photos.names
    assert all(
        picture.decode().startswith(label)
        for picture, label in zip(held.pictures, held.labels, strict=True)
    )
    assert set(train.labels) == set(photos.labels)


def test_a_picture_under_two_labels_is_on_one_side() -> None:
    photos = labelled({"ant": 6, "bee": 6})
    twice = LabelledPhotos(photos.pictures[:6] * 2, photos.labels, photos.names)
    for seed in range(10):
        train, held = split(twice, 2, seed)
        assert not set(train.pictures) & set(held.pictures)
        assert (len(train), len(held)) == (8, 4)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(
        UsageError, match=r"a share of .* cannot be held back: give one in \(0, 1\)"
    ):
        split(captioned(4), share)


@pytest.mark.parametrize("share_or_count", [0, -1, 4, 9, 0.01, 0.99])
def test_a_split_with_an_empty_side_is_refused(share_or_count: float) -> None:
    with pytest.raises(UsageError, match="of 4 different pictures leaves one side"):
        split(captioned(4), share_or_count)


def test_more_than_classes_can_give_is_refused() -> None:
    with pytest.raises(UsageError, match="9 of 4 different pictures leaves one side"):
        split(labelled({"ant": 2, "bee": 2}), 9)


def test_classes_of_one_photo_each_cannot_be_divided() -> None:
    with pytest.raises(UsageError, match="leaves one side of the split empty"):
        split(labelled({"ant": 1, "bee": 1, "cow": 1}), 0.5)
