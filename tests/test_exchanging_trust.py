"""What a file of embeddings may decide: nothing. Whose vectors they are is shown, and no name in it
leads out of the folders that a person named.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ColourEncoder, draw
from imgsearch.encoders import load
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.exchanging import Imported, export_embeddings, import_embeddings
from imgsearch.exchanging.origins import PHOTOS_SHOWN
from imgsearch.indexing import index
from imgsearch.library import Library, open_library

COLOURS = [(9 + 20 * n, 250 - 20 * n, 40 * (n % 6)) for n in range(12)]


class CountingEncoder(ColourEncoder):
    """Counts the pictures that it is shown."""

    shown = 0

    def embed_images(self, images: list[Image.Image]) -> np.ndarray:
        self.shown += len(images)
        return super().embed_images(images)


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    for number, colour in enumerate(COLOURS):
        draw(tmp_path / "gallery" / f"{number:02}.png", colour)
    return tmp_path / "gallery"


@pytest.fixture
def exported(tmp_path: Path, gallery: Path) -> Path:
    with open_library(tmp_path / "library") as library:
        list(index(library, [gallery], encoder=ColourEncoder()))
        export_embeddings(library, tmp_path / "out.npz")
    return tmp_path / "out.npz"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "other") as opened:
        yield opened


def changed(source: Path, **arrays: np.ndarray) -> Path:
    """Another file, in which some arrays are others."""
    target = source.with_name("changed.npz")
    np.savez(target, **{**np.load(source), **arrays})
    return target


def told(**origin: object) -> np.ndarray:
    """What a file says of its encoder."""
    said = {"name": "toy/colour", "languages": ["en"], "source": None, "identity": "f" * 64}
    return np.array([json.dumps({**said, **origin})])


def paths_of(library: Library) -> list[str]:
    return sorted(library.catalog.files_under([Path("/")]))


def test_no_name_leads_out_of_the_folder_that_was_named(
    other: Library, exported: Path, tmp_path: Path
) -> None:
    draw(tmp_path / "secret.png", "red")
    draw(tmp_path / "photos/in.png", "red")
    names = ["in.png", "../secret.png", "a/../../secret.png", f"{tmp_path}/photos/../secret.png"]
    vectors = np.tile(ColourEncoder().embed_images([Image.new("RGB", (8, 8), "red")]), (4, 1))
    source = changed(exported, vectors=vectors, paths=np.array(names), sha256=np.array([""] * 4))
    photos = tmp_path / "photos"
    imported = import_embeddings(other, source, encoder=ColourEncoder(), photos=photos)
    assert (imported.added, imported.photos) == (1, 1)
    assert paths_of(other) == [str(tmp_path / "photos/in.png")]


def test_no_part_of_a_path_of_another_machine_leads_out_either(
    other: Library, exported: Path, tmp_path: Path, gallery: Path
) -> None:
    (tmp_path / "empty").mkdir()
    names = np.array([f"/old/../{gallery.name}/{n:02}.png" for n in range(len(COLOURS))])
    source = changed(exported, paths=names)
    imported = import_embeddings(other, source, encoder=ColourEncoder(), photos=tmp_path / "empty")
    assert (imported.added, paths_of(other)) == (0, [])


def test_a_path_is_kept_as_index_would_keep_it(
    other: Library, exported: Path, gallery: Path
) -> None:
    names = np.array([f"./x/../{n:02}.png" for n in range(len(COLOURS))])
    source = changed(exported, paths=names)
    import_embeddings(other, source, encoder=ColourEncoder(), photos=gallery)
    assert paths_of(other) == [str(gallery / f"{n:02}.png") for n in range(len(COLOURS))]


def test_an_encoder_new_to_the_library_is_shown_a_few_photos(
    other: Library, exported: Path, gallery: Path
) -> None:
    encoder = CountingEncoder()
    import_embeddings(other, exported, encoder=encoder, photos=gallery)
    assert encoder.shown == PHOTOS_SHOWN
    import_embeddings(other, exported, photos=gallery)  # known now by its identity
    assert encoder.shown == PHOTOS_SHOWN


def test_vectors_that_an_encoder_did_not_make_are_refused_whatever_their_file_says(
    other: Library, exported: Path, gallery: Path
) -> None:
    vectors = np.load(exported)["vectors"][::-1].copy()
    with pytest.raises(UsageError, match="not of toy/colour"):
        import_embeddings(
            other, changed(exported, vectors=vectors), encoder=ColourEncoder(), photos=gallery
        )
    assert other.catalog.encoders() == []
    assert other.catalog.active_encoders() == {}


@pytest.mark.parametrize("source", [None, "/etc/passwd", "hf-hub:some/body", "../weights.pt"])
def test_a_file_is_no_reason_to_load_an_encoder(
    other: Library, exported: Path, gallery: Path, source: str | None
) -> None:
    said = told(identity="a" * 64, languages=["xx", "en"], source=source)
    with pytest.raises(UsageError, match=r"says its vectors are of toy/colour.*name it yourself"):
        import_embeddings(other, changed(exported, encoder=said), photos=gallery)
    assert other.catalog.encoders() == []


def test_an_invented_identity_is_none_of_the_bundled_encoder(
    other: Library, exported: Path, gallery: Path
) -> None:
    name = load("builtin").name
    said = told(name=name, source=name, languages=["xx", "en"])
    with pytest.raises(UsageError, match=f"with other weights than {name} has"):
        import_embeddings(other, changed(exported, encoder=said), photos=gallery)
    with pytest.raises(NoEncoderError, match="builtin/999999"):
        said = told(name="builtin/999999", source="builtin/999999")
        import_embeddings(other, changed(exported, encoder=said), photos=gallery)
    assert other.catalog.encoders() == []


def test_what_the_bundled_encoder_made_needs_no_name(
    other: Library, gallery: Path, tmp_path: Path
) -> None:
    with open_library(tmp_path / "first") as first:
        list(index(first, [gallery], encoder="builtin"))
        export_embeddings(first, tmp_path / "bundled.npz")
        ours = first.catalog.encoders()
    source = tmp_path / "bundled.npz"
    said = json.loads(str(np.load(source)["encoder"][0])) | {"languages": ["xx"], "name": "evil"}
    imported = import_embeddings(
        other, changed(source, encoder=np.array([json.dumps(said)])), photos=gallery
    )
    assert imported.added == len(COLOURS)
    (row,) = other.catalog.encoders()
    assert (row.name, row.languages, row.source) == (
        ours[0].name,
        ours[0].languages,
        ours[0].source,
    )


def imported_without(library: Library, source: Path, gallery: Path, *gone: int) -> Imported:
    """What comes of an import of photos that the library has, some of them gone by now."""
    list(index(library, [gallery], encoder=ColourEncoder("toy/other")))
    for number in gone:
        (gallery / f"{number:02}.png").unlink()
    return import_embeddings(library, source, encoder=ColourEncoder())


def test_photos_that_do_not_read_are_not_shown(
    other: Library, exported: Path, gallery: Path
) -> None:
    imported = imported_without(other, exported, gallery, *range(11))
    assert imported.added == len(COLOURS)


def test_vectors_are_not_taken_unseen_where_no_photo_reads(
    other: Library, exported: Path, gallery: Path
) -> None:
    with pytest.raises(UsageError, match=r"none of the first 12 photos reads.*00\.png"):
        imported_without(other, exported, gallery, *range(12))
    assert [row.name for row in other.catalog.encoders()] == ["toy/other"]
