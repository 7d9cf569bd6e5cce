"""Trust, readings and re-issues of what comes in."""

import sqlalchemy as sa
from alembic import op

revision = "gates_trust"
down_revision = "scale_shared"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "trust",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("signed", sa.Boolean(), nullable=False),
        sa.Column("datum", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["agency_id"], ["agency.id"], name=op.f("fk_trust_agency_id")),
        sa.PrimaryKeyConstraint("agency_id", name=op.f("pk_trust")),
    )
    op.create_table(
        "certificate",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agency_id"], ["agency.id"], name=op.f("fk_certificate_agency_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate")),
        sa.UniqueConstraint("agency_id", "fingerprint", name=op.f("uq_certificate_agency_id_fingerprint")),
    )
    op.create_table(
        "nonce",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "value", name=op.f("pk_nonce")),
    )
    op.create_index(op.f("ix_nonce_at"), "nonce", ["at"], unique=False)
    op.create_table(
        "reading",
        sa.Column("alert_id", NUMBER, nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_reading_alert_id")),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_reading")),
    )
    op.create_table(
        "reissue",
        sa.Column("alert_id", NUMBER, nullable=False),
        sa.Column("first_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_reissue_alert_id")),
        sa.ForeignKeyConstraint(["first_id"], ["alert.id"], name=op.f("fk_reissue_first_id")),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_reissue")),
    )
    op.create_index(op.f("ix_reissue_first_id"), "reissue", ["first_id"], unique=False)


def downgrade() -> None:
    for name in ("reissue", "reading", "nonce", "certificate", "trust"):
        op.drop_table(name)
