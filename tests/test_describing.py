"""Captions from stored embeddings: who gets one, who does not, and what a kill leaves behind; and
people's captions on their way in and out.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imgsearch
from colour_captioners import captioner_in
from conftest import ColourEncoder, draw
from imgsearch.captioning import Caption, Captioner, Decoding, TrainedOn
from imgsearch.catalog import CaptionRow
from imgsearch.describing import (
    Captioned,
    Finished,
    Selection,
    caption,
    export_captions,
    import_captions,
    look_up,
    preview,
)
from imgsearch.errors import (
    LibraryLockedError,
    NoEncoderError,
    QueryError,
    UsageError,
)
from imgsearch.images import descriptions
from imgsearch.indexing import index
from imgsearch.library import Library, choose_photos, open_library
from imgsearch.words import parse
from runs import draw_many

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>
<rdf:li xml:lang="x-default">{}</rdf:li><rdf:li xml:lang="zh-CN">{}</rdf:li>
</rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Captioner:
    return captioner_in(tmp_path_factory.mktemp("captioners") / "toy")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Captioner:
    return captioner_in(tmp_path_factory.mktemp("captioners") / "other", name="toy/other", seed=2)


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        assert len(list(index(opened, photos, encoder=ColourEncoder()))) == 3
        yield opened


def run(library: Library, captioner: Captioner, **options: object) -> Finished:
    *_, last = caption(library, captioner=captioner, **options)  # type: ignore[arg-type]
    assert isinstance(last, Finished)
    return last


def told(library: Library) -> dict[str, set[tuple[str, str, str]]]:
    """File name -> (language, source, text) of its captions."""
    rows = library.catalog.captions(library.catalog.live_photo_ids(Path("/")))
    paths = library.catalog.live_paths(list(rows))
    return {
        paths[photo_id].name: {(row.language, row.source, row.text) for row in of_photo}
        for photo_id, of_photo in rows.items()
    }


def generated(library: Library, language: str) -> dict[int, CaptionRow]:
    tried = set().union(*library.catalog.generated_by(language).values())
    rows = library.catalog.captions(sorted(tried))
    return {
        photo_id: row
        for photo_id, of_photo in rows.items()
        for row in of_photo
        if row.source == "generated" and row.language == language
    }


def photo_id(library: Library, path: Path) -> int:
    return look_up(library, path).photo_id


def test_every_photo_gets_what_the_captioner_says_of_its_embedding(
    library: Library, captioner: Captioner
) -> None:
    finished = run(library, captioner)
    encoder = library.catalog.encoders()[0]
    assert finished.captioned == {"en": 3, "zh": 3}
    assert finished.began.encoder == encoder.name
    ids, vectors = library.catalog.embeddings(encoder.id)
    for language in ("en", "zh"):
        expected = captioner.caption(vectors, language)
        rows = generated(library, language)
        for each, said in zip(ids.tolist(), expected, strict=True):
            assert (rows[each].text, rows[each].captioner) == (said.text, "toy/captioner")
            assert rows[each].log_probability == pytest.approx(said.log_probability, abs=1e-5)
    last = library.catalog.last_run()
    assert last is not None and last.outcome is not None
    assert (last.verb, last.outcome["ended"], last.outcome["captioned"]) == ("caption", "done", 6)


def test_a_second_run_has_nothing_to_do(library: Library, captioner: Captioner) -> None:
    run(library, captioner)
    before = told(library)
    finished = run(library, captioner)
    assert finished.captioned == {} and told(library) == before
    assert [plan.up_to_date for plan in finished.began.plans] == [3, 3]


def test_only_the_languages_asked_for_are_captioned(library: Library, captioner: Captioner) -> None:
    assert run(library, captioner, languages=["zh"]).captioned == {"zh": 3}
    assert library.catalog.has_captions("zh") and not library.catalog.has_captions("en")
    with pytest.raises(UsageError, match="speaks en and zh, not 'fr'"):
        run(library, captioner, languages=["fr"])


def test_photos_with_a_caption_of_a_persons_are_left_alone(
    library: Library, captioner: Captioner, photos: Path
) -> None:
    red = photo_id(library, photos / "red.png")
    with library.catalog.write() as writer:
        writer.add_captions(red, ["my red"], "en", "user")
    (photos / "green.txt").write_text("一片绿\n", "utf-8")
    finished = run(library, captioner)
    assert finished.captioned == {"en": 2, "zh": 2}
    assert [plan.by_people for plan in finished.began.plans] == [1, 1]
    of = told(library)
    assert {each for each in of["red.png"] if each[0] == "en"} == {("en", "user", "my red")}
    assert {each for each in of["green.png"] if each[0] == "zh"} == {("zh", "sidecar", "一片绿")}
    run(library, captioner, selection=Selection(everything=True))
    assert ("en", "user", "my red") in told(library)["red.png"]
    assert len({each for each in told(library)["red.png"] if each[0] == "en"}) == 2


def test_only_photos_under_the_path_are_captioned(
    library: Library, captioner: Captioner, photos: Path
) -> None:
    blue = choose_photos(library, photos / "blue.png")
    finished = run(library, captioner, selection=Selection(blue))
    assert finished.captioned == {"en": 1, "zh": 1}
    assert {name for name, told_of in told(library).items() if told_of} == {"blue.png"}


def test_what_another_captioner_said_is_left_until_it_is_named(
    library: Library, captioner: Captioner, other: Captioner, photos: Path
) -> None:
    run(library, other, languages=["en"])
    old = generated(library, "en")
    finished = run(library, captioner, languages=["en"])
    assert finished.captioned == {}
    assert finished.began.plans[0].by_others == {"toy/other": 3}
    again = Selection(choose_photos(library, photos / "red.png"), recaption="toy/other")
    assert run(library, captioner, languages=["en"], selection=again).captioned == {"en": 1}
    finished = run(library, captioner, languages=["en"], selection=Selection(recaption="toy"))
    assert finished.captioned == {"en": 2} and finished.began.plans[0].up_to_date == 1
    new = generated(library, "en")
    assert {row.captioner for row in new.values()} == {"toy/captioner"}
    assert new.keys() == old.keys()
    with pytest.raises(UsageError, match=r"'builtin'.*toy/other, toy/captioner"):
        run(library, captioner, selection=Selection(recaption="builtin"))


def test_another_way_of_decoding_is_made_anew_once_it_is_asked_for(
    library: Library, captioner: Captioner
) -> None:
    run(library, captioner, languages=["en"])
    sampled = Decoding("sample", seed=3, temperature=3.0)
    finished = run(library, captioner, languages=["en"], decoding=sampled)
    assert finished.captioned == {}
    assert finished.began.plans[0].by_others == {"toy/captioner": 3}
    again = Selection(recaption="toy/captioner")
    for captioned in ({"en": 3}, {}):
        finished = run(library, captioner, languages=["en"], decoding=sampled, selection=again)
        assert finished.captioned == captioned
    assert run(library, captioner, languages=["en"], selection=again).captioned == {"en": 3}


def test_recaptioning_never_touches_a_persons_caption(
    library: Library, captioner: Captioner, other: Captioner, photos: Path
) -> None:
    run(library, other, languages=["en"])
    red = photo_id(library, photos / "red.png")
    with library.catalog.write() as writer:
        writer.add_captions(red, ["my red"], "en", "user")
    run(library, captioner, languages=["en"], selection=Selection(recaption="toy/other"))
    mine, theirs = library.catalog.captions([red])[red]
    assert (mine.source, mine.text) == ("user", "my red")
    assert theirs.captioner == "toy/captioner"


def test_photos_without_an_embedding_of_its_encoder_are_counted(
    library: Library, captioner: Captioner, photos: Path
) -> None:
    draw(photos / "white.png", "white")
    list(index(library, photos, encoder=ColourEncoder("toy/second")))
    finished = run(library, captioner)
    assert finished.captioned == {"en": 3, "zh": 3}
    assert [plan.unembedded for plan in finished.began.plans] == [1, 1]
    assert "--encoder toy/colour" in finished.began.embed_command
    list(index(library, photos, encoder=ColourEncoder()))
    assert run(library, captioner).captioned == {"en": 1, "zh": 1}


def test_a_library_without_its_encoder_is_told_how_to_add_it(
    library: Library, tmp_path: Path
) -> None:
    stranger = captioner_in(tmp_path / "stranger", trained_on=TrainedOn(("toy/far",), "else", 3))
    with pytest.raises(NoEncoderError, match=r"imgsearch index .*--encoder toy/far"):
        run(library, stranger)
    named = captioner_in(tmp_path / "named", trained_on=TrainedOn(("toy/colour",), None, 3))
    assert run(library, named).captioned == {"en": 3, "zh": 3}
    wide = captioner_in(tmp_path / "wide", trained_on=TrainedOn(("toy/colour",), None, 5))
    with pytest.raises(NoEncoderError, match="5 numbers"):
        run(library, wide)


def test_a_photo_it_has_nothing_to_say_of_is_not_tried_again(
    library: Library, captioner: Captioner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(Captioner):
        def caption(self, vectors: np.ndarray, language: str, *_: object) -> list[Caption]:
            return [Caption("", 0.0)] * len(vectors)

    silent = Silent(
        captioner.model,
        captioner.tokenizer,
        captioner.speech,
        captioner.trained_on,
        name="toy/silent",
        identity="silent",
        device="cpu",
    )
    assert run(library, silent, languages=["en"]).empty == {"en": 3}
    finished = run(library, silent, languages=["en"])
    assert finished.captioned == {} and finished.began.plans[0].up_to_date == 3
    assert export_captions(library, tmp_path / "none.csv").captions == 0
    assert library.catalog.match_words(parse("red"), limit=5, columns=["captions"]) == []


def test_captions_are_found_by_their_words(library: Library, captioner: Captioner) -> None:
    run(library, captioner, languages=["en"])
    said = generated(library, "en")
    word = next(word for row in said.values() for word in row.text.split() if word.isalpha())
    having = {each for each, row in said.items() if word in row.text}
    matches = library.catalog.match_words(parse(f'"{word}"'), limit=9, columns=["captions"])
    assert having <= {match.photo_id for match in matches}


def test_a_preview_is_what_a_run_would_write_and_writes_nothing(
    library: Library, captioner: Captioner, photos: Path
) -> None:
    (photos / "green.txt").write_text("my green", "utf-8")
    runs = library.catalog.last_run()
    shown = preview(library, 2, captioner=captioner)
    assert told(library) == {} and library.catalog.captioners() == []
    assert library.catalog.last_run() == runs
    run(library, captioner)
    assert [each.photo_id for each in shown] == sorted(each.photo_id for each in shown)
    assert len(shown) == 2
    for each in shown:
        for language, said in each.captions.items():
            assert ("generated", said.text) in {
                row[1:] for row in told(library)[each.path.name] if row[0] == language
            }
    green = [each for each in shown if each.path.name == "green.png"]
    assert all("en" not in each.captions for each in green)
    assert preview(library, 2, captioner=captioner) == []


# Stopped and killed

SLOW = """
import sys, time
sys.path[:0] = [{tests!r}, {root!r}]
from imgsearch.captioning import load
from imgsearch.describing import caption
from imgsearch.library import open_library

