"""Changing: the open transaction that all changes are made in."""

from datetime import UTC, datetime

from sqlalchemy import Connection, insert

from imgsearch.catalog.tables import Base


class Changing:
    """One open transaction, and its moment."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._now = datetime.now(UTC)

    def _insert(self, table: type[Base], **values: object) -> int:
        # Values beside the statement, not in it: so it is compiled once, and not for every row.
        result = self.connection.execute(insert(table), values)
        key = result.inserted_primary_key
        assert key is not None
        return int(key[0])
