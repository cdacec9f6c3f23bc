"""Stored embeddings as arrays: of photos, ids beside the vectors of one encoder; of texts.

Photo ids or a place in the order of arrival go in, (n,) ids and (n, d) unit rows come out. The
whole of an encoder is read into arrays made once, because a million rows leave no room for copies.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, and_, func, select
from sqlalchemy.dialects.sqlite import insert

from imgsearch.catalog.connection import ROWS_AT_ONCE, pieces
from imgsearch.catalog.tables import Embedding, EncoderEntry, TextEmbedding
from imgsearch.errors import NoEncoderError
from imgsearch.vectors import Vectors, from_bytes, to_bytes

Ids = npt.NDArray[np.int64]


def of_photos(
    engine: Engine, encoder_id: int, photo_ids: Sequence[int] | Ids, after: int
) -> tuple[Ids, Vectors]:
    """Those of the photos that have one later than the embedding id `after`, in that order."""
    blobs: dict[int, bytes] = {}
    with engine.connect() as connection:
        dim = _dim(connection, encoder_id)  # here, as it was when the vectors were
        for piece in pieces(photo_ids):
            rows = connection.execute(
                select(Embedding.photo_id, Embedding.vector).where(
                    Embedding.encoder_id == encoder_id,
                    Embedding.photo_id.in_(piece),
                    Embedding.id > after,
                )
            )
            blobs.update((photo_id, vector) for photo_id, vector in rows)
    found = [int(i) for i in photo_ids if int(i) in blobs]
    return np.array(found, np.int64), from_bytes([blobs[i] for i in found], dim)


def in_order(engine: Engine, encoder_id: int, after: int) -> tuple[Ids, Vectors, int]:
    """All later than the embedding id `after` as they arrived, and the last one's id."""
    where = and_(Embedding.encoder_id == encoder_id, Embedding.id > after)
    with engine.connect() as connection:
        dim = _dim(connection, encoder_id)
        n = connection.execute(select(func.count()).where(where)).scalar_one()
        ids = np.empty(n, np.int64)
        vectors = np.empty((n, dim), np.float32)
        last, start = after, 0
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
            select(Embedding.id, Embedding.photo_id, Embedding.vector)
            .where(where)
            .order_by(Embedding.id)
        )
        for part in rows.partitions():
            end = start + len(part)
            ids[start:end] = [row.photo_id for row in part]
            vectors[start:end] = from_bytes([row.vector for row in part], dim)
            last, start = part[-1].id, end
    return ids, vectors, last


def of_text(engine: Engine, encoder_id: int, templates_key: str, text: str) -> Vectors | None:
    """The vector (d,) that `keep_text` kept."""
    with engine.connect() as connection:
        vector = connection.execute(
            select(TextEmbedding.vector).where(
                TextEmbedding.encoder_id == encoder_id,
                TextEmbedding.templates_key == templates_key,
                TextEmbedding.text == text,
            )
        ).scalar()
        dim = 0 if vector is None else _dim(connection, encoder_id)
    return None if vector is None else from_bytes([vector], dim)[0]


def keep_text(
    connection: Connection, encoder_id: int, templates_key: str, text: str, vector: Vectors
) -> None:
    """Keep a text's vector (d,), unless one is kept or the encoder was just dropped."""
    is_known = select(EncoderEntry.id).where(EncoderEntry.id == encoder_id)
    if connection.execute(is_known).scalar() is not None:
        values = {"encoder_id": encoder_id, "templates_key": templates_key, "text": text}
        statement = insert(TextEmbedding).on_conflict_do_nothing()
        connection.execute(statement, {**values, "vector": to_bytes(vector)})


def _dim(connection: Connection, encoder_id: int) -> int:
    dim = connection.execute(select(EncoderEntry.dim).where(EncoderEntry.id == encoder_id)).scalar()
    if dim is None:
        raise NoEncoderError("The encoder was just dropped from the library: ask again.")
    return dim
