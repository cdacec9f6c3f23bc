"""The table of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Integer, Text

from imgsearch.catalog.tables.base import Base, Key, UtcDateTime, optional, required

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Mapped


class Run(Base):
    """One run of `index` or `rebuild`. `finished_at` stays null when it was killed."""

    __tablename__ = "runs"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = required(Key, primary_key=True)
    verb: Mapped[str] = required(Text)
    pid: Mapped[int] = required(Integer)
    started_at: Mapped[datetime] = required(UtcDateTime)
    finished_at: Mapped[datetime | None] = optional(UtcDateTime)
    outcome: Mapped[dict[str, Any] | None] = optional(JSON)
