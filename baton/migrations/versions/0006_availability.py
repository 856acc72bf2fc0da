"""Who is away, as they or their managers say at run time; when a parked lead is tried because somebody is at work again."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE router.availability (
            tenant text NOT NULL,
            rep_id text NOT NULL,
            away_from bigint NOT NULL,
            away_until bigint,             -- null: until it is taken back
            reason text,
            said_by text NOT NULL,         -- the name of the token
            said_at bigint NOT NULL,
            PRIMARY KEY (tenant, rep_id),
            CONSTRAINT ends_after_it_begins CHECK (away_until > away_from)
        )
        """
    )
    op.execute("ALTER TABLE router.availability ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE router.availability FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant_rows ON router.availability TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true))"
        " WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON router.availability TO baton_app")
    op.execute("ALTER TABLE router.leads ADD COLUMN waiting_until bigint")
    op.execute("CREATE INDEX leads_by_opening ON router.leads (waiting_until) WHERE waiting_until IS NOT NULL")
    op.execute("GRANT SELECT (waiting_until) ON router.leads TO baton_worker")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
