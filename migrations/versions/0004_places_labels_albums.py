"""More facts of a photo, the place it was taken at, its perceptual hash; labels and albums.

`facts_revision` says by which version of our reading the facts of a photo were read; those of
earlier libraries are 0, and the next `index` reads them anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "places",
        sa.Column("id", KEY, nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("names", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_places"),
    )
    for column in (
        sa.Column("lens", sa.Text),
        sa.Column("iso", sa.Integer),
        sa.Column("f_number", sa.Float),
        sa.Column("focal_length_mm", sa.Float),
        sa.Column("place_id", KEY),
        sa.Column("perceptual_hash", sa.LargeBinary),
        sa.Column("facts_revision", sa.Integer, nullable=False, server_default="0"),
    ):
        op.add_column("photos", column)
    op.create_index("ix_photos_taken_at", "photos", ["taken_at"])
    op.create_index("ix_photos_place_id", "photos", ["place_id"])
    op.create_index("ix_photos_facts_revision", "photos", ["facts_revision"])
    op.drop_index("ix_files_photo_id", "files")
    op.create_index("ix_files_photo_id_state", "files", ["photo_id", "state"])
    op.create_table(
        "containers",
        sa.Column("id", KEY, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("path_bytes", sa.LargeBinary),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("every_seconds", sa.Float),
        sa.PrimaryKeyConstraint("id", name="pk_containers"),
    )
    op.create_index(
        "uq_containers_text",
        "containers",
        ["path"],
        unique=True,
        sqlite_where=sa.text("path_bytes IS NULL"),
    )
    op.create_index("uq_containers_bytes", "containers", ["path_bytes"], unique=True)
    op.create_table(
        "labels",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("recipe", sa.Text),
        sa.Column("last_embedding_id", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
        sa.UniqueConstraint("name", name="uq_labels_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "photo_labels",
        sa.Column("photo_id", KEY, nullable=False),
        sa.Column("label_id", KEY, nullable=False),
        sa.Column("source", sa.String(9), nullable=False),
        sa.Column("encoder", sa.Text),
        sa.Column("confidence", sa.Float),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("photo_id", "label_id", "source", name="pk_photo_labels"),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["photos.id"], name="fk_photo_labels_photo_id_photos"
        ),
        sa.ForeignKeyConstraint(
            ["label_id"], ["labels.id"], name="fk_photo_labels_label_id_labels"
        ),
        sa.CheckConstraint("source IN ('zero-shot', 'user')", name="ck_photo_labels_source"),
    )
    op.create_index("ix_photo_labels_label_id_photo_id", "photo_labels", ["label_id", "photo_id"])
    op.create_table(
        "refused_labels",
        sa.Column("photo_id", KEY, nullable=False),
        sa.Column("label_id", KEY, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("photo_id", "label_id", name="pk_refused_labels"),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["photos.id"], name="fk_refused_labels_photo_id_photos"
        ),
        sa.ForeignKeyConstraint(
            ["label_id"], ["labels.id"], name="fk_refused_labels_label_id_labels"
        ),
    )
    op.create_table(
        "albums",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("query", sa.Text),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_albums"),
        sa.UniqueConstraint("name", name="uq_albums_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "album_photos",
        sa.Column("album_id", KEY, nullable=False),
        sa.Column("photo_id", KEY, nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("album_id", "photo_id", name="pk_album_photos"),
        sa.ForeignKeyConstraint(
            ["album_id"], ["albums.id"], name="fk_album_photos_album_id_albums"
        ),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["photos.id"], name="fk_album_photos_photo_id_photos"
        ),
    )
    op.create_index("ix_album_photos_photo_id", "album_photos", ["photo_id"])
