"""`Why not this rep` has one answer for any lead and any rep, and says when their turn comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from services.router.domain.decision import Decision, Inputs, decide, settle
from services.router.domain.facts import Scored
from services.router.domain.fairness import PoolState
from services.router.domain.lead import Cause, Lead
from services.router.domain.playbook import Playbook
from services.router.domain.why_not import Had, answer, turn
from shared.availability.people import NotAtWork

POOLS = ("field", "languages", "inside", "large")


@pytest.fixture
def asked(playbook: Playbook, scored: Callable[..., Scored]) -> Callable[..., Inputs]:
    """asked(grade, **of the inputs): what a decision on such a lead looks at."""

    def of(grade: str = "A1", attributes: Any = None, **more: Any) -> Inputs:
        lead = scored(grade, answers=[("B1", "secured", 900)], attributes=attributes or {})
        pools = {pool: PoolState(pool).follow(playbook.weights(pool), 1) for pool in POOLS}
        return Inputs("t", "lead-1", 1, 1, Cause("scored", "1", 1_000), 1_000, lead, **({"pools": pools} | more))

    return of


@pytest.fixture
def why(playbook: Playbook) -> Callable[..., tuple[str, str, str]]:
    """why(inputs, rep): the code, and the words in English and Japanese."""

    def of(inputs: Inputs, rep: str, had: Had | None = None, **lead: Any) -> tuple[str, str, str]:
        decision: Decision = decide(inputs, playbook)
        after = replace(settle(Lead("lead-1", excluded=inputs.holders), decision, playbook), **lead)
        reason = answer(after, decision, playbook, rep, had)
        return reason.code, reason.text["en"], reason.text["ja"]

    return of


def test_who_was_not_next_hears_whose_turn_it_was(asked, why):
    assert why(asked(), "tanaka") == (
        "not_their_turn",
        "it was Misaki Sato's turn: owed +0.00 leads against +0.00",
        "Misaki Sato の番(これまでの配分: Misaki Sato は持ち分どおり、本人は持ち分どおり)",
    )
    assert why(asked(), "sato")[0] == "has_it"


def test_who_could_not_take_it_hears_every_reason(asked, why):
    out = {"tanaka": NotAtWork("absent", 90_000_000, "Asia/Tokyo")}
    code, en, ja = why(asked(out=out, loads={"tanaka": 10}), "tanaka")
    assert (code, en) == ("absent", "absent until 1970-01-02 10:00 (Asia/Tokyo); at capacity")
    assert ja == "1970-01-02 10:00 まで不在(Asia/Tokyo); 手一杯"


def test_who_is_in_another_pool_hears_which_and_why_no_rule_led_there(asked, why):
    assert why(asked(), "schmidt") == (
        "other_pool",
        "Lena Schmidt is not in pool “field”, which rule “field” leads to; to their pool “languages” rule “german” leads, which"
        " did not hold: lead.language is not known, not eq de",
        "Lena Schmidt は、ルール「field」の行き先であるプール「field」のメンバーではない。"
        "所属プール「languages」へのルール「german」は"
        "条件不成立: lead.language is not known, not eq de",
    )
    assert "rule “inside” leads, for another leg" in why(asked(), "ito")[1]
    _, en, _ = why(asked(attributes={"language": "de"}), "tanaka")
    assert "to their pool “field” rule “field” leads, which comes later" in en


def test_what_is_nobodys_is_not_theirs_either(asked, why):
    assert why(asked("D4"), "sato")[1] == "it is nobody's: below the gate"
    assert why(asked(), "tanaka", owner_rep=None, waiting_reason="recycled")[:2] == (
        "recycled",
        "it is nobody's: recycled",
    )
    assert why(asked(), "somebody")[:2] == ("unknown_rep", "the teams policy has no rep somebody")
    unscored = answer(Lead("lead-1"), None, None, "sato")
    assert (unscored.code, unscored.text["en"]) == ("unscored", "not scored yet")


def test_who_had_it_hears_how_that_ended(asked, why):
    code, en, ja = why(asked(holders=("sato",)), "sato", Had("declined", "at_capacity", 900))
    assert code == "earlier_holder"
    assert en.startswith("Misaki Sato had this lead before, and gave it back: at capacity")
    assert "差し戻し(at capacity)" in ja


def test_the_turn_is_the_number_of_such_leads_that_really_go_to_others_first(asked, playbook):
    """Counted ahead, then given out one by one."""
    inputs = asked()
    foretold = {rep: turn(inputs, playbook, rep).after for rep in ("sato", "tanaka")}
    state, first = inputs.pools["field"], {}
    for number in range(6):
        decision = decide(replace(inputs, pools={**inputs.pools, "field": state}), playbook)
        state = decision.pool
        first.setdefault(decision.outcome.rep_id, number)
    assert foretold == first == {"sato": 0, "tanaka": 1}
    assert turn(inputs, playbook, "tanaka").why.text == {
        "en": "Ken Tanaka would be next after 1 more lead like this one",
        "ja": "同様のリードがあと 1 件ほかの担当者に渡ると Ken Tanaka の番",
    }
    assert turn(inputs, playbook, "sato").why.text["en"] == "Misaki Sato is next for a lead like this one"


def test_a_turn_that_does_not_come_says_what_keeps_it(asked, playbook):
    full = turn(asked(loads={"tanaka": 10}), playbook, "tanaka")
    assert (full.after, full.why.text["en"]) == (None, "at capacity")
    assert turn(asked(left=("tanaka",)), playbook, "tanaka").why.code == "left"
    assert turn(asked(), playbook, "schmidt") is None, "it would come to another pool"
    assert turn(asked("D4"), playbook, "sato") is None, "it would come to nobody"


def test_caps_are_reached_by_the_leads_before(playbook_with, asked, bodies):
    few = bodies["teams"] | {
        "reps": [rep | ({"capacity": 1} if rep["id"] == "sato" else {}) for rep in bodies["teams"]["reps"]]
    }
    playbook = playbook_with(teams=few)
    assert turn(asked(loads={"tanaka": 9}), playbook, "tanaka").after == 1
    assert turn(asked(loads={"tanaka": 9, "sato": 1}), playbook, "sato").why.code == "at_capacity"
