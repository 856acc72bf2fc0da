"""Every row is known to keep what 0023 and 0025 said of new ones only. Looked at while rows are written."""

from __future__ import annotations

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In transactions of their own: else the rows are read under the locks of the migrations before, which nobody gets past.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE handoff.opportunities VALIDATE CONSTRAINT opportunities_stage_check")
        op.execute("ALTER TABLE handoff.clocks VALIDATE CONSTRAINT clocks_kind_check")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
