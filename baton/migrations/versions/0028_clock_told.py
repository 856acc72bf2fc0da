"""What was told of clocks while they ran, so that timelines can show it."""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE handoff.clock_steps (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            event_id uuid NOT NULL,
            kind text NOT NULL,            -- clock-reminder, clock-escalated
            at bigint NOT NULL,
            assignment bigint NOT NULL,
            rep_id text,
            clock text NOT NULL,
            due_at bigint NOT NULL,
            share integer,
            effect text,
            PRIMARY KEY (tenant, opportunity_id, event_id)
        )
        """
    )
    op.execute("ALTER TABLE handoff.clock_steps ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE handoff.clock_steps FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant_rows ON handoff.clock_steps TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true))"
        " WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute("CREATE POLICY worker_rows ON handoff.clock_steps TO baton_worker USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT ON handoff.clock_steps TO baton_app, baton_worker")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
