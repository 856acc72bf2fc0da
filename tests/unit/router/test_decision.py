"""P6: a decision explains itself, both ways, and its stored inputs repeat it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from services.router.domain.decision import Inputs, PoolsNeededError, Qualified, decide, replay, settle
from services.router.domain.fairness import PoolState
from services.router.domain.lead import Cause, Lead
from services.router.domain.words import EXCLUSIONS, WAITS, reasons, why_not
from services.router.store.trail import INPUTS, OUTCOME, TRACE

NOW = 2_000
NEED = [("N1", "stated", 900)]


@pytest.fixture
def inputs(playbook, scored):
    def make(grade="A1", **more):
        given = {name: more.pop(name) for name in ("raised", "raised_at", "answers", "attributes") if name in more}
        pools = {pool: PoolState(pool).follow(playbook.weights(pool), 1) for pool in playbook.pools}
        score = scored(grade, **({"answers": NEED} | given))
        fields = {"pools": pools, "decided_at": NOW} | more
        return Inputs("t", "lead-1", 1, 1, Cause("scored", "1/1/1/1", NOW), scored=score, **fields)

    return make


def test_a_ripe_lead_is_routed_and_every_step_is_told(inputs, playbook):
    decision = decide(inputs(raised="demo_requested"), playbook)
    outcome = decision.outcome
    assert (outcome.kind, outcome.stage, outcome.leg, outcome.pool_id, outcome.rep_id) == (
        "routed",
        "mql",
        "fs",
        "field",
        "sato",
    )
    assert (outcome.qualified.lead_class, outcome.qualified.at) == ("hand_raise", 500)
    told = reasons(decision, playbook)
    assert [reason.code for reason in told] == ["gate_mql", "bant", "rule", "fair_turn"]
    assert all(reason.text["en"] and reason.text["ja"] for reason in told)


def test_why_sato_and_why_not_tanaka(inputs, playbook):
    trace = decide(inputs(), playbook).trace
    assert why_not(trace, "sato") is None
    assert why_not(trace, "tanaka").code == "not_their_turn"
    assert why_not(trace, "gone").code == "inactive"
    assert why_not(trace, "schmidt").code == "not_in_pool"


def test_the_reasons_read_as_sentences_without_ids(inputs, playbook_with, bodies):
    pools = [pool | {"label": {"en": "Field sales", "ja": "営業部"}} for pool in bodies["teams"]["pools"]]
    rules = [rule | {"label": {"en": "All", "ja": "全件"}} for rule in bodies["routing"]["rules"]]
    playbook = playbook_with(teams=bodies["teams"] | {"pools": pools}, routing=bodies["routing"] | {"rules": rules})
    told = [reason.text for reason in reasons(decide(inputs(raised="demo_requested"), playbook), playbook)]
    assert [text["ja"] for text in told] == [
        "手挙げ(デモ依頼)により MQL",
        "BANT 4項目中1項目を確認(必要性)、基準は1項目: フィールドセールスへ",
        "ルール「全件」によりプール「営業部」へ",
        "対象 2 名のうち Misaki Sato の番: これまでの配分は持ち分どおり、今回の持ち分 67%",
    ]
    assert told[0]["en"] == "hand-raise (demo requested): an MQL"
    assert told[2]["en"] == "rule “All” leads to pool “Field sales”"
    checked, unfit = decide(inputs("A3"), playbook), decide(inputs("D4", raised="quote_requested"), playbook)
    assert reasons(checked, playbook)[0].text["ja"] == "グレード A3 はインサイドセールス確認"
    assert (
        reasons(unfit, playbook)[0].text["ja"] == "手挙げ(見積依頼)だが適合度 D が C 未満のためインサイドセールス確認"
    )


def test_that_a_lead_is_not_ripe_is_said_once(inputs, playbook):
    told = [reason.text["en"] for reason in reasons(decide(inputs("D4"), playbook), playbook)]
    assert told == ["grade D4 is not ripe", "below the gate"]


def test_a_tie_says_what_broke_it(inputs, playbook_with, bodies):
    pools = [{"id": "field", "members": [{"rep": "tanaka"}, {"rep": "sato"}]}]
    playbook = playbook_with(teams=bodies["teams"] | {"pools": pools})
    pool = PoolState("field").follow(playbook.weights("field"), 1)
    first = decide(inputs(pools={"field": pool}), playbook)
    [turn] = [reason.text for reason in reasons(first, playbook) if reason.code == "fair_turn"]
    assert turn["en"].endswith("; a tie with Misaki Sato: joined the pool earlier")
    assert turn["ja"].endswith("(Misaki Sato と同順位、プールへの参加が先)")
    assert why_not(first.trace, "sato").text == {
        "en": "a tie with Ken Tanaka, who joined the pool earlier",
        "ja": "Ken Tanaka と同順位、プールへの参加が後",
    }
    second = decide(inputs(pools={"field": first.pool}), playbook)
    assert why_not(second.trace, "tanaka").text == {
        "en": "it was Misaki Sato's turn: owed +0.50 leads against -0.50",
        "ja": "Misaki Sato の番(これまでの配分: Misaki Sato は持ち分より 0.50 件少なめ、本人は持ち分より 0.50 件多め)",
    }


def test_one_of_ourselves_is_not_routed_even_where_the_gate_once_said_mql(inputs, playbook):
    given = inputs(raised="demo_requested", verdict="mql")
    assert decide(given, playbook).outcome.kind == "routed"
    decision = decide(replace(given, scored=replace(given.scored, internal=True)), playbook)
    assert (decision.outcome.kind, decision.outcome.rep_id) == ("below_gate", None)
    [reason] = reasons(decision, playbook)[:1]
    assert (reason.detail["by"], reason.text["ja"]) == ("internal", "社内の関係者のため振り分け対象外")


def test_a_decision_that_was_stored_with_fields_of_an_earlier_day_is_still_read(inputs, playbook):
    decision = decide(inputs("B3"), playbook)
    trace = json.loads(TRACE.dump_json(decision.trace)) | {"steps_up": [{"grade": "A3", "fit": 1, "engagement": 0}]}
    stored = json.loads(INPUTS.dump_json(decision.inputs)) | {"thresholds": {"fit": [1, 2, 3], "engagement": [1, 2, 3]}}
    again = replay(INPUTS.validate_python(stored), playbook)
    assert again == (TRACE.validate_python(trace), decision.outcome)


def test_a_lead_below_the_gate_says_what_to_ask_next(inputs, playbook):
    decision = decide(inputs("B3", answers=()), playbook)
    assert (decision.outcome.kind, decision.outcome.waiting_reason) == ("below_gate", "below_gate")
    assert decision.trace.evidence.question.criterion == "need"


def test_a_lead_that_inside_sales_has_to_check_goes_to_inside_sales(inputs, playbook):
    decision = decide(inputs("A3"), playbook)
    assert (decision.outcome.stage, decision.outcome.leg, decision.outcome.rep_id) == ("aql", "is", "ito")
    assert decision.outcome.mode == "assign"


def test_an_mql_without_enough_of_bant_goes_to_inside_sales_first(inputs, playbook):
    decision = decide(inputs("A1", answers=()), playbook)
    assert (decision.outcome.stage, decision.outcome.leg) == ("mql", "is")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"attributes": {"size_band": "s6"}}, "parked:no_eligible_member"),
        ({"attributes": {"kind": "press"}}, "parked:no_rule"),
        ({"loads": {"sato": 10, "tanaka": 10}}, "parked:at_capacity"),
        ({"attributes": {"language": "de"}, "holders": ("schmidt",)}, "parked:language"),
    ],
)
def test_a_ripe_lead_that_nobody_can_take_is_parked_with_the_reason(inputs, playbook, more, reason):
    decision = decide(inputs("A1", **more), playbook)
    assert (decision.outcome.kind, decision.outcome.waiting_reason) == ("parked", reason)
    assert decision.pool is None, "nobody was given anything"


def test_a_rule_that_names_no_pool_parks_the_lead(inputs, playbook_with, bodies):
    teams = bodies["teams"] | {"pools": [pool for pool in bodies["teams"]["pools"] if pool["id"] != "field"]}
    assert decide(inputs(), playbook_with(teams=teams)).outcome.waiting_reason == "parked:no_pool"


def test_a_tenant_without_policies_parks_its_leads(inputs):
    decision = decide(inputs(missing=("teams",)), None)
    assert decision.outcome.waiting_reason == "parked:no_policy"
    assert reasons(decision, None)[-1].detail["missing"] == ["teams"]


def test_a_lead_stays_ripe_while_reps_decline_it(inputs, playbook):
    decision = decide(inputs("B4", verdict="mql", holders=("sato",)), playbook)
    assert (decision.outcome.stage, decision.outcome.rep_id) == ("mql", "tanaka")


def test_the_promise_counts_from_the_touch_that_made_it_ripe_at_first(inputs, playbook):
    again = decide(inputs(qualified=decide(inputs(), playbook).outcome.qualified, decided_at=NOW + 999), playbook)
    assert again.outcome.qualified.at == 1_000


def test_a_hand_raise_makes_a_lead_that_was_ripe_by_its_score_more_urgent(inputs, playbook):
    known = Qualified("score", 1_000)
    raised = decide(inputs(raised="demo_requested", raised_at=2_000, qualified=known), playbook).outcome.qualified
    assert raised == Qualified("hand_raise", 2_000, "demo_requested")
    earlier = decide(inputs(raised="demo_requested", raised_at=900, qualified=known), playbook).outcome.qualified
    assert earlier == known, "not one that was known then"
    again = Qualified("hand_raise", 1_000)
    assert (
        decide(inputs(raised="demo_requested", raised_at=2_000, qualified=again), playbook).outcome.qualified == again
    )


def test_pools_that_were_not_read_are_asked_for(inputs, playbook):
    with pytest.raises(PoolsNeededError):
        decide(inputs(pools={}), playbook)
    assert decide(inputs("D4", pools={}), playbook).outcome.kind == "below_gate", "and only when they are needed"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"grade": "D4"},
        {"grade": "B3"},
        {"raised": "demo_requested", "loads": {"sato": 3, "schmidt": 4}},
        {"attributes": {"language": "de", "employees": 450, "own_domain": True, "company": "株式会社"}},
        {"holders": ("sato", "tanaka"), "verdict": "mql"},
        {"answers": ()},
    ],
)
def test_the_stored_inputs_repeat_the_decision(inputs, playbook, more):
    decision = decide(inputs(**more), playbook)
    stored = [
        json.loads(adapter.dump_json(value, exclude_none=True))
        for adapter, value in ((INPUTS, decision.inputs), (TRACE, decision.trace), (OUTCOME, decision.outcome))
    ]
    again, trace, outcome = (a.validate_python(v) for a, v in zip((INPUTS, TRACE, OUTCOME), stored, strict=True))
    assert again == decision.inputs
    assert replay(again, playbook) == (trace, outcome) == (decision.trace, decision.outcome)


def test_the_inputs_hold_only_what_was_looked_at(inputs, playbook):
    decision = decide(inputs(loads={"sato": 1, "ito": 2}), playbook)
    assert set(decision.inputs.pools) == {"field"}
    assert decision.inputs.loads == {"sato": 1}
    assert decide(inputs("D4", loads={"sato": 1}), playbook).inputs.pools == {}


def test_a_lead_is_settled_with_an_owner_or_a_reason(inputs, playbook):
    owned = settle(Lead("lead-1"), decide(inputs(), playbook), playbook)
    assert (owned.owner_rep, owned.waiting_reason, owned.assignment, owned.provisional) == ("sato", None, 1, True)
    waits = settle(Lead("lead-1"), decide(inputs("D4"), playbook), playbook)
    assert (waits.owner_rep, waits.waiting_reason, waits.waiting_since) == (None, "below_gate", NOW)
    later = settle(waits, replace(decide(inputs("D4", decided_at=NOW + 9), playbook)), playbook)
    assert later.waiting_since == NOW


def test_every_reason_to_wait_and_every_exclusion_has_its_words():
    from typing import get_args

    from services.router.domain.assignment import Exclusion, Parked
    from services.router.domain.before_pools import ParkedBy
    from services.router.domain.lead import CLOSED

    parked = (*get_args(Parked), *get_args(ParkedBy), "enriching")
    assert set(WAITS) == {f"parked:{code}" for code in parked} | set(CLOSED) | {
        "unscored",
        "below_gate",
        "merged",
    }
    assert set(EXCLUSIONS) == set(get_args(Exclusion))
    assert all({"en", "ja"} == set(wait.why) == set(wait.trigger) for wait in WAITS.values())
