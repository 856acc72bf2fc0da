"""Leads that wait for a person: given out by a manager, taken by a rep, and what becomes of those that nobody chose for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from services.router.domain.decision import Inputs, decide, replay, settle
from services.router.domain.fairness import PoolState, credit_back
from services.router.domain.flow import Desk, Task, work
from services.router.domain.lead import Cause, Lead
from services.router.domain.lifecycle import happened, ordered
from services.router.domain.orders import Order, OrderRefusedError
from services.router.domain.playbook import Following
from services.router.domain.records import record_of
from services.router.domain.words import WAITS, reasons, why_not
from shared.availability.people import NotAtWork
from shared.schemas.handoff import HandoffEvent
from shared.schemas.ids import derived_id
from shared.schemas.scores import LeadScored, PartialScore, PolicyRef, Version

HOUR = 3_600_000
NOW = 1_767_575_000_000  # Monday 2026-01-05, 10:03 in Tokyo
NAMES = ("sato", "tanaka", "mori")


@pytest.fixture
def team(playbook_with):
    def make(*, mode="dispatch", pool=None, reps=None, **queue):
        members = [
            {"id": name, "name": name.title(), "capacity": 10} | (reps or {}).get(name, {}) for name in (*NAMES, "kato")
        ]
        calendars = [{"id": "office", "blocks": [{"open": "09:00", "close": "18:00"}]}]
        field = {"id": "field", "mode": mode, "queue": queue, "members": [{"rep": name} for name in NAMES]}
        return playbook_with(teams={"calendars": calendars, "reps": members, "pools": [field | (pool or {})]})

    return make


def states(playbook):
    return {pool_id: PoolState(pool_id).follow(playbook.weights(pool_id), 1) for pool_id in playbook.pools}


@pytest.fixture
def decided(scored):
    def of(playbook, *, at=NOW, **more):
        lead = scored("A1", answers=[("B1", "secured", NOW)])
        inputs = Inputs("t", "lead-1", 1, 1, Cause("scored", "1", at), at, lead, pools=states(playbook), **more)
        decision = decide(inputs, playbook)
        assert replay(decision.inputs, playbook) == (decision.trace, decision.outcome)
        return decision

    return of


def told(decision, language="en", playbook=None):
    return reasons(decision, playbook)[-1].text[language]


@pytest.mark.parametrize("mode", ["dispatch", "claim"])
def test_a_lead_waits_in_the_queue_of_its_pool_with_its_candidates_and_its_time(team, decided, mode):
    decision = decided(team(mode=mode, within=3600))
    outcome = decision.outcome
    assert (outcome.kind, outcome.waiting_reason, outcome.pool_id) == ("parked", f"parked:{mode}", "field")
    assert (outcome.waiting_until, outcome.waiting_for, outcome.rep_id) == (NOW + HOUR, (), None)
    assert decision.pool is None, "nobody's turn was used"
    assert [one.rep_id for one in decision.trace.candidates if not one.excluded] == list(NAMES)
    assert why_not(decision.trace, "sato").code == "in_queue"
    assert "until 2026-01-05 02:03 (UTC)" in told(decision)
    assert "11:03 (Asia/Tokyo) まで" in told(decision, "ja", team())
    assert WAITS[outcome.waiting_reason].trigger["ja"]


def test_what_nobody_gave_out_in_time_goes_to_whose_turn_it_is(team, decided):
    playbook = team(within=3600)
    decision = decided(playbook, at=NOW + HOUR, queued=NOW)
    assert (decision.outcome.rep_id, decision.outcome.mode, decision.way) == ("sato", "offer", "fair")
    assert {one.rep_id: one.due for one in decision.pool.balances}["sato"] == Fraction(-2, 3)
    assert [one.code for one in reasons(decision, None)][-2:] == ["dispatch_overdue", "fair_turn"]
    assert decided(playbook, at=NOW + HOUR - 1, queued=NOW).outcome.waiting_until == NOW + HOUR


def test_what_nobody_gave_out_in_time_goes_to_the_manager_where_policy_says_so(team, decided):
    playbook = team(within=60, overdue="manager", pool={"manager": "kato"})
    decision = decided(playbook, at=NOW + HOUR, queued=NOW)
    assert (decision.outcome.rep_id, decision.outcome.mode, decision.way) == ("kato", "assign", "manager")
    assert (decision.outcome.pool_id, decision.pool) == (None, None)
    assert "it goes to Kato, the manager" in told(decision, playbook=playbook)
    assert "上長の Kato へ" in told(decision, "ja", playbook)
    assert why_not(decision.trace, "sato").text["en"] == "no manager had given it out"
    again = decided(playbook, at=NOW + HOUR, queued=NOW, holders=("kato",))
    assert (again.outcome.rep_id, again.way) == ("sato", "fair"), "a manager who had it is not asked twice"


def test_an_overdue_lead_stays_in_the_queue_while_nobody_can_take_it_and_is_tried_when_somebody_can(team, decided):
    out = {name: NotAtWork("closed", NOW + 9 * HOUR, "Asia/Tokyo") for name in NAMES}
    outcome = decided(team(within=60), at=NOW + HOUR, queued=NOW, out=out).outcome
    assert (outcome.waiting_reason, outcome.waiting_until) == ("parked:dispatch", NOW + 9 * HOUR)
    assert outcome.waiting_for == NAMES
    early = decided(team(within=7200), at=NOW + HOUR, queued=NOW, out=out).outcome
    assert (early.waiting_until, early.waiting_for) == (NOW + 2 * HOUR, ()), "until then it waits for a person"


def test_a_queue_does_not_run_out_while_its_manager_is_not_at_work(team, decided):
    playbook = team(within=3600, pool={"manager": "kato"}, reps={"kato": {"calendar": "office"}})
    friday = 1_767_947_400_000  # 2026-01-09, 17:30 in Tokyo
    assert decided(playbook, at=friday).outcome.waiting_until == friday + 64 * HOUR, "09:30 on Monday"


def test_what_no_member_may_ever_take_does_not_wait_in_a_queue(team, decided):
    gone = team(reps={name: {"active": False} for name in NAMES})
    assert decided(gone).outcome.waiting_reason == "parked:inactive"


SCORE = LeadScored(
    tenant="t",
    lead_id="lead-1",
    version=Version(1, 1, 1, NOW),
    as_of=NOW,
    policy=PolicyRef(sequence=1, hash="h"),
    fit=PartialScore(total=0),
    engagement=PartialScore(total=0),
    grade="A1",
)


@pytest.fixture
def do(scored):
    """do(playbook, lead, order, **desk): the lead after the order, and the change."""

    def of(playbook, lead, order, **desk):
        seen = Desk(states(playbook), read=True, accounts={}, **desk)
        task = Task(lead, scored("A1", answers=[("B1", "secured", NOW)]), order=order)
        done = work("t", [task], seen, Following(playbook), NOW)
        [change] = done.changes
        assert replay(change.decision.inputs, playbook) == (change.decision.trace, change.decision.outcome)
        return done.leads[0], change

    return of


WAITS_FOR_DISPATCH = Lead(
    "lead-1",
    version=(1, 1, 5, 5),
    grade="A1",
    stage="mql",
    disposition="active",
    leg="fs",
    verdict="mql",
    lead_class="score",
    qualifying_at=5,
    pool_id="field",
    waiting_reason="parked:dispatch",
    waiting_since=NOW,
    waiting_until=NOW + HOUR,
)
OPEN_TO_CLAIM = replace(WAITS_FOR_DISPATCH, waiting_reason="parked:claim")
HELD = replace(
    WAITS_FOR_DISPATCH,
    waiting_reason=None,
    waiting_since=None,
    waiting_until=None,
    owner_rep="sato",
    assignment=3,
    held_assignment=3,
    sharing=NAMES,
)
GIVE = Order("assigned", "tanaka", "kato", "knows the company")
TAKE = Order("claimed", "tanaka", "tanaka")


def test_a_manager_gives_a_lead_out_of_the_queue_and_no_balance_changes(team, do):
    playbook = team()
    lead, change = do(playbook, WAITS_FOR_DISPATCH, GIVE)
    assert (lead.owner_rep, lead.pool_id, lead.provisional, lead.assignment) == ("tanaka", "field", True, 1)
    decision = change.decision
    assert (decision.way, decision.outcome.by, decision.outcome.mode) == ("dispatched", "person", "assign")
    assert {one.due for one in decision.pool.balances} == {0}
    assert credit_back(decision.pool.balances, "tanaka", lead.sharing) == states(playbook)["field"].balances
    assert told(decision) == "kato gave it to Tanaka: it counts apart from the fair share"
    assert told(decision, "ja") == "kato が Tanaka に割り当て(公平配分とは別に計上)"
    assert why_not(decision.trace, "sato").code == "not_chosen"
    record = record_of("t", change, SCORE, playbook, NOW)
    assert (record.rep_id, record.pool_id, record.mode, record.relieves) == ("tanaka", "field", "assign", None)
    assert "company" not in record.model_dump_json(), "their own words may name people"
    came = record_of("t", change, SCORE.model_copy(update={"first_source": "trade_fair"}), playbook, NOW)
    assert came.attributes == {**record.attributes, "first_source": "trade_fair"}


def test_a_rep_takes_a_lead_out_of_the_queue_of_their_pool(team, do):
    lead, change = do(team(mode="claim"), OPEN_TO_CLAIM, TAKE)
    assert (lead.owner_rep, change.decision.way) == ("tanaka", "claimed")
    assert told(change.decision, "ja") == "Tanaka がキューから引き取り(公平配分とは別に計上)"


@pytest.mark.parametrize(
    ("lead", "order", "code"),
    [
        (HELD, TAKE, "lead_taken"),
        (replace(HELD, owner_rep="tanaka"), TAKE, "already_theirs"),
        (replace(HELD, owner_rep="tanaka"), GIVE, "already_theirs"),
        (WAITS_FOR_DISPATCH, TAKE, "not_in_queue"),
        (replace(OPEN_TO_CLAIM, waiting_reason="below_gate"), TAKE, "not_in_queue"),
        (replace(OPEN_TO_CLAIM, merged_into="other", waiting_reason="merged"), GIVE, "lead_merged"),
        (OPEN_TO_CLAIM, replace(TAKE, rep_id="kato"), "not_eligible"),
        (OPEN_TO_CLAIM, replace(TAKE, rep_id="nobody"), "unknown_rep"),
        (replace(OPEN_TO_CLAIM, excluded=("tanaka",)), TAKE, "not_eligible"),
    ],
)
def test_what_cannot_be_given_or_taken_is_refused_with_its_code(team, do, lead, order, code):
    with pytest.raises(OrderRefusedError) as refused:
        do(team(mode="claim"), lead, order)
    assert refused.value.code == code


def test_one_of_ourselves_is_given_to_nobody(team, scored):
    task = Task(HELD, scored("A1", internal=True), order=GIVE)
    with pytest.raises(OrderRefusedError, match="never_routed"):
        work("t", [task], Desk(states(team()), read=True, accounts={}), Following(team()), NOW)


OUT = {"tanaka": NotAtWork("away", None, "Asia/Tokyo")}


@pytest.mark.parametrize(
    ("desk", "why"),
    [({"loads": {"tanaka": 10}}, "at_capacity"), ({"out": OUT}, "away")],
)
@pytest.mark.parametrize("lead", [WAITS_FOR_DISPATCH, HELD])
def test_what_keeps_a_rep_from_leads_keeps_them_from_those_that_are_given_by_hand_unless_it_is_meant(
    team, do, lead, desk, why
):
    with pytest.raises(OrderRefusedError) as refused:
        do(team(), lead, GIVE, **desk)
    assert refused.value.excluded == (why,)
    after, change = do(team(), lead, replace(GIVE, despite=(why,)), **desk)
    assert after.owner_rep == "tanaka"
    assert reasons(change.decision, None)[-1].detail["despite"] == [why]


def test_a_lead_is_taken_from_one_and_given_to_another_who_is_told_so(team, do):
    lead, change = do(team(mode="offer"), HELD, GIVE)
    assert (lead.owner_rep, lead.assignment, lead.excluded) == ("tanaka", 4, ("sato",))
    assert [held.assignment for held in lead.replaced] == [3]
    assert (lead.pool_id, change.decision.way, change.decision.pool) == (None, "manual", None)
    record = record_of("t", change, SCORE, team(), NOW)
    assert (record.replaces, record.pool_id, record.relieves) == (3, "person", None)
    back, _ = do(team(mode="offer"), lead, replace(GIVE, rep_id="sato", despite=("earlier_holder",)))
    assert (back.owner_rep, back.excluded) == ("sato", ("tanaka",))
    with pytest.raises(OrderRefusedError, match="not_eligible"):
        do(team(mode="offer"), lead, replace(GIVE, rep_id="sato"))


def test_who_had_accepted_is_relieved_and_nobody_else_is(team, do):
    accepted = replace(HELD, accepted=True, stage="sal")
    lead, change = do(team(), accepted, GIVE)
    assert (lead.owner_rep, lead.accepted, lead.stage) == ("tanaka", False, "mql")
    assert record_of("t", change, SCORE, team(), NOW).relieves == "sato"


def test_who_accepted_in_the_same_moment_keeps_the_lead(team, do):
    lead, _ = do(team(), HELD, GIVE)
    refused = HandoffEvent(
        tenant="t",
        lead_id="lead-1",
        opportunity_id="o",
        cycle=1,
        kind="routing-refused",
        event_id="e",
        assignment=4,
        at=NOW,
        rep_id="tanaka",
        reason="accepted",
        holder="sato",
    )
    kept = happened(lead, refused, team()).lead
    assert (kept.owner_rep, kept.accepted, kept.held_assignment, kept.excluded) == ("sato", True, 3, ())


def test_of_many_that_were_sent_after_each_other_the_one_that_was_accepted_stands_and_nobody_else_had_it(team, do):
    lead = HELD
    for rep in ("tanaka", "sato", "mori"):
        lead, _ = do(team(mode="offer"), lead, replace(GIVE, rep_id=rep, despite=("earlier_holder",)))
    assert (lead.held_assignment, lead.excluded) == (6, ("tanaka", "sato"))
    told = {"tenant": "t", "lead_id": "lead-1", "opportunity_id": "o", "cycle": 1, "event_id": "e", "at": NOW}
    refused = HandoffEvent(
        kind="routing-refused", assignment=6, rep_id="mori", reason="accepted", holder="sato", held=3, **told
    )
    kept = happened(lead, refused, team()).lead
    assert (kept.owner_rep, kept.held_assignment, kept.excluded) == ("sato", 3, ()), "and not by the fifth"


@pytest.mark.parametrize("reason", ["recycled", "nurture", "on_hold", "disqualified"])
def test_a_person_brings_back_what_was_closed_in_a_new_cycle(team, do, reason):
    closed = replace(WAITS_FOR_DISPATCH, waiting_reason=reason, closed_at=4, excluded=("tanaka",), disposition=reason)
    assert ordered(closed, GIVE, NOW).lead.excluded == ()
    lead, _ = do(team(), closed, GIVE)
    assert (lead.cycle, lead.owner_rep, lead.disposition) == (2, "tanaka", "active")


def test_what_is_declined_goes_back_into_its_queue_without_the_rep_who_had_it(team, do, scored):
    playbook = team(mode="claim", within=600)
    lead, change = do(playbook, OPEN_TO_CLAIM, TAKE)
    declined = HandoffEvent(
        tenant="t",
        lead_id="lead-1",
        opportunity_id="o",
        cycle=1,
        kind="offer-declined",
        event_id=derived_id("d"),
        assignment=1,
        at=NOW + HOUR,
        rep_id="tanaka",
        reason="at_capacity",
        effect="reroute",
    )
    task = Task(lead, scored("A1", answers=[("B1", "secured", NOW)]), events=(declined,))
    pools = {"field": change.decision.pool}
    done = work("t", [task], Desk(pools, read=True, accounts={}), Following(playbook), NOW + HOUR)
    [after] = done.leads
    assert (after.waiting_reason, after.waiting_until) == ("parked:claim", NOW + HOUR + 600_000), "a clock of its own"
    with pytest.raises(OrderRefusedError):
        do(playbook, after, TAKE)
    assert do(playbook, after, replace(TAKE, rep_id="mori", by="mori"))[0].owner_rep == "mori"


def test_what_would_be_decided_of_a_lead_that_somebody_has_leaves_them_out_of_the_count(team, scored):
    playbook = team(mode="offer", reps={name: {"capacity": 1} for name in NAMES})
    task = Task(HELD, scored("A1", answers=[("B1", "secured", NOW)]), what_if=True)
    desk = Desk(states(playbook), dict.fromkeys(NAMES, 1), read=True, accounts={})
    [change] = work("t", [task], desk, Following(playbook), NOW).changes
    assert change.decision.outcome.rep_id == "sato", "the place that this very lead takes is free"
    settled = settle(HELD, change.decision, playbook)
    assert settled.owner_rep == "sato"