captioner = load({captioner!r}, device="cpu")
captioner.batch_size = 4
said = captioner.caption
def slowly(*arguments):
    time.sleep(0.2)
    return said(*arguments)
captioner.caption = slowly
with open_library(sys.argv[1]) as library:
    for event in caption(library, captioner=captioner):
        print(type(event).__name__, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_killed_run_loses_no_committed_caption_and_the_next_one_goes_on(
    tmp_path: Path, captioner: Captioner
) -> None:
    folder = draw_many(tmp_path / "photos", 40)
    (folder / "0001.txt").write_text("my own", "utf-8")
    for name in ("killed", "whole"):
        with open_library(tmp_path / name) as library:
            list(index(library, folder, encoder=ColourEncoder()))
    tests = Path(__file__).parent
    code = SLOW.format(tests=str(tests), root=str(tests.parent), captioner=captioner.source)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "killed")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(4)]
    os.kill(process.pid, signal.SIGKILL)
    said += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    with open_library(tmp_path / "killed") as library, open_library(tmp_path / "whole") as whole:
        last = library.catalog.last_run()
        assert last is not None and last.finished_at is None
        first = generated(library, "en")
        assert 4 * said.count("Captioned\n") <= len(first) < 39
        finished = run(library, captioner)
        assert finished.captioned == {"en": 39 - len(first), "zh": 40}
        assert {each: generated(library, "en")[each] for each in first} == first
        run(whole, captioner)
        assert told(library) == told(whole)
        assert told(library)["0001.png"] >= {("en", "sidecar", "my own")}
        assert all(len(rows) == 2 for rows in told(library).values())


