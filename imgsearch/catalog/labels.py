"""Labels of photos: who has which, and how they come and go.

Photo ids and names go in, rows come out. A photo has a label once from a person and once from an
encoder; what an encoder gives is replaced by the next run that is about the same label, and touches
nothing that a person said. What a person took from a photo is kept too, as refused. How far a run
has come is kept with its labels, in the transaction of each batch: the id of the last embedding,
since those rise in the order of arrival.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, delete, exists, func, literal, select, update
from sqlalchemy.dialects.sqlite import insert

from imgsearch.catalog.connection import pieces
from imgsearch.catalog.rows import GivenLabel, LabelRow, LabelTally
from imgsearch.catalog.tables import File, Label, PhotoLabel, RefusedLabel

_ROWS = (
    select(
        PhotoLabel.photo_id,
        Label.name,
        PhotoLabel.source,
        PhotoLabel.encoder,
        PhotoLabel.confidence,
        PhotoLabel.made_at,
    )
    .join(Label, Label.id == PhotoLabel.label_id)
    .order_by(PhotoLabel.source, PhotoLabel.confidence.desc(), Label.name)  # `user` comes first
)


def labels(
    engine: Engine, photo_ids: Sequence[int] | npt.NDArray[np.int64]
) -> dict[int, tuple[LabelRow, ...]]:
    """See `Catalog.labels`."""
    found: dict[int, list[LabelRow]] = {}
    with engine.connect() as connection:
        for piece in pieces(photo_ids):
            for row in connection.execute(_ROWS.where(PhotoLabel.photo_id.in_(piece))):
                found.setdefault(row.photo_id, []).append(LabelRow(*row))
    return {photo_id: tuple(rows) for photo_id, rows in found.items()}


def tallies(engine: Engine) -> list[LabelTally]:
    """See `Catalog.label_tallies`."""
    is_live = exists().where(File.photo_id == PhotoLabel.photo_id, File.state == "live")
    photos = func.count(PhotoLabel.photo_id.distinct()).filter(is_live)
    by_people = func.count().filter(PhotoLabel.source == "user", is_live)
    by_encoders = func.count().filter(PhotoLabel.source == "zero-shot", is_live)
    statement = (
        select(Label.name, photos, by_people, by_encoders)
        .join(PhotoLabel, PhotoLabel.label_id == Label.id, isouter=True)
        .group_by(Label.id)
        .order_by(Label.name)
    )
    with engine.connect() as connection:
        return [LabelTally(*row) for row in connection.execute(statement)]


def of_label(engine: Engine, name: str, limit: int | None) -> list[LabelRow]:
    """See `Catalog.photos_labelled`."""
    is_live = exists().where(File.photo_id == PhotoLabel.photo_id, File.state == "live")
    statement = (
        _ROWS.where(Label.name == name, is_live)
        .order_by(None)  # the order of one photo's
        .order_by(PhotoLabel.source, PhotoLabel.confidence.desc(), PhotoLabel.photo_id)
        .limit(limit)
    )
    with engine.connect() as connection:
        return [LabelRow(*row) for row in connection.execute(statement)]


def reached(engine: Engine, names: Sequence[str], recipe: str) -> int:
    """See `Catalog.labels_reached`."""
    statement = select(Label.name, Label.last_embedding_id).where(Label.recipe == recipe)
    with engine.connect() as connection:
        found = {row.name: row.last_embedding_id for row in connection.execute(statement)}
    return min((found.get(name, 0) for name in names), default=0)


def refused(engine: Engine, names: Sequence[str]) -> dict[str, set[int]]:
    """See `Catalog.labels_refused`."""
    found: dict[str, set[int]] = {}
    statement = select(Label.name, RefusedLabel.photo_id).join(
        Label, Label.id == RefusedLabel.label_id
    )
    with engine.connect() as connection:
        for piece in pieces(names):
            for name, photo_id in connection.execute(statement.where(Label.name.in_(piece))):
                found.setdefault(name, set()).add(photo_id)
    return found


def begin(connection: Connection, names: Sequence[str], recipe: str, after: int) -> None:
    """See `Writer.begin_labels`."""
    statement = insert(Label).values(recipe=recipe, last_embedding_id=after)
    statement = statement.on_conflict_do_update(
        index_elements=["name"], set_={"recipe": recipe, "last_embedding_id": after}
    )
    connection.execute(statement, [{"name": name} for name in names])


def put_zero_shot(
    connection: Connection,
    recipe: str,
    photo_ids: Sequence[int] | npt.NDArray[np.int64],
    given: Sequence[GivenLabel],
    encoder: str,
    now: datetime,
) -> None:
    """See `Writer.put_zero_shot_labels`."""
    of_recipe = select(Label.id).where(Label.recipe == recipe)
    for piece in pieces(photo_ids):
        connection.execute(
            delete(PhotoLabel).where(
                PhotoLabel.photo_id.in_(piece),
                PhotoLabel.label_id.in_(of_recipe),
                PhotoLabel.source == "zero-shot",
            )
        )
    named = select(Label.name, Label.id).where(Label.recipe == recipe)
    ids = {row.name: row.id for row in connection.execute(named)}
    values = [
        {"photo_id": each.photo_id, "label_id": ids[each.name], "confidence": each.confidence}
        for each in given
    ]
    if values:
        constants = {"source": "zero-shot", "encoder": encoder, "made_at": now}
        connection.execute(insert(PhotoLabel).values(**constants), values)


def note_reached(connection: Connection, recipe: str, last_embedding_id: int) -> None:
    """See `Writer.note_labels_reached`."""
    connection.execute(
        update(Label).where(Label.recipe == recipe).values(last_embedding_id=last_embedding_id)
    )


def add_own(connection: Connection, name: str, photo_ids: Sequence[int], now: datetime) -> int:
    """See `Writer.add_label`."""
    connection.execute(insert(Label).values(name=name).on_conflict_do_nothing())
    label_id = connection.execute(select(Label.id).where(Label.name == name)).scalar_one()
    for piece in pieces(photo_ids):
        these = (RefusedLabel.label_id == label_id, RefusedLabel.photo_id.in_(piece))
        connection.execute(delete(RefusedLabel).where(*these))
    statement = insert(PhotoLabel).on_conflict_do_nothing()
    constants = {"label_id": label_id, "source": "user", "made_at": now}
    return sum(
        connection.execute(statement, {**constants, "photo_id": photo_id}).rowcount
        for photo_id in photo_ids
    )


def remove(connection: Connection, name: str, photo_ids: Sequence[int], now: datetime) -> int:
    """See `Writer.remove_label`."""
    label_id = connection.execute(select(Label.id).where(Label.name == name)).scalar()
    removed: set[int] = set()
    for piece in pieces(photo_ids):
        these = (PhotoLabel.label_id == label_id, PhotoLabel.photo_id.in_(piece))
        removed |= set(connection.execute(select(PhotoLabel.photo_id).where(*these)).scalars())
        connection.execute(delete(PhotoLabel).where(*these))
    rows = [{"photo_id": i, "label_id": label_id, "made_at": now} for i in sorted(removed)]
    if rows:
        connection.execute(insert(RefusedLabel).on_conflict_do_nothing(), rows)
    return len(removed)


def drop(connection: Connection, name: str) -> bool:
    """See `Writer.drop_label`."""
    label_id = connection.execute(select(Label.id).where(Label.name == name)).scalar()
    if label_id is None:
        return False
    for table in (PhotoLabel, RefusedLabel):
        connection.execute(delete(table).where(table.label_id == label_id))
    connection.execute(delete(Label).where(Label.id == label_id))
    return True


def inherit(connection: Connection, from_id: int, to_id: int) -> None:
    """Copy what a person said from one photo to another: own labels, and those refused."""
    copied = ("label_id", "source", "made_at")
    theirs = select(literal(to_id), *(getattr(PhotoLabel, name) for name in copied)).where(
        PhotoLabel.photo_id == from_id, PhotoLabel.source == "user"
    )
    connection.execute(
        insert(PhotoLabel).from_select(["photo_id", *copied], theirs).on_conflict_do_nothing()
    )
    refusals = select(literal(to_id), RefusedLabel.label_id, RefusedLabel.made_at).where(
        RefusedLabel.photo_id == from_id
    )
    connection.execute(
        insert(RefusedLabel)
        .from_select(["photo_id", "label_id", "made_at"], refusals)
        .on_conflict_do_nothing()
    )
