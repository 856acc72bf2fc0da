"""Clocks in the time of their holder: the terms that each was counted by, reminders, and who is away, read by handoff."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE handoff.terms (
            tenant text NOT NULL,
            basis text NOT NULL,           -- made of the terms: a row never changes
            terms jsonb NOT NULL,
            PRIMARY KEY (tenant, basis)
        )
        """
    )
    op.execute("ALTER TABLE handoff.terms ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE handoff.terms FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant_rows ON handoff.terms TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true))"
        " WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute("CREATE POLICY worker_rows ON handoff.terms TO baton_worker USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT ON handoff.terms TO baton_app, baton_worker")
    # A clock that is older than its terms has no basis, and stays as it is.
    op.execute(
        """
        ALTER TABLE handoff.clocks
            ADD COLUMN rep_id text NOT NULL DEFAULT '',
            ADD COLUMN lead_class text NOT NULL DEFAULT '',
            ADD COLUMN basis text NOT NULL DEFAULT '',
            ADD COLUMN elapsed bigint NOT NULL DEFAULT 0,
            ADD COLUMN head bigint NOT NULL DEFAULT 0,
            ADD COLUMN counted_to bigint NOT NULL DEFAULT 0,
            ADD COLUMN reminded smallint NOT NULL DEFAULT 0,
            ADD COLUMN remind_shares bigint[] NOT NULL DEFAULT '{}',
            ADD COLUMN remind_at bigint[] NOT NULL DEFAULT '{}',
            ADD COLUMN next_at bigint NOT NULL GENERATED ALWAYS AS (coalesce(remind_at[1], due_at)) STORED
        """
    )
    op.execute("DROP INDEX handoff.clocks_due")
    op.execute("CREATE INDEX clocks_due ON handoff.clocks (next_at, tenant, opportunity_id) WHERE state = 'running'")
    op.execute(
        "CREATE INDEX clocks_by_terms ON handoff.clocks (tenant, rep_id, lead_class, basis) WHERE state = 'running'"
    )
    op.execute("CREATE POLICY clock_rows ON router.availability FOR SELECT TO baton_worker USING (true)")
    op.execute("GRANT SELECT (tenant, rep_id, away_from, away_until) ON router.availability TO baton_worker")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
