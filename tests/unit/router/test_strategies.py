"""Who of the eligible is next, by the pool's strategy, and what that leaves the others owed."""

from __future__ import annotations

from fractions import Fraction

import pytest

from services.router.domain.account import Deal, Known, Party, Place
from services.router.domain.decision import Inputs, decide, replay, settle
from services.router.domain.fairness import PoolState, credit_back
from services.router.domain.lead import Cause, Lead
from services.router.domain.matching.result import Matched
from services.router.domain.words import reasons, why_not

REPS = [
    {"id": "sato", "name": "Sato", "languages": ["ja"], "skills": ["cloud"], "level": 2},
    {"id": "tanaka", "name": "Tanaka", "languages": ["ja", "de"], "level": 4},
    {"id": "mori", "name": "Mori"},
]


@pytest.fixture
def team(playbook_with, bodies):
    def make(weight=1, **pool):
        members = [{"rep": "sato", "weight": weight}, {"rep": "tanaka"}, {"rep": "mori"}]
        pools = [{"id": "field", "members": members} | pool]
        routing = bodies["routing"] | {
            "rules": [{"id": "all", "when": {}, "pool": "field"}],
            "accounts": {"open_opportunity": None},
        }
        return playbook_with(teams={"reps": REPS, "pools": pools}, routing=routing)

    return make


def decided(playbook, scored, pool=None, **inputs):
    state = pool or PoolState("field").follow(playbook.weights("field"), 1)
    fields = {"pools": {"field": state}} | inputs
    return decide(Inputs("t", "lead", 1, 1, Cause("scored", None, 0), 0, scored, **fields), playbook)


def dues(decision):
    return {balance.rep_id: balance.due for balance in decision.pool.balances}


def test_the_least_loaded_for_their_weight_is_next_and_of_equals_the_one_whose_turn_it_is(team, scored):
    playbook = team(weight=4, strategy="least_loaded")
    decision = decided(playbook, scored(), loads={"sato": 7, "tanaka": 2, "mori": 2})
    assert (decision.outcome.rep_id, decision.way) == ("sato", "least_loaded")
    assert why_not(decision.trace, "mori").text == {
        "en": "more open leads for the weight than Sato: 2, weight 1 against 7, weight 4",
        "ja": "Sato より負荷が高い(2 件(重み 1)、Sato は 7 件(重み 4))",
    }
    equals = decided(playbook, scored(), loads={"sato": 8, "tanaka": 2, "mori": 1}, pool=decision.pool)
    assert equals.outcome.rep_id == "mori"
    tie = decided(playbook, scored(), loads={"sato": 12, "tanaka": 2, "mori": 2}, pool=equals.pool)
    assert tie.outcome.rep_id == "tanaka", "Mori had one, so that it is Tanaka's turn"
    assert why_not(tie.trace, "mori").code == "not_their_turn"
    assert reasons(tie, None)[-1].text["en"].endswith("2, weight 1; as Mori, whose turn it was not")


def test_balances_are_kept_whatever_decides(team, scored):
    decision = decided(team(strategy="least_loaded"), scored())
    assert dues(decision) == {"sato": Fraction(-2, 3), "tanaka": Fraction(1, 3), "mori": Fraction(1, 3)}


PREFERS = [
    {"skills": ["cloud"], "points": 3},
    {"language": True, "points": 5},
    {"when": {"score.grade": {"eq": "A1"}}, "level": 4, "points": 1},
]


def test_who_has_the_most_points_for_the_lead_fits_best(team, scored):
    playbook = team(strategy="best_fit", prefers=PREFERS)
    german = decided(playbook, scored("A1", attributes={"language": "DE"}))
    assert (german.outcome.rep_id, german.way) == ("tanaka", "best_fit")
    assert {one.rep_id: one.points for one in german.trace.candidates} == {"sato": 3, "tanaka": 6, "mori": 0}
    assert why_not(german.trace, "sato").text == {
        "en": "fits less than Tanaka: 3 points against 6",
        "ja": "Tanaka より適合が低い(3 点、Tanaka は 6 点)",
    }
    assert reasons(german, None)[-1].text["ja"] == "対象 3 名のうち Tanaka が最適: 6 点"
    assert decided(playbook, scored("A2")).outcome.rep_id == "sato", "a language that is not known gives nobody points"


def test_of_equal_points_the_fair_turn_decides(team, scored):
    playbook = team(strategy="best_fit", prefers=[{"skills": ["law"]}, {"language": True}])
    first = decided(playbook, scored("A1", attributes={"language": "ja"}))
    second = decided(playbook, scored("A1", attributes={"language": "ja"}), pool=first.pool)
    assert [first.outcome.rep_id, second.outcome.rep_id] == ["sato", "tanaka"]


def test_a_lead_sticks_to_who_had_it_and_leaves_the_balances_alone(team, scored):
    playbook = team(strategy="sticky")
    decision = decided(playbook, scored(), had_by="mori")
    assert (decision.outcome.rep_id, decision.way, decision.trace.stuck) == ("mori", "sticky", "earlier_cycle")
    assert set(dues(decision).values()) == {0}
    assert reasons(decision, None)[-1].text == {
        "en": "Mori had this lead before: it counts apart from the fair share",
        "ja": "Mori が以前このリードを担当(公平配分とは別に計上)",
    }
    assert why_not(decision.trace, "sato").code == "sticky"
    lead = settle(Lead("lead"), decision, playbook)
    assert credit_back(decision.pool.balances, "mori", lead.sharing) == decision.inputs.pools["field"].balances
    assert replay(decision.inputs, playbook) == (decision.trace, decision.outcome)


def test_who_had_it_and_cannot_take_it_leaves_it_to_the_fair_turn(team, scored):
    decision = decided(team(strategy="sticky"), scored(), had_by="mori", holders=("mori",))
    assert (decision.outcome.rep_id, decision.way) == ("sato", "fair")
    assert dues(decision)["sato"] == Fraction(-1, 2)
    assert decided(team(strategy="sticky"), scored(), had_by="who-left").way == "fair"


def test_only_a_sticky_pool_asks_who_had_it(team, scored):
    decision = decided(team(), scored(), had_by="mori")
    assert (decision.outcome.rep_id, decision.way, decision.inputs.had_by) == ("sato", "fair", None)


def test_a_lead_sticks_to_who_has_another_one_of_its_company(team, scored):
    deals = (
        Deal("x", Place("other", "other-entity", "root"), "mori", "fs", accepted=True),
        Deal("y", Place("firm", "firm", "root"), "tanaka", "fs", accepted=False),
    )
    party = Party("firm", "Firm", "end_customer", "legal_entity", "root", "firm")
    known = Known(Matched("firm", "domain"), party, deals)
    decision = decided(team(strategy="sticky"), scored(), account=known)
    assert (decision.outcome.rep_id, decision.trace.stuck) == ("tanaka", "account")
    assert reasons(decision, None)[-1].text["ja"] == "Tanaka が同じ企業のリードを担当中(公平配分とは別に計上)"
