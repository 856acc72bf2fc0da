"""Who is closed, absent or away is not asked, says until when, and owes nothing for it."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from services.router.domain.assignment import assign_from
from services.router.domain.decision import Inputs, decide, replay, settle
from services.router.domain.fairness import PoolState
from services.router.domain.lead import Cause, Lead
from services.router.domain.words import reasons, why_not
from services.router.store.trail import INPUTS, OUTCOME, TRACE
from shared.availability.people import Away, NotAtWork

HOUR = 3_600_000
CALENDAR = {"id": "tokyo", "zone": "Asia/Tokyo", "blocks": [{"open": "09:00", "close": "18:00"}]}


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Tokyo")).timestamp() * 1000)


NIGHT, MORNING = at("2026-11-24T20:00"), at("2026-11-25T09:00")


@pytest.fixture
def teams(bodies):
    def make(**reps):
        known = [rep | reps.get(rep["id"], {}) for rep in bodies["teams"]["reps"]]
        return bodies["teams"] | {"calendars": [CALENDAR], "reps": known}

    return make


@pytest.fixture
def decided(playbook_with, scored):
    def make(teams, now, away=None, **more):
        playbook = playbook_with(teams=teams)
        pools = {pool: PoolState(pool).follow(playbook.weights(pool), 1) for pool in playbook.pools}
        given = Inputs(
            "t",
            "lead-1",
            1,
            1,
            Cause("scored", "1/1/1/1", now),
            now,
            scored("A1", answers=[("N1", "stated", now - 1)]),
            pools=pools,
            out=playbook.out(away or {}, now),
            **more,
        )
        return decide(given, playbook), playbook

    return make


def told(trace, rep_id):
    reason = why_not(trace, rep_id)
    return reason.code, reason.text


def test_who_is_closed_is_not_asked_and_says_when_they_open(decided, teams):
    decision, _ = decided(teams(sato={"calendar": "tokyo"}), NIGHT)
    assert decision.outcome.rep_id == "tanaka", "who has no calendar is always at work"
    assert told(decision.trace, "sato") == (
        "closed",
        {"en": "closed until 2026-11-25 09:00 (Asia/Tokyo)", "ja": "2026-11-25 09:00 まで営業時間外(Asia/Tokyo)"},
    )


def test_an_absence_and_being_away_are_told_apart(decided, teams):
    absence = [{"start": "2026-11-24", "end": "2026-11-30"}]
    decision, _ = decided(
        teams(sato={"calendar": "tokyo", "absences": absence}),
        NIGHT,
        {"tanaka": Away(NIGHT - HOUR, NIGHT + HOUR), "ito": Away(0)},
    )
    assert told(decision.trace, "sato")[0] == "absent"
    assert told(decision.trace, "sato")[1]["en"] == "absent until 2026-12-01 09:00 (Asia/Tokyo)"
    assert told(decision.trace, "tanaka") == (
        "away",
        {"en": "away until 2026-11-24 21:00 (Asia/Tokyo)", "ja": "2026-11-24 21:00 まで離席中(Asia/Tokyo)"},
    )
    assert decision.outcome.waiting_until == NIGHT + HOUR


def test_who_is_away_without_an_end_says_that_nobody_knows(decided, teams):
    decision, _ = decided(teams(), NIGHT, {"sato": Away(NIGHT), "tanaka": Away(NIGHT)})
    assert told(decision.trace, "sato")[1] == {
        "en": "away, nobody knows until when",
        "ja": "離席中(再開は未定)",
    }
    assert (decision.outcome.waiting_reason, decision.outcome.waiting_until) == ("parked:not_at_work", None)
    assert decision.outcome.waiting_for == ("sato", "tanaka")


def test_a_lead_for_which_nobody_is_at_work_waits_for_the_first_who_is(decided, teams):
    decision, playbook = decided(
        teams(sato={"calendar": "tokyo"}, tanaka={"calendar": "tokyo"}),
        NIGHT,
        {"tanaka": Away(0, MORNING + HOUR)},
    )
    assert (decision.outcome.waiting_reason, decision.outcome.waiting_until) == ("parked:not_at_work", MORNING)
    assert decision.outcome.waiting_for == ("sato", "tanaka")
    last = reasons(decision, playbook)[-1]
    assert (last.code, last.detail["until"]) == ("not_at_work", MORNING)
    assert last.text == {
        "en": "nobody who could take it is at work; somebody is at work again at 2026-11-25 09:00 (Asia/Tokyo)",
        "ja": "担当可能者が全員時間外または不在(2026-11-25 09:00 Asia/Tokyo から対応可能)",
    }
    lead = settle(Lead("lead-1"), decision, playbook)
    assert (lead.waiting_until, lead.waiting_for) == (MORNING, ("sato", "tanaka"))


def test_one_at_capacity_who_is_at_work_is_the_nearer_reason_and_opening_is_waited_for_as_well(decided, teams):
    decision, _ = decided(teams(sato={"calendar": "tokyo"}), NIGHT, loads={"tanaka": 10, "sato": 10})
    assert decision.outcome.waiting_reason == "parked:at_capacity"
    assert decision.outcome.waiting_for == ("sato", "tanaka")
    assert decision.outcome.waiting_until == MORNING


@pytest.mark.parametrize(
    ("holders", "reason"),
    [(("sato", "tanaka"), "parked:inactive"), (("sato",), "parked:not_at_work"), ((), "parked:not_at_work")],
)
def test_the_hours_of_those_who_had_it_before_free_nothing(decided, teams, holders, reason):
    night = teams(sato={"calendar": "tokyo"}, tanaka={"calendar": "tokyo"})
    decision, _ = decided(night, NIGHT, holders=holders)
    assert decision.outcome.waiting_reason == reason
    assert not set(holders) & set(decision.outcome.waiting_for)


def test_everybody_has_had_it_is_true_at_night_as_well(playbook):
    out = {"ito": NotAtWork("closed", MORNING, "Asia/Tokyo")}
    state = PoolState("inside").follow(playbook.weights("inside"), 1)
    assigned = assign_from(playbook.pools["inside"], state, playbook.reps, {}, None, ("ito",), out)
    assert (assigned.parked, assigned.waiting_until) == ("all_declined", None)
    assert assigned.candidates[0].excluded == ("earlier_holder", "closed")


def test_the_stored_inputs_repeat_a_decision_of_the_night(decided, teams):
    decision, playbook = decided(teams(sato={"calendar": "tokyo"}, tanaka={"calendar": "tokyo"}), NIGHT)
    stored = INPUTS.validate_json(INPUTS.dump_json(decision.inputs))
    trace, outcome = replay(stored, playbook)
    assert TRACE.validate_json(TRACE.dump_json(decision.trace)) == trace
    assert OUTCOME.validate_json(OUTCOME.dump_json(decision.outcome)) == outcome
    assert set(stored.out) == {"sato", "tanaka"}, "only members of the pool"


def test_absence_gives_no_debt(playbook_with, bodies):
    members = [{"rep": name} for name in ("sato", "tanaka", "schmidt")]
    playbook = playbook_with(teams=bodies["teams"] | {"pools": [{"id": "field", "members": members}]})
    state = PoolState("field").follow(playbook.weights("field"), 1)
    away = {"sato": NotAtWork("absent", None, "Asia/Tokyo")}
    loads: dict[str, int] = {}
    given = []
    for lead in range(90):
        out = away if 30 <= lead < 60 else {}
        before = {balance.rep_id: balance.due for balance in state.balances}
        assigned = assign_from(playbook.pools["field"], state, playbook.reps, loads, None, (), out)
        assert assigned.rep is not None
        given.append(assigned.rep.id)
        state = assigned.pool
        if out:
            assert next(b.due for b in state.balances if b.rep_id == "sato") == before["sato"], "owed nothing meanwhile"
    assert [given[start : start + 30].count("sato") for start in (0, 30, 60)] == [10, 0, 10]
    assert sum((balance.due for balance in state.balances), Fraction(0)) == 0
