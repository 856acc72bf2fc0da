"""Who works on a deal beside its owner, so that they find it: a row each, as `team` of the deal names them.

A trigger keeps them, so that programs of before this do, too.
"""

from __future__ import annotations

from alembic import op

from baton.migrations.tenant_rows import own_rows

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE handoff.deal_members (
            tenant text NOT NULL,
            opportunity_id uuid NOT NULL,
            rep_id text NOT NULL,
            PRIMARY KEY (tenant, opportunity_id, rep_id)
        )
        """
    )
    op.execute("CREATE INDEX deals_of_member ON handoff.deal_members (tenant, rep_id, opportunity_id)")
    own_rows("handoff.deal_members", baton_app="SELECT, INSERT, DELETE", baton_worker="SELECT, INSERT, DELETE")
    op.execute(
        """
        CREATE FUNCTION handoff.keep_deal_members() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND NEW.team = OLD.team THEN
                RETURN NULL;
            END IF;
            DELETE FROM handoff.deal_members m WHERE (m.tenant, m.opportunity_id) = (NEW.tenant, NEW.opportunity_id)
                AND m.rep_id NOT IN (SELECT one ->> 'rep_id' FROM jsonb_array_elements(NEW.team) one);
            INSERT INTO handoff.deal_members (tenant, opportunity_id, rep_id)
                SELECT NEW.tenant, NEW.opportunity_id, one ->> 'rep_id' FROM jsonb_array_elements(NEW.team) one
                ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER keep_deal_members AFTER INSERT OR UPDATE OF team ON handoff.deals"
        " FOR EACH ROW EXECUTE FUNCTION handoff.keep_deal_members()"
    )
    op.execute(
        "INSERT INTO handoff.deal_members (tenant, opportunity_id, rep_id)"
        " SELECT d.tenant, d.opportunity_id, one ->> 'rep_id' FROM handoff.deals d, jsonb_array_elements(d.team) one"
        " ON CONFLICT DO NOTHING"
    )


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
