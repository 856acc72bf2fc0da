"""Touches and decisions as handoff shows them, and those touches that may yet turn out to be somebody's first touch."""

from __future__ import annotations

from alembic import op

from baton.migrations.tenant_rows import own_rows

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


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
    own_rows("handoff.touches", baton_app="SELECT, INSERT, UPDATE", baton_worker="SELECT, DELETE")
    own_rows("handoff.decisions", baton_app="SELECT, INSERT", baton_worker="SELECT, DELETE")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
