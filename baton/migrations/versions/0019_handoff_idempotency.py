"""Answers of handoff's API that are given again to a request that is sent again."""

from __future__ import annotations

from alembic import op

from shared.kit.idempotency import create_table

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in create_table("handoff").split(";"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
