"""Base: what all tables share: the names of constraints, keys, moments in UTC."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    Table,
    TypeDecorator,
)

Key = BigInteger().with_variant(Integer, "sqlite")  # SQLite autoincrements only INTEGER


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite hands `DateTime(timezone=True)` back naive; this adds the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Base:
    """A table as a class: its columns are attributes, and wherever SQLAlchemy takes a table, it
    takes the class. No object is ever mapped to a row, so that the ORM, which took a sixth of a
    search to load, lends no more than the types of columns.
    """

    # Names every constraint, so that a later revision can alter it.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    __tablename__: ClassVar[str]
    __table_args__: ClassVar[tuple[Any, ...]] = ()
    __table__: ClassVar[Table]

    def __init_subclass__(cls) -> None:
        columns = {name: each for name, each in vars(cls).items() if isinstance(each, Column)}
        for name, column in columns.items():
            column.key = column.name = name
        others = cls.__table_args__
        options = others[-1] if others and isinstance(others[-1], dict) else {}
        constraints = [each for each in others if each is not options]
        named = (*columns.values(), *constraints)
        cls.__table__ = Table(cls.__tablename__, Base.metadata, *named, **options)

    @classmethod
    def __clause_element__(cls) -> Table:
        """What SQLAlchemy asks of a class that stands for a table."""
        return cls.__table__


def required(kind: Any, *constraints: Any, **settings: Any) -> Any:
    """A column of that type, or of the one that a foreign key leads to, which is never null."""
    return Column(kind, *constraints, nullable=False, **settings)


def optional(kind: Any, *constraints: Any, **settings: Any) -> Any:
    """The same, and it may be null."""
    return Column(kind, *constraints, nullable=True, **settings)
