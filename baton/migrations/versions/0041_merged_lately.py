"""Leads that were merged, by when: whoever waits for merges looks at the latest alone. Built while leads are written."""

from __future__ import annotations

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT SELECT (updated_at) ON router.leads TO baton_worker")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS router.leads_merged_lately")
        op.execute(
            "CREATE INDEX CONCURRENTLY leads_merged_lately ON router.leads (updated_at, tenant, lead_id)"
            " WHERE merged_into IS NOT NULL"
        )


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
