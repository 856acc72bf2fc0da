"""Deals: what becomes of an opportunity after field sales has accepted it, with the history of every field."""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

STAGES = "'offered', 'accepted', 'won', 'lost', 'recycled', 'disqualified', 'merged'"


def upgrade() -> None:
    # Wider than before: no row has to be looked at.
    op.execute("ALTER TABLE handoff.opportunities DROP CONSTRAINT opportunities_stage_check")
    op.execute(
        "ALTER TABLE handoff.opportunities ADD CONSTRAINT opportunities_stage_check"
        f" CHECK (stage IN ({STAGES})) NOT VALID"
    )
    # deal_stage, like type and in_pipeline, is a copy of what the deal says: events and lists tell it.
    op.execute("ALTER TABLE handoff.opportunities ADD COLUMN deal_stage text")
    # said: what people say in words of their own, sealed by shared.kit.person.
    op.execute(
        """
        CREATE TABLE handoff.deals (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            version integer NOT NULL,
            type text NOT NULL CHECK (type IN ('new', 'upsell', 'cross_sell', 'renewal')),
            stage text NOT NULL,
            stage_since bigint NOT NULL,
            sql_at bigint,
            amount numeric,
            currency text,
            expected_close date,
            probability smallint CHECK (probability BETWEEN 0 AND 100),
            forecast text CHECK (forecast IN ('commit', 'best_case', 'pipeline', 'omitted')),
            products text[] NOT NULL,
            competitors text[] NOT NULL,
            source text,
            campaign text,
            first_meeting date,
            next_step_on date,
            confirmed text[] NOT NULL,
            team jsonb NOT NULL,
            ordered_on date,
            closed_at bigint,
            closed_reason text,
            rival text,
            contract_end date,
            comes_back_at bigint,
            account_manager text,
            handed_over_at bigint,
            reviewed_at bigint,
            said jsonb,
            created_at bigint NOT NULL,
            updated_at bigint NOT NULL,
            updated_by text NOT NULL,
            PRIMARY KEY (tenant, opportunity_id),
            CONSTRAINT an_amount_has_a_currency CHECK (amount IS NULL OR currency IS NOT NULL),
            CONSTRAINT won_with_an_order CHECK (stage <> 'won' OR ordered_on IS NOT NULL),
            CONSTRAINT ends_once CHECK ((stage IN ('won', 'lost', 'recycled', 'disqualified', 'merged')) = (closed_at IS NOT NULL))
        )
        """
    )
    # before, after: JSON as text;  sealed: the same of fields that people fill with words of their own;  note: sealed
    op.execute(
        """
        CREATE TABLE handoff.deal_changes (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            version integer NOT NULL,
            field text NOT NULL,
            before jsonb,
            after jsonb,
            sealed boolean NOT NULL,
            at bigint NOT NULL,
            by text NOT NULL,
            note jsonb,
            PRIMARY KEY (tenant, opportunity_id, version, field)
        )
        """
    )
    op.execute("CREATE INDEX deals_open ON handoff.deals (tenant, stage) WHERE closed_at IS NULL")
    for table, granted in (("deals", "SELECT, INSERT, UPDATE"), ("deal_changes", "SELECT, INSERT")):
        op.execute(f"ALTER TABLE handoff.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE handoff.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant_rows ON handoff.{table} TO baton_app"
            " USING (tenant = current_setting('baton.tenant', true))"
            " WITH CHECK (tenant = current_setting('baton.tenant', true))"
        )
        op.execute(f"CREATE POLICY worker_rows ON handoff.{table} TO baton_worker USING (true) WITH CHECK (true)")
        op.execute(f"GRANT {granted} ON handoff.{table} TO baton_app, baton_worker")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
