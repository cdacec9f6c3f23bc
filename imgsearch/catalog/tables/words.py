"""Tables of what is said of photos, and where people put them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)

from imgsearch.catalog.rows import LabelSource, Source
from imgsearch.catalog.tables.base import Base, Key, UtcDateTime, optional, required

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Mapped


class CaptionerEntry(Base):
    """A captioner that a run was told to use."""

    __tablename__ = "captioners"
    __table_args__ = (UniqueConstraint("identity"), {"sqlite_autoincrement": True})

    id: Mapped[int] = required(Key, primary_key=True)
    identity: Mapped[str] = required(Text)  # SHA-256 over configuration, weights and vocabulary
    name: Mapped[str] = required(Text)
    added_at: Mapped[datetime] = required(UtcDateTime)


class CaptionEntry(Base):
    """A sentence about a photo, and where it comes from; a captioner gives one a language."""

    __tablename__ = "captions"
    __table_args__ = (
        CheckConstraint("source IN ('generated', 'sidecar', 'user')", name="source"),
        CheckConstraint("(source = 'generated') = (captioner_id IS NOT NULL)", name="captioner"),
        UniqueConstraint("photo_id", "source", "language", "text"),  # it lists a photo's, too
        Index(
            "uq_captions_generated",
            "photo_id",
            "language",
            unique=True,
            sqlite_where=text("source = 'generated'"),
        ),
        # covers who has captions, which is asked of all photos at once
        Index("ix_captions_makers", "language", "source", "captioner_id", "photo_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = required(Key, primary_key=True)
    photo_id: Mapped[int] = required(ForeignKey("photos.id"))
    text: Mapped[str] = required(Text)  # empty where a captioner had nothing to say
    language: Mapped[str] = required(String(8))
    source: Mapped[Source] = required(String(9))
    captioner_id: Mapped[int | None] = optional(ForeignKey("captioners.id"))
    log_probability: Mapped[float | None] = optional(Float)  # mean over the tokens
    made_at: Mapped[datetime] = required(UtcDateTime)
    words: Mapped[str] = required(Text)


class Label(Base):
    """A word or two that photos are sorted by.

    `recipe` is a hash of all that decides to which photos an encoder gives it; it has been offered
    to those with an embedding up to `last_embedding_id`.
    """

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = required(Key, primary_key=True)
    name: Mapped[str] = required(Text)
    recipe: Mapped[str | None] = optional(Text)  # null: a person alone gives it
    last_embedding_id: Mapped[int] = required(BigInteger, server_default="0")


class PhotoLabel(Base):
    """A label of a photo, given by a person or by an encoder."""

    __tablename__ = "photo_labels"
    __table_args__ = (
        CheckConstraint("source IN ('zero-shot', 'user')", name="source"),
        Index("ix_photo_labels_label_id_photo_id", "label_id", "photo_id"),
    )

    photo_id: Mapped[int] = required(ForeignKey("photos.id"), primary_key=True)
    label_id: Mapped[int] = required(ForeignKey("labels.id"), primary_key=True)
    source: Mapped[LabelSource] = required(String(9), primary_key=True)
    encoder: Mapped[str | None] = optional(Text)  # the name of the one that gave it
    confidence: Mapped[float | None] = optional(Float)
    made_at: Mapped[datetime] = required(UtcDateTime)


class RefusedLabel(Base):
    """A label that a person took from a photo: no encoder gives it again."""

    __tablename__ = "refused_labels"

    photo_id: Mapped[int] = required(ForeignKey("photos.id"), primary_key=True)
    label_id: Mapped[int] = required(ForeignKey("labels.id"), primary_key=True)
    made_at: Mapped[datetime] = required(UtcDateTime)


class Album(Base):
    """Photos that a person put together, or a search whose hits are the album."""

    __tablename__ = "albums"
    __table_args__ = (UniqueConstraint("name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = required(Key, primary_key=True)
    name: Mapped[str] = required(Text)
    query: Mapped[str | None] = optional(Text)
    made_at: Mapped[datetime] = required(UtcDateTime)


class AlbumPhoto(Base):
    """A photo in an album."""

    __tablename__ = "album_photos"
    __table_args__ = (Index("ix_album_photos_photo_id", "photo_id"),)

    album_id: Mapped[int] = required(ForeignKey("albums.id"), primary_key=True)
    photo_id: Mapped[int] = required(ForeignKey("photos.id"), primary_key=True)
    added_at: Mapped[datetime] = required(UtcDateTime)
