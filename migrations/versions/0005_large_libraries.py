"""Indexes on what a large library is asked for: paths, cameras, lenses.

Paths had one for those that are text alone, which SQLite does not use for what lies below a folder.
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("ix_files_path", "files", ["path"])
    op.create_index("ix_photos_camera", "photos", ["camera"])
    op.create_index("ix_photos_lens", "photos", ["lens"])
