"""Captions in the catalog: who has which, and which photos are found by which words."""

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.exc import IntegrityError

from conftest import ColourEncoder, draw
from imgsearch.catalog import Catalog, FilePlace, WordMatch, Writer, audit, upgrade
from imgsearch.catalog.full_text import Column
from imgsearch.indexing import index
from imgsearch.library import open_library
from imgsearch.words import parse
from test_catalog import catalog, facts

__all__ = ["catalog"]  # a fixture
ROOT = Path("/photos")
DATA = Path(__file__).parent / "data"


@dataclass
class Photos:
    """A catalog with photos at paths, to write into and to look into."""

    catalog: Catalog

    def add(self, *names: str) -> list[int]:
        with self.catalog.write() as writer:
            first = len(self.catalog.live_photo_ids(ROOT))
            ids = [writer.add_photo(facts(first + place)) for place in range(len(names))]
            for name, photo_id in zip(names, ids, strict=True):
                put(writer, name, photo_id)
        return ids

    def say(self, photo_id: int, *texts: str, language: str = "en") -> int:
        with self.catalog.write() as writer:
            return writer.add_captions(photo_id, texts, language, "user")

    def generate(
        self, captioner: str, language: str, texts: dict[int, str], score: float = -1.5
    ) -> None:
        with self.catalog.write() as writer:
            captioner_id = writer.add_captioner(captioner, f"identity of {captioner}")
            rows = [(photo_id, text, score) for photo_id, text in texts.items()]
            writer.put_generated_captions(captioner_id, language, rows)

    def match(self, query: str, only: np.ndarray | None = None, limit: int = 10) -> list[WordMatch]:
        return self.catalog.match_words(parse(query), only=only, limit=limit)

    def found(self, query: str) -> list[int]:
        assert audit.are_words_in_step(self.catalog)
        return [each.photo_id for each in self.match(query)]

    def texts(self, photo_id: int) -> list[str]:
        return [each.text for each in self.catalog.captions([photo_id]).get(photo_id, ())]


@pytest.fixture
def photos(catalog: Catalog) -> Iterator[Photos]:
    return Photos(catalog)


def put(writer: Writer, name: str, photo_id: int) -> None:
    writer.put_file(FilePlace(ROOT / name, writer.add_root(ROOT), 1, 1), photo_id)


def file_id(photos: Photos, name: str) -> int:
    return photos.catalog.files_under([ROOT])[str(ROOT / name)].id


def test_captions_come_back_whom_to_believe_first(photos: Photos) -> None:
    one, other, none = photos.add("1.png", "2.png", "3.png")
    photos.generate("toy/1", "en", {one: "a generated one", other: ""}, score=-0.25)
    with photos.catalog.write() as writer:
        assert writer.add_captions(one, ["beside", "beside", "below"], "en", "sidecar") == 2
        assert writer.add_captions(one, ["mine", "below"], "en", "user") == 2
        assert writer.add_captions(one, ["mine"], "en", "user") == 0
        assert writer.add_captions(one, ["mine"], "zh", "user") == 1
    captions = photos.catalog.captions([one, other, none])
    assert sorted(captions) == [one, other]
    assert [(row.source, row.language, row.text) for row in captions[one]] == [
        ("user", "en", "mine"),
        ("user", "en", "below"),
        ("user", "zh", "mine"),
        ("sidecar", "en", "beside"),
        ("sidecar", "en", "below"),
        ("generated", "en", "a generated one"),
    ]
    (row,) = captions[other]
    assert (row.text, row.captioner, row.log_probability) == ("", "toy/1", -0.25)
    assert row.photo_id == other and row.made_at.utcoffset() is not None
    assert captions[one][0].captioner is None and captions[one][0].log_probability is None
    assert audit.caption_counts(photos.catalog) == {
        "en": {"user": 2, "sidecar": 2, "generated": 1},
        "zh": {"user": 1, "sidecar": 0, "generated": 0},
    }


def test_a_generated_caption_takes_the_place_of_a_generated_one_only(photos: Photos) -> None:
    (photo_id,) = photos.add("1.png")
    photos.say(photo_id, "my words")
    photos.generate("toy/1", "en", {photo_id: "first"})
    photos.generate("toy/1", "zh", {photo_id: "狗"})
    photos.generate("toy/2", "en", {photo_id: "second"}, score=-0.5)
    rows = photos.catalog.captions([photo_id])[photo_id]
    assert [row.text for row in rows] == ["my words", "second", "狗"]
    assert (rows[1].captioner, rows[1].log_probability) == ("toy/2", -0.5)
    assert photos.found("first") == [] and photos.found("second") == [photo_id]
    with photos.catalog.write() as writer:
        assert writer.add_captioner("another name", "identity of toy/2") == 2
        writer.drop_captions([rows[0].id, rows[2].id])
    assert photos.texts(photo_id) == ["second"]
    assert photos.found("words") == photos.found("狗") == []


