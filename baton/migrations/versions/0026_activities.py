"""What is known of an activity beside its type, and tasks with due dates."""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE handoff.activities ADD COLUMN duration integer, ADD COLUMN direction text, ADD COLUMN outcome text,"
        " ADD COLUMN reason text,"
        " ADD COLUMN participants text[] NOT NULL DEFAULT '{}'"
    )
    op.execute(
        """
        CREATE TABLE handoff.tasks (
            tenant text NOT NULL,
            task_id uuid NOT NULL,
            opportunity_id uuid NOT NULL,
            kind text NOT NULL CHECK (kind IN ('todo', 'call', 'meeting')),
            title jsonb,                   -- sealed by shared.kit.person
            due_at bigint NOT NULL,
            due_on text,                   -- the day, where it is due on a day; `due_at` is then the end of it
            rep_id text NOT NULL,
            state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'cancelled')),
            created_at bigint NOT NULL,
            created_by text NOT NULL,      -- the name of the token
            ended_at bigint,
            ended_by text,
            from_activity text,
            PRIMARY KEY (tenant, task_id)
        )
        """
    )
    op.execute("CREATE INDEX tasks_of_rep ON handoff.tasks (tenant, rep_id, state, due_at, task_id)")
    op.execute("CREATE INDEX tasks_of_opportunity ON handoff.tasks (tenant, opportunity_id, state)")
    op.execute("CREATE INDEX tasks_by_due ON handoff.tasks (tenant, due_at, task_id)")
    op.execute("ALTER TABLE handoff.tasks ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE handoff.tasks FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant_rows ON handoff.tasks TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true))"
        " WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute("GRANT UPDATE (reason) ON handoff.activities TO baton_app")
    op.execute("CREATE POLICY worker_rows ON handoff.tasks TO baton_worker USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT, UPDATE ON handoff.tasks TO baton_app")
    op.execute("GRANT SELECT, UPDATE ON handoff.tasks TO baton_worker")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
