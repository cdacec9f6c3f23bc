"""The encoders of a library, which of them answer, and what was built of their embeddings.

An engine goes in, rows come out, oldest first.
"""

from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, bindparam, select

from imgsearch.catalog.rows import EncoderRow, GenerationRow
from imgsearch.catalog.tables import ActiveEncoder, EncoderEntry, Generation

# Made once: SQLAlchemy takes longer to make a statement than SQLite to run it.
_ANSWERING = (
    select(ActiveEncoder.language, *EncoderEntry.__table__.columns)
    .join(EncoderEntry, EncoderEntry.id == ActiveEncoder.encoder_id)
    .order_by(ActiveEncoder.language)
)
_GENERATIONS = select(
    Generation.id,
    Generation.encoder_id,
    Generation.folder,
    Generation.kind,
    Generation.count,
    Generation.last_embedding_id,
).order_by(Generation.id)
_CURRENT = _GENERATIONS.where(Generation.is_current)
_CURRENT_OF_ONE = _CURRENT.where(Generation.encoder_id == bindparam("encoder_id"))


def rows(engine: Engine, *where: ColumnElement[bool]) -> list[EncoderRow]:
    """All encoders, or those of which something holds."""
    columns = EncoderEntry.__table__.columns
    statement = select(*columns).where(*where).order_by(columns.id)
    with engine.connect() as connection:
        return [_encoder_row(row) for row in connection.execute(statement)]


def answering(engine: Engine) -> dict[str, EncoderRow]:
    """Language -> the encoder that answers it, in the order of the languages' names."""
    with engine.connect() as connection:
        return {row.language: _encoder_row(row) for row in connection.execute(_ANSWERING)}


def generations(engine: Engine, encoder_id: int | None, only_current: bool) -> list[GenerationRow]:
    """Generations of one encoder, or of all."""
    statement = _CURRENT if only_current else _GENERATIONS
    if encoder_id is not None:
        statement = statement.where(Generation.encoder_id == encoder_id)
    with engine.connect() as connection:
        return [GenerationRow(*row) for row in connection.execute(statement)]


def current_generation(engine: Engine, encoder_id: int) -> GenerationRow | None:
    """See `Catalog.current_generation`."""
    with engine.connect() as connection:
        row = connection.execute(_CURRENT_OF_ONE, {"encoder_id": encoder_id}).first()
        return None if row is None else GenerationRow(*row)


def _encoder_row(row: Row[Any]) -> EncoderRow:
    return EncoderRow(row.id, row.identity, row.name, row.dim, tuple(row.languages), row.source)
