"""Handoff's sweeps look which leads were merged: touches that wait may belong to the lead that is left."""

from __future__ import annotations

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT SELECT (tenant, lead_id, merged_into) ON router.leads TO baton_worker")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
