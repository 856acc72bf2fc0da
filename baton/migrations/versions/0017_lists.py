"""Lists of leads without reading all: those that wait in a pool, and those that changed lately.

Built while leads are written to: a transaction that built them would keep the router waiting for as long as it reads the table.
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

INDEXES = {
    "leads_by_pool": "(tenant, pool_id) WHERE owner_rep IS NULL AND pool_id IS NOT NULL",
    "leads_by_update": "(tenant, updated_at)",
}


def upgrade() -> None:
    # Each stands by itself: what was done before is committed first, and one that was interrupted is built anew.
    with op.get_context().autocommit_block():
        for name, of in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS router.{name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON router.leads {of}")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
