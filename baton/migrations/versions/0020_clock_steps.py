"""Steps that follow the breach of a clock which left the lead with its holder: found as running clocks are.

Built while clocks are written. Who asks for running clocks alone is served by the new index too, so the old one can go.
"""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS handoff.clocks_acting")
        op.execute(
            "CREATE INDEX CONCURRENTLY clocks_acting ON handoff.clocks (next_at, tenant, opportunity_id)"
            " WHERE state = 'running' OR (state = 'breached' AND remind_shares[1] > 100)"
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS handoff.clocks_due")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