def test_closing_the_generator_keeps_what_was_committed(
    tmp_path: Path, captioner: Captioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = draw_many(tmp_path / "photos", 20)
    monkeypatch.setattr(captioner, "batch_size", 4)
    with open_library(tmp_path / "library") as library, open_library(library.path) as second:
        list(index(library, folder, encoder=ColourEncoder()))
        running = caption(library, captioner=captioner, languages=["en"])
        next(running)
        assert isinstance(next(running), Captioned)
        with pytest.raises(LibraryLockedError, match=str(os.getpid())):
            run(second, captioner)
        running.close()
        last = library.catalog.last_run()
        assert last is not None and last.outcome is not None
        assert (last.outcome["ended"], last.outcome["captioned"]) == ("interrupted", 4)
        assert run(second, captioner, languages=["en"]).captioned == {"en": 16}


# Text beside the photos


def test_sidecars_follow_the_disk(library: Library, captioner: Captioner, photos: Path) -> None:
    (photos / "red.txt").write_text("one\ntwo\n", "utf-8")
    (photos / "blue.json").write_text(json.dumps({"zh-CN": ["蓝"], "en_2": ["blue"]}), "utf-8")
    sidecars = run(library, captioner).began.sidecars
    assert (sidecars.added, sidecars.dropped) == (4, 0)
    assert told(library)["blue.png"] == {("zh", "sidecar", "蓝"), ("en", "sidecar", "blue")}
    (photos / "red.txt").write_text("two\nthree\n", "utf-8")
    (photos / "blue.json").unlink()
    sidecars = run(library, captioner).began.sidecars
    assert (sidecars.added, sidecars.known, sidecars.dropped) == (1, 1, 3)
    of = told(library)
    assert {each for each in of["red.png"] if each[1] == "sidecar"} == {
        ("en", "sidecar", "two"),
        ("en", "sidecar", "three"),
    }
    assert {each[:2] for each in of["blue.png"]} == {("en", "generated"), ("zh", "generated")}


def test_a_drive_that_is_not_mounted_drops_no_caption(
    library: Library, captioner: Captioner, photos: Path
) -> None:
    (photos / "red.txt").write_text("my red", "utf-8")
    run(library, captioner)
    photos.rename(photos.with_name("unplugged"))
    sidecars = run(library, captioner).began.sidecars
    assert sidecars.dropped == 0
    assert ("en", "sidecar", "my red") in told(library)["red.png"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("red.txt", "mein Grün".encode("latin-1")),
        ("red.json", b'{"en": ["my r'),
        ("red.json", b'{"caption": "half \\ud83d of an emoji"}'),
        ("red.txt", None),  # a folder: it is there and cannot be read
    ],
    ids=["latin-1", "half", "surrogate", "unreadable"],
)
def test_a_text_that_does_not_read_is_a_persons_and_drops_nothing(
    name: str, content: bytes | None, library: Library, captioner: Captioner, photos: Path
) -> None:
    sidecar = photos / name
    sidecar.write_text('{"en": ["my red"]}' if sidecar.suffix == ".json" else "my red", "utf-8")
    import_captions(library)
    sidecar.unlink()
    if content is None:
        sidecar.mkdir()
    else:
        sidecar.write_bytes(content)
    finished = run(library, captioner)
    assert told(library)["red.png"] == {("en", "sidecar", "my red")}
    assert finished.captioned == {"en": 2, "zh": 2}
    assert finished.began.sidecars.unreadable_files == (sidecar,)
    assert all(plan.by_people == 1 for plan in finished.began.plans)
    imported = import_captions(library)
    assert (imported.dropped, imported.unread_names) == (0, (str(sidecar),))
    assert run(library, captioner, selection=Selection(everything=True)).captioned == {
        "en": 1,
        "zh": 1,
    }


