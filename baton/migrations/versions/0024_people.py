"""People of the customer's in a deal, and what reps learnt by the questions of qualification."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # person: name, title, department, contact and note, sealed by shared.kit.person; nothing of it where one was removed.
    op.execute(
        """
        CREATE TABLE handoff.stakeholders (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            stakeholder_id text NOT NULL,
            version integer NOT NULL,
            person jsonb,
            roles text[] NOT NULL,
            stance text NOT NULL CHECK (stance IN ('support', 'neutral', 'concern', 'against', 'unknown')),
            influence smallint CHECK (influence BETWEEN 1 AND 3),
            reports_to text,
            met_on date,
            nemawashi text NOT NULL CHECK (nemawashi IN ('untouched', 'explained', 'supportive', 'concerned')),
            nemawashi_on date,
            nemawashi_by text,
            moved_at bigint,
            "left" boolean NOT NULL,
            successor text,
            verified_at bigint,
            created_at bigint NOT NULL,
            updated_at bigint NOT NULL,
            updated_by text NOT NULL,       -- the name of the token
            removed_at bigint,
            PRIMARY KEY (tenant, opportunity_id, stakeholder_id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE handoff.answers (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            answer_id text NOT NULL,
            lead_id text NOT NULL,
            question text NOT NULL,
            code text NOT NULL,
            source_id text NOT NULL,
            confidence double precision,
            observed_at bigint NOT NULL,    -- when it was learnt
            recorded_at bigint NOT NULL,
            recorded_by text NOT NULL,      -- the name of the token
            rep_id text NOT NULL,
            told_by text,                   -- a stakeholder
            note jsonb,                     -- sealed
            event_id text NOT NULL,
            voided_at bigint,
            voided_because text,
            PRIMARY KEY (tenant, opportunity_id, answer_id)
        )
        """
    )
    op.execute("CREATE INDEX answers_of_lead ON handoff.answers (tenant, lead_id)")
    for table in ("stakeholders", "answers"):
        op.execute(f"ALTER TABLE handoff.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE handoff.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant_rows ON handoff.{table} TO baton_app"
            " USING (tenant = current_setting('baton.tenant', true))"
            " WITH CHECK (tenant = current_setting('baton.tenant', true))"
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON handoff.{table} TO baton_app")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
