"""Under which policies a lead moved; what accounts are worth; which leads were explored, and which inside sales passed on."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE router.stage_history ADD COLUMN policies jsonb")
    op.execute("ALTER TABLE router.leads ADD COLUMN passed_on boolean NOT NULL DEFAULT false")
    op.execute("ALTER TABLE router.leads ADD COLUMN explored_at bigint")
    op.execute("ALTER TABLE router.assignments ADD COLUMN explored boolean NOT NULL DEFAULT false")
    op.execute(
        """
        CREATE TABLE router.account_scores (
            tenant text NOT NULL,
            account text NOT NULL,         -- the key of a company, as scores of leads name it
            version bigint[] NOT NULL,     -- of the latest account-scored: generation, policy, position, as_of
            breadth jsonb NOT NULL,        -- what of it conditions may ask for
            told jsonb,                    -- the same, when leads that wait were last decided on because of it
            PRIMARY KEY (tenant, account)
        )
        """
    )
    op.execute("ALTER TABLE router.account_scores ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE router.account_scores FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant_rows ON router.account_scores TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true))"
        " WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON router.account_scores TO baton_app")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