@pytest.mark.parametrize("broken", ["[1, 2]", '{"en": ["my r', '{"caption": "\\ud83d"}'])
def test_a_good_text_is_read_beside_a_broken_one(
    broken: str, library: Library, captioner: Captioner, photos: Path
) -> None:
    (photos / "red.txt").write_text("my red", "utf-8")
    (photos / "red.json").write_text(broken, "utf-8")
    finished = run(library, captioner)
    assert told(library)["red.png"] == {("en", "sidecar", "my red")}
    assert finished.began.sidecars.unreadable_files == (photos / "red.json",)
    assert finished.began.sidecars.unread == 1


def test_what_is_refused_is_no_run_and_hides_none(
    library: Library, captioner: Captioner, photos: Path
) -> None:
    run(library, captioner)
    good = library.catalog.last_run()
    with pytest.raises(UsageError):
        run(library, captioner, selection=Selection(recaption="nobody"))
    with pytest.raises(UsageError, match="speaks"):
        run(library, captioner, languages=["fr"])
    assert library.catalog.last_run() == good


def described(path: Path, text: str, xmp: str = "") -> Path:
    exif = Image.Exif()
    exif[0x010E] = text.encode()
    picture = Image.new("RGB", (8, 8), (len(text) % 256, 9, 9))
    picture.save(path, exif=exif.tobytes(), **({"xmp": xmp.encode()} if xmp else {}))
    return path


