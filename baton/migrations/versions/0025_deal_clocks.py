"""Clocks of deals: due on a day, of the deal and not of an offer."""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE handoff.clocks ADD COLUMN due_on date, ADD COLUMN manager_at bigint")
    # What the old check admits, the new one does: rows need not be looked at while the table is locked.
    op.execute("ALTER TABLE handoff.clocks DROP CONSTRAINT clocks_kind_check")
    op.execute(
        "ALTER TABLE handoff.clocks ADD CONSTRAINT clocks_kind_check"
        " CHECK (kind IN ('accept', 'first_touch', 'qualify', 'next_step', 'stage_rot')) NOT VALID"
    )
    op.execute(
        "ALTER TABLE handoff.clocks ADD CONSTRAINT days_of_deals CHECK ((assignment = 0) = (due_on IS NOT NULL)) NOT VALID"
    )


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
