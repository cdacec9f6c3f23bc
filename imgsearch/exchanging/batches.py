"""Commit a batch of rows: photos, files, embeddings and sentences land together or not at all.

Rows that were matched go in, counts of what was new come out. Vectors are kept as they came, in
float16 as well, so that they are the same on their way out again; those that are not of length 1
are made so.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np

from imgsearch.catalog import EncoderRow, FilePlace, Writer, hashes
from imgsearch.exchanging.matching import Row
from imgsearch.library import Library
from imgsearch.library.facts import photo_facts, taken_near
from imgsearch.library.models import keep_bundled
from imgsearch.library.sentences import by_language, sentences_of
from imgsearch.places import Place
from imgsearch.vectors import normalise

UNIT_TOLERANCE = 2e-3  # a unit row of 1,024 values in float16 is this near to length 1


def commit(
    library: Library, encoder: EncoderRow, rows: Sequence[Row], embedded: set[int]
) -> Counter[str]:
    """Commit rows that have a photo; `embedded` are the photos that the encoder has embedded, and
    grows.
    """
    near = {row: taken_near(row.facts) for row in rows if row.facts is not None}
    said = _said(library, rows)
    counts: Counter[str] = Counter()
    keep_bundled(library.models_folder, encoder.name)
    with library.catalog.write() as writer:
        encoder_id = writer.add_encoder(encoder)
        _put_photos(writer, rows, near, counts)
        for row in rows:
            assert row.photo_id is not None  # put above
            counts["unread"] += row.is_unread
            for language, texts in by_language(row.beside).items():
                counts["captions"] += writer.add_captions(row.photo_id, texts, language, "sidecar")
            told = {*said.get(row.photo_id, ()), *row.beside}
            new = [each for each in _sentences(row) if each not in told]
            for language, texts in by_language(new).items():
                counts["captions"] += writer.add_captions(row.photo_id, texts, language, "user")
        _put_vectors(writer, encoder_id, rows, embedded, counts)
    embedded.update(row.photo_id for row in rows if row.photo_id is not None)
    return counts


def _said(library: Library, rows: Sequence[Row]) -> dict[int, set[tuple[str, str]]]:
    """What people say of these photos already, in language and text."""
    photo_ids = [row.photo_id for row in rows if row.caption and row.photo_id is not None]
    return {
        photo_id: {(each.language, each.text) for each in captions if each.source != "generated"}
        for photo_id, captions in library.catalog.captions(photo_ids).items()
    }


def _sentences(row: Row) -> list[tuple[str, str]]:
    """A person's own sentence, with its language.

    Of an export of ours, a sidecar's is still beside the photo, and a captioner's is no person's.
    """
    if row.caption is None or row.caption.source not in (None, "user"):
        return []
    return sentences_of({"": [row.caption.text]})


def _put_photos(
    writer: Writer, rows: Sequence[Row], near: dict[Row, Place | None], counts: Counter[str]
) -> None:
    added: dict[str, int] = {}
    perceptual: dict[int, bytes] = {}
    for row in rows:
        if row.photo_id is None:
            assert row.content_hash is not None and row.facts is not None  # it was read
            if row.content_hash not in added:
                facts = photo_facts(row.content_hash, row.facts)
                added[row.content_hash] = writer.add_photo(facts, near[row])
            row.photo_id = added[row.content_hash]
            perceptual[row.photo_id] = row.perceptual_hash or b""
        if (file := row.file) is not None:
            root_id = writer.add_root(file.root)
            place = FilePlace(file.path, root_id, file.size_bytes, file.mtime_ns)
            writer.put_file(place, row.photo_id)
    hashes.put(writer, perceptual)
    counts["photos"] += len(added)


def _put_vectors(
    writer: Writer, encoder_id: int, rows: Sequence[Row], embedded: set[int], counts: Counter[str]
) -> None:
    lacking: dict[int | None, Row] = {}
    for row in rows:
        if row.photo_id not in embedded:
            lacking.setdefault(row.photo_id, row)
    counts["known"] += len(rows) - len(lacking)
    counts["added"] += len(lacking)
    kept: dict[Literal["float32", "float16"], list[tuple[int, np.ndarray]]] = {}
    for photo_id, row in lacking.items():
        assert photo_id is not None
        length = np.linalg.norm(row.vector.astype(np.float64))
        if abs(length - 1) > UNIT_TOLERANCE:
            counts["normalised"] += 1
            kept.setdefault("float32", []).append((photo_id, normalise(row.vector)))
        else:
            kind: Literal["float32", "float16"] = (
                "float16" if row.vector.dtype.itemsize == 2 else "float32"
            )
            kept.setdefault(kind, []).append((photo_id, row.vector.astype(np.float32)))
    for dtype, some in kept.items():
        photo_ids = [photo_id for photo_id, _ in some]
        writer.add_embeddings(encoder_id, photo_ids, np.stack([row for _, row in some]), dtype)
