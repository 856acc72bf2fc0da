"""What people are told: notifications, their tries, and their channels. Times are milliseconds since the epoch, UTC."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# table -> what the tenant's own code may do, what the teller may do for all tenants
TABLES = {
    "channels": ("SELECT", "SELECT, INSERT, UPDATE"),
    "notifications": ("SELECT, INSERT, UPDATE", "SELECT, INSERT, UPDATE, DELETE"),
    "notification_tries": ("SELECT", "SELECT, INSERT, DELETE"),
}


def upgrade() -> None:
    # failures: in a row; claim: who serves it, until claimed_until
    op.execute(
        """
        CREATE TABLE handoff.channels (
            tenant text NOT NULL,
            channel_id text NOT NULL,
            failures integer NOT NULL DEFAULT 0,
            paused_until bigint NOT NULL DEFAULT 0,
            served_at bigint NOT NULL DEFAULT 0,
            claim uuid,
            claimed_until bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (tenant, channel_id)
        )
        """
    )
    # A row that is new is of what happened; addressed, it is of one person on one channel. Nothing of it is personal.
    op.execute(
        """
        CREATE TABLE handoff.notifications (
            tenant text NOT NULL,
            notification_id uuid NOT NULL,
            kind text NOT NULL,
            rep_id text NOT NULL,               -- who is told; while it is new, whom it concerns
            concerns text NOT NULL,
            audience text NOT NULL,
            channel_id text NOT NULL DEFAULT '',
            opportunity_id uuid NOT NULL,
            assignment bigint NOT NULL,
            about jsonb NOT NULL,
            state text NOT NULL CHECK (state IN ('new', 'pending', 'told', 'failed', 'dropped', 'unreachable')),
            why text,                           -- it was dropped
            waits boolean NOT NULL DEFAULT false, -- for the hours of who is told
            attempts integer NOT NULL DEFAULT 0,
            created_at bigint NOT NULL,
            due_at bigint NOT NULL,
            ended_at bigint,
            PRIMARY KEY (tenant, notification_id),
            CONSTRAINT ends_once CHECK ((state IN ('new', 'pending')) = (ended_at IS NULL))
        )
        """
    )
    op.execute("CREATE INDEX notifications_new ON handoff.notifications (created_at) WHERE state = 'new'")
    op.execute(
        "CREATE INDEX notifications_due ON handoff.notifications (tenant, channel_id, due_at) WHERE state = 'pending'"
    )
    op.execute(
        "CREATE INDEX notifications_waiting ON handoff.notifications (tenant, rep_id) WHERE state = 'pending' AND waits"
    )
    op.execute("CREATE INDEX notifications_of_offer ON handoff.notifications (tenant, opportunity_id, assignment)")
    op.execute(
        "CREATE INDEX notifications_reminded ON handoff.notifications (tenant, channel_id, rep_id, ended_at)"
        " WHERE kind = 'reminder' AND state = 'told'"
    )
    op.execute("CREATE INDEX notifications_log ON handoff.notifications (tenant, created_at, notification_id)")
    op.execute(
        "CREATE INDEX notifications_of_rep ON handoff.notifications (tenant, rep_id, created_at, notification_id)"
    )
    op.execute("CREATE INDEX notifications_by_age ON handoff.notifications (created_at)")
    op.execute(
        """
        CREATE TABLE handoff.notification_tries (
            tenant text NOT NULL,
            notification_id uuid NOT NULL,
            number integer NOT NULL,
            at bigint NOT NULL,
            outcome text NOT NULL,
            took_ms integer NOT NULL,
            PRIMARY KEY (tenant, notification_id, number)
        )
        """
    )
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
