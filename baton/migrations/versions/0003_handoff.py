"""Opportunities, offers, SLA clocks, activities and the outbox of handoff.

Times are milliseconds since the epoch, UTC, as everywhere in the contracts: what is compared is what travels.
"""

from __future__ import annotations

from alembic import op

from shared.kit.outbox import create_table

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# table -> what the tenant's own code may do, what the firing of clocks may do for all tenants
TABLES = {
    "opportunities": ("SELECT, INSERT, UPDATE", "SELECT, UPDATE"),
    "offers": ("SELECT, INSERT, UPDATE", "SELECT, INSERT, UPDATE"),
    "clocks": ("SELECT, INSERT, UPDATE", "SELECT, INSERT, UPDATE"),
    "stage_history": ("SELECT, INSERT", "SELECT, INSERT"),
    "activities": ("SELECT, INSERT", None),
}


def upgrade() -> None:
    op.execute("CREATE SCHEMA handoff")
    op.execute("GRANT USAGE ON SCHEMA handoff TO baton_app, baton_worker")
    # person, and the notes of offers and activities, are sealed by shared.kit.person.
    op.execute(
        """
        CREATE TABLE handoff.opportunities (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            lead_id text NOT NULL,
            cycle integer NOT NULL,
            stage text NOT NULL CHECK (stage IN ('offered', 'accepted', 'recycled', 'disqualified', 'merged')),
            withdrawn text,
            assignment bigint NOT NULL,
            type text NOT NULL DEFAULT 'new',
            in_pipeline boolean NOT NULL DEFAULT false,
            is_test boolean NOT NULL DEFAULT false,
            lead_class text NOT NULL,
            pool_id text NOT NULL,
            leg text NOT NULL,
            person jsonb,
            attributes jsonb NOT NULL,
            score jsonb NOT NULL,
            evidence jsonb NOT NULL,
            touches jsonb NOT NULL,
            reasons jsonb NOT NULL,
            created_at bigint NOT NULL,
            updated_at bigint NOT NULL,
            PRIMARY KEY (tenant, opportunity_id),
            CONSTRAINT one_per_lead_and_cycle UNIQUE (tenant, lead_id, cycle)
        )
        """
    )
    op.execute("CREATE INDEX opportunities_by_age ON handoff.opportunities (tenant, created_at, opportunity_id)")
    op.execute(
        """
        CREATE TABLE handoff.offers (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            assignment bigint NOT NULL,
            rep_id text NOT NULL,
            rep_name text NOT NULL,
            mode text NOT NULL CHECK (mode IN ('offer', 'assign')),
            leg text NOT NULL,
            pool_id text NOT NULL,
            state text NOT NULL
                CHECK (state IN ('open', 'accepted', 'declined', 'expired', 'superseded', 'withdrawn')),
            offered_at bigint NOT NULL,
            accepted_at bigint,
            ended_at bigint,
            reason text,
            effect text,
            note jsonb,
            PRIMARY KEY (tenant, opportunity_id, assignment)
        )
        """
    )
    # The promise of one owner (P3), kept by Postgres even if the code were wrong.
    op.execute(
        "CREATE UNIQUE INDEX one_holder ON handoff.offers (tenant, opportunity_id) WHERE state IN ('open', 'accepted')"
    )
    op.execute("CREATE INDEX offers_held ON handoff.offers (tenant, rep_id) WHERE state IN ('open', 'accepted')")
    op.execute(
        """
        CREATE TABLE handoff.clocks (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            assignment bigint NOT NULL,
            kind text NOT NULL CHECK (kind IN ('accept', 'first_touch')),
            started_at bigint NOT NULL,
            due_at bigint NOT NULL,
            state text NOT NULL CHECK (state IN ('running', 'met', 'breached', 'cancelled')),
            ended_at bigint,
            PRIMARY KEY (tenant, opportunity_id, assignment, kind),
            CONSTRAINT ends_once CHECK ((state = 'running') = (ended_at IS NULL)),
            CONSTRAINT breaks_when_due CHECK (state <> 'breached' OR ended_at = due_at)
        )
        """
    )
    op.execute("CREATE INDEX clocks_due ON handoff.clocks (due_at, tenant, opportunity_id) WHERE state = 'running'")
    op.execute(
        """
        CREATE TABLE handoff.activities (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            activity_id text NOT NULL,
            type text NOT NULL,
            at bigint NOT NULL,
            logged_at bigint NOT NULL,
            rep_id text,
            logged_by text NOT NULL,
            note jsonb,
            PRIMARY KEY (tenant, opportunity_id, activity_id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE handoff.stage_history (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            event_id uuid NOT NULL,
            number bigint GENERATED ALWAYS AS IDENTITY,
            stage text NOT NULL,
            at bigint NOT NULL,
            assignment bigint NOT NULL,
            reason text,
            PRIMARY KEY (tenant, opportunity_id, event_id)
        )
        """
    )
    for table, (app, worker) in TABLES.items():
        _secure(table, app, worker)
    for statement in create_table("handoff").split(";"):
        if statement.strip():
            op.execute(statement)


def _secure(table: str, app: str, worker: str | None) -> None:
    op.execute(f"ALTER TABLE handoff.{table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE handoff.{table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY tenant_rows ON handoff.{table} TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true))"
        " WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute(f"GRANT {app} ON handoff.{table} TO baton_app")
    if worker:
        op.execute(f"CREATE POLICY worker_rows ON handoff.{table} TO baton_worker USING (true) WITH CHECK (true)")
        op.execute(f"GRANT {worker} ON handoff.{table} TO baton_worker")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
