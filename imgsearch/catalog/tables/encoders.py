"""Tables of encoders: which answer, how they see photos and texts, what is built of it."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from imgsearch.catalog.tables.base import Base, Key


class EncoderEntry(Base):
    """An encoder a run was told to use. Vectors of two identities never mix."""

    __tablename__ = "encoders"
    __table_args__ = (UniqueConstraint("identity"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    identity: Mapped[str]  # SHA-256 over weights and preprocessing
    name: Mapped[str]
    dim: Mapped[int]
    languages: Mapped[list[str]] = mapped_column(JSON)
    source: Mapped[str | None]  # what loads it again; null for one that was passed in as an object
    added_at: Mapped[datetime]


class ActiveEncoder(Base):
    """Which encoder answers queries of a language."""

    __tablename__ = "active_encoders"

    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    encoder_id: Mapped[int] = mapped_column(ForeignKey("encoders.id"))


class Switch(Base):
    """A change of which encoders answer; the last one can be taken back."""

    __tablename__ = "switches"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    verb: Mapped[str]
    at: Mapped[datetime]


class AnswerBefore(Base):
    """Which encoder answered a language before a switch; null: none did, until that switch."""

    __tablename__ = "answers_before"

    switch_id: Mapped[int] = mapped_column(ForeignKey("switches.id"), primary_key=True)
    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    encoder_id: Mapped[int | None] = mapped_column(ForeignKey("encoders.id"))


class Embedding(Base):
    """One photo seen by one encoder; ids rise in the order of arrival."""

    __tablename__ = "embeddings"
    __table_args__ = (
        UniqueConstraint("encoder_id", "photo_id"),  # in this order: it lists an encoder's photos
        Index("ix_embeddings_encoder_id_id", "encoder_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id"))
    encoder_id: Mapped[int] = mapped_column(ForeignKey("encoders.id"))
    vector: Mapped[bytes]  # (dim,) little-endian float32 or float16, unit length


class Generation(Base):
    """A FAISS folder built from the embeddings up to `last_embedding_id`. Derived."""

    __tablename__ = "generations"
    __table_args__ = (UniqueConstraint("folder"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    encoder_id: Mapped[int] = mapped_column(ForeignKey("encoders.id"))
    folder: Mapped[str]  # "0007", under generations/
    kind: Mapped[str]
    count: Mapped[int]
    last_embedding_id: Mapped[int] = mapped_column(BigInteger)
    built_at: Mapped[datetime]
    is_current: Mapped[bool]


class TextEmbedding(Base):
    """A query's vector after its templates, so that 80 passes are paid once."""

    __tablename__ = "text_embeddings"

    encoder_id: Mapped[int] = mapped_column(ForeignKey("encoders.id"), primary_key=True)
    templates_key: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(primary_key=True)
    vector: Mapped[bytes]
