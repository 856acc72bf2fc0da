"""Lists of opportunities of a rep and of a manager's pools, without reading all.

Built while offers are written: a transaction that built them would keep handoff waiting for as long as it reads the table.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

INDEXES = {"offers_of_rep": "(tenant, rep_id, opportunity_id)", "offers_of_pool": "(tenant, pool_id, opportunity_id)"}


def upgrade() -> None:
    # Each stands by itself: what was done before is committed first, and one that was interrupted is built anew.
    with op.get_context().autocommit_block():
        for name, of in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS handoff.{name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON handoff.offers {of}")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
