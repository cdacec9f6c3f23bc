"""The encoders of a library, which of them answer, and what was built of their embeddings.

An engine goes in, rows come out, oldest first.
"""

from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, select

from imgsearch.catalog.rows import EncoderRow, GenerationRow
from imgsearch.catalog.tables import ActiveEncoder, EncoderEntry, Generation


def rows(engine: Engine, *where: ColumnElement[bool]) -> list[EncoderRow]:
    """All encoders, or those of which something holds."""
    columns = EncoderEntry.__table__.columns
    statement = select(*columns).where(*where).order_by(columns.id)
    with engine.connect() as connection:
        return [_encoder_row(row) for row in connection.execute(statement)]


def answering(engine: Engine) -> dict[str, EncoderRow]:
    """Language -> the encoder that answers it, in the order of the languages' names."""
    statement = (
        select(ActiveEncoder.language, *EncoderEntry.__table__.columns)
        .join(EncoderEntry, EncoderEntry.id == ActiveEncoder.encoder_id)
        .order_by(ActiveEncoder.language)
    )
    with engine.connect() as connection:
        return {row.language: _encoder_row(row) for row in connection.execute(statement)}


def generations(engine: Engine, encoder_id: int | None, only_current: bool) -> list[GenerationRow]:
    """Generations of one encoder, or of all."""
    statement = select(
        Generation.id,
        Generation.encoder_id,
        Generation.folder,
        Generation.kind,
        Generation.count,
        Generation.last_embedding_id,
    ).order_by(Generation.id)
    if encoder_id is not None:
        statement = statement.where(Generation.encoder_id == encoder_id)
    if only_current:
        statement = statement.where(Generation.is_current)
    with engine.connect() as connection:
        return [GenerationRow(*row) for row in connection.execute(statement)]


def _encoder_row(row: Row[Any]) -> EncoderRow:
    return EncoderRow(row.id, row.identity, row.name, row.dim, tuple(row.languages), row.source)
