"""The gate: cells, hand-raises, segments, exclusions, and what makes a lead less ripe than its grade."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.router.domain.facts import Scored
from services.router.domain.gate import GateRules, Holding, cell, gate, holding, leg
from shared.qualification.answers import Answer
from shared.schemas.policies.qualification import Gate, Hold
from shared.schemas.scores import LeadScored

CELLS = {"mql": ["A1", "A2", "B1"], "inside_sales_check": ["A3", "B2", "C1"], "hand_raise_minimum_fit": "C"}


def rules(**more: Any) -> GateRules:
    return GateRules.of(Gate.model_validate(CELLS | more))


@pytest.mark.parametrize(
    ("grade", "verdict"),
    [("A1", "mql"), ("B1", "mql"), ("A3", "inside_sales_check"), ("C1", "inside_sales_check"), ("D4", "nurture")],
)
def test_the_grade_decides_by_its_cell(scored, grade, verdict):
    assert gate(scored(grade), rules()).verdict == verdict


@pytest.mark.parametrize(
    ("grade", "verdict", "by"),
    [
        ("C4", "mql", "hand_raise"),
        ("D4", "inside_sales_check", "hand_raise_below_fit"),
        ("A1", "mql", "hand_raise"),
    ],
)
def test_a_hand_raise_is_an_mql_at_any_band_if_the_fit_is_enough(scored, grade, verdict, by):
    gated = gate(scored(grade, raised="demo_requested"), rules())
    assert (gated.verdict, gated.by) == (verdict, by)


def test_of_hand_raises_only_those_count_that_the_gate_names(scored):
    named = rules(hand_raises=["demo_requested"])
    assert gate(scored("C4", raised="demo_requested"), named).verdict == "mql"
    other = gate(scored("C4", raised="catalog_downloaded"), named)
    assert (other.verdict, other.by, other.hand_raise) == ("nurture", "grade", None)


@pytest.mark.parametrize(("field", "by"), [("is_test", "test"), ("internal", "internal")])
def test_who_was_only_tested_with_or_is_one_of_ourselves_is_never_ripe(scored, field, by):
    told = replace(scored("A1", raised="demo_requested"), **{field: True})
    gated = gate(told, rules())
    assert (gated.by, gated.verdict, gated.never) == (by, "nurture", True)
    assert told.digest() != scored("A1", raised="demo_requested").digest(), "when that changes, it is worth a decision"


def test_an_answer_that_became_surer_is_worth_a_decision(scored):
    plain = Answer("B1", "secured", "handoff/meeting", 1, trusted=True)
    digests = {replace(scored("A1"), answers=(replace(plain, confidence=said),)).digest() for said in (None, 0.5, 0.9)}
    assert len(digests) == 3


def test_what_is_only_shown_or_scored_by_time_does_not_change_the_digest_and_what_the_gate_asks_for_does():
    score = {
        "tenant": "t",
        "lead_id": "l",
        "version": (1, 1, 5, 50),
        "as_of": 50,
        "policy": {"sequence": 1, "hash": "h"},
        "fit": {"total": 50_000},
        "engagement": {"total": 40_000},
        "grade": "B2",
    }
    shown = {
        "version": (1, 1, 5, 90),
        "as_of": 90,
        "engagement": {"total": 31_000, "parts": [{"rule_id": "demo", "given": 31_000, "kept": 31_000}]},
        "temperature": "warm",
        "trend": "rising",
        "better": [{"grade": "A2", "by": [{"rule_id": "level", "points": 20_000, "attribute": "lead.level"}]}],
        "region": "germany",
        "account": "kumo.example",
        "cause": "time",
        "change_id": "c",
    }

    def digest(more):
        return Scored.of(LeadScored.model_validate(score | more)).digest()

    assert digest(shown) == digest({})
    assert digest(shown | {"grade": "B3"}) != digest({})
    assert digest(shown | {"internal": True}) != digest({})
    assert digest(shown | {"trend": "falling"}) != digest({})


def test_a_hand_raise_from_before_the_last_closing_counts_no_more(scored):
    score = scored("C4", raised="demo_requested", raised_at=500)
    assert gate(score, rules(), since=500).verdict == "nurture"
    assert gate(score, rules(), since=499).verdict == "mql"


def test_field_sales_is_asked_only_for_an_mql_of_which_enough_is_known():
    assert leg("mql", enough=False, returned=False) == "is"
    assert leg("mql", enough=True, returned=False) == "fs"
    assert leg("mql", enough=True, returned=True) == "is"
    assert leg("inside_sales_check", enough=True, returned=False) == "is"


def test_every_grade_has_a_cell_and_what_is_named_nowhere_is_nurture():
    cells = Gate.model_validate(CELLS)
    assert [cell(grade, cells) for grade in ("A1", "B2", "D4")] == ["mql", "inside_sales_check", "nurture"]


EXCLUDE = [
    {"id": "ours", "when": {"lead.internal": {"eq": True}}, "outcome": "never"},
    {"id": "rivals", "when": {"any": [{"lead.kind": {"eq": "competitor"}}, {"account.kind": {"eq": "competitor"}}]}},
    {"id": "students", "when": {"lead.kind": {"in": ["student", "supplier"]}}, "outcome": "disqualify"},
    {"id": "free_mail", "when": {"lead.own_domain": {"eq": False}}, "outcome": "nurture"},
]


@pytest.mark.parametrize(
    ("attributes", "account", "rule", "outcome"),
    [
        ({"kind": "competitor"}, {}, "rivals", "never"),
        ({}, {"account.kind": "competitor"}, "rivals", "never"),
        ({"kind": "student"}, {}, "students", "disqualify"),
        ({"kind": "supplier", "own_domain": False}, {}, "students", "disqualify"),
        ({"own_domain": False}, {}, "free_mail", "nurture"),
        ({"own_domain": True}, {"account.kind": "end_customer"}, None, None),
    ],
)
def test_the_first_rule_that_holds_excludes_whatever_the_lead_did(scored, attributes, account, rule, outcome):
    lead = scored("A1", raised="demo_requested", attributes=attributes)
    gated = gate(lead, rules(exclude=EXCLUDE), account=account)
    assert (gated.excluded, gated.outcome, gated.never) == (rule, outcome, rule is not None)
    assert gated.verdict == ("nurture" if rule else "mql")


def test_one_of_ourselves_is_excluded_by_the_rule_that_names_it(scored):
    gated = gate(replace(scored("A1"), internal=True), rules(exclude=EXCLUDE))
    assert (gated.by, gated.excluded) == ("excluded", "ours")


SEGMENTS = [
    {"id": "enterprise", "when": {"lead.size_band": {"in": ["s6", "s7"]}}, "mql": ["A1", "A2", "A3", "A4"]},
    {"id": "large", "when": {"lead.size_band": {"in": ["s5", "s6"]}}, "mql": ["A1"], "inside_sales_check": ["D4"]},
]


@pytest.mark.parametrize(
    ("size", "grade", "segment", "verdict"),
    [
        ("s7", "A4", "enterprise", "mql"),
        ("s7", "B1", "enterprise", "nurture"),  # its own gate, wholly
        ("s6", "A4", "enterprise", "mql"),  # the first whose condition holds
        ("s5", "D4", "large", "inside_sales_check"),
        ("s1", "B1", None, "mql"),
    ],
)
def test_the_first_segment_that_holds_has_its_own_gate(scored, size, grade, segment, verdict):
    gated = gate(scored(grade, attributes={"size_band": size}), rules(segments=SEGMENTS))
    assert (gated.segment, gated.verdict) == (segment, verdict)


def test_what_is_required_lowers_a_lead_and_each_step_is_told(scored):
    required = [
        {"id": "region", "when": {"lead.country": {"in": ["JP"]}}, "otherwise": "inside_sales_check"},
        {"id": "breadth", "when": {"account.people": {"gte": 2}}, "otherwise": "nurture"},
    ]
    here = rules(requires=required)
    assert gate(scored("A1", attributes={"country": "JP"}), here, account={"account.people": 2}).verdict == "mql"
    gated = gate(scored("A1", attributes={"country": "DE"}, raised="demo_requested"), here)
    assert gated.verdict == "nurture"
    assert [(one.by, one.before, one.after) for one in gated.lowered] == [
        ("region", "mql", "inside_sales_check"),
        ("breadth", "inside_sales_check", "nurture"),
    ]


def test_below_the_least_fit_no_grade_makes_an_mql(scored):
    least = rules(minimum_fit="A")
    assert gate(scored("A1"), least).verdict == "mql"
    gated = gate(scored("B1"), least)
    assert (gated.verdict, gated.lowered[0].by) == ("inside_sales_check", "minimum_fit")
    assert gate(scored("B1", raised="demo_requested"), least).verdict == "mql"


@pytest.mark.parametrize(
    ("people", "confirmed", "raised", "verdict"),
    [
        (None, False, None, "inside_sales_check"),
        (1, False, None, "inside_sales_check"),
        (2, False, None, "mql"),
        (1, True, None, "mql"),
        (1, False, "demo_requested", "mql"),
    ],
)
def test_one_persons_private_interest_is_damped_until_breadth_or_intent_confirms_it(
    scored, people, confirmed, raised, verdict
):
    account = {} if people is None else {"account.people": people}
    gated = gate(scored("A1", raised=raised), rules(one_person={}), account=account, confirmed=confirmed)
    assert gated.verdict == verdict
    assert [one.by for one in gated.lowered] == ([] if verdict == "mql" else ["one_person"])
    assert gate(scored("A1"), rules(), account=account).verdict == "mql", "only where the policy says so"


def test_who_does_less_than_before_does_not_pass_by_grade_alone(scored):
    cooling, timing = replace(scored("A1"), trend="falling"), rules(falling="nurture")
    assert gate(cooling, timing).verdict == "nurture"
    assert gate(scored("A1"), timing).verdict == "mql"
    assert gate(replace(scored("A1", raised="demo_requested"), trend="falling"), timing).verdict == "mql"


def test_a_lead_is_held_until_its_fields_are_known_or_the_limit_passes(scored):
    hold, hour = Hold(until=("lead.employees", "lead.industry"), at_most_hours=2), 3_600_000
    gated = gate(scored("A1"), rules())
    assert holding(gated, hold, {"lead.industry": "jsic:E"}, 1_000, 1_000) == Holding(
        ("lead.employees",), 1_000 + 2 * hour
    )
    assert holding(gated, hold, {}, 1_000, 1_000 + 2 * hour - 1) is not None
    assert holding(gated, hold, {}, 1_000, 1_000 + 2 * hour) is None
    assert holding(gated, hold, {"lead.employees": 0, "lead.industry": "jsic:E"}, 1_000, 1_000) is None
    wants = gate(scored("A1", raised="demo_requested"), rules())
    assert holding(wants, hold, {}, 1_000, 1_000) is None, "who asked to be contacted does not wait"
    assert holding(wants, hold.model_copy(update={"hand_raises": True}), {}, 1_000, 1_000) is not None


def heard(*said):
    """A score with consents: question, code, source and when."""
    return tuple(Answer(question, code, source, at, trusted=False) for question, code, source, at in said)


@pytest.mark.parametrize(
    ("said", "consent"),
    [
        ([], None),
        ([("consent.email", "opt_in", "web", 5)], "opt_in"),
        ([("consent.email", "opt_in", "web", 5), ("consent.email", "withdrawn", "mail", 6)], "withdrawn"),
        ([("consent.email", "withdrawn", "mail", 5), ("consent.email", "opt_in", "web", 6)], "opt_in"),
        ([("consent.email", "withdrawn", "mail", 5), ("consent.email", "opt_in", "web", 5)], "withdrawn"),
        ([("consent.email.basis", "card", "fair", 5)], "card"),
        ([("consent.email", "withdrawn", "mail", 5), ("consent.email.basis", "card", "fair", 9)], "withdrawn"),
    ],
    ids=["unsaid", "opt-in", "refused since", "opt-in again", "at once", "a card", "a card after a refusal"],
)
def test_a_refusal_beats_every_basis_until_the_lead_opts_in_again(scored, said, consent):
    told = replace(scored("A1"), answers=heard(*said))
    assert told.facts().get("lead.consent_email") == consent
    assert "lead.consent_phone" not in told.facts()


def test_a_gate_may_ask_for_consent_in_one_region_and_not_in_another(scored):
    asks = {"id": "consent", "when": {"lead.consent_email": {"in": ["opt_in"]}}, "otherwise": "inside_sales_check"}
    europe = {"id": "europe", "when": {"lead.country": {"in": ["DE", "FR"]}}, **CELLS, "requires": [asks]}
    both = rules(segments=[europe])
    german = {"attributes": {"country": "DE"}}
    assert gate(scored("A1", **german), both).verdict == "inside_sales_check"
    agreed = replace(scored("A1", **german), answers=heard(("consent.email", "opt_in", "web", 5)))
    assert gate(agreed, both).verdict == "mql"
    assert gate(scored("A1", attributes={"country": "JP"}), both).verdict == "mql"


@pytest.mark.parametrize(
    ("account", "told", "verdict"),
    [
        ({"account.kind": "partner"}, {}, "inside_sales_check"),
        ({}, {"attributes": {"kind": "partner"}}, "inside_sales_check"),
        ({"account.kind": "end_customer"}, {}, "mql"),
    ],
)
def test_people_of_a_partner_are_no_demand(scored, account, told, verdict):
    gated = gate(scored("A1", raised="demo_requested", **told), rules(), None, account)
    assert (gated.verdict, [one.by for one in gated.lowered]) == (verdict, ["partner"] if verdict != "mql" else [])
    assert not scored("A1", attributes={"kind": "partner"}).active, "nor do they make a company look broad"


def test_the_breadth_that_scoring_counts_confirms_one_persons_interest(scored):
    alone = rules(one_person={"people": 2, "verdict": "inside_sales_check"})
    assert gate(scored("A1"), alone, None, {"account.people": 1}).verdict == "inside_sales_check"
    assert gate(scored("A1"), alone, None, {"account.people": 1, "account.active": 2}).verdict == "mql"
