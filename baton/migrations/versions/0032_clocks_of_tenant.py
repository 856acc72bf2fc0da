"""The clocks of a tenant that run, by when they are due, without reading all. Built while clocks are written."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS handoff.clocks_of_tenant")
        op.execute(
            "CREATE INDEX CONCURRENTLY clocks_of_tenant ON handoff.clocks (tenant, due_at, opportunity_id, kind)"
            " WHERE state = 'running'"
        )


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
