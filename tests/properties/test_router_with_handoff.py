"""Router and handoff together: whatever happens, in any order and again, both come to know the same one owner (P3)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.handoff.domain.ending import fire
from services.handoff.domain.opportunity import Change
from services.handoff.domain.rep import (
    NotInsideSalesError,
    NotTheHolderError,
    OfferNotOpenError,
    accept,
    decline,
    qualify,
)
from services.handoff.domain.routed import route, withdraw
from services.handoff.domain.terms import Promises
from services.handoff.pipeline.deal import Deal
from services.handoff.pipeline.handover import applied
from services.handoff.pipeline.steps import RefusedError
from services.router.domain.facts import Scored
from services.router.domain.fairness import PoolState, deviation
from services.router.domain.flow import Desk, Task, work
from services.router.domain.lead import Lead
from services.router.domain.lifecycle import CLOSING, Arrival
from services.router.domain.orders import Order, OrderRefusedError
from services.router.domain.playbook import Following, Playbook
from services.router.domain.records import record_of
from services.router.domain.stages import DAY
from shared.schemas import ids
from shared.schemas.policies import QualificationPolicy, RoutingPolicy, SlaPolicy, TeamsPolicy
from shared.schemas.policies.teams import Queue
from shared.schemas.routing import LeadRouted
from shared.schemas.scores import HandRaise, LeadScored, PartialScore, PolicyRef, Version

START = 1_700_000_000_000
CRITERION = {"questions": {"B1": ["secured"]}, "ask": {"en": "?"}, "cost": 1}
EFFECTS = ("reroute", "return_to_is", "recycle", "nurture", "on_hold", "disqualify", "to_owner")
REPS = ("sato", "tanaka", "mori")
PLAYBOOK = Playbook.of(
    QualificationPolicy.model_validate(
        {
            "gate": {"mql": ["A1", "B1"], "inside_sales_check": ["A3"]},
            "bant": dict.fromkeys(("budget", "authority", "need", "timeline"), CRITERION),
        }
    ),
    RoutingPolicy.model_validate(
        {
            "rules": [
                {"id": "f", "legs": ["fs"], "when": {}, "pool": "field"},
                {"id": "i", "when": {}, "pool": "inside"},
            ],
            "decline_reasons": [
                {"code": e, "kind": "decline", "label": {"en": e}, "effect": e, "credit_back": n % 2 == 0}
                for n, e in enumerate(EFFECTS)
            ],
        }
    ),
    TeamsPolicy.model_validate(
        {
            "reps": [{"id": rep, "name": rep, "capacity": 2} for rep in (*REPS, "ito", "chief")],
            "pools": [
                {"id": "field", "manager": "chief", "members": [{"rep": rep} for rep in REPS]},
                {"id": "inside", "members": [{"rep": "ito"}, {"rep": "mori"}]},
            ],
        }
    ),
    SlaPolicy.model_validate({"default": {"id": "score", "accept": 60, "first_touch": 600}}),
    {kind: PolicyRef(sequence=1, hash="h") for kind in ("qualification", "routing", "teams", "sla")},
)
INSIDE = PLAYBOOK.pools["inside"].model_copy(update={"queue": Queue(within=60)})
FOLLOWING = {  # by who chooses in inside sales
    mode: Following(replace(PLAYBOOK, pools=PLAYBOOK.pools | {"inside": INSIDE.model_copy(update={"mode": mode})}))
    for mode in ("offer", "dispatch", "claim")
}
leads = st.sampled_from(["lead-1", "lead-2", "lead-3"])


class RouterAndHandoff(RuleBasedStateMachine):
    """Two services and the topics between them: read in order, but late, and some of it again."""

    @initialize(mode=st.sampled_from(sorted(FOLLOWING)))
    def begin(self, mode):
        self.following = FOLLOWING[mode]
        self.now, self.position = START, 0
        self.leads: dict[str, Lead] = {}
        self.scores: dict[str, LeadScored] = {}
        self.gone: set[str] = set()
        self.merged: set[str] = set()  # ever
        self.pools = {pool: PoolState(pool).follow(PLAYBOOK.weights(pool), 1) for pool in PLAYBOOK.pools}
        self.opportunities = {}
        self.deals: dict[str, Deal] = {}
        self.said: dict[tuple[str, int], bytes] = {}
        self.scored, self.routed, self.events = [], [], []  # topics
        self.read = {"scored": 0, "routed": 0, "events": 0}  # offsets

    # What happens in the world

    @rule(lead=leads, grade=st.sampled_from(["A1", "B1", "A3", "D4"]), raised=st.booleans(), merged=st.integers(0, 9))
    def score(self, lead, grade, raised, merged):
        self.position += 1
        self.now += 1
        self.merged |= {lead} if merged == 0 else set()
        hand_raise = HandRaise(type="demo", event_id=f"e{self.position}", at=self.now, received_at=self.now)
        self.scored.append(
            LeadScored(
                tenant="t",
                lead_id=lead,
                version=Version(1, 1, self.position, self.now),
                as_of=self.now,
                grade=grade,
                policy=PolicyRef(sequence=1, hash="h"),
                fit=PartialScore(total=0),
                engagement=PartialScore(total=0),
                hand_raise=hand_raise if raised else None,
                merged_into="lead-9" if merged == 0 else None,
            )
        )

    @rule(lead=leads)
    def accept(self, lead):
        self.say(lead, lambda opportunity, rep: accept(opportunity, rep, self.now))

    @rule(lead=leads, reason=st.sampled_from(PLAYBOOK.routing.decline_reasons))
    def decline(self, lead, reason):
        until = self.now + 30 * DAY if reason.effect == "on_hold" else None
        self.say(
            lead, lambda opportunity, rep: decline(opportunity, rep, reason, self.now, note_given=False, until=until)
        )

    @rule(lead=leads)
    def qualify(self, lead):
        self.say(lead, lambda opportunity, rep: qualify(opportunity, rep, self.now))

    @rule(lead=leads, stage=st.sampled_from(["discovery", "accepted", "won", "lost"]))
    def deal(self, lead, stage):
        """Whoever works on the deal of the lead moves it, or wins or loses it."""

        def moved(opportunity, _rep):
            if not opportunity.is_open():
                raise OfferNotOpenError(opportunity.stage)
            before = self.deals.get(opportunity.opportunity_id, Deal(stage="accepted", stage_since=0))
            if before.stage == stage:
                return Change(opportunity)
            until = self.now + 90 * DAY if stage == "lost" else None
            told = {"version": before.version + 1, "stage": stage, "comes_back_at": until}
            after = before.model_copy(update=told)
            change = applied(opportunity, before, after, self.now)
            self.deals[opportunity.opportunity_id] = after
            return change

        self.say(lead, moved)

    @rule(seconds=st.sampled_from([1, 60, 600]))
    def pass_time(self, seconds):
        self.now += seconds * 1000
        for opportunity in list(self.opportunities.values()):
            self.take(fire(opportunity, self.now))

    @precondition(lambda self: not self.gone and any(lead.accepted for lead in self.leads.values()))
    @rule()
    def leave(self):
        """A rep with a lead leaves: from now on they get nothing, and what they have goes on when somebody looks."""
        self.gone = {next(lead.owner_rep for lead in self.leads.values() if lead.accepted)}
        self.pools = {pool_id: pool.without(self.gone) for pool_id, pool in self.pools.items()}

    @rule()
    def move_on(self):
        for lead in [lead for lead in self.leads.values() if lead.owner_rep in self.gone]:
            self.do(Task(lead, Scored.of(self.scores[lead.lead_id]), left=True))

    @rule(lead=leads, reps=st.lists(st.sampled_from(REPS), min_size=1, max_size=3), too_late=st.booleans())
    def give(self, lead, reps, too_late):
        """A manager gives the lead away, and on, perhaps in the moment in which whoever has it accepts."""
        if too_late:
            self.accept(lead)
        for rep in reps:
            self.order(lead, Order("assigned", rep, "kato", despite=("earlier_holder",)))

    @rule(lead=leads, rep=st.sampled_from(["ito", "mori"]))
    def claim(self, lead, rep):
        self.order(lead, Order("claimed", rep, rep))

    def order(self, lead, order):
        known = self.leads.get(lead)
        with suppress(OrderRefusedError):
            if known:
                self.do(Task(known, Scored.of(self.scores[lead]), order=order))

    def say(self, lead, what):
        """The rep who was asked for the lead says something, perhaps too late."""
        for opportunity in [o for o in self.opportunities.values() if o.lead_id == lead and o.current()]:
            with suppress(NotTheHolderError, NotInsideSalesError, OfferNotOpenError, RefusedError):
                self.take(what(opportunity, opportunity.current().rep_id))

    # What the services read

    @rule(topic=st.sampled_from(["scored", "routed", "events"]), most=st.integers(1, 20))
    def deliver(self, topic, most):
        start, log = self.read[topic], getattr(self, topic)
        batch = log[start : start + most]
        self.read[topic] += len(batch)
        if topic == "routed":
            for record in batch:
                self.hand_over(record)
        else:
            for record in batch:
                self.router(record)

    @rule(topic=st.sampled_from(["scored", "routed", "events"]), back=st.integers(1, 10))
    def rewind(self, topic, back):
        """A reader that died before it committed reads again."""
        self.read[topic] = max(0, self.read[topic] - back)

    @rule(lead=leads)
    def sweep(self, lead):
        known = self.leads.get(lead)
        if known and known.parked:
            self.do(Task(known, Scored.of(self.scores[lead]), retry=True))

    @rule()
    def settle(self):
        """When all has been read, both know the same."""
        while any(self.read[topic] < len(getattr(self, topic)) for topic in self.read):
            for topic in self.read:
                self.deliver(topic, 100)
        for lead in self.leads.values():
            held = [
                o.current()
                for o in self.opportunities.values()
                if o.lead_id == lead.lead_id and o.current() is not None and o.is_open()
            ]
            assert len(held) <= 1, "two offers of one lead"
            assert (held[0].rep_id if held else None) == lead.owner_rep
            if held:
                assert held[0].assignment == lead.held_assignment
                assert (held[0].state == "accepted") == lead.accepted
                assert lead.accepted or not lead.provisional

            earlier = [
                o
                for o in self.opportunities.values()
                if o.lead_id == lead.lead_id and o.cycle < lead.cycle and o.is_open()
            ]
            assert not earlier, "an opportunity of an earlier cycle that nobody closed"
            known = self.opportunities.get(ids.opportunity_id("t", lead.lead_id, lead.cycle))
            if lead.merged_into and lead.owner_rep is None:
                assert known is None or not known.is_open(), "what is merged stays open, and nobody has it"
            assert lead.passed_on or not self.is_qualified(known), "what inside sales found out is lost"
            if (last := self.closed_by(known)) and lead.lead_id not in self.merged:
                assert (lead.waiting_reason, lead.waiting_until) == (CLOSING[last.effect], last.until), (
                    "how it ended is lost"
                )
            if known and known.stage in ("won", "lost") and lead.lead_id not in self.merged:
                lost_until = self.deals[known.opportunity_id].comes_back_at
                assert (lead.waiting_reason, lead.waiting_until) == (known.stage, lost_until), (
                    "who ended it is not heard"
                )
            if held and held[0].state == "accepted" and not lead.merged_into:
                told = self.opportunities[ids.opportunity_id("t", lead.lead_id, lead.cycle)].told
                assert (lead.stage == "sql") == (told == "discovery"), "the router does not know the stage of the deal"
            ended = ("declined", "expired", "superseded")
            had = {o.rep_id for o in known.offers if o.state in ended} if known else set()
            passed = () if lead.closed else lead.excluded  # when it comes back, all may have it
            assert set(passed) <= had | self.gone, "nobody is passed over who did not have the lead"

    def closed_by(self, opportunity):
        """What a rep said who closed the lead in this cycle."""
        its = [event for event in self.events if opportunity and event.opportunity_id == opportunity.opportunity_id]
        return next((event for event in its if event.kind == "offer-declined" and event.effect in CLOSING), None)

    def is_qualified(self, opportunity):
        """Whether inside sales has qualified the lead in this cycle, and field sales has not returned it since."""
        its = [event for event in self.events if opportunity and event.opportunity_id == opportunity.opportunity_id]
        said = [event for event in its if event.kind == "lead-qualified" or event.effect == "return_to_is"]
        return bool(said) and said[-1].kind == "lead-qualified"

    def teardown(self):
        self.settle()
        self.move_on()
        self.settle()
        for lead in [one for one in self.leads.values() if one.owner_rep in self.gone and not one.merged_into]:
            self.do(Task(lead, Scored.of(self.scores[lead.lead_id]), left=True))
            assert self.leads[lead.lead_id] == lead, "both gave it back to who has left, though another can take it"

    def router(self, record):
        lead = self.leads.get(record.lead_id)
        if not isinstance(record, LeadScored):
            if lead:
                self.do(Task(lead, Scored.of(self.scores[record.lead_id]), None, (record,)))
            return
        lead = lead or Lead(record.lead_id)
        if lead.version is None or record.version > lead.version:
            self.scores[record.lead_id] = record
            score = Scored.of(record)
            self.do(Task(lead, score, Arrival(record.version, score, score.digest(), record.merged_into)))

    def do(self, task):
        loads: dict[str, int] = {}
        for lead in self.leads.values():
            if lead.owner_rep:
                loads[lead.owner_rep] = loads.get(lead.owner_rep, 0) + 1
        desk = Desk(self.pools, loads, read=True, left=tuple(sorted(self.gone)))
        done = work("t", [task], desk, self.following, self.now)
        for before, after in zip([task.lead], done.leads, strict=True):
            got = after.held_assignment > before.held_assignment
            assert not (got and after.owner_rep in self.gone), "one who has left got a lead"
            stays = task.left and after.owner_rep == before.owner_rep
            assert not stays or after == before, "what cannot be moved is as it was"
        self.leads[task.lead.lead_id], self.pools = done.leads[0], done.desk.pools
        for change in done.changes:
            if change.told:
                record = record_of("t", change, self.scores[task.lead.lead_id], PLAYBOOK, self.now)
                if isinstance(record, LeadRouted):
                    key = (record.lead_id, record.assignment)
                    assert key not in self.said, "an assignment was said twice"
                    self.said[key] = record
                self.routed.append(record)

    def hand_over(self, record):
        known = self.opportunities.get(ids.opportunity_id("t", record.lead_id, record.cycle))
        if isinstance(record, LeadRouted):
            self.take(route(known, record, Promises(PLAYBOOK.sla), self.now))
        elif known:
            self.take(withdraw(known, record, self.now))

    def take(self, change):
        self.opportunities[change.opportunity.opportunity_id] = change.opportunity
        self.events += change.events

    # What always holds

    @invariant()
    def every_lead_has_an_owner_or_a_reason(self):
        for lead in self.leads.values():
            assert (lead.owner_rep is None) != (lead.waiting_reason is None)
            assert lead.waiting_reason not in ("unscored", "rerouting")
            assert not lead.accepted or lead.owner_rep

    @invariant()
    def nobody_has_more_than_their_capacity_by_routing(self):
        for rep in (*REPS, "ito"):
            assert sum(lead.owner_rep == rep and not lead.accepted for lead in self.leads.values()) <= 2

    @invariant()
    def balances_are_balanced(self):
        for pool in self.pools.values():
            assert sum(member.due for member in pool.balances) == 0
            assert deviation(pool.balances) < 5


RouterAndHandoff.TestCase.settings = settings(stateful_step_count=50)
TestAnyHistoryOfRouterAndHandoff = RouterAndHandoff.TestCase


def offered(grade="A1"):
    """Router and handoff, who agree on a lead that somebody was offered."""
    both = RouterAndHandoff()
    both.begin("offer")
    both.score("lead-1", grade, raised=False, merged=1)
    both.settle()
    return both


def accepted(grade="A1"):
    both = offered(grade)
    both.accept("lead-1")
    both.settle()
    return both


def said_twice_is_said_once(both):
    lead = both.leads["lead-1"]
    both.rewind("events", 10)
    both.settle()
    assert both.leads["lead-1"] == lead


def test_who_left_is_relieved_of_what_they_had_accepted():
    both = accepted()
    holder = both.leads["lead-1"].owner_rep
    both.leave()
    both.teardown()
    assert both.gone == {holder}
    assert both.leads["lead-1"].owner_rep not in (None, holder)


def qualified_but_unread():
    both = accepted("A3")
    both.qualify("lead-1")
    return both


def test_what_inside_sales_qualified_just_before_a_manager_gave_it_away_goes_to_field_sales():
    both = qualified_but_unread()
    both.give("lead-1", ["mori"], too_late=False)
    both.settle()
    lead = both.leads["lead-1"]
    assert (lead.leg, lead.passed_on, lead.pool_id) == ("fs", True, "field")
    said_twice_is_said_once(both)


def test_what_inside_sales_qualified_just_before_they_left_goes_to_field_sales():
    both = qualified_but_unread()
    both.leave()
    both.move_on()
    both.settle()
    lead = both.leads["lead-1"]
    assert (lead.leg, lead.passed_on, lead.pool_id) == ("fs", True, "field")


def test_who_accepted_what_inside_sales_had_qualified_just_before_keeps_it():
    both = qualified_but_unread()
    both.give("lead-1", ["mori"], too_late=False)
    both.deliver("routed", 9)
    both.accept("lead-1")
    both.settle()
    lead = both.leads["lead-1"]
    assert (lead.owner_rep, lead.accepted, lead.passed_on) == ("mori", True, True)


@pytest.mark.parametrize("effect", sorted(CLOSING))
def test_a_rep_who_closed_a_lead_just_before_a_manager_gave_it_away_is_heard(effect):
    both = accepted()
    holder, reason = both.leads["lead-1"].owner_rep, PLAYBOOK.decline(effect)
    both.decline("lead-1", reason)
    both.give("lead-1", [rep for rep in REPS if rep != holder], too_late=False)
    both.settle()
    lead = both.leads["lead-1"]
    until = both.now + 30 * DAY if effect == "on_hold" else None
    assert (lead.owner_rep, lead.waiting_reason, lead.waiting_until) == (None, CLOSING[effect], until)
    said_twice_is_said_once(both)


def test_nobody_is_passed_over_for_a_lead_that_was_closed_given_away_and_merged_in_one_moment():
    both = offered()
    holder = both.leads["lead-1"].owner_rep
    both.decline("lead-1", PLAYBOOK.decline("recycle"))
    both.give("lead-1", [rep for rep in REPS if rep != holder], too_late=False)
    both.score("lead-1", "A1", raised=False, merged=0)
    both.settle()
    both.score("lead-1", "A1", raised=False, merged=1)
    both.settle()
    assert both.leads["lead-1"].waiting_reason == "recycled"


def accepted_while_it_was_merged():
    """Somebody accepted the lead while its merge took it back, and the merge was undone."""
    both = offered()
    both.score("lead-1", "A1", raised=False, merged=0)
    both.deliver("scored", 1)
    both.accept("lead-1")
    both.deliver("routed", 1)
    both.score("lead-1", "A1", raised=False, merged=1)
    both.settle()
    assert both.leads["lead-1"].accepted
    return both, both.leads["lead-1"].owner_rep


def test_who_accepted_a_lead_in_the_moment_of_a_merge_that_was_undone_can_leave():
    both, holder = accepted_while_it_was_merged()
    both.leave()
    both.teardown()
    assert both.leads["lead-1"].owner_rep not in (None, holder)


def test_who_accepted_a_lead_in_the_moment_of_a_merge_that_was_undone_can_be_relieved_and_so_can_the_next():
    both, holder = accepted_while_it_was_merged()
    first, second = [rep for rep in REPS if rep != holder]
    for rep in (first, second):
        both.give("lead-1", [rep], too_late=False)
        both.settle()
        both.accept("lead-1")
        both.settle()
        assert both.leads["lead-1"].owner_rep == rep
    both.decline("lead-1", PLAYBOOK.routing.decline_reasons[0])
    both.settle()
    assert both.leads["lead-1"].cycle == 1, "it goes on where it was: nothing of the merge closes it any more"


@pytest.mark.parametrize("stage", ["won", "lost"])
def test_a_rep_who_ended_a_deal_just_before_a_manager_gave_it_away_is_heard(stage):
    both = accepted()
    holder = both.leads["lead-1"].owner_rep
    both.deal("lead-1", stage)
    both.give("lead-1", [rep for rep in REPS if rep != holder], too_late=False)
    both.settle()
    lead = both.leads["lead-1"]
    assert (lead.owner_rep, lead.waiting_reason, lead.cycle) == (None, stage, 1)
    said_twice_is_said_once(both)


def test_a_deal_that_was_won_while_its_lead_was_merged_is_won_once_the_merge_is_undone():
    both = accepted()
    both.score("lead-1", "A1", raised=False, merged=0)
    both.settle()
    both.deal("lead-1", "won")
    both.settle()
    both.score("lead-1", "A1", raised=False, merged=1)
    both.settle()
    lead = both.leads["lead-1"]
    assert (lead.owner_rep, lead.waiting_reason, lead.cycle) == (None, "won", 1)
