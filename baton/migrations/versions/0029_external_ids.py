"""Ids that other systems have for opportunities."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE handoff.external_ids (
            tenant text NOT NULL,
            system text NOT NULL,
            external_id text NOT NULL,
            opportunity_id uuid NOT NULL,
            linked_at bigint NOT NULL,
            PRIMARY KEY (tenant, system, external_id),
            CONSTRAINT one_per_system UNIQUE (tenant, system, opportunity_id)
        )
        """
    )
    op.execute("ALTER TABLE handoff.external_ids ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE handoff.external_ids FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant_rows ON handoff.external_ids TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true))"
        " WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute("GRANT SELECT, INSERT ON handoff.external_ids TO baton_app")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
