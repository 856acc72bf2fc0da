"""Accounts: companies as the tenant knows them, keys by which leads find them, deals that partners registered, and whose leads are
whose."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("accounts", "account_keys", "deal_registrations", "account_leads", "ended_deals")


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE router.accounts (
            tenant text NOT NULL,
            account_id text NOT NULL,
            name text NOT NULL,
            kind text NOT NULL,
            level text NOT NULL,
            parent text,
            root text NOT NULL,                       -- the highest account above it, itself where there is none
            entity text NOT NULL,                     -- the legal entity that it is or belongs to
            domains jsonb NOT NULL DEFAULT '[]',      -- the first is the primary one
            corporate_number text,                    -- 法人番号
            names jsonb NOT NULL DEFAULT '[]',        -- others that it goes by
            former_names jsonb NOT NULL DEFAULT '[]',
            kana text,
            country text,
            area text,                                -- prefecture (JP-13), or a state as written
            postcode text,
            phone text,                               -- E.164
            tier text,
            owner text,                               -- a rep
            region text,
            fiscal_month integer NOT NULL DEFAULT 3,
            is_customer boolean NOT NULL DEFAULT false,
            account_manager text,                     -- a rep
            updated_at bigint NOT NULL,
            PRIMARY KEY (tenant, account_id)
        )
        """
    )
    op.execute("CREATE INDEX accounts_by_root ON router.accounts (tenant, root)")
    op.execute(
        """
        CREATE TABLE router.account_keys (
            tenant text NOT NULL,
            kind text NOT NULL,
            value text NOT NULL,
            account_id text NOT NULL,
            PRIMARY KEY (tenant, kind, value, account_id)
        )
        """
    )
    op.execute("CREATE INDEX account_keys_by_account ON router.account_keys (tenant, account_id)")
    op.execute(
        """
        CREATE TABLE router.deal_registrations (
            tenant text NOT NULL,
            registration_id text NOT NULL,
            partner text NOT NULL,                    -- an account of kind partner
            account_id text NOT NULL,
            protected_until bigint NOT NULL,
            updated_at bigint NOT NULL,
            PRIMARY KEY (tenant, registration_id)
        )
        """
    )
    op.execute("CREATE INDEX deal_registrations_by_account ON router.deal_registrations (tenant, account_id)")
    # Whose each lead is, by its latest match; and the opportunities that ended while the router still names their holder.
    op.execute(
        """
        CREATE TABLE router.account_leads (
            tenant text NOT NULL,
            lead_id text NOT NULL,
            account_id text NOT NULL,
            code text NOT NULL,
            PRIMARY KEY (tenant, lead_id)
        )
        """
    )
    op.execute("CREATE INDEX account_leads_by_account ON router.account_leads (tenant, account_id)")
    op.execute(
        """
        CREATE TABLE router.ended_deals (
            tenant text NOT NULL,
            lead_id text NOT NULL,
            cycle integer NOT NULL,
            stage text NOT NULL,
            at bigint NOT NULL,
            PRIMARY KEY (tenant, lead_id)
        )
        """
    )
    for table in TABLES:
        op.execute(f"ALTER TABLE router.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE router.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant_rows ON router.{table} TO baton_app"
            " USING (tenant = current_setting('baton.tenant', true))"
            " WITH CHECK (tenant = current_setting('baton.tenant', true))"
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON router.{table} TO baton_app")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
