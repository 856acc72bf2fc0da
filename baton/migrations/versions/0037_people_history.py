"""What became other of the people of a deal, and of its approval, field by field; and whose move a task is to verify."""

from __future__ import annotations

from alembic import op

from baton.migrations.tenant_rows import own_rows

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
    own_rows("handoff.people_changes", baton_app="SELECT, INSERT")
    op.execute("GRANT UPDATE (before, after) ON handoff.people_changes TO baton_app")
    op.execute("ALTER TABLE handoff.tasks ADD COLUMN stakeholder_id text")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
