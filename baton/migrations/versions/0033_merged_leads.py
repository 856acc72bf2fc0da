"""Leads that were merged into another one, found by it. Built while leads are written."""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS router.leads_merged")
        op.execute(
            "CREATE INDEX CONCURRENTLY leads_merged ON router.leads (tenant, merged_into) WHERE merged_into IS NOT NULL"
        )


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
