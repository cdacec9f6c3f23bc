"""Groups of duplicates against brute force: the same bytes, the same picture, the same scene."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from archives import zipped
from conftest import ColourEncoder
from imgsearch import images, index, open_library
from imgsearch.catalog import hashes
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.images.perceptual import perceptual_hash
from imgsearch.library import Library
from imgsearch.organising.duplicates import Group, Looked, Unread, find_duplicates
from imgsearch.organising.duplicates.ranking import Ranking
from imgsearch.organising.duplicates.scenes import SCENE_SHARE, bound
from imgsearch.organising.duplicates.stars import stars
from imgsearch.vectors import normalise
from stars import Stars, open_stars, random_vectors
from test_perceptual import photo

TAKEN, CAMERA = 0x9003, 0x0110


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos, one of them in many forms."""
    folder = tmp_path / "photos"
    folder.mkdir()
    save(folder / "a.png", 0)
    photo(0).save(folder / "a-q40.jpg", quality=40)
    photo(0).resize((160, 120)).save(folder / "a-small.webp")
    save(folder / "b.png", 1)
    return folder


def save(path: Path, seed: int, when: str | None = None, **options: object) -> None:
    exif = Image.Exif()
    if when is not None:
        exif[CAMERA] = "Canon EOS 5D"
        exif.get_ifd(0x8769)[TAKEN] = when
    photo(seed).save(path, exif=exif, **options)


def take_in(library: Library, folder: Path) -> None:
    list(index(library, folder, encoder=ColourEncoder()))


def named(groups: list[Group]) -> list[tuple[str, list[str]]]:
    """The name that is kept and the others', of each group."""
    return [(g.keeper.path.name, sorted(copy.path.name for copy in g.others)) for g in groups]


def test_files_of_the_same_bytes_are_a_group_and_waste_what_the_others_take(
    library: Library, folder: Path
) -> None:
    for name in ("c.png", "d.png"):
        shutil.copy(folder / "b.png", folder / name)
    take_in(library, folder)
    (group,) = find_duplicates(library, ["bytes"])
    assert named([group]) == [("b.png", ["c.png", "d.png"])]
    assert group.wasted_bytes == 2 * (folder / "b.png").stat().st_size
    assert (group.reason, group.others[0].score) == ("known longest", 1.0)
    (folder / "b.png").unlink()
    (folder / "c.png").unlink()
    list(index(library, folder, encoder=ColourEncoder()))
    assert find_duplicates(library, ["bytes"]) == []


def test_a_file_that_links_lead_to_is_no_copy_of_itself(library: Library, folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "b.png").rename(folder / "real" / "b.png")
    (folder / "real" / "hard.png").hardlink_to(folder / "real" / "b.png")
    (folder / "linked").symlink_to(folder / "real", target_is_directory=True)
    (folder / "soft.png").symlink_to(folder / "real" / "b.png")
    take_in(library, folder)
    assert max(row.files for row in hashes.candidates(library.catalog)) >= 3
    assert find_duplicates(library, ["bytes"]) == []
    shutil.copy(folder / "real" / "b.png", folder / "z.png")
    take_in(library, folder)
    (group,) = find_duplicates(library, ["bytes"])
    kept, (other,) = group.keeper.path, group.others
    assert kept.parent == folder / "real" and other.path == folder / "z.png"


def test_no_photo_is_given_up_for_a_file_that_is_gone_or_has_changed(
    library: Library, folder: Path
) -> None:
    for name in ("c.png", "d.png"):
        shutil.copy(folder / "b.png", folder / name)
    take_in(library, folder)
    (folder / "b.png").unlink()
    assert named(find_duplicates(library, ["bytes"])) == [("c.png", ["d.png"])]
    (folder / "c.png").write_bytes(b"another photo")
    assert find_duplicates(library, ["bytes"]) == []


def test_of_a_file_and_its_equal_in_an_archive_the_file_is_kept_and_nothing_is_spare(
    library: Library, folder: Path
) -> None:
    content = (folder / "b.png").read_bytes()
    zipped(folder / "0.zip", {"b.png": content, "again/b.png": content})
    take_in(library, folder / "0.zip")
    (group,) = find_duplicates(library, ["bytes"])
    assert (group.reason, group.spare) == ("known longest", ())
    take_in(library, folder)
    (group,) = find_duplicates(library, ["bytes"])
    assert (group.keeper.path, group.reason) == (folder / "b.png", "a file of its own")
    assert (len(group.others), group.spare, group.wasted_bytes) == (2, (), 0)


