"""rebuild() with an encoder: what it embeds and leaves out, when it answers, what a kill costs.

`ShiftedEncoder` sees pictures as `ColourEncoder` does and takes each word for the next colour, so
that "red" finds the green photo once it answers: a hit tells who was asked.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ColourEncoder, draw
from imgsearch import images
from imgsearch.errors import LibraryLockedError, NoEncoderError, UsageError
from imgsearch.indexing import (
    BuildingGeneration,
    Embedded,
    Handover,
    Notice,
    Rebuilt,
    Skipped,
    Switched,
    rebuild,
    reindex,
    switch,
)
from imgsearch.library import Library, open_library
from imgsearch.pairs import CaptionedPhotos, read_pairs
from imgsearch.searching import search
from imgsearch.upkeep import doctor, status
from runs import CountingEncoder, draw_many, run

pytestmark = pytest.mark.filterwarnings("error")


class ShiftedEncoder(CountingEncoder):
    def __init__(
        self, name: str = "toy/shifted", languages: tuple[str, ...] = ("en", "zh")
    ) -> None:
        super().__init__(name, languages)

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        return np.roll(super().embed_texts(texts), 1, axis=1)


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[Library]:
    """Red, green and blue, embedded by toy/colour."""
    with open_library(tmp_path / "library") as opened:
        run(opened, photos)
        yield opened


def found(library: Library, text: str = "red") -> str:
    return search(library, text, k=1, prompt="raw")[0].path.name


def answers(library: Library) -> dict[str, str]:
    return {language: row.name for language, row in library.catalog.active_encoders().items()}


def test_another_encoder_embeds_all_photos_and_answers(library: Library, photos: Path) -> None:
    assert found(library) == "red.png"
    encoder = ShiftedEncoder()
    rebuilt = rebuild(library, encoder=encoder)
    assert found(library) == "green.png" and found(library, "红") == "green.png"
    assert rebuilt.switched == (
        Switched("en", "toy/shifted", "toy/colour"),
        Switched("zh", "toy/shifted", "toy/colour"),
    )
    assert (rebuilt.encoder, rebuilt.embedded, encoder.seen) == ("toy/shifted", 3, 3)
    assert (rebuilt.missing, rebuilt.skipped, rebuilt.withheld) == ((), (), "")
    row = library.catalog.encoder_named("toy/shifted")
    assert row is not None and library.catalog.current_generation(row.id) == rebuilt.generation
    ids, vectors = library.catalog.embeddings(row.id)
    paths = library.catalog.live_paths(ids)
    pictures = [images.decode(paths[photo_id], short_side=16) for photo_id in ids.tolist()]
    np.testing.assert_array_equal(vectors, encoder.embed_images(pictures))
    last = status(library).last_run
    assert last is not None and (last.verb, last.ended) == ("rebuild", "done")
    assert last.outcome["embedded"] == 3
    assert list(doctor(library)) == []


def test_the_encoder_that_answers_embeds_what_it_lacks_and_changes_nothing_else(
    library: Library, photos: Path
) -> None:
    rebuild(library, encoder=ShiftedEncoder())
    draw(photos / "new.png", "white")
    run(library, photos, encoder=ShiftedEncoder())
    rebuilt = rebuild(library, encoder=ColourEncoder())  # back to the first: one is lacking
    assert rebuilt.embedded == 1 and answers(library)["en"] == "toy/colour"
    rebuilt = rebuild(library, encoder=ColourEncoder())
    assert (rebuilt.embedded, rebuilt.switched, rebuilt.before, rebuilt.after) == (0, (), (), ())
    assert "takes no language over" in rebuilt.why_not


def test_languages_that_only_the_old_encoder_knows_stay_with_it(library: Library) -> None:
    rebuilt = rebuild(library, encoder=ShiftedEncoder(languages=("en", "fr")))
    assert answers(library) == {"en": "toy/shifted", "zh": "toy/colour", "fr": "toy/shifted"}
    assert rebuilt.switched == (
        Switched("en", "toy/shifted", "toy/colour"),
        Switched("fr", "toy/shifted", None),
    )


def test_an_added_encoder_takes_only_languages_that_nobody_answers(library: Library) -> None:
    rebuilt = rebuild(library, ShiftedEncoder(languages=("en", "fr")), handover=Handover("free"))
    assert answers(library) == {"en": "toy/colour", "zh": "toy/colour", "fr": "toy/shifted"}
    assert rebuilt.switched == (Switched("fr", "toy/shifted", None),)


def test_an_encoder_that_waits_answers_nothing_until_it_is_switched_to(library: Library) -> None:
    rebuilt = rebuild(library, ShiftedEncoder(languages=("en", "fr")), handover=Handover("nothing"))
    assert rebuilt.embedded == 3 and rebuilt.switched == ()
    assert answers(library) == {"en": "toy/colour", "zh": "toy/colour"}
    assert found(library) == "red.png"
    switch(library, "toy/shifted")
    assert found(library) == "green.png" and "fr" in answers(library)


def test_what_cannot_be_is_refused_before_anything_is_embedded(library: Library) -> None:
    encoder = ShiftedEncoder()
    with pytest.raises(UsageError, match="flat, sq8, hnsw"):
        rebuild(library, encoder=encoder, kind="nope")
    assert encoder.seen == 0
    with pytest.raises(NoEncoderError, match="nobody"):
        rebuild(library, encoder="nobody")


def test_reindex_builds_the_index_of_every_encoder_that_answers(library: Library) -> None:
    rebuild(library, ShiftedEncoder("toy/english", ("en",)))
    rebuild(library, ShiftedEncoder("toy/waiting"), handover=Handover("nothing"))
    notices: list[Notice] = []
    built = reindex(library, kind="hnsw", notify=notices.append)
    assert [(each.encoder, each.generation.kind) for each in built] == [
        ("toy/english", "hnsw"),
        ("toy/colour", "hnsw"),
    ]
    steps = [BuildingGeneration(3, *step) for step in ((), ("adding",), ("measuring",))]
    assert notices == steps * 2
    for each in built:
        row = library.catalog.encoder_named(each.encoder)
        assert row is not None
        assert library.catalog.current_generation(row.id) == each.generation
    last = status(library).last_run
    assert last is not None and (last.verb, last.ended) == ("rebuild", "done")
    assert last.outcome["indexes"] == 2


def test_the_kind_of_index_is_as_before_unless_given(library: Library) -> None:
    reindex(library, kind="hnsw")
    assert rebuild(library, encoder=ShiftedEncoder()).generation.kind == "hnsw"
    assert rebuild(library, encoder=ShiftedEncoder(), kind="flat").generation.kind == "flat"


def test_photos_without_a_file_keep_the_embedding_they_have_and_are_listed(
    library: Library, photos: Path
) -> None:
    (photos / "red.png").unlink()
    run(library, photos)
    (photos / "blue.png").unlink()  # which no run has noticed
    rebuilt = rebuild(library, encoder=ShiftedEncoder())
    assert sorted(rebuilt.missing) == [photos / "blue.png", photos / "red.png"]
    assert rebuilt.embedded == 1 and rebuilt.skipped == ()
    rows = {row.name: row.id for row in library.catalog.encoders()}
    assert library.catalog.photo_count(rows["toy/colour"]) == 3
    draw(photos / "red.png", "red")
    draw(photos / "blue.png", "blue")
    run(library, photos, encoder=None)  # they are back, and shown to the encoder that answers
    assert library.catalog.photo_count(rows["toy/shifted"]) == 3
    assert found(library, "green") == "blue.png"


def test_a_photo_that_cannot_be_read_is_skipped_with_its_reason(
    library: Library, photos: Path
) -> None:
    shutil.copy(photos / "blue.png", photos / "copy.png")
    run(library, photos)
    (photos / "red.png").write_bytes(b"no picture")
    draw(photos / "green.png", "yellow", (40, 40))  # another picture than the catalog's
    (photos / "blue.png").write_bytes(b"neither")  # its copy is as it was
    rebuilt = rebuild(library, encoder=ShiftedEncoder())
    assert rebuilt.embedded == 1
    reasons = {each.path.name: each.reason for each in rebuilt.skipped}
    assert set(reasons) == {"red.png", "green.png"}
    assert "another picture by now" in reasons["green.png"]
    assert found(library, "green") == "copy.png" or found(library, "green") == "blue.png"


def test_a_file_that_was_touched_is_the_same_photo(library: Library, photos: Path) -> None:
    os.utime(photos / "red.png", ns=(1, 1))
    assert rebuild(library, encoder=ShiftedEncoder()).embedded == 3


def test_a_photo_an_encoder_stumbles_over_is_skipped(library: Library, photos: Path) -> None:
    class NoRed(ShiftedEncoder):
        def embed_images(self, pictures: list[Image.Image]) -> np.ndarray:
            if any(picture.getpixel((0, 0)) == (255, 0, 0) for picture in pictures):
                raise RuntimeError("I see red")
            return super().embed_images(pictures)

    rebuilt = rebuild(library, encoder=NoRed())
    assert rebuilt.embedded == 2
    assert rebuilt.skipped == (
        Skipped(photos / "red.png", "toy/shifted cannot embed it: I see red"),
    )


def test_an_encoder_that_would_find_far_less_does_not_answer_by_itself(tmp_path: Path) -> None:
    folder = draw_many(tmp_path / "drive", 20)
    with open_library(tmp_path / "library") as library:
        run(library, folder)
        folder.rename(tmp_path / "unplugged")
        with pytest.raises(NoEncoderError, match="Mount the drive"):
            rebuild(library, encoder=ShiftedEncoder())
        folder.mkdir()
        for number in range(9):
            shutil.copy(tmp_path / "unplugged" / f"{number:04}.png", folder)
        rebuilt = rebuild(library, encoder=ShiftedEncoder())
        assert "11 of 20 photos" in rebuilt.withheld and rebuilt.switched == ()
        assert answers(library)["en"] == "toy/colour" and len(rebuilt.missing) == 11
        shutil.rmtree(folder)
        (tmp_path / "unplugged").rename(folder)
        encoder = ShiftedEncoder()
        rebuilt = rebuild(library, encoder=encoder)
        assert (rebuilt.withheld, encoder.seen) == ("", 11)
        assert answers(library)["en"] == "toy/shifted"


def recalls(rebuilt: Rebuilt) -> list[tuple[str, str, int, list[float]]]:
    names = [f"text_to_image_recall@{k}" for k in (1, 5, 10)] + ["text_to_image_mean_recall"]
    return [
        (each.encoder, each.language, each.photos, [each.metrics[name] for name in names])
        for each in (*rebuilt.before, *rebuilt.after)
    ]


def test_old_and_new_are_compared_on_the_captions_of_the_photos(
    library: Library, photos: Path
) -> None:
    for colour in ("red", "green"):
        (photos / f"{colour}.txt").write_text(f"a {colour} thing\n", "utf-8")
    (photos / "blue.json").write_text('{"en": ["blue", "it is blue"], "zh": ["蓝"]}', "utf-8")
    notices: list[Notice] = []
    encoder = ShiftedEncoder(languages=("en",))
    rebuilt = rebuild(library, encoder=encoder, notify=notices.append)
    # Red asks for green, green for blue, blue for red: the right photo is never first.
    assert recalls(rebuilt) == [
        ("toy/colour", "en", 3, [1.0, 1.0, 1.0, 1.0]),
        ("toy/shifted", "en", 3, [0.0, 1.0, 1.0, pytest.approx(2 / 3)]),
    ]
    assert rebuilt.after[0].texts == 4 and rebuilt.why_not == ""
    assert Embedded(3, 3, 0) in notices
    assert found(library) == "green.png"  # a worse one was asked for, and is what there is now


def test_what_cannot_be_compared_is_said(library: Library, photos: Path) -> None:
    rebuilt = rebuild(library, encoder=ShiftedEncoder(), handover=Handover("nothing"))
    assert rebuilt.why_not.startswith("no photo has a caption beside it; --pairs PATH")
    (photos / "red.txt").write_text("red", "utf-8")
    rebuilt = rebuild(
        library, encoder=ShiftedEncoder("toy/french", ("fr",)), handover=Handover("nothing")
    )
    assert rebuilt.why_not == "no photo that both have embedded has a caption in fr"
    path = library.path
    library.close()
    with open_library(path) as opened:  # where nobody has passed the old encoder in
        rebuilt = rebuild(opened, encoder=ShiftedEncoder("toy/third"))
        assert "'toy/colour' was passed in as an object" in rebuilt.why_not
        assert rebuilt.before == rebuilt.after == () and len(rebuilt.switched) == 2


def caption(photos: Path) -> None:
    for colour in ("red", "green", "blue"):
        (photos / f"{colour}.json").write_text(
            json.dumps({"en": [colour], "zh": [f"{colour}色"]}), "utf-8"
        )


def test_a_comparison_that_fails_is_told_and_stops_nothing(library: Library, photos: Path) -> None:
    class Short(ShiftedEncoder):
        asked = 0

        def embed_texts(self, texts: list[str]) -> np.ndarray:
            self.asked += 1
            if self.asked > self.allowed:
                raise RuntimeError("CUDA out of memory\nTried to allocate")
            return super().embed_texts(texts)

        def __init__(self, name: str, allowed: int) -> None:
            super().__init__(name)
            self.allowed = allowed

    caption(photos)
    rebuilt = rebuild(library, Short("toy/none", 0))
    assert rebuilt.why_not == "CUDA out of memory" and len(rebuilt.switched) == 2
    rebuilt = rebuild(library, Short("toy/one", 2))  # tried, and measured in one language of two
    assert rebuilt.why_not == "CUDA out of memory" and len(rebuilt.switched) == 2
    assert (rebuilt.before, rebuilt.after) == ((), ())  # the one that is to be followed fails first
    rebuild(library, ColourEncoder())
    rebuilt = rebuild(library, Short("toy/two", 2))
    assert [each.language for each in rebuilt.before] == ["en", "zh"] and rebuilt.why_not
    assert [each.language for each in rebuilt.after] == ["en"] and len(rebuilt.switched) == 2


@pytest.mark.parametrize("with_captions", [True, False])
def test_an_encoder_whose_texts_are_no_vectors_does_not_answer(
    library: Library, photos: Path, with_captions: bool
) -> None:
    class Broken(ShiftedEncoder):
        def embed_texts(self, texts: list[str]) -> np.ndarray:
            return np.full((len(texts), 3), np.nan, np.float32)

    if with_captions:
        caption(photos)
    rebuilt = rebuild(library, Broken())
    assert rebuilt.embedded == 3 and rebuilt.switched == ()
    assert "makes no vectors of texts" in rebuilt.withheld
    assert answers(library)["en"] == "toy/colour" and found(library) == "red.png"
    waiting = rebuild(library, Broken("toy/waiting"), handover=Handover("nothing"))
    assert waiting.withheld == "" and "no vectors" in waiting.why_not


def test_a_set_of_captions_takes_the_place_of_those_beside_the_photos(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    (photos / "red.txt").write_text("green\n", "utf-8")  # wrong, and not to be read
    said = {"red": ["blue"], "green": ["red"], "blue": ["green", "green green"]}  # as it is shifted
    lines = [f"{name}.png,{text}" for name, texts in said.items() for text in texts]
    (photos / "captions.txt").write_text("image,caption\n" + "\n".join(lines) + "\n", "utf-8")
    draw(tmp_path / "elsewhere" / "white.png", "white")
    (tmp_path / "elsewhere" / "table.csv").write_text("path,text\nwhite.png,white\n", "utf-8")
    pairs = read_pairs([photos / "captions.txt"])
    assert isinstance(pairs, CaptionedPhotos)
    rebuilt = rebuild(library, ShiftedEncoder(), handover=Handover(pairs=pairs))
    assert [(each.encoder, each.photos, each.texts) for each in rebuilt.before + rebuilt.after] == [
        ("toy/colour", 3, 4),
        ("toy/shifted", 3, 4),
    ]
    assert rebuilt.before[0].metrics["text_to_image_recall@1"] == 0.0
    assert rebuilt.after[0].metrics["text_to_image_recall@1"] == 1.0
    pairs = read_pairs([tmp_path / "elsewhere" / "table.csv"])
    assert isinstance(pairs, CaptionedPhotos)
    rebuilt = rebuild(library, ShiftedEncoder("toy/b"), handover=Handover("nothing", pairs))
    assert rebuilt.why_not == "none of the 1 photos with captions is one of the library"


def test_a_stopped_rebuild_leaves_the_old_encoder_and_the_next_goes_on(tmp_path: Path) -> None:
    class Interrupted(ShiftedEncoder):
        def embed_images(self, pictures: list[Image.Image]) -> np.ndarray:
            if self.seen >= 12:
                raise KeyboardInterrupt
            return super().embed_images(pictures)

    with open_library(tmp_path / "library") as library:
        run(library, draw_many(tmp_path / "photos", 30))
        with pytest.raises(KeyboardInterrupt):
            rebuild(library, encoder=Interrupted())
        last = status(library).last_run
        assert last is not None and last.ended == "interrupted"
        assert answers(library)["en"] == "toy/colour" and list(doctor(library)) == []
        encoder = ShiftedEncoder()
        assert rebuild(library, encoder=encoder).embedded == encoder.seen == 18
        assert answers(library)["en"] == "toy/shifted"


def test_searches_beside_a_rebuild_never_fail_and_move_over_once(tmp_path: Path) -> None:
    """Two threads search, one in the library that rebuilds and one in another opening of it."""
    photos = draw_many(tmp_path / "photos", 60, start=1000)
    for colour in ("red", "green", "blue"):
        draw(photos / f"{colour}.png", colour)
    with open_library(tmp_path / "library") as library, open_library(library.path) as other:
        run(library, photos)
        for each in (library, other):
            each.keep_encoder(ColourEncoder())
            each.keep_encoder(ShiftedEncoder())
        is_over = threading.Event()
        seen: dict[int, list[str]] = {0: [], 1: []}
        failures: list[Exception] = []

        def ask(number: int, opened: Library) -> None:
            last_round = False
            while not last_round:
                last_round = is_over.is_set()
                try:
                    seen[number].append(found(opened, f"red {len(seen[number])}"))
                except Exception as error:
                    failures.append(error)

        threads = [
            threading.Thread(target=ask, args=(number, each))
            for number, each in enumerate((library, other))
        ]
        for thread in threads:
            thread.start()
        rebuild(library, encoder=ShiftedEncoder())
        is_over.set()
        for thread in threads:
            thread.join()
        assert failures == []
        for hits in seen.values():
            assert set(hits) <= {"red.png", "green.png"} and hits[-1] == "green.png"
            assert hits == sorted(hits, reverse=True)  # once it has moved over, it stays


def test_a_rebuild_is_refused_beside_another_writer(library: Library) -> None:
    with (
        open_library(library.path) as other,
        other.lock(),
        pytest.raises(LibraryLockedError, match=str(os.getpid())),
    ):
        rebuild(library, encoder=ShiftedEncoder())


KILLED = """
import os, pathlib, signal, sys
sys.path[:0] = [{tests!r}, {root!r}]
from sqlalchemy import event
from imgsearch.indexing import rebuild
from imgsearch.library import open_library
from test_rebuilding import ShiftedEncoder

