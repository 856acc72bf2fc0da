"""The router: leads, who they belong to, why, and the fair balances of the pools."""

from __future__ import annotations

from alembic import op

from shared.kit.outbox import create_table

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("leads", "lead_identities", "decisions", "stage_history", "pools", "pool_members")


def upgrade() -> None:
    op.execute("CREATE SCHEMA router")
    op.execute("GRANT USAGE ON SCHEMA router TO baton_app, baton_worker")
    _leads()
    _trail()
    _pools()
    for table in TABLES:
        op.execute(f"ALTER TABLE router.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE router.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant_rows ON router.{table} TO baton_app"
            " USING (tenant = current_setting('baton.tenant', true))"
            " WITH CHECK (tenant = current_setting('baton.tenant', true))"
        )
    op.execute("GRANT SELECT, INSERT, UPDATE ON router.leads, router.pools TO baton_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON router.pool_members TO baton_app")
    op.execute("GRANT SELECT, INSERT, DELETE ON router.lead_identities TO baton_app")
    op.execute("GRANT SELECT, INSERT ON router.decisions, router.stage_history TO baton_app")
    # The sweep finds what waits, of every tenant, and measures it; it sees no score and no person.
    op.execute("CREATE POLICY sweep_rows ON router.leads FOR SELECT TO baton_worker USING (true)")
    op.execute(
        "GRANT SELECT (tenant, lead_id, owner_rep, waiting_reason, waiting_since, decided_under, tried_at)"
        " ON router.leads TO baton_worker"
    )
    op.execute("CREATE POLICY sweep_rows ON router.pool_members FOR SELECT TO baton_worker USING (true)")
    op.execute("GRANT SELECT ON router.pool_members TO baton_worker")
    for statement in create_table("router").split(";"):
        if statement.strip():
            op.execute(statement)


def _leads() -> None:
    op.execute(
        """
        CREATE TABLE router.leads (
            tenant text NOT NULL,
            lead_id text NOT NULL,
            version jsonb,                 -- of the latest score: generation, policy, position, as_of
            score jsonb,                   -- the latest LeadScored, its person sealed
            digest text,                   -- of what the gate looks at
            grade text NOT NULL DEFAULT 'D4',
            stage text NOT NULL DEFAULT 'inquiry',
            disposition text NOT NULL DEFAULT 'nurture',
            cycle integer NOT NULL DEFAULT 1,
            closed_at bigint,              -- when this cycle's opportunity was closed: only what is newer opens another cycle
            floor_grade text,              -- the lowest grade since then
            leg text,
            returned_to_is boolean NOT NULL DEFAULT false,
            verdict text,                  -- of the gate, when it was last routed in this cycle
            lead_class text,
            qualifying_at bigint,
            owner_rep text,
            pool_id text,
            accepted boolean NOT NULL DEFAULT false,
            provisional boolean NOT NULL DEFAULT false,
            assignment integer NOT NULL DEFAULT 0,      -- counts up, over all cycles
            held_assignment integer NOT NULL DEFAULT 0, -- the one that is in force
            replaced jsonb,                -- assignments of this cycle before it
            excluded jsonb NOT NULL DEFAULT '[]',       -- reps who had it earlier in this cycle
            waiting_reason text DEFAULT 'unscored',
            waiting_since bigint,
            waiting_for jsonb NOT NULL DEFAULT '[]',    -- reps whom only their capacity keeps from taking it
            decided_under bigint NOT NULL DEFAULT 0,    -- the policy sequence that made it wait
            tried_at bigint,
            decisions integer NOT NULL DEFAULT 0,
            decision_id text,
            changes integer NOT NULL DEFAULT 0,
            merged_into text,
            updated_at bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (tenant, lead_id),
            -- P3: one owner, or one stated reason why not yet
            CONSTRAINT owner_or_reason CHECK ((owner_rep IS NULL) <> (waiting_reason IS NULL))
        )
        """
    )
    op.execute("CREATE INDEX leads_by_owner ON router.leads (tenant, owner_rep) WHERE owner_rep IS NOT NULL")
    op.execute(
        "CREATE INDEX leads_parked ON router.leads (tenant, grade, waiting_since) WHERE waiting_reason LIKE 'parked:%'"
    )
    op.execute(
        "CREATE INDEX leads_waiting ON router.leads (tenant, waiting_reason, decided_under)"
        " WHERE waiting_reason IS NOT NULL"
    )
    op.execute("CREATE INDEX leads_by_stage ON router.leads (tenant, stage, lead_id)")
    op.execute(
        """
        CREATE TABLE router.lead_identities (
            tenant text NOT NULL,
            identity_id text NOT NULL,
            lead_id text NOT NULL,
            PRIMARY KEY (tenant, identity_id, lead_id)
        )
        """
    )
    op.execute("CREATE INDEX identities_by_lead ON router.lead_identities (tenant, lead_id)")


def _trail() -> None:
    op.execute(
        """
        CREATE TABLE router.decisions (
            tenant text NOT NULL,
            decision_id text NOT NULL,
            lead_id text NOT NULL,
            seq integer NOT NULL,
            cycle integer NOT NULL,
            cause jsonb NOT NULL,
            inputs jsonb NOT NULL,         -- all that the decision is a function of, beside the policies
            trace jsonb NOT NULL,
            outcome jsonb NOT NULL,
            policies jsonb NOT NULL,       -- kind -> sequence and hash
            at bigint NOT NULL,
            PRIMARY KEY (tenant, decision_id),
            UNIQUE (tenant, lead_id, seq)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE router.stage_history (
            tenant text NOT NULL,
            lead_id text NOT NULL,
            seq integer NOT NULL,
            cycle integer NOT NULL,
            at bigint NOT NULL,
            cause jsonb NOT NULL,
            from_stage text NOT NULL,
            stage text NOT NULL,
            from_disposition text NOT NULL,
            disposition text NOT NULL,
            owner_rep text,
            waiting_reason text,
            decision_id text,
            PRIMARY KEY (tenant, lead_id, seq)
        )
        """
    )


def _pools() -> None:
    op.execute(
        """
        CREATE TABLE router.pools (
            tenant text NOT NULL,
            pool_id text NOT NULL,
            policy_sequence bigint NOT NULL DEFAULT 0,  -- of the teams policy that its members are from
            joined integer NOT NULL DEFAULT 0,          -- how many ever joined
            PRIMARY KEY (tenant, pool_id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE router.pool_members (
            tenant text NOT NULL,
            pool_id text NOT NULL,
            rep_id text NOT NULL,
            joined integer NOT NULL,       -- the how-manieth to join: ties are broken by it
            weight integer NOT NULL,
            due text NOT NULL,             -- share while eligible less leads received: exact, as numerator/denominator
            received bigint NOT NULL,
            PRIMARY KEY (tenant, pool_id, rep_id)
        )
        """
    )


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