def test_descriptions_are_read_where_programs_write_them(tmp_path: Path) -> None:
    inside = described(tmp_path / "a.jpg", "A café\nby night", XMP.format("Two boats", "两条船"))
    assert descriptions(inside) == {
        "en": ("Two boats", "A café by night"),
        "zh": ("两条船",),
    }
    beside = described(tmp_path / "b.jpg", "OLYMPUS DIGITAL CAMERA")
    assert descriptions(beside) == {}
    (tmp_path / "b.jpg.xmp").write_text(XMP.format("Beside", "旁边"), "utf-8")
    assert descriptions(beside) == {"en": ("Beside",), "zh": ("旁边",)}
    (tmp_path / "b.jpg.xmp").write_text("<!DOCTYPE x>" + XMP.format("Evil", "x"), "utf-8")
    (tmp_path / "b.xmp").write_text("<dc:description broken", "utf-8")
    assert descriptions(beside) == {}


def test_descriptions_inside_photos_are_imported_and_stay(
    tmp_path: Path, captioner: Captioner
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    described(folder / "a.jpg", "A red boat", XMP.format("A red boat", "红船"))
    described(folder / "b.jpg", "SONY DSC")
    (folder / "b.xmp").write_text(XMP.format("A dog", "狗"), "utf-8")
    with open_library(tmp_path / "library") as library:
        list(index(library, folder, encoder=ColourEncoder()))
        assert import_captions(library).added == 4
        assert import_captions(library).known == 4
        finished = run(library, captioner)
        assert finished.captioned == {} and finished.began.sidecars.dropped == 0
        assert told(library)["a.jpg"] == {
            ("en", "sidecar", "A red boat"),
            ("zh", "sidecar", "红船"),
        }
        (folder / "b.xmp").unlink()
        assert run(library, captioner).began.sidecars.dropped == 2
        assert run(library, captioner).captioned == {}
        assert {each[1] for each in told(library)["b.jpg"]} == {"generated"}


# In and out

TRICKY = ('She said "red, and, green"', "comma, comma", "一只红色的狗，在跑", "a; b | c\ttab")


def fill(library: Library, photos: Path) -> None:
    red, green = (photo_id(library, photos / name) for name in ("red.png", "green.png"))
    with library.catalog.write() as writer:
        for text in TRICKY:
            writer.add_captions(red, [text], "zh" if "一" in text else "en", "user")
        writer.add_captions(green, ["un chien"], "fr", "user")


@pytest.mark.parametrize("name", ["out.csv", "out put.jsonl"])
def test_what_is_exported_is_imported_again_as_it_was(
    name: str, library: Library, captioner: Captioner, photos: Path, tmp_path: Path
) -> None:
    fill(library, photos)
    run(library, captioner)
    out = tmp_path / name
    exported = export_captions(library, out)
    assert exported.photos == 3
    assert exported.captions == sum(map(len, told(library).values()))
    before = told(library)
    imported = import_captions(library, [out])
    assert (imported.added, imported.known) == (0, 5)
    assert imported.generated == exported.captions - 5
    assert told(library) == before
    with open_library(tmp_path / "fresh") as fresh:
        list(index(fresh, photos, encoder=ColourEncoder()))
        assert import_captions(fresh, [out]).added == 5
        run(fresh, captioner)
        assert told(fresh) == before


def saved_again(path: Path, how: str) -> Path:
    """An export as another program saves it."""
    text = path.read_text("utf-8")
    if path.suffix == ".csv":
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        names = [*rows[0]]
        if how == "fewer columns":
            names = ["source", "text", "language", "path"]
        encoding = {"marked": "utf-8-sig", "utf-16": "utf-16"}.get(how, "utf-8")
        with open(path, "w", encoding=encoding, newline="") as file:
            writer = csv.DictWriter(
                file,
                [name.title() if how == "titles" else name for name in names],
                delimiter={"semicolons": ";", "tabs": "\t"}.get(how, ","),
                quoting=csv.QUOTE_ALL if how == "quoted" else csv.QUOTE_MINIMAL,
                lineterminator="\r\n",
            )
            writer.writeheader()
            for row in rows:
                writer.writerow({(n.title() if how == "titles" else n): row[n] for n in names})
        return path
    documents = [json.loads(line) for line in text.splitlines()]
    if how == "list":
        path.write_text(json.dumps(documents), "utf-8")
    elif how == "indented":
        path.write_text("\n".join(json.dumps(each, indent=2) for each in documents), "utf-8")
    else:
        path.write_text(
            "".join(json.dumps(each, sort_keys=True) + "\r\n" for each in documents), "utf-8-sig"
        )
    return path


@pytest.mark.parametrize(
    ("name", "how"),
    [
        *(
            ("out.csv", how)
            for how in (
                "marked",
                "quoted",
                "semicolons",
                "tabs",
                "titles",
                "utf-16",
                "fewer columns",
            )
        ),
        *(("out.jsonl", how) for how in ("sorted", "list", "indented")),
    ],
)
def test_no_generated_caption_becomes_a_persons_for_having_been_saved_by_another_program(
    name: str, how: str, library: Library, captioner: Captioner, photos: Path, tmp_path: Path
) -> None:
    fill(library, photos)
    run(library, captioner)
    export_captions(library, tmp_path / name)
    before = told(library)
    imported = import_captions(library, [saved_again(tmp_path / name, how)])
    assert (imported.added, imported.known, imported.unknown) == (0, 5, 0)
    assert told(library) == before


def test_an_imported_sentence_stays_when_the_sidecar_that_said_it_goes(
    library: Library, captioner: Captioner, photos: Path, tmp_path: Path
) -> None:
    (photos / "red.txt").write_text("my red", "utf-8")
    import_captions(library)
    (tmp_path / "list.csv").write_text(f"image,caption\n{photos / 'red.png'},my red\n", "utf-8")
    imported = import_captions(library, [tmp_path / "list.csv"])
    assert (imported.added, imported.known) == (0, 1)
    assert told(library)["red.png"] == {("en", "user", "my red")}
    (photos / "red.txt").unlink()
    run(library, captioner, languages=["en"])
    assert told(library)["red.png"] == {("en", "user", "my red")}


HEADER = "path,id,language,text,source,captioner,log_probability,made_at\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            (HEADER + "red.png,1,zh,一片红色,user,,,\n").encode("gbk"),
            "line 2 .*save the file as UTF-8",
        ),
        (f"{HEADER}red.png,1,en,{'x' * 200_000},user,,,\n".encode(), "line 2 does not read"),
        (f"{HEADER}a\0b.png,1,en,x,user,,,\n".encode(), "line 2 has a path with a NUL"),
        (b"[" * 100_000, "is no JSON"),
        (b'{"source": "user", "path": ' + b"[" * 100_000, "line 1 is no JSON"),
        (b'{"path": "a.png", "text": "half \\ud83d", "source": "user"}\n', "line 1 .*no Unicode"),
        (f"{HEADER}red.png,1,en,x,user\n".encode(), "line 2 has 5 fields where the header has 8"),
    ],
    ids=["gbk", "long", "nul", "brackets", "deep", "surrogate", "cut"],
)
def test_a_file_like_an_export_that_does_not_read_is_told_in_a_sentence(
    content: bytes, said: str, library: Library, tmp_path: Path
) -> None:
    out = tmp_path / ("out.jsonl" if content[:1] in b"[{" else "out.csv")
    out.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        import_captions(library, [out])


