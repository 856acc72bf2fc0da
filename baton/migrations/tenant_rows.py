"""Row-level security as every table of tenants has it; for migrations from 0036 on."""

from __future__ import annotations

from alembic import op

OWN = "tenant = current_setting('baton.tenant', true)"


def own_rows(table: str, *, baton_app: str, baton_worker: str | None = None) -> None:
    """The tenant's own code sees and writes its rows alone, those who work for all tenants the rows of all.

    table: with its schema;  baton_app, baton_worker: what they may do, such as `SELECT, INSERT`; None: nothing
    """
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant_rows ON {table} TO baton_app USING ({OWN}) WITH CHECK ({OWN})")
    op.execute(f"GRANT {baton_app} ON {table} TO baton_app")
    if baton_worker is not None:
        op.execute(f"CREATE POLICY worker_rows ON {table} TO baton_worker USING (true) WITH CHECK (true)")
        op.execute(f"GRANT {baton_worker} ON {table} TO baton_worker")
