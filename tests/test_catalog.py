"""The catalog: what goes in comes out, ids are never reused, old files upgrade, newer do not."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from imgsearch.catalog import (
    HEAD,
    Catalog,
    EncoderRow,
    FilePlace,
    GenerationRow,
    PhotoFacts,
    Writer,
    audit,
    footprint,
    is_up_to_date,
    upgrade,
)
from imgsearch.catalog.connection import CONSTANTS, PAGE_BYTES, open_engine
from imgsearch.catalog.revisions import COPIES_KEPT, find_migrations, run_revisions
from imgsearch.catalog.tables import Base
from imgsearch.errors import LibraryDamagedError, LibraryTooNewError, NoEncoderError

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    upgrade(tmp_path / "library.db")
    opened = Catalog(tmp_path / "library.db")
    yield opened
    opened.close()


def facts(number: int, taken_at: datetime = NOON) -> PhotoFacts:
    return PhotoFacts(f"{number:064x}", 40, 30, 1234, "PNG", taken_at, None, None, None)


def add_photos(writer: Writer, count: int) -> list[int]:
    return [writer.add_photo(facts(number)) for number in range(count)]


def add_encoder(writer: Writer, name: str, languages: tuple[str, ...] = ("en",)) -> int:
    return writer.add_encoder(EncoderRow(0, f"identity of {name}", name, 3, languages, None))


def unit_rows(count: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_revisions_and_models_give_the_same_schema(catalog: Catalog) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with catalog.engine.connect() as connection:
        ours = {"include_name": lambda name, *_: not (name or "").startswith("photo_words")}
        context = MigrationContext.configure(connection, opts=ours)
        assert compare_metadata(context, Base.metadata) == []


def test_a_new_catalog_is_what_all_revisions_come_to(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    engine = open_engine(path, foreign_keys=False)
    with engine.begin() as connection:
        run_revisions(connection)
        made = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        ).scalars()
        said = [*made, f"INSERT INTO alembic_version VALUES ('{HEAD}')"]
    engine.dispose()
    file = find_migrations() / "newest.sql"
    assert file.read_text("utf-8") == ";\n".join(said) + ";\n", f"write this into {file}"


def test_head_is_the_newest_revision_and_none_imports_our_models() -> None:
    revisions = sorted((find_migrations() / "versions").glob("*.py"))
    assert revisions[-1].name.split("_")[0] == HEAD
    for revision in revisions:
        assert "imgsearch" not in revision.read_text("utf-8")


def test_connections_use_wal_and_foreign_keys(catalog: Catalog) -> None:
    with catalog.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000


def test_a_page_holds_several_vectors(catalog: Catalog) -> None:
    with catalog.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA page_size").scalar() == PAGE_BYTES >= 4 * 4 * 512


def test_a_transaction_that_fails_leaves_nothing(catalog: Catalog) -> None:
    with pytest.raises(ZeroDivisionError), catalog.write() as writer:
        writer.add_photo(facts(1))
        _ = 1 / 0
    assert catalog.photos_with_hashes([facts(1).content_hash]) == {}


def test_ids_of_deleted_photos_are_never_given_again(catalog: Catalog) -> None:
    with catalog.write() as writer:
        last = add_photos(writer, 3)[-1]
        writer.connection.exec_driver_sql("DELETE FROM photos")
    with catalog.write() as writer:
        assert writer.add_photo(facts(9)) == last + 1


def test_times_come_back_in_utc_whatever_zone_they_had(catalog: Catalog) -> None:
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    with catalog.write() as writer:
        writer.add_photo(facts(1, tokyo))
        run_id = writer.start_run("index")
        writer.finish_run(run_id, {"added": 1})
    with sqlite3.connect(catalog.path) as connection:
        stored = connection.execute("SELECT taken_at FROM photos").fetchone()[0]
    connection.close()
    assert stored.startswith("2024-05-01 12:00:00")
    run = catalog.last_run()
    assert run is not None and run.finished_at is not None
    assert run.started_at.tzinfo is UTC and run.outcome == {"added": 1} and run.pid == os.getpid()


def test_a_time_without_a_zone_is_refused(catalog: Catalog) -> None:
    with pytest.raises(Exception, match="without a zone"), catalog.write() as writer:
        writer.add_photo(facts(1, datetime(2024, 1, 1)))


def test_embeddings_come_back_to_the_bit_in_the_order_asked_for(catalog: Catalog) -> None:
    count = 2 * CONSTANTS + 7  # more than one statement takes
    vectors = unit_rows(count)
    with catalog.write() as writer:
        photo_ids = add_photos(writer, count)
        encoder_id = add_encoder(writer, "toy")
        writer.add_embeddings(encoder_id, photo_ids, vectors)
    ids, rows = catalog.embeddings(encoder_id)
    assert ids.tolist() == photo_ids and ids.dtype == np.int64
    np.testing.assert_array_equal(rows, vectors)
    asked = [*reversed(photo_ids), 10_000_000]
    ids, rows = catalog.embeddings(encoder_id, photo_ids=np.array(asked))
    assert ids.tolist() == asked[:-1]
    np.testing.assert_array_equal(rows, vectors[::-1])
    assert catalog.photo_count(encoder_id) == count
    assert catalog.embedded_photo_ids(encoder_id) == set(photo_ids)


def test_embeddings_after_one_are_the_later_ones_of_that_encoder(catalog: Catalog) -> None:
    vectors = unit_rows(5)
    with catalog.write() as writer:
        photo_ids = add_photos(writer, 5)
        ours, other = add_encoder(writer, "ours"), add_encoder(writer, "other")
        writer.add_embeddings(ours, photo_ids[:2], vectors[:2])
    last = catalog.embeddings_and_last(ours)[2]
    with catalog.write() as writer:
        writer.add_embeddings(other, photo_ids, vectors)
        writer.add_embeddings(ours, photo_ids[2:], vectors[2:])
    ids, rows = catalog.embeddings(ours, after=last)
    assert ids.tolist() == photo_ids[2:] and catalog.embeddings_after(ours, last) == 3
    np.testing.assert_array_equal(rows, vectors[2:])
    ids, rows = catalog.embeddings(ours, after=10**9)
    assert ids.shape == (0,) and rows.shape == (0, 3)


def test_the_first_encoder_with_an_embedding_answers_until_another_is_activated(
    catalog: Catalog,
) -> None:
    with catalog.write() as writer:
        first = add_encoder(writer, "family/1", ("en", "zh"))
        second = add_encoder(writer, "family/2", ("en", "fr"))
        assert add_encoder(writer, "family/1", ("en", "zh")) == first  # known by its identity
        photo_ids = add_photos(writer, 1)
    assert catalog.active_encoders() == {}
    with catalog.write() as writer:
        writer.add_embeddings(first, photo_ids, unit_rows(1))
        writer.add_embeddings(second, photo_ids, unit_rows(1))
    active = {language: row.id for language, row in catalog.active_encoders().items()}
    assert active == {"en": first, "zh": first, "fr": second}
    with catalog.write() as writer:
        writer.activate("en", second)
    row = catalog.active_encoders().get("en")
    assert row is not None and row.id == second and row.languages == ("en", "fr")
    assert catalog.active_encoders().get("de") is None


def test_a_switch_notes_who_answered_and_is_undone_to_that(catalog: Catalog) -> None:
    with catalog.write() as writer:
        ids = [add_encoder(writer, name, ("en", "zh")) for name in "abc"]
        writer.switch_answers("rebuild", {"en": ids[0]})  # a beginning: there is no way back
        assert not writer.undo_switch()
        writer.switch_answers("switch", {"en": ids[1], "zh": ids[1]})
        writer.switch_answers("switch", {"en": ids[1]})  # as it is
        writer.switch_answers("index", {"en": ids[2]})
        assert footprint.steps(catalog) == 0  # seen by nobody before the commit
    assert footprint.steps(catalog) == 2
    assert footprint.steps(catalog, [ids[1]]) == 1
    answered = []
    for _ in range(2):
        with catalog.write() as writer:
            assert writer.undo_switch()
        active = catalog.active_encoders()
        answered.append({language: row.id for language, row in active.items()})
    assert answered == [{"en": ids[1], "zh": ids[1]}, {"en": ids[0]}]


def test_forgetting_an_encoder_takes_all_that_names_it(catalog: Catalog) -> None:
    with catalog.write() as writer:
        kept, other = add_encoder(writer, "kept"), add_encoder(writer, "other")
        photo_ids = add_photos(writer, 3)
        for each in (other, kept):
            writer.add_embeddings(each, photo_ids, unit_rows(3))
            writer.switch_generation(GenerationRow(0, each, f"{each:04}", "flat", 3, 3))
        writer.switch_answers("switch", {"en": kept})
    catalog.cache_texts(other, "raw", {"a cat": unit_rows(1)[0]})
    found = footprint.footprint(catalog, other)
    assert (found.photos, found.fileless, found.texts, found.size_bytes) == (3, 3, 1, 4 * 12)
    with catalog.write() as writer:
        writer.forget_encoders([other])
    assert [row.id for row in catalog.encoders()] == [kept] and catalog.photo_count(kept) == 3
    assert footprint.footprint(catalog, other) == footprint.Footprint(0, 0, 0, 0)
    assert footprint.steps(catalog) == 0 and len(catalog.generations()) == 1
    assert list(audit.dangling_rows(catalog)) == []
    # a search that was under way
    catalog.cache_texts(other, "raw", {"a dog": unit_rows(1)[0]})
    with pytest.raises(NoEncoderError, match="ask again"):
        catalog.embeddings(other)


def test_waiting_embeddings_let_nobody_answer(catalog: Catalog) -> None:
    with catalog.write() as writer:
        encoder_id = add_encoder(writer, "toy")
        writer.add_waiting_embeddings(encoder_id, add_photos(writer, 2)[:1], unit_rows(1))
    assert catalog.active_encoders() == {} and catalog.photo_count(encoder_id) == 1
    assert [(row.id, row.pixels) for row in catalog.photos_lacking(encoder_id)] == [(2, 1200)]


def test_a_library_of_revision_1_gets_a_history_and_keeps_its_rows(tmp_path: Path) -> None:
    old = Path(__file__).parent / "data" / "library-v1" / "library.db"
    path = Path(shutil.copy(old, tmp_path / "library.db"))
    connection = sqlite3.connect(path)
    tables = ("photos", "files", "embeddings", "encoders", "active_encoders", "generations", "runs")
    columns = {}
    for table in tables:
        cursor = connection.execute(f"SELECT * FROM {table}")
        names = ", ".join(name for name, *_ in cursor.description)
        columns[f"SELECT {names} FROM {table}"] = cursor.fetchall()
    connection.close()
    upgrade(path)
    connection = sqlite3.connect(path)
    assert {query: connection.execute(query).fetchall() for query in columns} == columns
    assert connection.execute("SELECT count(*) FROM switches").fetchone() == (0,)
    connection.close()


def test_an_encoder_is_found_by_its_name_or_its_family(catalog: Catalog) -> None:
    with catalog.write() as writer:
        only = add_encoder(writer, "builtin/1")
        add_encoder(writer, "cn_clip/a")
        add_encoder(writer, "cn_clip/b")
    assert (found := catalog.encoder_named("builtin")) and found.id == only
    assert (found := catalog.encoder_named("cn_clip/b")) and found.name == "cn_clip/b"
    assert catalog.encoder_named("cn_clip") is None
    assert catalog.encoder_named("built") is None


def test_a_text_is_kept_once_for_its_templates(catalog: Catalog) -> None:
    with catalog.write() as writer:
        encoder_id = add_encoder(writer, "toy")
    one, other = unit_rows(2)
    assert catalog.cached_texts(encoder_id, "raw", ["一只猫"]) == {}
    catalog.cache_texts(encoder_id, "raw", {"一只猫": one})
    catalog.cache_texts(encoder_id, "raw", {"一只猫": other})
    catalog.cache_texts(encoder_id, "80", {"一只猫": other})
    kept = catalog.cached_texts(encoder_id, "raw", ["一只猫", "一只狗"])
    assert kept.keys() == {"一只猫"}
    np.testing.assert_array_equal(kept["一只猫"], one)


def test_texts_are_not_kept_where_that_would_wait_for_another_writer(catalog: Catalog) -> None:
    with catalog.write() as writer:
        encoder_id = add_encoder(writer, "toy")
    other = Catalog(catalog.path)
    is_writing, is_enough = threading.Event(), threading.Event()

    def write() -> None:
        with other.write():
            is_writing.set()
            is_enough.wait(5)

    writing = threading.Thread(target=write)
    writing.start()
    is_writing.wait()
    catalog.cache_texts(encoder_id, "raw", {"a cat": unit_rows(1)[0]})
    is_enough.set()
    writing.join()
    other.close()
    assert catalog.cached_texts(encoder_id, "raw", ["a cat"]) == {}
    catalog.cache_texts(encoder_id, "raw", {"a cat": unit_rows(1)[0]})
    assert list(catalog.cached_texts(encoder_id, "raw", ["a cat"])) == ["a cat"]
    with catalog.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000


def test_switching_generations_leaves_one_current(catalog: Catalog) -> None:
    with catalog.write() as writer:
        encoder_id = add_encoder(writer, "toy")
        for folder in ("0001", "0002"):
            writer.switch_generation(GenerationRow(0, encoder_id, folder, "flat", 5, 7))
    current = catalog.current_generation(encoder_id)
    assert current is not None and (current.folder, current.count) == ("0002", 5)
    assert [row.folder for row in catalog.generations(encoder_id)] == ["0001", "0002"]


def test_the_first_live_file_of_a_photo_is_its_path(catalog: Catalog, tmp_path: Path) -> None:
    with catalog.write() as writer:
        photo_id, lone_id = add_photos(writer, 2)
        root_id = writer.add_root(tmp_path)
        for name in ("b.png", "a.png", "c.png"):
            writer.put_file(FilePlace(tmp_path / name, root_id, 1, 1), photo_id)
    assert catalog.live_paths([photo_id, lone_id]) == {photo_id: tmp_path / "b.png"}
    files = catalog.files_of_photos([photo_id])[photo_id]
    with catalog.write() as writer:
        writer.set_state([files[str(tmp_path / "b.png")].id], "missing")
    assert catalog.live_paths([photo_id]) == {photo_id: tmp_path / "a.png"}


def test_a_prefix_takes_a_folder_or_a_file_and_not_its_namesakes(
    catalog: Catalog, tmp_path: Path
) -> None:
    names = ["trip/a.png", "trip/deep/b.png", "trip2/c.png", "trip.png", "TRIP/d.png"]
    with catalog.write() as writer:
        root_id = writer.add_root(tmp_path)
        ids = dict(zip(names, add_photos(writer, len(names)), strict=True))
        for name, photo_id in ids.items():
            writer.put_file(FilePlace(tmp_path / name, root_id, 1, 1), photo_id)
    found = catalog.live_photo_ids(tmp_path / "trip").tolist()
    assert found == [ids["trip/a.png"], ids["trip/deep/b.png"]]
    assert catalog.live_photo_ids(tmp_path / "trip.png").tolist() == [ids["trip.png"]]
    assert len(catalog.live_photo_ids(tmp_path)) == 5
    assert len(catalog.live_photo_ids(Path(tmp_path.anchor))) == 5
    assert set(catalog.files_under([tmp_path / "trip2"])) == {str(tmp_path / "trip2/c.png")}


@pytest.mark.skipif(sys.platform == "win32", reason="paths are text there")
def test_paths_that_are_not_text_survive_and_differ_from_their_display(
    catalog: Catalog, tmp_path: Path
) -> None:
    raw = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    lookalike = tmp_path / "caf\\xe9"
    with catalog.write() as writer:
        root_id = writer.add_root(raw)
        assert writer.add_root(raw) == root_id
        one, two = add_photos(writer, 2)
        writer.put_file(FilePlace(raw / "x.png", root_id, 1, 1), one)
        writer.put_file(FilePlace(lookalike / "x.png", root_id, 1, 1), two)
        writer.put_file(FilePlace(raw / "x.png", root_id, 2, 2), one)  # the same row again
    assert catalog.live_paths([one, two]) == {one: raw / "x.png", two: lookalike / "x.png"}
    assert os.fsencode(catalog.live_paths([one])[one]) == os.fsencode(raw / "x.png")
    assert catalog.roots() == [raw]
    assert one in catalog.live_photo_ids(raw)
    assert catalog.files_under([raw])[str(raw / "x.png")].size_bytes == 2


def test_opening_a_current_catalog_imports_no_alembic(tmp_path: Path) -> None:
    upgrade(tmp_path / "library.db")
    code = (
        "import sys; from pathlib import Path; from imgsearch.catalog import is_up_to_date; "
        "assert is_up_to_date(Path(sys.argv[1])); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "library.db")], check=True)


def test_an_older_catalog_is_copied_aside_first_and_copies_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    upgrade(path)
    catalog = Catalog(path)
    with catalog.write() as writer:
        writer.add_photo(facts(1))
    for _ in range(COPIES_KEPT + 2):  # the WAL is not folded in yet: the copies must hold the photo
        upgrade(path)
    catalog.close()
    copies = list((tmp_path / "backups").iterdir())
    assert len(copies) == COPIES_KEPT
    assert f"revision-{HEAD}" in copies[0].name
    for copy in copies:
        connection = sqlite3.connect(copy)
        assert connection.execute("SELECT count(*) FROM photos").fetchone() == (1,)
        connection.close()


def next_revision(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release with one revision more, as the program sees it."""
    shutil.copytree(find_migrations(), folder)
    (folder / "versions" / "0006_next.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = '0006'\ndown_revision = '0005'\ndef upgrade():\n{body}"
    )
    monkeypatch.setattr("imgsearch.catalog.revisions.HEAD", "0006")
    monkeypatch.setattr("imgsearch.catalog.revisions.find_migrations", lambda: folder)


