"""Photos, files, encoders, embeddings, generations, cached texts and runs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    places()
    meanings()
    op.create_table(
        "runs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("verb", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("outcome", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sqlite_autoincrement=True,
    )


def places() -> None:
    """What is on disk: roots, photos, files."""
    op.create_table(
        "roots",
        sa.Column("id", KEY, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("path_bytes", sa.LargeBinary),
        sa.PrimaryKeyConstraint("id", name="pk_roots"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "photos",
        sa.Column("id", KEY, nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("taken_at", MOMENT, nullable=False),
        sa.Column("camera", sa.Text),
        sa.Column("latitude", sa.Float),
        sa.Column("longitude", sa.Float),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_photos"),
        sa.UniqueConstraint("content_hash", name="uq_photos_content_hash"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "files",
        sa.Column("id", KEY, nullable=False),
        sa.Column("root_id", KEY, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("path_bytes", sa.LargeBinary),
        sa.Column("photo_id", KEY),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        sa.ForeignKeyConstraint(["root_id"], ["roots.id"], name="fk_files_root_id_roots"),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name="fk_files_photo_id_photos"),
        sa.CheckConstraint("state IN ('live', 'missing', 'skipped')", name="ck_files_state"),
        sqlite_autoincrement=True,
    )
    for table in ("roots", "files"):
        # Two indexes instead of one constraint: only the bytes tell two unprintable paths apart.
        op.create_index(
            f"uq_{table}_text",
            table,
            ["path"],
            unique=True,
            sqlite_where=sa.text("path_bytes IS NULL"),
        )
        op.create_index(f"uq_{table}_bytes", table, ["path_bytes"], unique=True)
    op.create_index("ix_files_photo_id", "files", ["photo_id"])


def meanings() -> None:
    """What encoders made of it: encoders, embeddings, generations, cached texts."""
    op.create_table(
        "encoders",
        sa.Column("id", KEY, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("dim", sa.Integer, nullable=False),
        sa.Column("languages", sa.JSON, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_encoders"),
        sa.UniqueConstraint("identity", name="uq_encoders_identity"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "active_encoders",
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("encoder_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("language", name="pk_active_encoders"),
        _to_encoders("active_encoders"),
    )
    op.create_table(
        "embeddings",
        sa.Column("id", KEY, nullable=False),
        sa.Column("photo_id", KEY, nullable=False),
        sa.Column("encoder_id", KEY, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_embeddings"),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name="fk_embeddings_photo_id_photos"),
        _to_encoders("embeddings"),
        sa.UniqueConstraint("encoder_id", "photo_id", name="uq_embeddings_encoder_id_photo_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_embeddings_encoder_id_id", "embeddings", ["encoder_id", "id"])
    op.create_table(
        "generations",
        sa.Column("id", KEY, nullable=False),
        sa.Column("encoder_id", KEY, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last_embedding_id", sa.BigInteger, nullable=False),
        sa.Column("built_at", MOMENT, nullable=False),
        sa.Column("is_current", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_generations"),
        _to_encoders("generations"),
        sa.UniqueConstraint("folder", name="uq_generations_folder"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "text_embeddings",
        sa.Column("encoder_id", KEY, nullable=False),
        sa.Column("templates_key", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("encoder_id", "templates_key", "text", name="pk_text_embeddings"),
        _to_encoders("text_embeddings"),
    )


def _to_encoders(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["encoder_id"], ["encoders.id"], name=f"fk_{table}_encoder_id_encoders"
    )
