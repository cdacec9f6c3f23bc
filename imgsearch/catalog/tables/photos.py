"""Tables of photos: what is on the disk and in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)

from imgsearch.catalog.tables.base import Base, Key, UtcDateTime, optional, required

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Mapped


class Root(Base):
    """A path that was given to `index`: only files under it are compared with it."""

    __tablename__ = "roots"
    __table_args__ = (
        Index("uq_roots_text", "path", unique=True, sqlite_where=text("path_bytes IS NULL")),
        Index("uq_roots_bytes", "path_bytes", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = required(Key, primary_key=True)
    path: Mapped[str] = required(Text)
    # only when the path is no valid text; `path` is for display then
    path_bytes: Mapped[bytes | None] = optional(LargeBinary)


class Photo(Base):
    """One content: two equal files are one photo."""

    __tablename__ = "photos"
    __table_args__ = (
        UniqueConstraint("content_hash"),
        Index("ix_photos_taken_at", "taken_at"),
        Index("ix_photos_place_id", "place_id"),
        Index("ix_photos_facts_revision", "facts_revision"),
        Index("ix_photos_camera", "camera"),
        Index("ix_photos_lens", "lens"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = required(Key, primary_key=True)
    content_hash: Mapped[str] = required(String(64))  # SHA-256 over all bytes, hex
    width: Mapped[int] = required(Integer)  # pixels, upright
    height: Mapped[int] = required(Integer)
    size_bytes: Mapped[int] = required(BigInteger)
    format: Mapped[str] = required(Text)
    taken_at: Mapped[datetime] = required(UtcDateTime)
    camera: Mapped[str | None] = optional(Text)
    latitude: Mapped[float | None] = optional(Float)
    longitude: Mapped[float | None] = optional(Float)
    added_at: Mapped[datetime] = required(UtcDateTime)
    lens: Mapped[str | None] = optional(Text)
    iso: Mapped[int | None] = optional(Integer)
    f_number: Mapped[float | None] = optional(Float)
    focal_length_mm: Mapped[float | None] = optional(Float)  # of the lens, as it stands on it
    place_id: Mapped[int | None] = optional(Key)  # the nearest of `places`
    perceptual_hash: Mapped[bytes | None] = optional(LargeBinary)
    facts_revision: Mapped[int] = required(Integer, server_default="0")  # of what read these facts


class Place(Base):
    """A city near which some photo was taken, or, without a name, a country far from any city.

    The id is the one that GeoNames gives it.
    """

    __tablename__ = "places"

    id: Mapped[int] = required(Key, primary_key=True, autoincrement=False)
    country: Mapped[str] = required(String(2))  # ISO 3166
    name: Mapped[str] = required(Text)
    names: Mapped[list[str]] = required(JSON)  # in other languages and spellings


class File(Base):
    """One path. Its photo may move to another path; the path may come to hold another photo."""

    __tablename__ = "files"
    __table_args__ = (
        CheckConstraint("state IN ('live', 'missing', 'skipped')", name="state"),
        Index("uq_files_text", "path", unique=True, sqlite_where=text("path_bytes IS NULL")),
        Index("uq_files_bytes", "path_bytes", unique=True),
        Index("ix_files_path", "path"),  # what lies below a folder, text or not
        Index("ix_files_photo_id_state", "photo_id", "state"),  # who has a live file, at once
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = required(Key, primary_key=True)
    root_id: Mapped[int] = required(ForeignKey("roots.id"))
    path: Mapped[str] = required(Text)  # absolute
    path_bytes: Mapped[bytes | None] = optional(LargeBinary)
    photo_id: Mapped[int | None] = optional(ForeignKey("photos.id"))  # null: skipped
    size_bytes: Mapped[int] = required(BigInteger)
    mtime_ns: Mapped[int] = required(BigInteger)
    state: Mapped[str] = required(String(8))
    reason: Mapped[str | None] = optional(Text)  # why it was skipped
    # when a run last found it new or different; not written when unchanged
    seen_at: Mapped[datetime] = required(UtcDateTime)
    words: Mapped[str] = required(Text, server_default="")  # of its name and its folder's


class Container(Base):
    """A file that holds photos, all of which were taken in when it had this size and time."""

    __tablename__ = "containers"
    __table_args__ = (
        Index("uq_containers_text", "path", unique=True, sqlite_where=text("path_bytes IS NULL")),
        Index("uq_containers_bytes", "path_bytes", unique=True),
    )

    id: Mapped[int] = required(Key, primary_key=True)
    path: Mapped[str] = required(Text)  # absolute
    path_bytes: Mapped[bytes | None] = optional(LargeBinary)
    size_bytes: Mapped[int] = required(BigInteger)
    mtime_ns: Mapped[int] = required(BigInteger)
    every_seconds: Mapped[float | None] = optional(Float)  # between a film's frames, if told
