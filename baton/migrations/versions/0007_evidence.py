"""When an answer expires that a parked lead waits with, and which company each lead is of."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE router.leads ADD COLUMN next_change bigint")
    op.execute("CREATE INDEX leads_by_change ON router.leads (next_change) WHERE next_change IS NOT NULL")
    op.execute("GRANT SELECT (next_change) ON router.leads TO baton_worker")
    op.execute("ALTER TABLE router.leads ADD COLUMN account text")
    op.execute("UPDATE router.leads SET account = score->>'account' WHERE score->>'account' IS NOT NULL")
    op.execute("CREATE INDEX leads_by_company ON router.leads (tenant, account) WHERE account IS NOT NULL")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
