"""Stored embeddings as arrays: of photos, ids beside the vectors of one encoder; of texts.

Photo ids or a place in the order of arrival go in, (n,) ids and (n, d) unit rows come out. The
whole of an encoder is read into arrays made once, because a million rows leave no room for copies.
"""

import json
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, Row, and_, bindparam, func, select
from sqlalchemy.dialects.sqlite import insert

from imgsearch.catalog.connection import ROWS_AT_ONCE, pieces
from imgsearch.catalog.tables import Embedding, EncoderEntry, TextEmbedding
from imgsearch.errors import NoEncoderError
from imgsearch.vectors import Vectors, from_bytes, to_bytes

Ids = npt.NDArray[np.int64]
KNUTH = 2654435761  # times 1, 2, 3 ... modulo 2**32, which spreads evenly however many they are
_ANY = 2**63 - 1  # no id of SQLite is later

# Made once: SQLAlchemy takes longer to make a statement than SQLite to run it.
_DIM = select(EncoderEntry.dim).where(EncoderEntry.id == bindparam("encoder_id"))
_DIM_BESIDE = _DIM.scalar_subquery().label("dim")  # in the statement that reads rows: one less
_LATER = and_(Embedding.encoder_id == bindparam("encoder_id"), Embedding.id > bindparam("after"))
_OF_PHOTOS = select(Embedding.photo_id, Embedding.vector, _DIM_BESIDE).where(
    _LATER, Embedding.photo_id.in_(bindparam("photo_ids", expanding=True))
)
_COUNT = select(func.count()).select_from(Embedding).where(_LATER)
# Alone, it is a look into the index; beside a count, SQLite goes through all of it twice.
_LAST = select(func.max(Embedding.id)).where(_LATER)
_ASKED_TEXTS = func.json_each(bindparam("texts")).table_valued("value")  # 280 cost half as much
_OF_TEXTS = select(TextEmbedding.text, TextEmbedding.vector, _DIM_BESIDE).where(
    TextEmbedding.encoder_id == bindparam("encoder_id"),
    TextEmbedding.templates_key == bindparam("templates_key"),
    TextEmbedding.text.in_(select(_ASKED_TEXTS.c.value)),
)


def of_photos(
    engine: Engine, encoder_id: int, photo_ids: Sequence[int] | Ids, after: int
) -> tuple[Ids, Vectors]:
    """Those of the photos that have one later than the embedding id `after`, in that order."""
    asked = {"encoder_id": encoder_id, "after": after}
    rows: list[Row[int, bytes, int]] = []
    with engine.connect() as connection:
        for piece in pieces(photo_ids):
            rows += connection.execute(_OF_PHOTOS, {**asked, "photo_ids": piece}).all()
        dim = rows[0][2] if rows else _dim(connection, encoder_id)
    blobs = {photo_id: vector for photo_id, vector, _ in rows}
    found = [i for i in np.asarray(photo_ids, np.int64).tolist() if i in blobs]
    return np.array(found, np.int64), from_bytes([blobs[i] for i in found], dim)


def in_order(
    engine: Engine, encoder_id: int, after: int, limit: int | None = None
) -> tuple[Ids, Vectors, int]:
    """Those later than the embedding id `after` as they arrived, and the last one's id."""
    asked = {"encoder_id": encoder_id, "after": after}
    newer = select(Embedding.id).where(_LATER).limit(limit).subquery()
    with engine.connect() as connection:
        dim = _dim(connection, encoder_id)
        n = connection.execute(select(func.count()).select_from(newer), asked).scalar_one()
        ids = np.empty(n, np.int64)
        vectors = np.empty((n, dim), np.float32)
        newest, start = after, 0
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
            select(Embedding.id, Embedding.photo_id, Embedding.vector)
            .where(_LATER)
            .order_by(Embedding.id)
            .limit(n),
            asked,
        )
        for part in rows.partitions():
            end = start + len(part)
            ids[start:end] = [row.photo_id for row in part]
            vectors[start:end] = from_bytes([row.vector for row in part], dim)
            newest, start = part[-1].id, end
    return ids, vectors, newest


def count(engine: Engine, encoder_id: int, after: int) -> int:
    """How many are later than the embedding id `after`."""
    with engine.connect() as connection:
        return connection.execute(_COUNT, {"encoder_id": encoder_id, "after": after}).scalar_one()