def test_who_has_captions_is_told_by_language_source_and_captioner(photos: Photos) -> None:
    one, two, three, _ = photos.add("1.png", "2.png", "3.png", "4.png")
    photos.say(one, "mine")
    photos.generate("toy/1", "zh", {one: "我的", two: "狗"})
    photos.generate("toy/2", "en", {three: "a dog"})
    ask = photos.catalog.captioned_photo_ids
    assert ask() == {one, two, three}
    assert ask("en") == {one, three} and ask("zh") == {one, two} and ask("fr") == set()
    assert ask("en", sources=("user", "sidecar")) == {one}
    assert ask(captioner="toy/1") == {one, two} and ask("en", captioner="toy/1") == set()
    assert photos.catalog.has_captions("en") and photos.catalog.has_captions("zh")
    with photos.catalog.write() as writer:
        ids = [file_id(photos, name) for name in ("1.png", "2.png")]
        writer.set_state(ids, "missing")
    assert photos.catalog.has_captions("en") and not photos.catalog.has_captions("zh")
    assert audit.caption_counts(photos.catalog) == {"en": {"user": 0, "sidecar": 0, "generated": 1}}


def test_an_empty_caption_says_that_one_was_tried_and_is_none_to_show(photos: Photos) -> None:
    one, two = photos.add("1.png", "2.png")
    photos.generate("toy/1", "en", {one: ""})
    assert photos.catalog.captioned_photo_ids() == set()
    assert not photos.catalog.has_captions("en") and audit.caption_counts(photos.catalog) == {}
    photos.generate("toy/1", "en", {two: "a dog"})
    assert photos.catalog.captioned_photo_ids("en", captioner="toy/1") == {two}
    assert audit.caption_counts(photos.catalog) == {"en": {"user": 0, "sidecar": 0, "generated": 1}}
    assert list(photos.catalog.generated_by("en").values()) == [{one, two}]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("dog", ["1"]),  # stems
        ("RUN", ["1"]),
        ("cafe", ["2"]),  # accents
        ("猫", ["3"]),
        ("海滩", ["4"]),
        ('"红色沙发"', ["3"]),
        ('"沙发红色"', []),
        ('"a black table"', ["2"]),
        ('"table black"', []),
        ('"grass old"', []),  # the end of one caption, the beginning of the next
        ("sofa", []),
        ("*", []),
        ("do* OR NOT NEAR(grass)", ["1"]),
        ('names : "dogs', ["1"]),
    ],
)
def test_photos_are_found_by_the_words_of_their_captions(
    photos: Photos, query: str, names: list[str]
) -> None:
    ids = dict(zip("1234", photos.add("1.png", "2.png", "3.png", "4.png"), strict=True))
    photos.say(ids["1"], "Two dogs are running in the grass", "Old friends")
    photos.say(ids["2"], "A black table of a café")
    photos.say(ids["3"], "一只猫睡在红色沙发上", language="zh")
    photos.say(ids["4"], "海滩的日落", language="zh")
    assert photos.found(query) == [ids[name] for name in names]


def test_photos_are_found_by_the_names_of_files_and_their_folders(photos: Photos) -> None:
    names = ["Rome2019/IMG_2034.jpg", "rome/BeachSunset.jpg", "x/海滩.jpg", "rome.old/x/y.jpg"]
    one, two, three, _ = photos.add(*names)
    assert sorted(photos.found("rome")) == [one, two]  # a folder further up does not count
    assert photos.found("IMG_2034") == photos.found("img2034.jpg")[:1] == [one]
    assert photos.found("sunset") == photos.found("BeachSunset") == [two]
    assert photos.found("滩") == [three]
    with photos.catalog.write() as writer:
        place = FilePlace(ROOT / "paris/eiffel.jpg", writer.add_root(ROOT), 1, 1)
        writer.move_file(file_id(photos, names[1]), place)
    assert photos.found("sunset") == [] and photos.found("paris") == [two]