def test_an_export_is_matched_by_content_where_the_photos_have_moved(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    fill(library, photos)
    out = tmp_path / "out.csv"
    export_captions(library, out)
    photos.rename(tmp_path / "moved")
    with open_library(tmp_path / "fresh") as fresh:
        list(index(fresh, tmp_path / "moved", encoder=ColourEncoder()))
        imported = import_captions(fresh, [out])
        assert (imported.added, imported.unknown) == (5, 0)


def test_odd_paths_survive_a_round_trip(tmp_path: Path, captioner: Captioner) -> None:
    folder = tmp_path / "my photos, 2024"
    names = ["a b.png", 'q"uote.png', "e\u0301.png", "狗.png"]
    if sys.platform == "linux":
        names.append(os.fsdecode(b"caf\xe9.png"))
    for number, name in enumerate(names):
        draw(folder / "plain.png", (number, 0, 0)).rename(folder / name)
    with open_library(tmp_path / "library") as library:
        list(index(library, folder, encoder=ColourEncoder()))
        ids = library.catalog.live_photo_ids(folder)
        with library.catalog.write() as writer:
            for each in ids.tolist():
                writer.add_captions(each, [f"photo {each}"], "en", "user")
        for name in ("out.csv", "out.jsonl"):
            export_captions(library, tmp_path / name)
            rows = [row.id for each in library.catalog.captions(ids).values() for row in each]
            before = told(library)
            with library.catalog.write() as writer:
                writer.drop_captions(rows)
            imported = import_captions(library, [tmp_path / name])
            assert (imported.added, imported.unknown) == (len(names), 0)
            assert told(library) == before


def test_captions_come_in_from_any_format_of_pairs(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    (photos / "list.csv").write_text(
        "image,caption\nred.png,my red\nred.png,红\nnowhere.png,lost\n", "utf-8"
    )
    imported = import_captions(library, [photos / "list.csv"])
    assert (imported.added, imported.unread) == (2, 1)
    assert told(library)["red.png"] == {("en", "user", "my red"), ("zh", "user", "红")}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(photos / "blue.png", elsewhere / "copy.png")
    draw(elsewhere / "white.png", "white")
    for name in ("copy", "white"):
        (elsewhere / f"{name}.txt").write_text(f"my {name}", "utf-8")
    imported = import_captions(library, [elsewhere])
    assert (imported.added, imported.unknown) == (1, 1)
    assert imported.unknown_names == (str(elsewhere / "white.png"),)
    assert told(library)["blue.png"] == {("en", "user", "my copy")}


def test_an_export_that_was_cut_is_told_with_its_line(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    export_captions(library, out)
    row = dict.fromkeys(("path", "id", "language", "text", "source", "captioner"), "x")
    row |= {"log_probability": "", "made_at": ""}
    out.write_text(f'{json.dumps(row)}\n{{"path": "x"', "utf-8")
    with pytest.raises(UsageError, match=r"out.jsonl, line 2"):
        import_captions(library, [out])
    (tmp_path / "classes").mkdir()
    draw(tmp_path / "classes" / "cat" / "1.png", "red")
    draw(tmp_path / "classes" / "dog" / "1.png", "blue")
    with pytest.raises(UsageError, match="classes"):
        import_captions(library, [tmp_path / "classes"])


def test_exported_sidecars_stand_beside_photos_without_text(
    library: Library, captioner: Captioner, photos: Path
) -> None:
    (photos / "red.txt").write_text("my red", "utf-8")
    draw(photos / "blue.jpg", "navy")
    draw(photos / "white.png", "white")
    list(index(library, photos, encoder=ColourEncoder()))
    with library.catalog.write() as writer:
        for name in ("green.png", "blue.png"):
            writer.add_captions(photo_id(library, photos / name), ["un", "dos"], "es", "user")
    run(library, captioner)
    before = told(library)
    exported = export_captions(library, "sidecars")
    assert (exported.photos, exported.captions, exported.kept) == (1, 2, 1)
    assert (exported.shared, exported.generated) == (2, 1)
    assert (photos / "red.txt").read_text("utf-8") == "my red"
    assert not (photos / "blue.txt").exists()
    assert (photos / "green.txt").read_text("utf-8") == "un\ndos\n"
    assert run(library, captioner).captioned == {} and told(library) == before
    assert import_captions(library).added == 0 and told(library) == before


def test_no_generated_caption_is_a_persons_for_having_been_exported_as_text(
    library: Library, captioner: Captioner, photos: Path, tmp_path: Path
) -> None:
    run(library, captioner)
    assert export_captions(library, "sidecars").generated == 3
    assert list(photos.glob("*.txt")) == []
    with open_library(tmp_path / "fresh") as fresh:
        list(index(fresh, photos, encoder=ColourEncoder()))
        assert run(fresh, captioner).captioned == {"en": 3, "zh": 3}


def test_an_export_that_fails_leaves_every_file_as_it_was(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    fill(library, photos)
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "keep.csv").write_text("mine", "utf-8")
    (folder / "keep.csv.tmp").write_text("mine, too", "utf-8")
    with pytest.raises(UsageError, match=r"no caption is in 'xx'; .* en, fr, zh"):
        export_captions(library, folder / "keep.csv", languages=["xx"])
    (folder / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        export_captions(library, folder / "folder.csv")
    names = ["folder.csv", "keep.csv", "keep.csv.tmp"]
    assert sorted(os.listdir(folder)) == names
    assert (folder / "keep.csv").read_text("utf-8") == "mine"
    export_captions(library, folder / "keep.csv")
    assert sorted(os.listdir(folder)) == names
    assert (folder / "keep.csv.tmp").read_text("utf-8") == "mine, too"


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_an_export_to_a_link_is_written_where_it_leads(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    fill(library, photos)
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real.csv").write_text("old", "utf-8")
    (tmp_path / "far" / "real.csv").chmod(0o640)
    (tmp_path / "link.csv").symlink_to(tmp_path / "far" / "real.csv")
    export_captions(library, tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "far" / "real.csv").read_text("utf-8").startswith("path,id,sha256,")
    assert (tmp_path / "far" / "real.csv").stat().st_mode & 0o777 == 0o640


def test_an_export_may_be_of_one_language_and_one_folder(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    fill(library, photos)
    out = tmp_path / "out.csv"
    assert export_captions(library, out, languages=["zh"]).captions == 1
    green = choose_photos(library, photos / "green.png")
    assert export_captions(library, out, only=green).captions == 1
    with pytest.raises(UsageError, match=r"OUT.csv, OUT.jsonl or `sidecars`"):
        export_captions(library, tmp_path / "out.txt")
    with pytest.raises(UsageError, match="folder that exists"):
        export_captions(library, tmp_path / "nowhere" / "out.csv")


# What is known of a photo


def test_all_that_is_known_of_a_photo(library: Library, captioner: Captioner, photos: Path) -> None:
    shutil.copy(photos / "red.png", photos / "again.png")
    list(index(library, photos))
    run(library, captioner, languages=["en"])
    known = look_up(library, photos / "again.png")
    assert {(file.path.name, file.state) for file in known.files} == {
        ("red.png", "live"),
        ("again.png", "live"),
    }
    assert (known.facts.width, known.facts.height, known.facts.format) == (32, 24, "PNG")
    assert known.encoders == ("toy/colour",)
    assert [row.captioner for row in known.captions] == ["toy/captioner"]
    assert look_up(library, known.photo_id) == known
    (photos / "again.png").unlink()
    list(index(library, photos))
    assert ("again.png", "missing") in {
        (file.path.name, file.state) for file in look_up(library, photos / "again.png").files
    }
    copy = Path(shutil.copy(photos / "red.png", photos.parent / "copy.png"))
    assert look_up(library, copy).photo_id == known.photo_id


def test_a_photo_that_is_not_there_is_told_what_to_type(library: Library, photos: Path) -> None:
    with pytest.raises(QueryError, match="no photo 99"):
        look_up(library, 99)
    with pytest.raises(QueryError, match=r"no photo 1\d+"):
        look_up(library, 10**30)
    with pytest.raises(QueryError, match=r"not in the library; .* imgsearch index"):
        look_up(library, draw(photos / "new.png", "white"))
    with pytest.raises(QueryError, match="id:7"):
        look_up(library, photos / "nowhere.png")
    (photos / "bad.png").write_bytes(b"no picture")
    list(index(library, photos))
    with pytest.raises(QueryError, match="could not be indexed: it is not a picture"):
        look_up(library, photos / "bad.png")


def test_the_verbs_are_public() -> None:
    assert imgsearch.caption is caption
    assert imgsearch.import_captions is import_captions
    assert imgsearch.export_captions is export_captions
