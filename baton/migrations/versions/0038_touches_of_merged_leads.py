"""Touches that wait to be somebody's first touch, by when they were received: those whose lead was merged meanwhile are looked at
again. Built while touches are written."""

from __future__ import annotations

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT SELECT (tenant, lead_id, merged_into) ON router.leads TO baton_worker")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS handoff.touches_pending_by_age")
        op.execute("CREATE INDEX CONCURRENTLY touches_pending_by_age ON handoff.touches (received_at) WHERE pending")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
