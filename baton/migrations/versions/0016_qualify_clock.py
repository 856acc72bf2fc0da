"""A clock for qualifying; when what a breached clock waits for happened after all."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE handoff.clocks ADD COLUMN done_at bigint")
    op.execute("ALTER TABLE handoff.clocks DROP CONSTRAINT clocks_kind_check")
    op.execute(
        "ALTER TABLE handoff.clocks ADD CONSTRAINT clocks_kind_check CHECK (kind IN ('accept', 'first_touch', 'qualify')),"
        " ADD CONSTRAINT done_late CHECK (done_at IS NULL OR (state = 'breached' AND done_at >= ended_at))"
    )


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
