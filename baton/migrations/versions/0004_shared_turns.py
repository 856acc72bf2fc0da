"""Among whom the assignment in force was shared: a lead that turns out not to count is given back by them, and by nobody else."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE router.leads ADD COLUMN sharing jsonb NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
