"""What taking back the switches would do, one after the other.

A connection goes in, the ids of switches come out. A switch holds who answered before it, so it
does something only where that is not who answers by then: once encoders are forgotten, with every
switch that leads to one, what is left may lead from a place to the same place.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from imgsearch.catalog.tables import ActiveEncoder, AnswerBefore, Switch


@dataclass(frozen=True)
class Steps:
    """Switches, newest first: those that change who answers when taken back, in turn; the others
    that lead to no forgotten encoder.
    """

    useful: list[int]
    idle: list[int]


def steps_back(connection: Connection, without: Collection[int] = ()) -> Steps:
    """The switches as they would be if the encoders of those ids were forgotten."""
    active = connection.execute(select(ActiveEncoder.language, ActiveEncoder.encoder_id))
    now: dict[str, int | None] = {row.language: row.encoder_id for row in active}
    befores: dict[int, dict[str, int | None]] = {
        switch_id: {}
        for switch_id in connection.execute(select(Switch.id).order_by(Switch.id.desc())).scalars()
    }
    columns = select(AnswerBefore.switch_id, AnswerBefore.language, AnswerBefore.encoder_id)
    for switch_id, language, encoder_id in connection.execute(columns):
        befores[switch_id][language] = encoder_id
    useful: list[int] = []
    idle: list[int] = []
    for switch_id, before in befores.items():
        if set(before.values()) & set(without):
            continue
        is_useful = any(now.get(language) != each for language, each in before.items())
        (useful if is_useful else idle).append(switch_id)
        now |= before
    return Steps(useful, idle)


def answered_before(connection: Connection) -> set[int]:
    """The encoders that a switch leads back to."""
    found = connection.execute(select(AnswerBefore.encoder_id).distinct()).scalars()
    return {encoder_id for encoder_id in found if encoder_id is not None}
