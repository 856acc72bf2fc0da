"""Endpoints of other systems, messages for them, their deliveries and each try. Times are milliseconds since the epoch, UTC."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# table -> what the tenant's own code may do, what the sender may do for all tenants
TABLES = {
    "endpoints": ("SELECT, INSERT, UPDATE, DELETE", "SELECT, UPDATE"),
    "messages": ("SELECT, INSERT", "SELECT, INSERT, DELETE"),
    "deliveries": ("SELECT, INSERT, UPDATE, DELETE", "SELECT, INSERT, UPDATE, DELETE"),
    "delivery_attempts": ("SELECT, DELETE", "SELECT, INSERT, DELETE"),
}


def upgrade() -> None:
    # secret, old_secret: sealed (services.handoff.outbound.signing); failures: in a row; claim: who serves it, until claimed_until
    op.execute(
        """
        CREATE TABLE handoff.endpoints (
            tenant text NOT NULL,
            endpoint_id uuid NOT NULL,
            url text NOT NULL,
            description text NOT NULL,
            event_types text[] NOT NULL,        -- none: all
            state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
            disabled_reason text,
            disabled_at bigint,
            secret bytea NOT NULL,
            old_secret bytea,
            old_secret_until bigint,
            created_at bigint NOT NULL,
            updated_at bigint NOT NULL,
            failures integer NOT NULL DEFAULT 0,
            paused_until bigint NOT NULL DEFAULT 0,
            last_success_at bigint NOT NULL DEFAULT 0,
            served_at bigint NOT NULL DEFAULT 0,
            claim uuid,
            claimed_until bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (tenant, endpoint_id),
            CONSTRAINT disabled_for_a_reason CHECK ((state = 'disabled') = (disabled_reason IS NOT NULL))
        )
        """
    )
    op.execute(
        """
        CREATE TABLE handoff.messages (
            tenant text NOT NULL,
            message_id uuid NOT NULL,
            type text NOT NULL,
            body text NOT NULL,                 -- as it is sent and signed, byte for byte
            at bigint NOT NULL,
            PRIMARY KEY (tenant, message_id)
        )
        """
    )
    op.execute("CREATE INDEX messages_by_age ON handoff.messages (at)")
    # No foreign keys: an endpoint that is deleted must not make a rep's transaction fail. What it leaves behind ages out.
    op.execute(
        """
        CREATE TABLE handoff.deliveries (
            tenant text NOT NULL,
            endpoint_id uuid NOT NULL,
            message_id uuid NOT NULL,
            state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
            created_at bigint NOT NULL,
            due_at bigint NOT NULL,
            attempts integer NOT NULL DEFAULT 0,
            tries integer NOT NULL DEFAULT 0,   -- since it was last told to be sent
            ended_at bigint,
            PRIMARY KEY (tenant, endpoint_id, message_id),
            CONSTRAINT ends_once CHECK ((state = 'pending') = (ended_at IS NULL))
        )
        """
    )
    op.execute(
        "CREATE INDEX deliveries_due ON handoff.deliveries (tenant, endpoint_id, due_at) WHERE state = 'pending'"
    )
    op.execute("CREATE INDEX deliveries_log ON handoff.deliveries (tenant, endpoint_id, created_at, message_id)")
    op.execute("CREATE INDEX deliveries_of_message ON handoff.deliveries (tenant, message_id)")
    op.execute(
        """
        CREATE TABLE handoff.delivery_attempts (
            tenant text NOT NULL,
            endpoint_id uuid NOT NULL,
            message_id uuid NOT NULL,
            number integer NOT NULL,
            at bigint NOT NULL,
            outcome text NOT NULL,
            status integer,
            took_ms integer NOT NULL,
            answer text,
            PRIMARY KEY (tenant, message_id, endpoint_id, number)
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