def test_more_and_rarer_words_rank_higher_and_say_where_they_are(photos: Photos) -> None:
    ids = photos.add(*(f"{letter}.png" for letter in "abcdefgh"))
    for photo_id in ids[:4]:
        photos.say(photo_id, "a dog")
    photos.say(ids[1], "a kayak on a lake", "Dogs in a kayak")
    matches = photos.match("dogs kayak")
    assert [each.photo_id for each in matches] == [ids[1], ids[0], ids[2], ids[3]]
    assert matches[0].score > matches[1].score > 0
    best = photos.catalog.captions([ids[1]])[ids[1]]
    assert matches[0].caption_id == best[2].id and best[2].text == "Dogs in a kayak"
    assert set(matches[0].words) == {"dog", "kayak", "Dogs"} and matches[0].file_id is None
    assert [each.photo_id for each in photos.match("dogs kayak", limit=2)] == [ids[1], ids[0]]
    (match,) = photos.match("b.png lake")[:1]
    assert match.file_id == file_id(photos, "b.png") and set(match.words) == {"b", "png", "lake"}


def test_a_search_is_kept_to_photos_and_columns(photos: Photos) -> None:
    ids = photos.add("dog.png", "2.png", "3.png")
    photos.say(ids[1], "a dog")
    photos.say(ids[2], "a dog")

    def found(*columns: Column, only: np.ndarray | None = None) -> set[int]:
        matches = photos.catalog.match_words(parse("dog"), only=only, columns=columns, limit=9)
        return {each.photo_id for each in matches}

    assert found("captions", "names") == set(ids)
    assert found("captions") == set(ids[1:]) and found("names") == {ids[0]} and found() == set()
    assert found("captions", "names", only=np.array([ids[0], ids[2], 99])) == {ids[0], ids[2]}
    assert found("captions", only=np.array([], np.int64)) == set()
    assert found("captions", only=np.arange(100_000)) == set(ids[1:])


def test_a_query_may_be_as_long_as_a_page(photos: Photos) -> None:
    (photo_id,) = photos.add("1.png")
    photos.say(photo_id, "the last word")
    page = " ".join(f"word{number}x" for number in range(3000)) + ' "last word"' * 1000
    assert photos.found(page) == [photo_id]


def test_a_photo_without_a_live_file_is_not_found_and_keeps_its_captions(photos: Photos) -> None:
    (photo_id,) = photos.add("cat.png")
    photos.say(photo_id, "a dog")
    with photos.catalog.write() as writer:
        put(writer, "copies/bird.png", photo_id)
        writer.set_state([file_id(photos, "cat.png")], "missing")
    assert photos.found("dog") == photos.found("bird") == [photo_id]
    assert photos.found("cat") == []  # that name is gone
    with photos.catalog.write() as writer:
        writer.set_state([file_id(photos, "copies/bird.png")], "missing")
    assert photos.found("dog") == photos.found("bird") == []
    assert photos.texts(photo_id) == ["a dog"]
    with photos.catalog.write() as writer:
        writer.set_state([file_id(photos, "cat.png")], "live")
    assert photos.found("dog") == photos.found("cat") == [photo_id]


def test_a_file_edited_in_place_inherits_a_persons_own_captions(photos: Photos) -> None:
    (before,) = photos.add("1.png")
    photos.say(before, "my dog", "mine")
    photos.generate("toy/1", "en", {before: "a cat"})
    with photos.catalog.write() as writer:
        writer.add_captions(before, ["beside"], "en", "sidecar")
        after = writer.add_photo(facts(77))
        put(writer, "1.png", after)
        put(writer, "1.png", after)
    assert photos.texts(after) == ["my dog", "mine"]
    assert photos.texts(before) == ["my dog", "mine", "beside", "a cat"]
    assert photos.found("dog") == [after]
    theirs = photos.catalog.captions([before, after])
    assert theirs[after][0].made_at == theirs[before][0].made_at
    photos.say(after, "a collar")
    with photos.catalog.write() as writer:
        put(writer, "1.png", before)  # the edit is taken back
    assert photos.texts(before) == ["my dog", "mine", "a collar", "beside", "a cat"]
    assert photos.found("dog") == photos.found("collar") == [before]
    photos.say(before, "a leash")
    with photos.catalog.write() as writer:
        put(writer, "copy.png", after)
        put(writer, "1.png", after)  # it has a file of its own: no way back
    assert photos.texts(after) == ["my dog", "mine", "a collar"]


def test_a_run_over_an_edited_file_keeps_a_persons_own_captions(tmp_path: Path) -> None:
    path = tmp_path / "photos" / "1.png"
    draw(path, "red")
    with open_library(tmp_path / "library") as library:
        list(index(library, path, encoder=ColourEncoder()))
        (before,) = library.catalog.live_photo_ids(path).tolist()
        with library.catalog.write() as writer:
            writer.add_captions(before, ["my tomato"], "en", "user")
        draw(path, "green")
        list(index(library, path, encoder=ColourEncoder()))
        (match,) = library.catalog.match_words(parse("tomatoes"), limit=9)
        assert match.photo_id != before and library.catalog.live_paths([match.photo_id])


