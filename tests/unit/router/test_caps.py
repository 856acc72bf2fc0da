"""Skills that a pool asks for, and leads a day and a week by each rep's own clocks."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.router.domain.assignment import assign_from
from services.router.domain.caps import Taken, periods
from services.router.domain.decision import Inputs, decide, replay
from services.router.domain.fairness import PoolState
from services.router.domain.lead import Cause
from services.router.domain.words import reasons, why_not
from shared.availability.people import NotAtWork

HOUR, DAY = 3_600_000, 86_400_000
NOON = 1_767_582_000_000  # Monday 2026-01-05 12:00 in Tokyo
TUESDAY, NEXT_MONDAY = NOON + 12 * HOUR, NOON + 12 * HOUR + 6 * DAY
MAKERS = {"when": {"lead.industry": {"eq": "jsic:E"}}, "skills": ["manufacturing"]}


def ms(text, zone):
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def taken(day, week):
    return Taken(day, week, TUESDAY, NEXT_MONDAY, "Asia/Tokyo")


@pytest.fixture
def team(playbook_with, bodies):
    """Sato and Tanaka, as `changed` says, in a pool that asks for `requires`."""

    def make(requires=(), **changed):
        reps = [{"id": rep, "name": rep.title(), "capacity": 10} | changed.get(rep, {}) for rep in ("sato", "tanaka")]
        pools = [{"id": "field", "members": [{"rep": "sato"}, {"rep": "tanaka"}], "requires": list(requires)}]
        rules = [{"id": "all", "when": {}, "pool": "field"}]
        return playbook_with(teams={"reps": reps, "pools": pools}, routing=bodies["routing"] | {"rules": rules})

    return make


def decided(playbook, scored, **inputs):
    state = PoolState("field").follow(playbook.weights("field"), 1)
    fields = {"pools": {"field": state}} | inputs
    return decide(Inputs("t", "lead", 1, 1, Cause("scored", None, NOON), NOON, scored, **fields), playbook)


def test_only_who_has_every_skill_that_the_lead_asks_for_is_eligible(team, scored):
    playbook = team(
        [MAKERS, {"skills": ["phone"]}], sato={"skills": ["phone"]}, tanaka={"skills": ["Phone", "MANUFACTURING"]}
    )
    assert playbook.skills("field", {"lead.industry": "jsic:E"}) == ("manufacturing", "phone")
    assert playbook.skills("field", {"lead.industry": "jsic:G"}) == ("phone",)
    maker = decided(playbook, scored("A1", attributes={"industry": "jsic:E"}))
    assert maker.outcome.rep_id == "tanaka"
    assert maker.trace.candidates[0].excluded == ("skill",)
    assert why_not(maker.trace, "sato").text == {
        "en": "does not have the skills: manufacturing",
        "ja": "スキル不足: manufacturing",
    }
    assert decided(playbook, scored("A1")).outcome.rep_id == "sato"


def test_a_lead_that_asks_for_what_nobody_has_waits_with_that_reason(team, scored):
    decision = decided(team([MAKERS]), scored("A1", attributes={"industry": "jsic:E"}))
    assert (decision.outcome.waiting_reason, decision.outcome.waiting_for) == ("parked:skill", ())
    assert reasons(decision, None)[-1].text["ja"] == "必要なスキルを持つ担当者なし"


def test_who_has_had_the_leads_of_the_day_gets_none_until_the_next_one(team, scored):
    playbook = team(sato={"per_day": 2, "per_week": 9}, tanaka={"per_day": 2})
    full = {"sato": taken(2, 2), "tanaka": taken(2, 5)}
    assert decided(playbook, scored("A1"), taken=full | {"tanaka": taken(1, 9)}).outcome.rep_id == "tanaka"
    decision = decided(playbook, scored("A1"), taken=full)
    outcome = decision.outcome
    assert (outcome.waiting_reason, outcome.waiting_until) == ("parked:cap_reached", TUESDAY)
    assert outcome.waiting_for == ("sato", "tanaka")
    assert why_not(decision.trace, "sato").text == {
        "en": "has had the leads of the day: 2 of 2",
        "ja": "本日の割当上限に到達(2 件中 2 件)",
    }
    assert reasons(decision, None)[-1].text == {
        "en": "everybody who could take it has had their leads of the day or week;"
        " another day or week begins at 2026-01-06 00:00 (Asia/Tokyo)",
        "ja": "担当可能者が全員、本日または今週の割当上限に到達(2026-01-06 00:00 Asia/Tokyo から対応可能)",
    }


def test_the_week_is_waited_for_where_the_day_is_not_enough(team, scored):
    playbook = team(sato={"per_day": 2, "per_week": 9}, tanaka={"per_week": 0})
    held = {"sato": taken(2, 9), "tanaka": taken(0, 0)}
    outcome = decided(playbook, scored("A1"), taken=held).outcome
    assert (outcome.waiting_reason, outcome.waiting_until) == ("parked:cap_reached", NEXT_MONDAY)
    nobody = decided(playbook, scored("A1"), taken=held, holders=("sato",)).outcome
    assert nobody.waiting_until is None, "a cap of nothing never ends"


def test_hours_and_caps_are_waited_for_together(team, scored):
    playbook = team(sato={"per_day": 1}, tanaka={"active": False})
    out = {"sato": NotAtWork("closed", TUESDAY + 9 * HOUR, "Asia/Tokyo")}
    outcome = decided(playbook, scored("A1"), taken={"sato": taken(1, 1)}, out=out).outcome
    assert (outcome.waiting_reason, outcome.waiting_until) == ("parked:not_at_work", TUESDAY + 9 * HOUR)
    back = {"sato": NotAtWork("absent", NOON + HOUR, "Asia/Tokyo")}
    assert decided(playbook, scored("A1"), taken={"sato": taken(1, 1)}, out=back).outcome.waiting_until == TUESDAY


def test_a_decision_holds_the_counts_that_it_went_by_and_repeats_itself(team, scored):
    playbook = team(sato={"per_day": 2})
    decision = decided(playbook, scored("A1"), taken={"sato": taken(2, 2), "stranger": taken(1, 1)})
    assert decision.inputs.taken == {"sato": taken(2, 2)}
    assert replay(decision.inputs, playbook) == (decision.trace, decision.outcome)
    assert decision.outcome.rep_id == "tanaka"


def test_a_week_is_from_monday_on_by_the_clocks_of_the_zone():
    tokyo = periods("Asia/Tokyo", NOON)
    assert tokyo == (NOON - 12 * HOUR, TUESDAY, NOON - 12 * HOUR, NEXT_MONDAY)
    # It is still Sunday in New York.
    west = periods("America/New_York", NOON)
    assert west.week == ms("2025-12-29T00:00", "America/New_York")
    assert west.day_ends == west.week_ends == ms("2026-01-05T00:00", "America/New_York")


def test_a_day_of_changed_clocks_is_as_long_as_it_is():
    spring = periods("Europe/London", ms("2026-03-29T12:00", "Europe/London"))
    autumn = periods("America/New_York", ms("2026-11-01T12:00", "America/New_York"))
    assert spring.day_ends - spring.day == 23 * HOUR
    assert autumn.day_ends - autumn.day == 25 * HOUR
    # Where clocks leave midnight out, the day begins when they do.
    santiago = periods("America/Santiago", ms("2026-09-06T12:00", "America/Santiago"))
    assert santiago.day == ms("2026-09-06T01:00", "America/Santiago")
    assert santiago.day_ends - santiago.day == 23 * HOUR


def test_a_cap_that_is_not_counted_yet_keeps_nobody_from_it(team):
    playbook = team(sato={"per_day": 1})
    state = PoolState("field").follow(playbook.weights("field"), 1)
    assert assign_from(playbook.pools["field"], state, playbook.reps, {}, None, ()).rep.id == "sato"
