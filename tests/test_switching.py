"""Who answers, and who did: switches, taken back one by one, and what nobody needs any more."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ColourEncoder, draw
from imgsearch.catalog import Catalog, EncoderRow
from imgsearch.errors import LibraryLockedError, NoEncoderError, UsageError
from imgsearch.indexing import Handover, Model, prune, rebuild, rollback, switch
from imgsearch.library import Library, open_library
from imgsearch.relevance import ordinary_texts
from imgsearch.searching import Filters, search
from imgsearch.upkeep import doctor, status
from runs import run
from test_rebuilding import ShiftedEncoder, answers, found

pytest_plugins = ["commands"]
pytestmark = pytest.mark.filterwarnings("error")
ORDINARY = len(ordinary_texts("en")) + len(ordinary_texts("zh"))  # texts that indexing keeps


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[Library]:
    """Red, green and blue, embedded by toy/colour."""
    with open_library(tmp_path / "library") as opened:
        run(opened, photos)
        yield opened


def test_rollback_returns_to_the_encoders_before_the_rebuild_and_one_further_each_time(
    library: Library,
) -> None:
    rebuild(library, encoder=ShiftedEncoder("toy/second"))
    rebuild(library, encoder=ShiftedEncoder("toy/third", ("en",)))
    assert answers(library) == {"en": "toy/third", "zh": "toy/second"}
    now = rollback(library)
    assert {language: row.name for language, row in now.items()} == answers(library)
    assert answers(library) == {"en": "toy/second", "zh": "toy/second"}
    assert found(library) == "green.png"
    rollback(library)
    assert answers(library) == {"en": "toy/colour", "zh": "toy/colour"}
    assert found(library) == "red.png" and list(doctor(library)) == []
    with pytest.raises(UsageError, match="no switch to take back: toy/colour for en"):
        rollback(library)
    assert answers(library) == {"en": "toy/colour", "zh": "toy/colour"}


def test_switch_and_an_encoder_that_takes_over_are_taken_back(
    library: Library, photos: Path
) -> None:
    run(library, photos, encoder=ShiftedEncoder())
    switch(library, "toy/shifted")
    switch(library, "toy/shifted")  # changes nothing, and leaves nothing to take back
    draw(photos / "new.png", "white")
    run(library, photos, encoder=ColourEncoder())  # embeds more, and takes over
    assert answers(library)["en"] == "toy/colour"
    rollback(library)
    assert answers(library) == {"en": "toy/shifted", "zh": "toy/shifted"}
    rollback(library)
    assert answers(library) == {"en": "toy/colour", "zh": "toy/colour"}
    with pytest.raises(UsageError):
        rollback(library)


def test_a_language_that_an_encoder_was_added_for_is_taken_back_with_it(
    library: Library, photos: Path
) -> None:
    rebuild(library, encoder=ShiftedEncoder("toy/french", ("en", "fr")), handover=Handover("free"))
    assert "fr" in answers(library)
    rollback(library)
    assert answers(library) == {"en": "toy/colour", "zh": "toy/colour"}


def test_a_language_that_came_after_a_switch_survives_its_rollback(
    library: Library, photos: Path
) -> None:
    rebuild(library, encoder=ShiftedEncoder())
    run(library, photos, encoder=ShiftedEncoder("toy/french", ("fr",)))
    rollback(library)
    assert answers(library) == {"en": "toy/colour", "zh": "toy/colour", "fr": "toy/french"}


def test_photos_that_came_since_are_found_after_a_rollback_once_indexed(
    library: Library, photos: Path
) -> None:
    rebuild(library, encoder=ShiftedEncoder())
    draw(photos / "new.png", "white")
    run(library, photos, encoder=None)
    rollback(library)
    assert len(search(library, "red", k=9)) == 3
    run(library, photos, encoder=None)
    assert len(search(library, "red", k=9)) == 4


def test_a_long_lived_reader_follows_a_flip_and_its_rollback(library: Library) -> None:
    with open_library(library.path) as other:
        other.keep_encoder(ColourEncoder())
        other.keep_encoder(ShiftedEncoder())
        assert found(other) == "red.png"
        rebuild(library, encoder=ShiftedEncoder())
        assert found(other) == "green.png"  # the same text: what was kept of it was another's
        rollback(library)
        assert found(other) == "red.png"


def test_prune_drops_all_that_an_unused_encoder_left(library: Library, photos: Path) -> None:
    (photos / "blue.png").unlink()
    run(library, photos)
    for name in ("toy/second", "toy/third"):
        rebuild(library, encoder=ShiftedEncoder(name))
        found(library)
    plan = prune(library, dry_run=True)
    assert [each.encoder for each in plan.encoders] == ["toy/colour", "toy/second"]
    first, second = plan.encoders
    assert (first.photos, first.fileless, first.generations) == (3, 1, 1)
    assert (second.photos, second.fileless) == (2, 0)
    folder = library.generations_folder / "0001"
    vectors = 12 * (first.photos + first.texts)
    assert first.size_bytes == vectors + sum(file.stat().st_size for file in folder.iterdir())
    assert (plan.steps_lost, plan.steps_left, plan.freed_bytes) == (2, 0, 0)
    assert len(library.catalog.encoders()) == 3 and folder.is_dir()  # it was only asked

    before = size_of(library.path)
    done = prune(library, dry_run=False)
    assert done.encoders == plan.encoders
    assert done.freed_bytes == max(0, before - size_of(library.path))
    assert [row.name for row in library.catalog.encoders()] == ["toy/third"]
    assert [path.name for path in library.generations_folder.iterdir()] == ["0003"]
    counts = {
        table: count(library, table)
        for table in ("embeddings", "generations", "text_embeddings", "switches", "answers_before")
    }
    assert counts == {
        "embeddings": 2,
        "generations": 1,
        "text_embeddings": 1 + ORDINARY,
        "switches": 0,
        "answers_before": 0,
    }
    assert count(library, "photos") == 3 and count(library, "files") == 3
    assert found(library) == "green.png" and list(doctor(library)) == []
    with pytest.raises(UsageError, match="no switch to take back"):
        rollback(library)
    assert not prune(library, dry_run=False)
    with pytest.raises(NoEncoderError):
        switch(library, "toy/second")


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def count(library: Library, table: str) -> int:
    with library.catalog.engine.connect() as connection:
        found = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
    return int(found)


def test_prune_keeps_the_steps_back_that_lead_to_who_answers(library: Library) -> None:
    rebuild(library, encoder=ShiftedEncoder("toy/second", ("en",)))
    switch(library, "toy/colour")
    rebuild(library, encoder=ShiftedEncoder("toy/third", ("en",)))
    assert answers(library) == {"en": "toy/third", "zh": "toy/colour"}
    plan = prune(library, dry_run=False)  # colour to second, second to colour, colour to third
    assert [each.encoder for each in plan.encoders] == ["toy/second"]
    assert (plan.steps_lost, plan.steps_left) == (2, 1)
    rollback(library)
    assert answers(library) == {"en": "toy/colour", "zh": "toy/colour"}
    with pytest.raises(UsageError):  # the other step leads to where we are
        rollback(library)


def test_prune_leaves_no_step_that_leads_to_where_we_are(library: Library) -> None:
    rebuild(library, ShiftedEncoder("toy/second"))
    switch(library, "toy/colour")
    plan = prune(library, dry_run=True)
    assert (plan.steps_lost, plan.steps_left) == (2, 0)
    prune(library, dry_run=False)
    assert count(library, "switches") == count(library, "answers_before") == 0
    with pytest.raises(UsageError, match="no switch to take back"):
        rollback(library)


def test_every_step_that_prune_says_stays_can_be_taken(library: Library) -> None:
    """Of nine, those that lead to no dropped encoder, and elsewhere than where they start."""
    for name, languages in (("toy/b", ("en",)), ("toy/c", ("zh", "fr")), ("toy/d", ("en", "zh"))):
        rebuild(library, ShiftedEncoder(name, languages))
    for name in ("toy/colour", "toy/b", "toy/colour", "toy/d", "toy/colour", "toy/c"):
        switch(library, name)
    plan = prune(library, dry_run=False)
    assert [each.encoder for each in plan.encoders] == ["toy/b", "toy/d"]
    taken = 0
    while True:
        try:
            rollback(library)
        except UsageError:
            break
        taken += 1
    assert (plan.steps_left, plan.steps_lost) == (taken, 8) == (1, 8)


def test_an_encoder_that_waits_to_answer_is_pruned_only_by_its_name(library: Library) -> None:
    class Interrupted(ShiftedEncoder):
        def embed_images(self, pictures: list[Image.Image]) -> np.ndarray:
            if self.seen >= 2:
                raise KeyboardInterrupt
            return super().embed_images(pictures)

    rebuild(library, ShiftedEncoder("toy/waiting"), handover=Handover("nothing"))
    half = Interrupted("toy/half")
    half.batch_size = 2
    with pytest.raises(KeyboardInterrupt):
        rebuild(library, half)
    for dry_run in (True, False):
        pruned = prune(library, dry_run=dry_run)
        assert not pruned and pruned.encoders == ()
        found = [(each.encoder, each.photos, each.is_waiting) for each in pruned.waiting]
        assert found == [("toy/waiting", 3, True), ("toy/half", 2, True)]
    with pytest.raises(NoEncoderError, match="nobody"):
        prune(library, dry_run=True, encoders=["nobody"])
    with pytest.raises(UsageError, match="in use: the encoder toy/colour"):
        prune(library, dry_run=True, encoders=["toy/colour"])
    pruned = prune(library, dry_run=False, encoders=["toy/half"])
    assert [each.encoder for each in pruned.encoders] == ["toy/half"]
    switch(library, "toy/waiting")
    pruned = prune(library, dry_run=False)
    assert [(each.encoder, each.is_waiting) for each in pruned.encoders] == [("toy/colour", False)]


@pytest.mark.parametrize(
    "source",
    [
        "mine.pt",
        "{models}/mine.pt",
        "open_clip/ViT-B-32/{models}/mine.pt",
        "mine.pt/weights",
        "cn_clip/RN50/{models}/mine.pt/epoch.pt",
        "mine.pt@int8",
        "{models}/mine.pt@int8",
    ],
)
def test_what_the_encoder_that_answers_is_loaded_from_is_never_offered(
    library: Library, source: str
) -> None:
    library.models_folder.mkdir(exist_ok=True)
    for name in ("mine.pt", "mine", "mine.pt.old"):
        (library.models_folder / name).write_bytes(b"weights")
    encoder = ShiftedEncoder()
    encoder.source = source.format(models=library.models_folder)  # type: ignore[attr-defined]
    rebuild(library, encoder)
    plan = prune(library, dry_run=True)
    assert [each.name for each in plan.kept] == ["mine", "mine.pt.old"]
    with pytest.raises(UsageError, match=r"in use: the model 'mine\.pt'"):
        prune(library, dry_run=False, models=["mine.pt"])
    rollback(library)
    done = prune(library, dry_run=False, models=["mine.pt"])
    assert [each.encoder for each in done.encoders] == ["toy/shifted"]
    left = sorted(path.name for path in library.models_folder.iterdir())
    assert left == ["mine", "mine.pt.old"]


def test_searches_beside_changes_and_prunes_never_fail(library: Library) -> None:
    """Threads that search, one of them by path, while encoders come, answer and are dropped."""
    names = [f"toy/{number}" for number in range(12)]
    is_over = threading.Event()
    counts, failures = [0, 0], list[Exception]()

    def ask(number: int, opened: Library) -> None:
        while not is_over.is_set():
            try:
                text = f"red {number} {counts[number] // 2}"
                folder = Path(library.catalog.roots()[0]) if number else None
                assert search(opened, text, k=3, prompt="raw", filters=Filters(path=folder))
                counts[number] += 1
            except Exception as error:
                failures.append(error)

    with open_library(library.path) as other:
        for each in (ColourEncoder(), *map(ShiftedEncoder, names)):
            library.keep_encoder(each)
            other.keep_encoder(each)
        threads = [
            threading.Thread(target=ask, args=(number, each))
            for number, each in enumerate((library, other))
        ]
        for thread in threads:
            thread.start()
        for name in names:
            rebuild(library, encoder=ShiftedEncoder(name))
            prune(library, dry_run=False)
        is_over.set()
        for thread in threads:
            thread.join()
    assert failures == [] and min(counts) > 0


@pytest.mark.parametrize("moment", ["encoder chosen", "index read", "vectors read", "text kept"])
def test_a_search_whose_encoder_is_dropped_meanwhile_asks_the_one_that_answers(
    library: Library, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """One step of a search is held up until another process has changed over and pruned."""
    first, second = ColourEncoder(), ShiftedEncoder()
    rebuild(library, encoder=second)
    rollback(library)
    home, step = {
        "encoder chosen": (Catalog, "active_encoders"),
        "index read": (Catalog, "current_generation"),
        "vectors read": (Catalog, "embeddings"),
        "text kept": (Catalog, "cached_texts"),
    }[moment]
    whole = getattr(home, step)

    with open_library(library.path) as other:
        other.keep_encoder(first)
        other.keep_encoder(second)

        def held_up(catalog: Catalog, *words: object, **named: object) -> object:
            found = whole(catalog, *words, **named)
            if catalog is other.catalog:
                monkeypatch.undo()
                switch(library, "toy/shifted")
                prune(library, dry_run=False)
            return found

        monkeypatch.setattr(home, step, held_up)
        assert found(other) == "green.png"
        assert [row.name for row in other.catalog.encoders()] == ["toy/shifted"]


def test_prune_makes_the_file_smaller(library: Library) -> None:
    rebuild(library, encoder=ShiftedEncoder())
    with library.catalog.write() as writer:  # as if the old encoder had asked much
        row = library.catalog.encoder_named("toy/colour")
        assert row is not None
        writer.connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) "
            "INSERT INTO text_embeddings SELECT ?, 'raw', 'text ' || i, zeroblob(12) FROM n",
            (row.id,),
        )
    library.catalog.close()
    before = (library.path / "library.db").stat().st_size
    done = prune(library, dry_run=False)
    after = (library.path / "library.db").stat().st_size
    assert after < before / 2 and done.freed_bytes > before / 3
    assert done.encoders[0].texts == 30000 + ORDINARY and found(library) == "green.png"


def test_prune_drops_copies_of_bundled_weights_and_of_your_own_only_what_is_named(
    library: Library, encoder: Path
) -> None:
    own, copy = library.models_folder / "flowers-v1", library.models_folder / "builtin-7"
    shutil.copytree(encoder, own)
    copy.mkdir()
    (copy / "weights").write_bytes(bytes(1000))
    with library.catalog.write() as writer:
        writer.add_encoder(EncoderRow(0, "seven", "builtin/7", 3, ("en",), "builtin/7"))
    rebuilt = rebuild(library, encoder="models/flowers-v1", handover=Handover("nothing"))
    row = library.find_encoder(str(own))
    assert row is not None and row.source == "flowers-v1" and row.name == rebuilt.encoder
    size = sum(file.stat().st_size for file in own.iterdir())
    plan = prune(library, dry_run=True)
    assert [each.encoder for each in plan.encoders] == ["builtin/7"]
    assert [each.encoder for each in plan.waiting] == [rebuilt.encoder] and plan.kept == ()
    assert plan.models == (Model("builtin-7", 1000),)
    plan = prune(library, dry_run=True, encoders=[rebuilt.encoder])
    assert plan.waiting == () and plan.kept == (Model("flowers-v1", size),)
    assert prune(library, dry_run=False).freed_bytes >= 1000
    assert own.is_dir() and not copy.exists()
    for name in ("flowers-v9", "../photos", ".."):
        with pytest.raises(UsageError, match=r"no model .*; it has flowers-v1"):
            prune(library, dry_run=False, models=[name])
    rebuild(library, encoder="flowers-v1")
    with pytest.raises(UsageError, match="in use"):
        prune(library, dry_run=True, models=["flowers-v1"])
    rollback(library)
    done = prune(library, dry_run=False, models=["flowers-v1"])
    assert done.models == (Model("flowers-v1", size),) and done.freed_bytes >= size
    assert not own.exists() and found(library) == "red.png"


def test_prune_is_refused_beside_a_run_that_embeds(library: Library) -> None:
    with open_library(library.path) as other, other.lock():
        for dry_run in (True, False):
            with pytest.raises(LibraryLockedError):
                prune(library, dry_run=dry_run)


def test_while_nobody_answers_no_encoder_is_pruned(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with open_library(tmp_path / "library") as library:
        run(library, tmp_path / "empty")
        assert not prune(library, dry_run=False)
        assert [row.name for row in library.catalog.encoders()] == ["toy/colour"]
        assert status(library).encoders[0].photos == 0


@pytest.mark.parametrize("version", [1, 2])
def test_libraries_of_every_format_rebuild_and_return(tmp_path: Path, version: int) -> None:
    shutil.copytree(Path(__file__).parent / "data" / f"library-v{version}", tmp_path / "library")
    with open_library(tmp_path / "library", create=False) as library:
        for name in ("toy/colour", "toy/second"):
            library.keep_encoder(ColourEncoder(name))
        before = answers(library)
        assert before["en"] == ("toy/colour", "toy/second")[version - 1]
        assert found(library) == "red.png"
        draw(tmp_path / "more" / "green.png", "green")
        run(library, tmp_path / "more", encoder=None)
        rebuild(library, encoder=ShiftedEncoder())
        assert found(library) == "green.png"  # read from its copy: /photos is nowhere
        rollback(library)
        assert answers(library) == before
        if version == 2:
            rollback(library)
            assert answers(library) == {"en": "toy/colour", "zh": "toy/colour"}
            assert search(library, "red", k=9, prompt="raw")[0].path == Path("/photos/red.png")
