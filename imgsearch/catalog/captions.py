"""Captions of photos: who has which, and how they come and go.

Photo ids and sentences go in, rows come out. A photo has one generated caption a language, which a
later one replaces, and any number from people and their sidecars, which nothing generated touches.
A generated one may be empty: a captioner was tried and found no words. It is a row like any other,
so that nobody tries again, and no caption to whoever asks which photos have one.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, bindparam, delete, literal, select, text
from sqlalchemy.dialects.sqlite import insert

from imgsearch.catalog.connection import ROWS_AT_ONCE, pieces
from imgsearch.catalog.rows import CaptionerRow, CaptionRow, Source
from imgsearch.catalog.tables import CaptionEntry, CaptionerEntry, File
from imgsearch.words import indexed

# Made once: SQLAlchemy takes longer to make a statement than SQLite to run it.
_OF_PHOTOS = (
    select(
        CaptionEntry.id,
        CaptionEntry.photo_id,
        CaptionEntry.text,
        CaptionEntry.language,
        CaptionEntry.source,
        CaptionerEntry.name,
        CaptionEntry.log_probability,
        CaptionEntry.made_at,
    )
    .join(CaptionerEntry, CaptionerEntry.id == CaptionEntry.captioner_id, isouter=True)
    .where(CaptionEntry.photo_id.in_(bindparam("photo_ids", expanding=True)))
    .order_by(CaptionEntry.source.desc(), CaptionEntry.id)  # as the alphabet has it
)


def captions(
    engine: Engine, photo_ids: Sequence[int] | npt.NDArray[np.int64]
) -> dict[int, tuple[CaptionRow, ...]]:
    """Photo id -> its captions: a person's own, then sidecars', then generated ones."""
    found: dict[int, list[CaptionRow]] = {}
    with engine.connect() as connection:
        for piece in pieces(photo_ids):
            for row in connection.execute(_OF_PHOTOS, {"photo_ids": piece}).all():
                found.setdefault(row.photo_id, []).append(CaptionRow(*row))
    return {photo_id: tuple(rows) for photo_id, rows in found.items()}


def captioned_photo_ids(
    engine: Engine, language: str | None, sources: Collection[Source], captioner: str | None
) -> set[int]:
    """The photos with a caption of that language, of one of the sources, by that captioner."""
    statement = select(CaptionEntry.photo_id).where(
        CaptionEntry.source.in_(sources), CaptionEntry.text != ""
    )
    if language is not None:
        statement = statement.where(CaptionEntry.language == language)
    if captioner is not None:
        named = select(CaptionerEntry.id).where(CaptionerEntry.name == captioner)
        statement = statement.where(CaptionEntry.captioner_id.in_(named))
    with engine.connect() as connection:
        return set(connection.execute(statement).scalars())


def captioners(engine: Engine) -> list[CaptionerRow]:
    """All that a run was told to use, oldest first."""
    columns = (CaptionerEntry.id, CaptionerEntry.identity, CaptionerEntry.name)
    with engine.connect() as connection:
        rows = connection.execute(select(*columns).order_by(CaptionerEntry.id))
        return [CaptionerRow(*row) for row in rows]


def generated_by(engine: Engine, language: str) -> dict[int, set[int]]:
    """See `Catalog.generated_by`."""
    found: dict[int, set[int]] = {}
    statement = select(CaptionEntry.captioner_id, CaptionEntry.photo_id).where(
        CaptionEntry.language == language, CaptionEntry.source == "generated"
    )
    with engine.connect() as connection:
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(statement)
        for captioner_id, photo_id in rows:
            found.setdefault(captioner_id or 0, set()).add(photo_id)
    return found


def has_any(engine: Engine, language: str) -> bool:
    """See `Catalog.has_captions`."""
    told = (
        select(CaptionEntry.id)
        .join(File, File.photo_id == CaptionEntry.photo_id)
        .where(CaptionEntry.language == language, CaptionEntry.text != "", File.state == "live")
    )
    with engine.connect() as connection:
        return bool(connection.execute(select(told.exists())).scalar())


def put_generated(
    connection: Connection,
    captioner_id: int,
    language: str,
    rows: Sequence[tuple[int, str, float]],
    now: datetime,
) -> None:
    """See `Writer.put_generated_captions`."""
    statement = insert(CaptionEntry).values(
        language=language, source="generated", captioner_id=captioner_id, made_at=now
    )
    replaced = ("text", "words", "captioner_id", "log_probability", "made_at")
    statement = statement.on_conflict_do_update(
        index_elements=["photo_id", "language"],
        index_where=text("source = 'generated'"),
        set_={name: statement.excluded[name] for name in replaced},
    )
    values = [
        {"photo_id": photo_id, "text": said, "words": indexed(said), "log_probability": score}
        for photo_id, said, score in rows
    ]
    if values:
        connection.execute(statement, values)


def add(
    connection: Connection,
    photo_id: int,
    texts: Sequence[str],
    language: str,
    source: Source,
    now: datetime,
) -> int:
    """See `Writer.add_captions`."""
    statement = insert(CaptionEntry).on_conflict_do_nothing()
    constants = {"photo_id": photo_id, "language": language, "source": source, "made_at": now}
    return sum(
        connection.execute(statement, {**constants, "text": said, "words": indexed(said)}).rowcount
        for said in texts
    )


def inherit(connection: Connection, from_id: int, to_id: int) -> None:
    """Copy a person's own captions from one photo to another."""
    copied = ("text", "language", "source", "made_at", "words")
    theirs = (
        select(literal(to_id), *(getattr(CaptionEntry, name) for name in copied))
        .where(CaptionEntry.photo_id == from_id, CaptionEntry.source == "user")
        .order_by(CaptionEntry.id)
    )
    connection.execute(
        insert(CaptionEntry).from_select(["photo_id", *copied], theirs).on_conflict_do_nothing()
    )


def drop(connection: Connection, caption_ids: Sequence[int]) -> None:
    """See `Writer.drop_captions`."""
    for piece in pieces(caption_ids):
        connection.execute(delete(CaptionEntry).where(CaptionEntry.id.in_(piece)))
