"""Every assignment of a lead: to whom, by which way, and how it ended; what caps count and reports of fairness are made of."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE router.assignments (
            tenant text NOT NULL,
            lead_id text NOT NULL,
            assignment integer NOT NULL,
            cycle integer NOT NULL,
            decision_id text NOT NULL,
            at bigint NOT NULL,
            rep_id text NOT NULL,
            pool_id text,                             -- null: given by the lead's account
            way text NOT NULL,                        -- fair, sticky, least_loaded, best_fit, named, …
            accepted_at bigint,
            ended text,                               -- declined, expired, refused, withdrawn
            ended_at bigint,
            reason text,                              -- the code that a decline named
            given_back boolean NOT NULL DEFAULT false, -- it did not count against the rep's fair share
            PRIMARY KEY (tenant, lead_id, assignment)
        )
        """
    )
    op.execute("CREATE INDEX assignments_by_rep ON router.assignments (tenant, rep_id, at)")
    op.execute("CREATE INDEX assignments_by_pool ON router.assignments (tenant, pool_id, at)")
    # Assignments of a lead were always counted from 1, one for each decision that gave it to somebody.
    op.execute(
        """
        INSERT INTO router.assignments (tenant, lead_id, assignment, cycle, decision_id, at, rep_id, pool_id, way)
        SELECT tenant, lead_id, row_number() OVER (PARTITION BY tenant, lead_id ORDER BY seq), cycle, decision_id, at,
               outcome ->> 'rep_id', outcome ->> 'pool_id',
               CASE WHEN outcome ->> 'by' IS NULL THEN 'fair' ELSE 'named' END
        FROM router.decisions WHERE outcome ->> 'kind' = 'routed'
        """
    )
    op.execute("ALTER TABLE router.assignments ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE router.assignments FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant_rows ON router.assignments TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true))"
        " WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON router.assignments TO baton_app")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
