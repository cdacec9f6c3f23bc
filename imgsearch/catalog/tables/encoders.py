"""Tables of encoders: which answer, how they see photos and texts, what is built of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)

from imgsearch.catalog.tables.base import Base, Key, UtcDateTime, optional, required

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Mapped


class EncoderEntry(Base):
    """An encoder a run was told to use. Vectors of two identities never mix."""

    __tablename__ = "encoders"
    __table_args__ = (UniqueConstraint("identity"), {"sqlite_autoincrement": True})

    id: Mapped[int] = required(Key, primary_key=True)
    identity: Mapped[str] = required(Text)  # SHA-256 over weights and preprocessing
    name: Mapped[str] = required(Text)
    dim: Mapped[int] = required(Integer)
    languages: Mapped[list[str]] = required(JSON)
    # what loads it again; null for one that was passed in as an object
    source: Mapped[str | None] = optional(Text)
    added_at: Mapped[datetime] = required(UtcDateTime)


class ActiveEncoder(Base):
    """Which encoder answers queries of a language."""

    __tablename__ = "active_encoders"

    language: Mapped[str] = required(String(8), primary_key=True)
    encoder_id: Mapped[int] = required(ForeignKey("encoders.id"))


class Switch(Base):
    """A change of which encoders answer; the last one can be taken back."""

    __tablename__ = "switches"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = required(Key, primary_key=True)
    verb: Mapped[str] = required(Text)
    at: Mapped[datetime] = required(UtcDateTime)


class AnswerBefore(Base):
    """Which encoder answered a language before a switch; null: none did, until that switch."""

    __tablename__ = "answers_before"

    switch_id: Mapped[int] = required(ForeignKey("switches.id"), primary_key=True)
    language: Mapped[str] = required(String(8), primary_key=True)
    encoder_id: Mapped[int | None] = optional(ForeignKey("encoders.id"))


class Embedding(Base):
    """One photo seen by one encoder; ids rise in the order of arrival."""

    __tablename__ = "embeddings"
    __table_args__ = (
        UniqueConstraint("encoder_id", "photo_id"),  # in this order: it lists an encoder's photos
        Index("ix_embeddings_encoder_id_id", "encoder_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = required(Key, primary_key=True)
    photo_id: Mapped[int] = required(ForeignKey("photos.id"))
    encoder_id: Mapped[int] = required(ForeignKey("encoders.id"))
    # (dim,) little-endian float32 or float16, unit length
    vector: Mapped[bytes] = required(LargeBinary)


class Generation(Base):
    """A FAISS folder built from the embeddings up to `last_embedding_id`. Derived."""

    __tablename__ = "generations"
    __table_args__ = (UniqueConstraint("folder"), {"sqlite_autoincrement": True})

    id: Mapped[int] = required(Key, primary_key=True)
    encoder_id: Mapped[int] = required(ForeignKey("encoders.id"))
    folder: Mapped[str] = required(Text)  # "0007", under generations/
    kind: Mapped[str] = required(Text)
    count: Mapped[int] = required(Integer)
    last_embedding_id: Mapped[int] = required(BigInteger)
    built_at: Mapped[datetime] = required(UtcDateTime)
    is_current: Mapped[bool] = required(Boolean)


class TextEmbedding(Base):
    """A query's vector after its templates, so that 80 passes are paid once."""

    __tablename__ = "text_embeddings"

    encoder_id: Mapped[int] = required(ForeignKey("encoders.id"), primary_key=True)
    templates_key: Mapped[str] = required(Text, primary_key=True)
    text: Mapped[str] = required(Text, primary_key=True)
    vector: Mapped[bytes] = required(LargeBinary)