def test_a_known_photo_at_another_photos_path_inherits_nothing(photos: Photos) -> None:
    one, two = photos.add("1.png", "2.png")
    photos.say(one, "the first")
    photos.say(two, "the second")
    with photos.catalog.write() as writer:
        put(writer, "1.png", two)
        put(writer, "2.png", one)
    assert photos.texts(one) == ["the first"] and photos.texts(two) == ["the second"]
    (three,) = photos.add("3.png")
    with photos.catalog.write() as writer:  # all move on by one
        put(writer, "1.png", one)
        put(writer, "2.png", three)
        put(writer, "3.png", two)
    assert photos.texts(one) == ["the first"] and photos.texts(two) == ["the second"]
    assert photos.texts(three) == []
    with photos.catalog.write() as writer:
        writer.set_state([file_id(photos, "1.png")], "missing")
        late = writer.add_photo(facts(77))
        put(writer, "1.png", late)  # another picture under the name of one that was deleted
    assert photos.texts(late) == []


def test_a_file_that_can_no_longer_be_read_is_not_found(photos: Photos) -> None:
    (photo_id,) = photos.add("dog.png")
    with photos.catalog.write() as writer:
        place = FilePlace(ROOT / "dog.png", writer.add_root(ROOT), 2, 2)
        writer.skip_file(place, "it is broken")
    assert photos.found("dog") == []
    with photos.catalog.write() as writer:
        writer.forget_files([file_id(photos, "dog.png")])
        put(writer, "cat.png", photo_id)
    assert photos.found("dog") == [] and photos.found("cat") == [photo_id]


def test_random_changes_leave_the_words_in_step(photos: Photos) -> None:
    chance = np.random.default_rng(0)
    ids = photos.add(*(f"{number}/red.png" for number in range(6)))
    words = ["dog", "cat", "海滩", "猫"]
    for _ in range(120):
        photo_id = int(chance.choice(ids))
        files = [file.id for file in photos.catalog.files_under([ROOT]).values()]
        a_file = int(chance.choice(files))
        said = str(chance.choice(words))
        with photos.catalog.write() as writer:
            match int(chance.integers(6)):
                case 0:
                    writer.add_captions(photo_id, [said], "en", "user")
                case 1:
                    captioner_id = writer.add_captioner("toy", "toy")
                    writer.put_generated_captions(captioner_id, "en", [(photo_id, said, 0.0)])
                case 2:
                    captions = photos.catalog.captions([photo_id]).get(photo_id, ())
                    writer.drop_captions([row.id for row in captions[:1]])
                case 3:
                    writer.set_state([a_file], str(chance.choice(["live", "missing"])))
                case 4:
                    put(writer, f"{chance.integers(9)}/{said}.png", photo_id)
                case 5:
                    name = ROOT / f"{chance.integers(9)}/{said}.png"
                    writer.move_file(a_file, FilePlace(name, writer.add_root(ROOT), 1, 1))
    live = set(photos.catalog.live_photo_ids(ROOT).tolist())
    for said in words:
        paths = photos.catalog.files_of_photos(ids)
        expected = {
            photo_id
            for photo_id in live
            if said in photos.texts(photo_id)
            or any(
                Path(name).stem == said and file.state == "live"
                for name, file in paths[photo_id].items()
            )
        }
        assert set(photos.found(f'"{said}"')) == expected


def test_many_captions_of_a_photo_make_its_document_anew_once(photos: Photos) -> None:
    one, other = photos.add("1.png", "2.png")
    statements: list[str] = []
    with photos.catalog.write() as writer:
        driver = writer.connection.connection.driver_connection
        driver.set_trace_callback(statements.append)
        writer.add_captions(one, [f"dog {number}" for number in range(100)], "en", "sidecar")
        writer.add_captions(other, ["a cat"], "en", "user")
    driver.set_trace_callback(None)
    written = [each for each in statements if "REPLACE INTO 'main'.'photo_words_docsize'" in each]
    assert len(written) == 2
    assert photos.found("dog 99") == [one] and photos.found("cat") == [other]


