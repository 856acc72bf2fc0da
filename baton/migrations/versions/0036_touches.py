"""Touches and decisions as handoff shows them, and those touches that may yet turn out to be somebody's first touch."""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

TABLES = {  # rights of baton_app and of baton_worker
    "touches": ("SELECT, INSERT, UPDATE", "SELECT, DELETE"),
    "decisions": ("SELECT, INSERT", "SELECT, DELETE"),
}


def upgrade() -> None:
    # The key serves the timeline of a lead and tells what comes twice: an event has one body, and with it one moment.
    op.execute(
        """
        CREATE TABLE handoff.touches (
            tenant text NOT NULL,
            lead_id text NOT NULL,
            at bigint NOT NULL,
            event_id text NOT NULL,
            received_at bigint NOT NULL,
            kind text NOT NULL CHECK (kind IN ('touch', 'identity')),
            type text NOT NULL,
            facts jsonb NOT NULL,
            pending boolean NOT NULL DEFAULT false,   -- may count as a first touch, and is no activity yet
            PRIMARY KEY (tenant, lead_id, at, event_id)
        )
        """
    )
    op.execute("CREATE INDEX touches_pending ON handoff.touches (tenant, lead_id) WHERE pending")
    op.execute("CREATE INDEX touches_by_age ON handoff.touches (received_at)")
    op.execute(
        """
        CREATE TABLE handoff.decisions (
            tenant text NOT NULL,
            lead_id text NOT NULL,
            at bigint NOT NULL,
            what text NOT NULL CHECK (what IN ('lead-routed', 'lead-nurtured', 'lead-withdrawn')),
            decision_id text NOT NULL,
            cycle integer NOT NULL,
            assignment bigint,
            opportunity_id uuid,
            rep_id text,
            facts jsonb NOT NULL,
            PRIMARY KEY (tenant, lead_id, at, what, decision_id)
        )
        """
    )
    op.execute(
        "CREATE INDEX decisions_of_opportunity ON handoff.decisions (tenant, opportunity_id)"
        " WHERE opportunity_id IS NOT NULL"
    )
    op.execute("CREATE INDEX decisions_by_age ON handoff.decisions (at) WHERE opportunity_id IS NULL")
    for table, (app, worker) in TABLES.items():
        op.execute(f"ALTER TABLE handoff.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE handoff.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant_rows ON handoff.{table} TO baton_app"
            " USING (tenant = current_setting('baton.tenant', true))"
            " WITH CHECK (tenant = current_setting('baton.tenant', true))"
        )
        op.execute(f"CREATE POLICY worker_rows ON handoff.{table} TO baton_worker USING (true) WITH CHECK (true)")
        op.execute(f"GRANT {app} ON handoff.{table} TO baton_app")
        op.execute(f"GRANT {worker} ON handoff.{table} TO baton_worker")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
