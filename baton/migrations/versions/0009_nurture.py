"""Which scenario of marketing automation a lead is in, and whether that may write to it."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE router.leads ADD COLUMN scenario text")
    op.execute("ALTER TABLE router.leads ADD COLUMN may_email boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
