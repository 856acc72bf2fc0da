"""Clocks that a rep pauses, with the reason and who said so."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE handoff.clocks ADD COLUMN paused bigint NOT NULL DEFAULT 0")
    op.execute(
        """
        CREATE TABLE handoff.pauses (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            assignment bigint NOT NULL,
            number integer NOT NULL,
            reason text NOT NULL,
            paused_at bigint NOT NULL,
            paused_by text NOT NULL,       -- the name of the token
            until bigint NOT NULL,         -- when the clocks go on by themselves
            resumed_at bigint,
            resumed_by text,
            PRIMARY KEY (tenant, opportunity_id, assignment, number)
        )
        """
    )
    op.execute("ALTER TABLE handoff.pauses ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE handoff.pauses FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant_rows ON handoff.pauses TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true))"
        " WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON handoff.pauses TO baton_app")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
