"""A set share of the leads just below the gate is looked at on purpose: always the same ones, by inside sales, once a year."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.router.domain.account import Known, Party
from services.router.domain.decision import Inputs, decide, replay, settle
from services.router.domain.exploring import YEAR, drawn
from services.router.domain.fairness import PoolState
from services.router.domain.lead import Cause, Lead
from services.router.domain.matching.result import Matched
from services.router.domain.words import reasons

NOW = 2_000_000_000_000


@pytest.fixture
def playbook(playbook_with, bodies):
    gate = bodies["qualification"]["gate"] | {"explore": {"share": 0.5, "grades": ["B3"]}}
    return playbook_with(qualification=bodies["qualification"] | {"gate": gate})


@pytest.fixture
def chosen():
    """A lead that is one of the share."""
    return next(f"lead-{n}" for n in range(100) if drawn("t", f"lead-{n}", 0.5))


@pytest.fixture
def inputs(playbook, scored, chosen):
    def make(grade="B3", cause="scored", **more):
        pools = {pool: PoolState(pool).follow(playbook.weights(pool), 1) for pool in playbook.pools}
        fields = {"lead_id": chosen, "seq": 1, "cycle": 1, "pools": pools, "decided_at": NOW} | more
        return Inputs("t", cause=Cause(cause, "1/1/1/1", NOW), scored=scored(grade, as_of=NOW - 5), **fields)

    return make


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
def test_the_share_is_what_was_set_and_a_larger_one_has_the_leads_of_a_smaller_one(share):
    found = {n for n in range(20_000) if drawn("t", f"lead-{n}", share)}
    assert len(found) / 20_000 == pytest.approx(share, rel=0.15)
    assert found <= {n for n in range(20_000) if drawn("t", f"lead-{n}", share + 0.01)}


def test_an_explored_lead_goes_to_inside_sales_and_says_so(inputs, playbook):
    decision = decide(inputs(), playbook)
    assert (decision.outcome.kind, decision.outcome.leg, decision.outcome.stage) == ("routed", "is", "aql")
    assert decision.trace.explored
    assert [reason.code for reason in reasons(decision, playbook)][:3] == ["gate_nurture", "bant", "explored"]
    assert replay(decision.inputs, playbook) == (decision.trace, decision.outcome)


@pytest.mark.parametrize(
    "given",
    [
        {"grade": "C4"},
        {"cause": "swept"},
        {"explored_at": NOW - YEAR + 1},
        {"lead_id": next(f"lead-{n}" for n in range(100) if not drawn("t", f"lead-{n}", 0.5))},
    ],
    ids=["another grade", "it did nothing", "less than a year ago", "not one of the share"],
)
def test_other_leads_stay_below_the_gate(inputs, playbook, given):
    decision = decide(inputs(**given), playbook)
    assert (decision.outcome.kind, decision.trace.explored) == ("below_gate", False)


def test_after_a_year_it_may_be_explored_again(inputs, playbook):
    assert decide(inputs(explored_at=NOW - YEAR), playbook).trace.explored


def test_a_lead_that_its_account_leads_to_somebody_else_is_not_explored(inputs, playbook):
    party = Party("hinode", "Hinode", "end_customer", "legal_entity", "hinode", "hinode", owner="sato")
    decision = decide(inputs(account=Known(Matched("hinode", "domain"), party)), playbook)
    assert (decision.outcome.kind, decision.trace.explored) == ("below_gate", False)


def test_while_reps_give_it_back_it_stays_explored_until_it_raises_its_hand(inputs, playbook, scored, chosen):
    first = decide(inputs(), playbook)
    lead = settle(Lead(chosen, grade="B3"), first, playbook)
    assert (lead.explored_at, lead.explored, lead.verdict) == (NOW, True, "inside_sales_check")
    again = replace(
        inputs(cause="offer-declined", holders=("ito",), explored_at=NOW),
        verdict=lead.verdict,
        qualified=first.outcome.qualified,
    )
    assert decide(again, playbook).trace.explored
    raised = replace(again, scored=scored("B3", raised="demo_requested", raised_at=NOW + 9), decided_at=NOW + 10)
    assert not decide(raised, playbook).trace.explored
