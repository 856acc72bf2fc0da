"""By what a clock was met, where that was no activity."""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE handoff.clocks ADD COLUMN IF NOT EXISTS done_by text")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
