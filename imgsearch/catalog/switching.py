"""Which encoders answer, and the history of switches that `rollback` takes back.

An open transaction and the changes go in. A switch keeps who answered each language before it, so
that taking it back needs no more than that row.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as insert_or

from imgsearch.catalog.connection import pieces
from imgsearch.catalog.tables import ActiveEncoder, AnswerBefore, Switch


def switch(connection: Connection, verb: str, answers: Mapping[str, int], now: datetime) -> None:
    """See `Writer.switch_answers`."""
    before = _answers(connection)
    changed = {name: each for name, each in answers.items() if before.get(name) != each}
    if before and changed:
        noted = insert(Switch).values(verb=verb, at=now).returning(Switch.id)
        switch_id = connection.execute(noted).scalar_one()
        rows = [
            {"switch_id": switch_id, "language": name, "encoder_id": before.get(name)}
            for name in sorted(before | changed)
        ]
        connection.execute(insert(AnswerBefore), rows)
    for language, encoder_id in changed.items():
        activate(connection, language, encoder_id)


def undo(connection: Connection) -> bool:
    """See `Writer.undo_switch`."""
    newest = select(Switch.id).order_by(Switch.id.desc()).limit(1)
    while (switch_id := connection.execute(newest).scalar()) is not None:
        of_switch = AnswerBefore.switch_id == switch_id
        rows = connection.execute(
            select(AnswerBefore.language, AnswerBefore.encoder_id).where(of_switch)
        ).all()
        forget(connection, [switch_id])
        now = _answers(connection)
        changed = [row for row in rows if now.get(row.language) != row.encoder_id]
        for language, encoder_id in changed:
            if encoder_id is None:
                of_language = ActiveEncoder.language == language
                connection.execute(delete(ActiveEncoder).where(of_language))
            else:
                activate(connection, language, encoder_id)
        if changed:
            return True
    return False


def activate(connection: Connection, language: str, encoder_id: int) -> None:
    """See `Writer.activate`."""
    statement = insert_or(ActiveEncoder).values(language=language, encoder_id=encoder_id)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["language"], set_={"encoder_id": encoder_id}
        )
    )


def forget(connection: Connection, switch_ids: Sequence[int]) -> None:
    """Drop switches from the history, whoever answers now."""
    for piece in pieces(switch_ids):
        connection.execute(delete(AnswerBefore).where(AnswerBefore.switch_id.in_(piece)))
        connection.execute(delete(Switch).where(Switch.id.in_(piece)))


def _answers(connection: Connection) -> dict[str, int]:
    columns = select(ActiveEncoder.language, ActiveEncoder.encoder_id)
    return {row.language: row.encoder_id for row in connection.execute(columns)}
