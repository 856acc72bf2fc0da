"""Who was handed a customer finds the deal, too: the account manager has a row among those who work on it."""

from __future__ import annotations

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

_WORKING = """
    SELECT one ->> 'rep_id' AS rep_id FROM jsonb_array_elements({deal}.team) one
    UNION SELECT {deal}.account_manager WHERE {deal}.account_manager IS NOT NULL AND {deal}.handed_over_at IS NOT NULL
"""


def upgrade() -> None:
    op.execute(
        f"""
        CREATE OR REPLACE FUNCTION handoff.keep_deal_members() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM handoff.deal_members m WHERE (m.tenant, m.opportunity_id) = (NEW.tenant, NEW.opportunity_id)
                AND m.rep_id NOT IN ({_WORKING.format(deal="NEW")});
            INSERT INTO handoff.deal_members (tenant, opportunity_id, rep_id)
                SELECT NEW.tenant, NEW.opportunity_id, working.rep_id FROM ({_WORKING.format(deal="NEW")}) working
                ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$
        """
    )
    op.execute("DROP TRIGGER keep_deal_members ON handoff.deals")
    op.execute(
        "CREATE TRIGGER keep_deal_members AFTER INSERT ON handoff.deals"
        " FOR EACH ROW EXECUTE FUNCTION handoff.keep_deal_members()"
    )
    op.execute(
        "CREATE TRIGGER keep_deal_members_changed AFTER UPDATE ON handoff.deals FOR EACH ROW"
        " WHEN ((NEW.team, NEW.account_manager, NEW.handed_over_at)"
        "   IS DISTINCT FROM (OLD.team, OLD.account_manager, OLD.handed_over_at))"
        " EXECUTE FUNCTION handoff.keep_deal_members()"
    )
    op.execute(
        "INSERT INTO handoff.deal_members (tenant, opportunity_id, rep_id)"
        " SELECT d.tenant, d.opportunity_id, d.account_manager FROM handoff.deals d"
        " WHERE d.account_manager IS NOT NULL AND d.handed_over_at IS NOT NULL ON CONFLICT DO NOTHING"
    )


def downgrade() -> None:
    raise RuntimeError("migrations only go forward: restore a backup instead")