def test_a_photo_that_loses_its_files_while_one_looks_is_in_no_group(sky: Stars) -> None:
    ids = sky.add(random_vectors(4))
    ranking = Ranking(sky.library, None, None)
    found = [(ids[0], {ids[1]: 1.0}), (ids[2], {ids[3]: 1.0, ids[1]: 0.9})]
    sky.lose([ids[0], ids[1]])
    (group,) = ranking.groups("scene", found)
    assert (group.keeper.photo_id, [copy.photo_id for copy in group.others]) == (ids[2], [ids[3]])


def test_a_picture_in_other_formats_and_sizes_is_one_and_the_best_is_kept(
    library: Library, folder: Path
) -> None:
    take_in(library, folder)
    (group,) = find_duplicates(library)
    assert named([group]) == [("a.png", ["a-q40.jpg", "a-small.webp"])]
    assert (group.tier, group.reason) == ("picture", "largest file")
    own = np.unpackbits(np.frombuffer(perceptual_hash(images.decode(folder / "a.png")), np.uint8))
    for copy in group.others:
        bits = np.unpackbits(np.frombuffer(perceptual_hash(images.decode(copy.path)), np.uint8))
        assert copy.score == pytest.approx(1 - (bits != own).mean(), abs=4 / 256)
    assert [copy.score for copy in group.others] == sorted(
        (copy.score for copy in group.others), reverse=True
    )


def test_a_stamped_name_and_other_colours_make_another_picture(
    library: Library, folder: Path
) -> None:
    take_in(library, folder)
    stamped = photo(1)
    ImageDraw.Draw(stamped).rectangle((250, 200, 310, 225), fill="white")
    stamped.save(folder / "stamped.png")
    Image.merge("RGB", [photo(1).convert("L")] * 3).save(folder / "grey.png")
    take_in(library, folder)
    assert named(find_duplicates(library)) == [("a.png", ["a-q40.jpg", "a-small.webp"])]


