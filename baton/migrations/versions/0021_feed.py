"""The change feed of handoff: events kept for who asks for them, numbered when somebody does."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE handoff.feed (
            tenant text NOT NULL,
            id bigint GENERATED ALWAYS AS IDENTITY,
            number bigint,                 -- its place, once somebody has read the feed since
            message_id uuid NOT NULL,
            body text NOT NULL,
            at bigint NOT NULL,
            PRIMARY KEY (tenant, id)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX feed_by_number ON handoff.feed (tenant, number) WHERE number IS NOT NULL")
    op.execute("CREATE INDEX feed_unread ON handoff.feed (tenant, id) WHERE number IS NULL")
    op.execute("CREATE INDEX feed_by_age ON handoff.feed (at)")
    op.execute(
        """
        CREATE TABLE handoff.feed_heads (
            tenant text PRIMARY KEY,
            last bigint NOT NULL DEFAULT 0,        -- the last number given
            forgotten bigint NOT NULL DEFAULT 0    -- the last number that is not kept any more
        )
        """
    )
    rights = {
        "feed": ("SELECT, INSERT, UPDATE", "SELECT, INSERT, DELETE"),
        "feed_heads": ("SELECT, INSERT, UPDATE", "SELECT, UPDATE"),
    }
    for table, (app, worker) in rights.items():
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
