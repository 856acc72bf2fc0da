"""What inside sales hands over with a lead: when the first meeting is, with whom, and a memo."""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # participants and memo are sealed by shared.kit.person.
    op.execute(
        """
        CREATE TABLE handoff.handovers (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            assignment bigint NOT NULL,     -- of inside sales, who passed it on
            rep_id text NOT NULL,
            at bigint NOT NULL,
            first_meeting bigint,
            participants jsonb,
            memo jsonb,
            PRIMARY KEY (tenant, opportunity_id, assignment)
        )
        """
    )
    op.execute("ALTER TABLE handoff.handovers ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE handoff.handovers FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant_rows ON handoff.handovers TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true))"
        " WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute("GRANT SELECT, INSERT ON handoff.handovers TO baton_app")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