def test_a_later_revision_changes_tables_and_keeps_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "library.db"
    upgrade(path)
    catalog = Catalog(path)
    with catalog.write() as writer:
        (photo_id,) = add_photos(writer, 1)
        place = FilePlace(tmp_path / "a.png", writer.add_root(tmp_path), 1, 1)
        writer.put_file(place, photo_id)
    body = (
        "    with op.batch_alter_table('photos') as table:  # rebuilt, with files pointing at it\n"
        "        table.add_column(sa.Column('stars', sa.Integer))\n"
        "        table.alter_column('camera', type_=sa.String(50))\n"
    )
    next_revision(tmp_path / "migrations", body, monkeypatch)
    assert not is_up_to_date(path)
    upgrade(path)
    assert is_up_to_date(path)
    assert catalog.live_paths([photo_id]) == {photo_id: tmp_path / "a.png"}
    catalog.close()


def test_an_upgrade_that_fails_halfway_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "library.db"
    upgrade(path)
    body = "    op.drop_table('runs')\n    raise ZeroDivisionError\n"
    next_revision(tmp_path / "migrations", body, monkeypatch)
    with pytest.raises(ZeroDivisionError):
        upgrade(path)
    assert not is_up_to_date(path)  # still the revision before
    catalog = Catalog(path)
    assert catalog.last_run() is None  # and with all its tables
    catalog.close()


def test_a_newer_catalog_is_refused_naming_both_revisions(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    upgrade(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '0042'")
    connection.commit()
    connection.close()
    with pytest.raises(LibraryTooNewError, match=rf"0042.*{HEAD}"):
        is_up_to_date(path)


def test_files_that_are_no_catalog_are_called_damaged(tmp_path: Path) -> None:
    text, foreign = tmp_path / "text.db", tmp_path / "foreign.db"
    text.write_text("not a database at all, " * 100)
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    for path in (text, foreign):
        with pytest.raises(LibraryDamagedError, match=str(path.name)):
            is_up_to_date(path)


def test_a_page_that_is_overwritten_is_reported_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    upgrade(path)
    catalog = Catalog(path)
    with catalog.write() as writer:
        encoder_id = add_encoder(writer, "toy")
        writer.add_embeddings(encoder_id, add_photos(writer, 500), unit_rows(500))
    catalog.close()
    content = bytearray(path.read_bytes())
    content[8192:-4096] = b"\xff" * (len(content) - 8192 - 4096)
    path.write_bytes(content)
    catalog = Catalog(path)
    with pytest.raises(LibraryDamagedError, match="damaged"):
        catalog.embeddings(encoder_id)
    catalog.close()
