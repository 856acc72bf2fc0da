"""What became other of the people of a deal, and of its approval, field by field; and whose move a task is to verify."""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE handoff.people_changes (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            about text NOT NULL CHECK (about IN ('stakeholder', 'approval')),
            subject text NOT NULL,          -- the stakeholder; empty for the approval
            version integer NOT NULL,
            field text NOT NULL,
            before jsonb,
            after jsonb,
            sealed boolean NOT NULL,        -- what is personal, by shared.kit.person; nothing of who is forgotten
            at bigint NOT NULL,
            by text NOT NULL,               -- the name of the token
            PRIMARY KEY (tenant, opportunity_id, about, subject, version, field)
        )
        """
    )
    op.execute("ALTER TABLE handoff.people_changes ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE handoff.people_changes FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant_rows ON handoff.people_changes TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true))"
        " WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute("GRANT SELECT, INSERT ON handoff.people_changes TO baton_app")
    op.execute("GRANT UPDATE (before, after) ON handoff.people_changes TO baton_app")
    op.execute("ALTER TABLE handoff.tasks ADD COLUMN stakeholder_id text")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
