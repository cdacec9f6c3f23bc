"""Tables of photos: what is on the disk and in it."""

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from imgsearch.catalog.tables.base import Base, Key


class Root(Base):
    """A path that was given to `index`: only files under it are compared with it."""

    __tablename__ = "roots"
    __table_args__ = (
        Index("uq_roots_text", "path", unique=True, sqlite_where=text("path_bytes IS NULL")),
        Index("uq_roots_bytes", "path_bytes", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    path: Mapped[str]
    path_bytes: Mapped[
        bytes | None
    ]  # only when the path is no valid text; `path` is for display then


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

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    content_hash: Mapped[str] = mapped_column(String(64))  # SHA-256 over all bytes, hex
    width: Mapped[int]  # pixels, upright
    height: Mapped[int]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[str]
    taken_at: Mapped[datetime]
    camera: Mapped[str | None]
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    added_at: Mapped[datetime]
    lens: Mapped[str | None]
    iso: Mapped[int | None]
    f_number: Mapped[float | None] = mapped_column(Float)
    focal_length_mm: Mapped[float | None] = mapped_column(Float)  # of the lens, as it stands on it
    place_id: Mapped[int | None] = mapped_column(Key)  # the nearest of `places`
    perceptual_hash: Mapped[bytes | None]
    facts_revision: Mapped[int] = mapped_column(server_default="0")  # of what read these facts


class Place(Base):
    """A city near which some photo was taken, or, without a name, a country far from any city.

    The id is the one that GeoNames gives it.
    """

    __tablename__ = "places"

    id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    country: Mapped[str] = mapped_column(String(2))  # ISO 3166
    name: Mapped[str]
    names: Mapped[list[str]] = mapped_column(JSON)  # in other languages and spellings


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

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id"))
    path: Mapped[str]  # absolute
    path_bytes: Mapped[bytes | None]
    photo_id: Mapped[int | None] = mapped_column(ForeignKey("photos.id"))  # null: skipped
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str | None]  # why it was skipped
    seen_at: Mapped[
        datetime
    ]  # when a run last found it new or different; not written when unchanged
    words: Mapped[str] = mapped_column(server_default="")  # of its name and its folder's


class Container(Base):
    """A file that holds photos, all of which were taken in when it had this size and time."""

    __tablename__ = "containers"
    __table_args__ = (
        Index("uq_containers_text", "path", unique=True, sqlite_where=text("path_bytes IS NULL")),
        Index("uq_containers_bytes", "path_bytes", unique=True),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    path: Mapped[str]  # absolute
    path_bytes: Mapped[bytes | None]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    every_seconds: Mapped[float | None] = mapped_column(Float)  # between a film's frames, if told
