"""Roles, API tokens and policy versions."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for role in ("baton_app", "baton_worker"):
        op.execute(
            f"""
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                    CREATE ROLE {role} NOLOGIN NOSUPERUSER NOBYPASSRLS;
                END IF;
                EXECUTE format('GRANT {role} TO %I', current_user);
            END $$
            """
        )
    op.execute("CREATE SCHEMA auth")
    op.execute(
        """
        CREATE TABLE auth.tokens (
            tenant text NOT NULL,
            hash bytea NOT NULL,
            name text NOT NULL,
            roles text[] NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (tenant, hash),
            UNIQUE (hash)
        )
        """
    )
    # A token is looked up before its tenant is known, so this table is read without one; it holds hashes only.
    op.execute("GRANT USAGE ON SCHEMA auth TO baton_app, baton_worker")
    op.execute("GRANT SELECT ON auth.tokens TO baton_app")
    op.execute("CREATE SCHEMA policy")
    op.execute(
        """
        CREATE TABLE policy.versions (
            tenant text NOT NULL,
            sequence integer NOT NULL,
            kind text NOT NULL,
            hash text NOT NULL,
            body jsonb NOT NULL,
            activated_at bigint NOT NULL,
            published boolean NOT NULL DEFAULT false,
            PRIMARY KEY (tenant, sequence)
        )
        """
    )
    op.execute("ALTER TABLE policy.versions ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE policy.versions FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant_rows ON policy.versions TO baton_app"
        " USING (tenant = current_setting('baton.tenant', true)) WITH CHECK (tenant = current_setting('baton.tenant', true))"
    )
    op.execute("GRANT USAGE ON SCHEMA policy TO baton_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON policy.versions TO baton_app")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
