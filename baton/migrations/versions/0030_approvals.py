"""How customers approve a purchase: the route, the course that it took, and the material."""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

# What the tenant's own code may do.
TABLES = {
    "approvals": "SELECT, INSERT, UPDATE",
    "approval_history": "SELECT, INSERT",
    "pack_items": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    # The titles in steps, and the notes of the course, are sealed by shared.kit.person.
    op.execute(
        """
        CREATE TABLE handoff.approvals (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            version integer NOT NULL,
            state text NOT NULL CHECK (state IN ('draft', 'submitted', 'returned', 'approved', 'rejected')),
            steps jsonb NOT NULL,
            amount_limit numeric,
            currency text,
            submit_on date,
            decide_on date,
            submitted_on date,
            decided_on date,
            updated_at bigint NOT NULL,
            updated_by text NOT NULL,       -- the name of the token
            PRIMARY KEY (tenant, opportunity_id),
            CONSTRAINT a_limit_has_a_currency CHECK ((amount_limit IS NULL) = (currency IS NULL))
        )
        """
    )
    op.execute(
        """
        CREATE TABLE handoff.approval_history (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            version integer NOT NULL,
            state text NOT NULL,
            "on" date NOT NULL,
            at bigint NOT NULL,
            by text NOT NULL,
            note jsonb,
            PRIMARY KEY (tenant, opportunity_id, version)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE handoff.pack_items (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            item text NOT NULL,
            present boolean NOT NULL,
            link text,
            given_on date,
            PRIMARY KEY (tenant, opportunity_id, item)
        )
        """
    )
    for table, granted in TABLES.items():
        op.execute(f"ALTER TABLE handoff.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE handoff.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant_rows ON handoff.{table} TO baton_app"
            " USING (tenant = current_setting('baton.tenant', true))"
            " WITH CHECK (tenant = current_setting('baton.tenant', true))"
        )
        op.execute(f"GRANT {granted} ON handoff.{table} TO baton_app")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
