"""Scenarios of marketing automation for leads that are not ripe."""

from __future__ import annotations

import pytest

from services.router.domain.gate import Gated
from services.router.domain.nurture import NONE, NurtureRules, Nurturing
from shared.schemas.policies.qualification import Nurture

RULES = NurtureRules.of(
    Nurture.model_validate(
        {
            "scenarios": [
                {"id": "large", "when": {"lead.size_band": {"in": ["s6", "s7"]}}},
                {"id": "japan", "when": {"lead.country": {"eq": "JP"}}},
            ],
            "may_email": {"lead.own_domain": {"eq": True}},
        }
    )
)
BELOW = Gated("nurture", "grade", "B3")


@pytest.mark.parametrize(
    ("facts", "chosen"),
    [
        ({"lead.size_band": "s7", "lead.country": "JP", "lead.own_domain": True}, Nurturing("large", may_email=True)),
        ({"lead.country": "JP"}, Nurturing("japan")),
        ({"lead.country": "DE", "lead.own_domain": True}, NONE),  # nothing to write about
    ],
)
def test_the_first_scenario_whose_condition_holds_is_the_leads(facts, chosen):
    assert RULES.choose(BELOW, facts) == chosen


@pytest.mark.parametrize(
    ("gated", "left_alone"),
    [
        (Gated("nurture", "excluded", "A1", excluded="rival", outcome="never"), True),
        (Gated("nurture", "excluded", "A1", excluded="student", outcome="disqualify"), True),
        (Gated("nurture", "excluded", "A1", excluded="free_mail", outcome="nurture"), False),
        (Gated("nurture", "test", "A1"), True),
        (Gated("nurture", "internal", "A1"), True),
    ],
)
def test_who_is_never_to_be_routed_is_left_alone(gated, left_alone):
    assert (RULES.choose(gated, {"lead.country": "JP"}) == NONE) is left_alone


def test_without_a_policy_nobody_is_nurtured():
    assert NurtureRules.of(None).choose(BELOW, {"lead.country": "JP"}) == NONE


def test_who_has_refused_is_never_written_to_whatever_the_rule_says():
    facts = {"lead.country": "JP", "lead.own_domain": True}
    assert RULES.choose(BELOW, facts).may_email
    assert not RULES.choose(BELOW, facts | {"lead.consent_email": "withdrawn"}).may_email


@pytest.mark.parametrize(
    ("ended", "chosen"),
    [("nurture", "japan"), ("recycled", "japan"), ("lost", "japan"), ("won", None), ("disqualified", None)],
)
def test_a_lead_that_sales_gave_back_goes_on_in_a_scenario_unless_it_is_won_or_out(ended, chosen):
    assert RULES.after(ended, "not_now", {"lead.country": "JP"}).scenario == chosen
    assert RULES.after(ended, "not_now", {"lead.country": "JP", "lead.internal": True}) == NONE
