"""The tables of a library, as SQLAlchemy models: the shape that the newest revision gives a file.

Nothing flows through here; `queries.py` and `writing.py` build statements from these classes. Keys
that leave the catalog (photo ids above all) are AUTOINCREMENT, so an id is never given twice: a
stale generation can name a photo that is gone, never a wrong one.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from imgsearch.catalog.rows import LabelSource, Source

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


class Base(DeclarativeBase):
    """Names every constraint, so that a later revision can alter it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        str: Text,
        bytes: LargeBinary,
    }


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


class CaptionerEntry(Base):
    """A captioner that a run was told to use."""

    __tablename__ = "captioners"
    __table_args__ = (UniqueConstraint("identity"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    identity: Mapped[str]  # SHA-256 over configuration, weights and vocabulary
    name: Mapped[str]
    added_at: Mapped[datetime]


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

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id"))
    text: Mapped[str]  # empty where a captioner had nothing to say
    language: Mapped[str] = mapped_column(String(8))
    source: Mapped[Source] = mapped_column(String(9))
    captioner_id: Mapped[int | None] = mapped_column(ForeignKey("captioners.id"))
    log_probability: Mapped[float | None] = mapped_column(Float)  # mean over the tokens
    made_at: Mapped[datetime]
    words: Mapped[str]


class Label(Base):
    """A word or two that photos are sorted by.

    `recipe` is a hash of all that decides to which photos an encoder gives it; it has been offered
    to those with an embedding up to `last_embedding_id`.
    """

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    recipe: Mapped[str | None]  # null: a person alone gives it
    last_embedding_id: Mapped[int] = mapped_column(BigInteger, server_default="0")


class PhotoLabel(Base):
    """A label of a photo, given by a person or by an encoder."""

    __tablename__ = "photo_labels"
    __table_args__ = (
        CheckConstraint("source IN ('zero-shot', 'user')", name="source"),
        Index("ix_photo_labels_label_id_photo_id", "label_id", "photo_id"),
    )

    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id"), primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("labels.id"), primary_key=True)
    source: Mapped[LabelSource] = mapped_column(String(9), primary_key=True)
    encoder: Mapped[str | None]  # the name of the one that gave it
    confidence: Mapped[float | None] = mapped_column(Float)
    made_at: Mapped[datetime]


class Album(Base):
    """Photos that a person put together, or a search whose hits are the album."""

    __tablename__ = "albums"
    __table_args__ = (UniqueConstraint("name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    query: Mapped[str | None]
    made_at: Mapped[datetime]


class AlbumPhoto(Base):
    """A photo in an album."""

    __tablename__ = "album_photos"
    __table_args__ = (Index("ix_album_photos_photo_id", "photo_id"),)

    album_id: Mapped[int] = mapped_column(ForeignKey("albums.id"), primary_key=True)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id"), primary_key=True)
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


class Run(Base):
    """One run of `index` or `rebuild`. `finished_at` stays null when it was killed."""

    __tablename__ = "runs"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    verb: Mapped[str]
    pid: Mapped[int]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSON)
