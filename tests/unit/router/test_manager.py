"""What a whole pool has had ends with its manager, as a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.router.domain.decision import Decision, Inputs, decide, replay
from services.router.domain.facts import Scored
from services.router.domain.fairness import PoolState
from services.router.domain.lead import Cause
from services.router.domain.playbook import Playbook
from services.router.domain.words import reasons, why_not
from shared.availability.people import NotAtWork

REPS = [
    {"id": "sato", "name": "Sato", "manager": "mori"},
    {"id": "tanaka", "name": "Tanaka", "manager": "kato"},
    {"id": "mori", "name": "Mori", "manager": "kato"},
    {"id": "kato", "name": "Kato"},
]


@pytest.fixture
def decided(playbook_with: Callable[..., Playbook], scored: Callable[..., Scored]) -> Callable[..., Decision]:
    """decided(holders, reps, manager of the pool, **inputs): the decision on a lead that they have had, in the pool `field`."""

    def of(
        holders: tuple[str, ...], reps: Any = REPS, manager: str | None = None, mode: str = "offer", **more: Any
    ) -> Decision:
        members = [{"rep": "sato"}, {"rep": "tanaka"}]
        pool = {"id": "field", "members": members, "mode": mode} | ({"manager": manager} if manager else {})
        playbook = playbook_with(teams={"reps": reps, "pools": [pool]})
        pools = {"field": PoolState("field").follow(playbook.weights("field"), 1)}
        cause, lead = (
            more.pop("cause", Cause("offer-declined", "e", 5_000)),
            scored("A1", answers=[("B1", "secured", 900)]),
        )
        inputs = Inputs("t", "lead-1", 3, 1, cause, 5_000, lead, holders=holders, pools=pools, **more)
        decision = decide(inputs, playbook)
        assert replay(decision.inputs, playbook) == (decision.trace, decision.outcome)
        return decision

    return of


def changed(rep_id: str, **more: Any) -> list[dict[str, Any]]:
    return [rep | more if rep["id"] == rep_id else rep for rep in REPS]


def told(decision: Decision, language: str = "en") -> str:
    return reasons(decision, None)[-1].text[language]


def test_when_all_have_had_it_the_manager_of_the_last_holder_gets_it_as_told_to(decided):
    first = decided(("tanaka", "sato"))
    assert (first.outcome.rep_id, first.outcome.mode, first.outcome.pool_id) == ("mori", "assign", None)
    assert (first.way, first.outcome.by, first.pool) == ("manager", "manager", None), "it is nobody's fair share"
    assert decided(("sato", "tanaka")).outcome.rep_id == "kato"
    assert "it ends with mori, the manager, who decides" in told(first)
    assert "上長の mori が引き取り判断" in told(first, "ja")
    assert why_not(first.trace, "sato").code == "earlier_holder"


def test_the_manager_of_the_pool_comes_before_those_of_its_members(decided):
    assert decided(("tanaka", "sato"), manager="kato").outcome.rep_id == "kato"


def test_a_manager_who_had_it_too_passes_it_on_to_theirs_and_after_the_last_it_is_parked_with_the_reason(decided):
    second = decided(("tanaka", "sato", "mori"))
    assert second.outcome.rep_id == "kato"
    assert "mori had this lead before" in told(second)
    last = decided(("tanaka", "sato", "mori", "kato"))
    assert (last.outcome.kind, last.outcome.waiting_reason) == ("parked", "parked:all_declined")
    assert "no_manager" in [reason.code for reason in reasons(last, None)]


@pytest.mark.parametrize(
    ("change", "why"), [({"active": False}, "inactive"), ({"id": "somebody-else"}, "unknown_rep")], ids=str
)
def test_a_manager_who_takes_no_leads_is_passed_over_and_that_is_said(decided, change, why):
    decision = decided(("tanaka", "sato"), reps=changed("mori", **change), manager="mori")
    assert decision.outcome.rep_id == (None if why == "unknown_rep" else "kato")
    assert [one.why for one in decision.trace.manager.passed] == [why]


def test_a_manager_who_has_left_gets_nothing(decided):
    assert decided(("tanaka", "sato"), left=("mori",)).outcome.rep_id == "kato"


def test_nobody_has_to_decide_while_a_member_may_still_take_it(decided):
    out = {"sato": NotAtWork("closed", 9_000, "UTC")}
    waits = decided(("tanaka",), out=out)
    assert (waits.outcome.waiting_reason, waits.outcome.waiting_until) == ("parked:not_at_work", 9_000)
    assert waits.trace.manager is None
    new = decided((), reps=[rep | {"active": False} for rep in REPS])
    assert (new.outcome.waiting_reason, new.trace.manager) == ("parked:inactive", None)


def test_without_a_manager_it_is_parked_and_says_so(decided):
    alone = [{name: value for name, value in rep.items() if name != "manager"} for rep in REPS]
    decision = decided(("tanaka", "sato"), reps=alone)
    assert decision.outcome.waiting_reason == "parked:all_declined"
    assert "no manager who could take it" in reasons(decision, None)[-2].text["en"]
    assert "引き取れる上長もいない" in reasons(decision, None)[-2].text["ja"]


def test_what_one_who_left_held_waits_in_no_queue_where_nobody_looks_for_it(decided):
    assert decided(("tanaka",), mode="claim").outcome.waiting_reason == "parked:claim"
    left = decided(("tanaka",), mode="claim", cause=Cause("left", None, 5_000, rep_id="tanaka"), left=("tanaka",))
    assert left.outcome.rep_id == "sato"
