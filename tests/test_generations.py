"""Generations: when one is due, how reindex makes it, what a cut-off build leaves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import ColourEncoder, draw
from imgsearch.catalog import EncoderRow
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.indexing import BuildingGeneration, Notice, rebuild, reindex
from imgsearch.library import Library, generations, open_library
from imgsearch.upkeep import doctor
from imgsearch.vector_index import Asked, VectorIndex, installed
from runs import run

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        yield opened


def test_the_first_run_ends_with_a_generation_and_small_ones_do_not(
    library: Library, photos: Path
) -> None:
    notices: list[Notice] = []
    run(library, photos, notify=notices.append)
    assert BuildingGeneration(3) in notices
    draw(photos / "new.png", "white")
    run(library, photos)
    encoder_id = library.catalog.encoders()[0].id
    current = library.catalog.current_generation(encoder_id)
    assert current is not None and (current.folder, current.count) == ("0001", 3)
    assert library.catalog.embeddings_after(encoder_id, current.last_embedding_id) == 1


def test_a_generation_is_due_above_a_thousand_and_a_hundredth(
    library: Library, photos: Path
) -> None:
    run(library, photos)
    row = library.catalog.encoders()[0]
    add_embeddings(library, row, 1000)
    assert not generations.is_due(library, row.id)
    add_embeddings(library, row, 1)
    assert generations.is_due(library, row.id)
    with library.catalog.write() as writer:  # nothing but the count is looked at
        current = library.catalog.generations(row.id)[-1]
        writer.switch_generation(replace(current, folder="0002", count=100_300))
    add_embeddings(library, row, 2)
    assert not generations.is_due(library, row.id)
    add_embeddings(library, row, 1)
    assert generations.is_due(library, row.id)


def test_a_new_generation_is_the_last_one_with_what_came_since_and_went(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(library, photos)
    row = library.catalog.encoders()[0]
    add_embeddings(library, row, 50)
    first = generations.build(library, row, "sq8")
    with library.catalog.write() as writer:
        writer.delete_embeddings([5])
    again = library.catalog.photos_lacking(row.id)[0].id
    with library.catalog.write() as writer:
        writer.add_embeddings(row.id, [again], np.eye(3, dtype=np.float32)[2:])
    add_embeddings(library, row, 7)
    with monkeypatch.context() as patch:
        patch.setattr("imgsearch.vector_index.VectorIndex.build_from", None)  # not anew
        second = generations.renew(library, row)
    assert (second.kind, second.count) == ("sq8", first.count + 7)
    ids, vectors = library.catalog.embeddings(row.id)
    index = library.index_of(second)
    assert index.ids().tolist() == sorted(ids.tolist())
    found = index.search(vectors[ids == again], 2)[1]
    assert set(found[0].tolist()) == {1, again}  # and the photo that is as blue
    faults = [finding.what for finding in doctor(library, repair=False)]
    assert faults == [f"generations/{first.folder} holds other photos than the catalog"]
    add_embeddings(library, row, 100)  # more than it was made for
    third = generations.renew(library, row)
    assert library.index_of(third).making.trained_on == third.count == second.count + 100


def test_a_damaged_generation_is_built_anew(library: Library, photos: Path) -> None:
    run(library, photos)
    row, (current,) = library.catalog.encoders()[0], library.catalog.generations()
    (library.generations_folder / current.folder / "manifest.json").write_text("{", "utf-8")
    with open_library(library.path) as opened:
        assert generations.renew(opened, row).count == 3


def test_a_changed_byte_is_not_carried_into_the_next_generation(
    library: Library, photos: Path
) -> None:
    run(library, photos)
    row, (current,) = library.catalog.encoders()[0], library.catalog.generations()
    library.close()  # a mapped file cannot be replaced everywhere
    file = library.generations_folder / current.folder / "index.faiss"
    content = bytearray(file.read_bytes())
    at = content.index(np.float32(1).tobytes())
    content[at : at + 4] = np.float32(-1).tobytes()
    file.write_bytes(content)
    with open_library(library.path) as opened:
        made = generations.renew(opened, row)
        VectorIndex.verify(opened.generations_folder / made.folder)
        ids, vectors = opened.catalog.embeddings(row.id)
        scores, found = opened.index_of(made).search(vectors, 1)
        assert found[:, 0].tolist() == ids.tolist()
        assert scores[:, 0] == pytest.approx(1)


@pytest.mark.parametrize("file", ["index.faiss", "manifest.json"])
def test_what_was_asked_of_an_index_outlives_its_damage(
    library: Library, photos: Path, file: str
) -> None:
    run(library, photos)
    row = library.catalog.encoders()[0]
    for remake in (lambda opened: generations.renew(opened, row), lambda opened: [*doctor(opened)]):
        made = generations.build(library, row, "hnsw", 0.95)
        library.close()
        (library.generations_folder / made.folder / file).write_bytes(b"{")
        with open_library(library.path) as opened:
            remake(opened)
            current = opened.catalog.current_generation(row.id)
            assert current is not None and current.id != made.id
            # Without a manifest there is only the catalog, which knows the kind.
            recall = 0.99 if file == "manifest.json" else 0.95
            assert opened.index_of(current).making.asked == Asked("hnsw", recall)


def test_where_there_is_no_gpu_for_it_an_index_is_searched_on_the_cpu_after_a_warning(
    library: Library, photos: Path
) -> None:
    if installed().gpus:
        pytest.skip("there is a GPU")
    run(library, photos)
    (current,) = library.catalog.generations()
    queries = ColourEncoder().embed_texts(["red", "blue"])
    right = library.index_of(current).search(queries, 3)[1]
    with open_library(library.path, index_device="cuda") as opened:
        with pytest.warns(UserWarning, match="searching on the CPU"):
            served = opened.index_of(current)
        assert opened.index_of(current) is served  # and says it once
        assert np.array_equal(served.search(queries, 3)[1], right)
    with pytest.raises(UsageError, match="on cpu or cuda, not on 'tpu'"):
        open_library(library.path, index_device="tpu")  # type: ignore[arg-type]


def add_embeddings(library: Library, encoder: EncoderRow, count: int) -> None:
    with library.catalog.write() as writer:
        execute = writer.connection.exec_driver_sql
        last = execute("SELECT max(id) FROM photos").scalar_one()
        rows = [(last + number, f"{last + number:064}") for number in range(1, count + 1)]
        execute(
            "INSERT INTO photos "
            "(id, content_hash, width, height, size_bytes, format, taken_at, added_at) "
            "SELECT ?, ?, 1, 1, 1, 'PNG', added_at, added_at FROM photos WHERE id = 1",
            rows,
        )
        vectors = np.tile(np.eye(3, dtype=np.float32)[0], (count, 1))
        writer.add_embeddings(encoder.id, [row[0] for row in rows], vectors)


def test_reindex_makes_the_next_generation_and_keeps_the_one_before(
    library: Library, photos: Path
) -> None:
    run(library, photos)
    built = [reindex(library)[0].generation for _ in range(3)]
    assert [row.folder for row in built] == ["0002", "0003", "0004"]
    assert [row.folder for row in library.catalog.generations()] == ["0003", "0004"]
    there = sorted(path.name for path in library.generations_folder.iterdir())
    assert there == ["0003", "0004"]
    _, ids = library.index_of(built[-1]).search(ColourEncoder().embed_texts(["blue"]), 1)
    assert library.catalog.live_paths(ids[0]) == {int(ids[0, 0]): photos / "blue.png"}
    with pytest.raises(NoEncoderError, match="no such encoder"):
        rebuild(library, encoder="no such encoder")


def test_a_missing_photo_stays_in_the_generation_so_that_it_returns_searchable(
    library: Library, photos: Path
) -> None:
    run(library, photos)
    (photos / "red.png").unlink()
    run(library, photos)
    assert reindex(library)[0].generation.count == 3


def test_one_cut_off_before_its_switch_leaves_the_old_generation(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(library, photos)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def stop(self: Path, target: Path) -> Path:
            raise KeyboardInterrupt

        patch.setattr(Path, "rename", stop)
        reindex(library)
    assert (library.generations_folder / "0002.tmp").is_dir()
    current = library.catalog.current_generation(library.catalog.encoders()[0].id)
    assert current is not None and current.folder == "0001"
    assert library.index_of(current).count == 3
    assert reindex(library)[0].generation.count == 3
    assert not list(library.generations_folder.glob("*.tmp"))


def test_reindex_makes_the_kind_asked_for_and_keeps_to_it(library: Library, photos: Path) -> None:
    run(library, photos)
    assert reindex(library)[0].generation.kind == "flat"
    assert reindex(library, kind="hnsw")[0].generation.kind == "hnsw"
    assert reindex(library)[0].generation.kind == "hnsw"
    with pytest.raises(UsageError, match="flat, sq8, hnsw"):
        reindex(library, kind="nope")