def test_what_other_programs_write_is_found_at_once(photos: Photos) -> None:
    (photo_id,) = photos.add("1.png")
    connection = sqlite3.connect(photos.catalog.path)
    connection.execute(
        "INSERT INTO captions (photo_id, text, language, source, made_at, words) "
        "VALUES (?, 'A dog', 'en', 'user', '2024-01-01 00:00:00', 'A dog')",
        [photo_id],
    )
    connection.commit()
    assert photos.found("dog") == [photo_id]
    connection.execute("UPDATE files SET state = 'missing'")
    connection.commit()
    connection.close()
    assert photos.found("dog") == []


def test_a_transaction_that_fails_leaves_the_words_as_they_were(photos: Photos) -> None:
    (photo_id,) = photos.add("1.png")
    with pytest.raises(ZeroDivisionError), photos.catalog.write() as writer:
        writer.add_captions(photo_id, ["a dog"], "en", "user")
        raise ZeroDivisionError
    assert photos.found("dog") == [] and photos.found("1.png") == [photo_id]
    photos.say(photo_id, "a cat")
    assert photos.found("cat") == [photo_id]


@pytest.mark.parametrize("name", [f"library-v{number}" for number in range(1, 6)])
def test_an_older_library_is_found_by_its_file_names(name: str, tmp_path: Path) -> None:
    old = DATA / name / "library.db"
    path = Path(shutil.copy(old, tmp_path / "library.db"))
    upgrade(path)
    photos = Photos(Catalog(path))
    red = photos.catalog.live_photo_ids(Path("/photos/red.png"))
    assert photos.found("red") == red.tolist() and photos.found("gone") == []
    photos.say(int(red[0]), "a tomato")
    assert photos.found("tomatoes") == red.tolist()
    photos.catalog.close()


def test_the_library_of_format_3_has_its_captions(tmp_path: Path) -> None:
    shutil.copytree(DATA / "library-v3", tmp_path / "library")
    with open_library(tmp_path / "library", create=False) as library:
        photos = Photos(library.catalog)
        files = library.catalog.files_under([ROOT])
        ids = {Path(name).stem: file.photo_id or 0 for name, file in files.items()}
        assert photos.texts(ids["red"]) == ["Two ripe tomatoes", "a red wall", "红色的墙"]
        assert photos.found("tomato") == [ids["red"]] and photos.found("meadow") == [ids["green"]]
        assert photos.found("大海") == photos.found("blue.png")[:1] == [ids["blue"]]
        assert photos.found("雪") == [] and photos.texts(ids["gone"]) == ["一场雪"]
        (row,) = photos.catalog.captions([ids["blue"]])[ids["blue"]]
        assert (row.source, row.captioner, row.log_probability) == (
            "generated",
            "toy/captioner",
            -1.5,
        )


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM photo_words_data",
        "DELETE FROM photo_words",
        "DROP TABLE photo_words",
        "DROP VIEW photo_documents",
        "DROP TRIGGER captions_words_insert",
        "DROP TABLE photo_words_stale",
        "UPDATE captions SET words = 'cat'",
        "UPDATE files SET words = 'cat'",
        "INSERT INTO photo_words(rowid, captions, names) VALUES (99, 'dog', '')",
    ],
)
def test_words_out_of_step_are_noticed_and_made_anew(photos: Photos, damage: str) -> None:
    (photo_id,) = photos.add("1.png")
    photos.say(photo_id, "a dog")
    connection = sqlite3.connect(photos.catalog.path)
    connection.execute(damage)
    connection.commit()
    connection.close()
    assert not audit.are_words_in_step(photos.catalog)
    with photos.catalog.write() as writer:
        writer.build_full_text()
    assert photos.found("dog") == [photo_id]


def test_words_of_another_rule_are_made_anew_by_an_upgrade(photos: Photos) -> None:
    add = "INSERT INTO captions (photo_id, text, language, source, made_at, words) "
    (photo_id,) = photos.add("1.png")
    with photos.catalog.write() as writer:
        values = f"VALUES ({photo_id}, '海滩', 'zh', 'user', '2024-01-01 00:00:00', 'old')"
        writer.connection.exec_driver_sql(add + values)
    upgrade(photos.catalog.path)
    assert photos.found("海滩") == [photo_id]


def test_the_tables_refuse_what_no_writer_should_write(photos: Photos) -> None:
    (photo_id,) = photos.add("1.png")
    with pytest.raises(IntegrityError), photos.catalog.write() as writer:
        writer.add_captions(photo_id, ["no captioner"], "en", "generated")  # type: ignore[arg-type]
    with pytest.raises(IntegrityError), photos.catalog.write() as writer:
        writer.add_captions(99, ["no photo"], "en", "user")
    assert photos.found("captioner") == []