def test_two_shots_of_one_camera_are_two_pictures_and_a_copy_of_one_is_not(
    library: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    save(folder / "1.jpg", 0, "2024:05:01 10:00:00", quality=95)
    save(folder / "2.jpg", 0, "2024:05:01 10:00:02", quality=94)
    save(folder / "1-again.jpg", 0, "2024:05:01 10:00:00", quality=60)
    photo(0).save(folder / "no-exif.jpg", quality=96)
    take_in(library, folder)
    (group,) = find_duplicates(library)
    assert named([group]) == [("1.jpg", ["1-again.jpg", "no-exif.jpg"])]
    assert group.reason == "largest file"
    (folder / "1-again.jpg").unlink()
    take_in(library, folder)
    (group,) = find_duplicates(library)
    assert (named([group]), group.reason) == ([("1.jpg", ["no-exif.jpg"])], "has its EXIF")


def test_of_more_pixels_and_more_colours_the_better_is_kept(
    library: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photo(0).save(folder / "a.gif")
    photo(0).save(folder / "a.jpg", quality=40)
    take_in(library, folder)
    (group,) = find_duplicates(library)
    assert (named([group]), group.reason) == ([("a.jpg", ["a.gif"])], "more colours")
    photo(0).resize((480, 360)).save(folder / "large.jpg", quality=30)
    take_in(library, folder)
    (group,) = find_duplicates(library)
    assert (group.keeper.path.name, group.reason) == ("large.jpg", "most pixels")


def test_plain_pictures_are_never_the_same_picture(library: Library, photos: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(photos / "red.jpg")
    take_in(library, photos)
    assert find_duplicates(library) == []


def test_a_photo_that_is_decoded_large_enough_is_hashed_as_it_is_indexed(
    library: Library, folder: Path
) -> None:
    encoder = ColourEncoder()
    encoder.image_size = 100
    list(index(library, folder, encoder=encoder))
    rows = hashes.candidates(library.catalog)
    for row, path in zip(rows, sorted(folder.iterdir()), strict=True):
        assert row.perceptual_hash == perceptual_hash(images.decode(path, short_side=200))
    told: list[Looked | Unread] = []
    assert len(find_duplicates(library, notify=told.append)) == 1
    assert not [event for event in told if isinstance(event, Looked) and "hashing" in event.doing]


def test_photos_without_a_hash_are_hashed_once_and_those_unread_are_told(
    library: Library, folder: Path
) -> None:
    take_in(library, folder)  # by an encoder so small that its pictures tell too little
    assert {row.perceptual_hash for row in hashes.candidates(library.catalog)} == {None}
    (folder / "b.png").write_bytes(b"changed")
    told: list[Looked | Unread] = []
    (group,) = find_duplicates(library, notify=told.append)
    assert len(group.others) == 2
    assert told[0] == Looked("hashing photos", 0, 4)
    (unread,) = [event for event in told if isinstance(event, Unread)]
    assert unread.photos == 1 and "has changed since it was indexed" in unread.reason
    after = [row.perceptual_hash for row in hashes.candidates(library.catalog)]
    assert sorted(len(each or b"") for each in after) == [0, 32, 32, 32]
    told.clear()
    find_duplicates(library, notify=told.append)
    assert Looked("hashing photos", 0, 1) in told


def test_only_files_of_a_folder_count_where_one_is_given(library: Library, folder: Path) -> None:
    (folder / "inside").mkdir()
    shutil.copy(folder / "a.png", folder / "inside" / "a.png")
    shutil.copy(folder / "a-q40.jpg", folder / "inside" / "a-q40.jpg")
    take_in(library, folder)
    groups = find_duplicates(library, folder=folder / "inside")
    assert [group.tier for group in groups] == ["picture"]
    assert groups[0].keeper.path == folder / "inside" / "a.png"
    assert [copy.path for copy in groups[0].others] == [folder / "inside" / "a-q40.jpg"]


def test_nothing_is_deleted_and_no_file_is_touched(library: Library, folder: Path) -> None:
    shutil.copy(folder / "b.png", folder / "c.png")
    take_in(library, folder)
    before = {path: path.stat() for path in folder.iterdir()}
    assert len(find_duplicates(library, ["bytes", "picture", "scene"])) >= 2
    after = {path: path.stat() for path in folder.iterdir()}
    assert {path: s.st_mtime_ns for path, s in before.items()} == {
        path: s.st_mtime_ns for path, s in after.items()
    }


@pytest.fixture
def sky(tmp_path: Path) -> Iterator[Stars]:
    with open_stars(tmp_path) as opened:
        yield opened


def crowded(count: int = 300) -> np.ndarray:
    """Random directions, each with a few others near it at all kinds of distances."""
    random = np.random.default_rng(3)
    base = random_vectors(count // 5)
    near = np.repeat(base, 5, axis=0)
    return normalise(near + random.normal(0, 0.08, near.shape) * random.random((len(near), 1)))


def test_scenes_are_the_stars_that_brute_force_makes(sky: Stars) -> None:
    vectors = crowded()
    ids = sky.add(vectors)
    groups = find_duplicates(sky.library, ["scene"], threshold=0.9)
    scores = vectors @ vectors.T
    given_up: set[int] = set()
    expected = {}
    for row, keeper in enumerate(ids):  # equal sizes: the one known longest is kept
        if keeper in given_up:
            continue
        others = {
            ids[other]
            for other in range(row + 1, len(ids))
            if scores[row, other] >= 0.9 and ids[other] not in given_up
        }
        if others:
            given_up |= others
            expected[keeper] = others
    assert len(expected) > 20
    assert {g.keeper.photo_id: {c.photo_id for c in g.others} for g in groups} == expected
    place = {photo_id: row for row, photo_id in enumerate(ids)}
    for group in groups:
        for copy in group.others:
            cosine = scores[place[group.keeper.photo_id], place[copy.photo_id]]
            assert copy.score == pytest.approx(cosine, abs=1e-5)
    assert [len(g.others) for g in groups] == sorted((len(g.others) for g in groups), reverse=True)


def test_a_scene_of_many_photos_is_one_group(sky: Stars) -> None:
    one = random_vectors(1)
    sky.add(normalise(np.repeat(one, 80, axis=0)))
    sky.add(random_vectors(40, seed=9))
    (group,) = find_duplicates(sky.library, ["scene"], threshold=0.99)
    assert len(group.others) == 79


def test_a_chain_is_no_group(sky: Stars) -> None:
    angles = np.linspace(0, np.pi / 2, 16)  # each 6 degrees from the next
    vectors = np.zeros((16, 24), np.float32)
    vectors[:, 0], vectors[:, 1] = np.cos(angles), np.sin(angles)
    ids = sky.add(vectors)
    groups = find_duplicates(sky.library, ["scene"], threshold=np.cos(np.radians(13)))
    assert len(groups) > 3
    for group in groups:
        own = vectors[ids.index(group.keeper.photo_id)]
        for copy in group.others:
            assert own @ vectors[ids.index(copy.photo_id)] >= np.cos(np.radians(13)) - 1e-6


def test_without_a_threshold_the_bound_lies_between_strangers_and_the_same() -> None:
    vectors = random_vectors(500)
    pairs = (vectors @ vectors.T)[np.triu_indices(500, 1)]
    expected = np.median(pairs) + SCENE_SHARE * (1 - np.median(pairs))
    assert bound(vectors) == pytest.approx(expected, abs=1e-5)


def test_scenes_leave_out_what_the_tier_of_pictures_gives_up(
    library: Library, folder: Path
) -> None:
    take_in(library, folder)
    groups = find_duplicates(library, ["picture", "scene"], threshold=None)
    spared = {c.path for g in groups if g.tier == "picture" for c in g.others}
    in_scenes = {c.path for g in groups if g.tier == "scene" for c in (g.keeper, *g.others)}
    assert spared and not spared & in_scenes


def test_every_photo_given_up_was_held_against_the_one_kept() -> None:
    random = np.random.default_rng(0)
    alike = np.triu(random.random((60, 60)) < 0.1, 1)
    alike |= alike.T
    held = []

    def near(some):  # type: ignore[no-untyped-def]
        return ((i, dict.fromkeys(np.flatnonzero(alike[i]).tolist(), 1.0)) for i in some)

    def are_same(one: int, other: int) -> bool:
        held.append((one, other))
        return (one + other) % 3 > 0

    found = list(stars(range(60), near, are_same, lambda _: None))
    given_up = [i for _, others in found for i in others]
    assert len(given_up) == len(set(given_up)) and not set(given_up) & {k for k, _ in found}
    for keeper, others in found:
        assert all((keeper, i) in held and alike[keeper, i] and keeper < i for i in others)
    kept = set(range(60)) - set(given_up)
    for one, other in itertools.combinations(sorted(kept), 2):
        assert not (alike[one, other] and (one + other) % 3 > 0)


def test_thousands_that_are_alike_are_not_each_asked_about() -> None:
    asked = []

    def near(some):  # type: ignore[no-untyped-def]
        asked.extend(some)
        return ((i, dict.fromkeys(range(4000), 1.0)) for i in some)

    ((keeper, others),) = stars(range(4000), near, lambda *_: True, lambda _: None)
    assert (keeper, len(others)) == (0, 3999)
    assert len(asked) < 100


@pytest.mark.parametrize(
    ("tiers", "threshold", "message"),
    [
        (["byte"], None, "bytes, picture, scene"),
        ([], None, "bytes, picture, scene"),
        (["bytes"], 0.9, "name one of the two"),
        (["picture", "scene"], 0.9, "name one of the two"),
        (["picture"], 0.5, "above 0.75"),
        (["scene"], 1.5, "at most 1"),
        (["scene"], 0.0, "above 0"),
    ],
)
def test_what_cannot_be_asked_is_a_clear_sentence(
    library: Library, tiers: list[str], threshold: float | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        find_duplicates(library, tiers, threshold=threshold)  # type: ignore[arg-type]


def test_without_an_encoder_there_are_no_scenes(library: Library) -> None:
    with pytest.raises(NoEncoderError, match="no encoder answers"):
        find_duplicates(library, ["scene"])