def last(engine: Engine, encoder_id: int) -> int:
    """The id of an encoder's last one, 0 without any."""
    with engine.connect() as connection:
        return connection.execute(_LAST, {"encoder_id": encoder_id, "after": 0}).scalar() or 0


def among(engine: Engine, encoder_id: int, photo_ids: Collection[int]) -> set[int]:
    """Those of the photos that have one. Few are looked up, many are read in one go."""
    statement = select(Embedding.photo_id).where(Embedding.encoder_id == encoder_id)
    found: set[int] = set()
    with engine.connect() as connection:
        if len(photo_ids) > ROWS_AT_ONCE:
            return found.union(connection.execute(statement).scalars()).intersection(photo_ids)
        for piece in pieces(list(photo_ids)):
            found.update(
                connection.execute(statement.where(Embedding.photo_id.in_(piece))).scalars()
            )
    return found


def sample(
    engine: Engine, encoder_id: int, most: int, after: int, until: int | None
) -> tuple[Ids, Vectors, int]:
    """About `most` of those later than the embedding id `after` up to `until`, spread evenly, the
    same at each call; the last one's id. All of them where there are no more.
    """
    asked = {"encoder_id": encoder_id, "after": after, "until": _ANY if until is None else until}
    columns = select(Embedding.photo_id, Embedding.vector).order_by(Embedding.id)
    with engine.connect() as connection:
        dim = _dim(connection, encoder_id)
        is_within = and_(_LATER, Embedding.id <= bindparam("until"))
        one_more = select(Embedding.id).where(is_within).order_by(Embedding.id).limit(most + 1)
        chosen = connection.execute(one_more, asked).scalars().all()
        newest = connection.execute(select(func.max(Embedding.id)).where(is_within), asked).scalar()
        if len(chosen) > most:
            chosen = _scattered(connection, encoder_id, chosen[0], newest or 0, most)
        statements = (columns.where(Embedding.id.in_(piece)) for piece in pieces(chosen))
        some = [row for each in statements for row in connection.execute(each)]
    ids = np.array([row.photo_id for row in some], np.int64)
    return ids, from_bytes([row.vector for row in some], dim), newest or after


def _scattered(
    connection: Connection, encoder_id: int, first: int, last: int, most: int
) -> Sequence[int]:
    """Ids of embeddings behind so many places from the first to the last, ascending.

    Each is looked for in the index: to count a million rows and hash them took 0.15 s more.
    """
    turns = np.arange(most, dtype=np.int64) * KNUTH % 2**32  # evenly, whatever pattern ids have
    places = np.unique(first + (turns * (last - first + 1) >> 32))
    each = func.json_each(json.dumps(places.tolist())).table_valued("value")
    behind = select(func.min(Embedding.id)).where(
        Embedding.encoder_id == encoder_id, Embedding.id >= each.c.value
    )
    statement = select(behind.correlate(each).scalar_subquery()).select_from(each).distinct()
    return sorted(connection.execute(statement).scalars())


def of_texts(
    engine: Engine, encoder_id: int, templates_key: str, texts: Sequence[str]
) -> dict[str, Vectors]:
    """The vectors (d,) that `keep_texts` kept, by text; the others are absent."""
    asked = {"encoder_id": encoder_id, "templates_key": templates_key}
    with engine.connect() as connection:
        rows = connection.execute(_OF_TEXTS, {**asked, "texts": json.dumps(list(texts))}).all()
        dim = rows[0][2] if rows else _dim(connection, encoder_id)
    vectors = from_bytes([vector for _, vector, _ in rows], dim)
    return {text: vector for (text, _, _), vector in zip(rows, vectors, strict=True)}


def known_texts(engine: Engine, encoder_id: int, most: int) -> Vectors:
    """The vectors (n, d) of up to so many texts that `keep_texts` kept."""
    kept = select(TextEmbedding.vector).where(TextEmbedding.encoder_id == encoder_id).limit(most)
    with engine.connect() as connection:
        dim = _dim(connection, encoder_id)
        return from_bytes(connection.execute(kept).scalars().all(), dim)


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
    dim = connection.execute(_DIM, {"encoder_id": encoder_id}).scalar()
    if dim is None:
        raise NoEncoderError("The encoder was just dropped from the library: ask again.")
    return dim
