"""Captions of photos, who made them, and the words that full-text search keeps of a text.

The words themselves, and what is searched for them, are derived: every upgrade makes them anew once
the tables stand, so that a revision need not know how a text is cut into words.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)
IS_GENERATED = "source = 'generated'"


def upgrade() -> None:
    op.create_table(
        "captioners",
        sa.Column("id", KEY, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_captioners"),
        sa.UniqueConstraint("identity", name="uq_captioners_identity"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "captions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("photo_id", KEY, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("source", sa.String(9), nullable=False),
        sa.Column("captioner_id", KEY),
        sa.Column("log_probability", sa.Float),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_captions"),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name="fk_captions_photo_id_photos"),
        sa.ForeignKeyConstraint(
            ["captioner_id"], ["captioners.id"], name="fk_captions_captioner_id_captioners"
        ),
        sa.CheckConstraint("source IN ('generated', 'sidecar', 'user')", name="ck_captions_source"),
        sa.CheckConstraint(
            f"({IS_GENERATED}) = (captioner_id IS NOT NULL)", name="ck_captions_captioner"
        ),
        sa.UniqueConstraint(
            "photo_id",
            "source",
            "language",
            "text",
            name="uq_captions_photo_id_source_language_text",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_captions_generated",
        "captions",
        ["photo_id", "language"],
        unique=True,
        sqlite_where=sa.text(IS_GENERATED),
    )
    op.create_index(
        "ix_captions_makers",
        "captions",
        ["language", "source", "captioner_id", "photo_id"],
    )
    op.add_column("files", sa.Column("words", sa.Text, nullable=False, server_default=""))
