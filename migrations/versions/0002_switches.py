"""Which encoders answered before each switch, so that it can be taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "switches",
        sa.Column("id", KEY, nullable=False),
        sa.Column("verb", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_switches"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "answers_before",
        sa.Column("switch_id", KEY, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("encoder_id", KEY),
        sa.PrimaryKeyConstraint("switch_id", "language", name="pk_answers_before"),
        sa.ForeignKeyConstraint(
            ["switch_id"], ["switches.id"], name="fk_answers_before_switch_id_switches"
        ),
        sa.ForeignKeyConstraint(
            ["encoder_id"], ["encoders.id"], name="fk_answers_before_encoder_id_encoders"
        ),
    )
