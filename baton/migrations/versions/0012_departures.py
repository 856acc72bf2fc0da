"""Reps who have left, whose open leads are moved; how long the traces of decisions are kept.

The index is built while decisions are written: a transaction that built it would keep the router waiting for as long as it reads
the table.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # First, because what stands before it is committed: one that is interrupted here begins anew.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS router.decisions_by_age")
        op.execute("CREATE INDEX CONCURRENTLY decisions_by_age ON router.decisions (tenant, at)")
    op.execute(
        """
        CREATE TABLE router.departures (
            tenant text NOT NULL,
            rep_id text NOT NULL,
            at bigint NOT NULL,
            reason text,
            said_by text NOT NULL,         -- the name of the token
            PRIMARY KEY (tenant, rep_id)
        )
        """
    )
    op.execute("ALTER TABLE router.departures ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE router.departures FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant_rows ON router.departures TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true))"
        " WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute("CREATE POLICY sweep_rows ON router.departures FOR SELECT TO baton_worker USING (true)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON router.departures TO baton_app")
    op.execute("GRANT SELECT ON router.departures TO baton_worker")
    op.execute("GRANT DELETE ON router.decisions TO baton_app")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
