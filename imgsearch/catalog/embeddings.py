"""Stored embeddings as arrays: of photos, ids beside the vectors of one encoder; of texts.

Photo ids or a place in the order of arrival go in, (n,) ids and (n, d) unit rows come out. The
whole of an encoder is read into arrays made once, because a million rows leave no room for copies.
"""

from collections.abc import Mapping, Sequence

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


def in_order(
    engine: Engine, encoder_id: int, after: int, limit: int | None = None
) -> tuple[Ids, Vectors, int]:
    """Those later than the embedding id `after` as they arrived, and the last one's id."""
    where = and_(Embedding.encoder_id == encoder_id, Embedding.id > after)
    with engine.connect() as connection:
        dim = _dim(connection, encoder_id)
        there = connection.execute(select(func.count()).where(where)).scalar_one()
        n = there if limit is None else min(there, limit)
        ids = np.empty(n, np.int64)
        vectors = np.empty((n, dim), np.float32)
        last, start = after, 0
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
            select(Embedding.id, Embedding.photo_id, Embedding.vector)
            .where(where)
            .order_by(Embedding.id)
            .limit(n)
        )
        for part in rows.partitions():
            end = start + len(part)
            ids[start:end] = [row.photo_id for row in part]
            vectors[start:end] = from_bytes([row.vector for row in part], dim)
            last, start = part[-1].id, end
    return ids, vectors, last


def sample(engine: Engine, encoder_id: int, most: int) -> tuple[Vectors, int]:
    """About `most` vectors spread evenly over an encoder's, the same at each call; the last's id.

    All of them where there are no more.
    """
    of_it = Embedding.encoder_id == encoder_id
    with engine.connect() as connection:
        dim = _dim(connection, encoder_id)
        count, last = connection.execute(
            select(func.count(), func.max(Embedding.id)).where(of_it)
        ).one()
        scattered = (Embedding.id * 2654435761) % 2**32  # Knuth's hash: ids may have any pattern
        chosen = and_(of_it, scattered * count < most * 2**32) if count > most else of_it
        rows = connection.execute(select(Embedding.vector).where(chosen).order_by(Embedding.id))
        return from_bytes(rows.scalars().all(), dim), last or 0


def of_texts(
    engine: Engine, encoder_id: int, templates_key: str, texts: Sequence[str]
) -> dict[str, Vectors]:
    """The vectors (d,) that `keep_texts` kept, by text; the others are absent."""
    blobs: dict[str, bytes] = {}
    with engine.connect() as connection:
        dim = _dim(connection, encoder_id)
        for piece in pieces(texts):
            rows = connection.execute(
                select(TextEmbedding.text, TextEmbedding.vector).where(
                    TextEmbedding.encoder_id == encoder_id,
                    TextEmbedding.templates_key == templates_key,
                    TextEmbedding.text.in_(piece),
                )
            )
            blobs.update((text, vector) for text, vector in rows)
    return dict(zip(blobs, from_bytes(list(blobs.values()), dim), strict=True))


def keep_texts(
    connection: Connection, encoder_id: int, templates_key: str, vectors: Mapping[str, Vectors]
) -> None:
    """Keep texts' vectors (d,), but those that are kept; none if the encoder was just dropped."""
    is_known = select(EncoderEntry.id).where(EncoderEntry.id == encoder_id)
    if vectors and connection.execute(is_known).scalar() is not None:
        key = {"encoder_id": encoder_id, "templates_key": templates_key}
        rows = [{**key, "text": text, "vector": to_bytes(row)} for text, row in vectors.items()]
        connection.execute(insert(TextEmbedding).on_conflict_do_nothing(), rows)


def _dim(connection: Connection, encoder_id: int) -> int:
    dim = connection.execute(select(EncoderEntry.dim).where(EncoderEntry.id == encoder_id)).scalar()
    if dim is None:
        raise NoEncoderError("The encoder was just dropped from the library: ask again.")
    return dim