point, begun = sys.argv[2], []

def die(*_):
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

def notify(notice):
    begun.append(type(notice).__name__)
    if point == "batch" and begun.count("Embedded") == 4 or begun[-1] == point:
        die()
    if point == "flip" and begun[-1] == "BuildingGeneration":
        event.listen(library.catalog.engine, "commit", die)  # with all of it written
    if point == "folder" and begun[-1] == "BuildingGeneration":
        event.listen(library.catalog.engine, "begin", lambda _: ready() and die())

def ready():
    return any(name.name == "0002" for name in library.generations_folder.iterdir())

with open_library(sys.argv[1]) as library:
    rebuild(library, encoder=ShiftedEncoder(), notify=notify)
    raise SystemExit("it was to be killed")
"""


@pytest.mark.parametrize(
    ("point", "left"), [("batch", 28), ("BuildingGeneration", 0), ("folder", 0), ("flip", 0)]
)
def test_a_killed_rebuild_leaves_the_old_answers_and_the_next_embeds_the_rest(
    tmp_path: Path, point: str, left: int
) -> None:
    photos = draw_many(tmp_path / "photos", 37, start=1000)
    for colour in ("red", "green", "blue"):
        draw(photos / f"{colour}.png", colour)
    with open_library(tmp_path / "library") as library:
        run(library, photos)
    tests = Path(__file__).parent
    code = KILLED.format(tests=str(tests), root=str(tests.parent))
    words = [sys.executable, "-c", code, str(tmp_path / "library"), point]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert ended.returncode not in (0, 1), ended.stderr
    with open_library(tmp_path / "library") as library:
        library.keep_encoder(ColourEncoder())
        assert answers(library) == {"en": "toy/colour", "zh": "toy/colour"}
        assert found(library) == "red.png"
        assert library.catalog.generations(2) == []
        last = status(library).last_run
        assert last is not None and (last.verb, last.ended) == ("rebuild", None)
        assert list(doctor(library)) == []
        encoder = ShiftedEncoder()
        assert rebuild(library, encoder=encoder).embedded == encoder.seen == left
        assert found(library) == "green.png" and list(doctor(library)) == []
        folders = sorted(path.name for path in library.generations_folder.iterdir())
        assert folders == sorted(row.folder for row in library.catalog.generations())
