"""Whatever happens, in any order and again: one holder, one opportunity per lead and cycle, clocks that end once."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from services.handoff.domain.clocks import Clock
from services.handoff.domain.ending import fire
from services.handoff.domain.opportunity import Change, Opportunity
from services.handoff.domain.pausing import NothingRunsError, Pause, PauseLimitError, pause, resume
from services.handoff.domain.rep import (
    Activity,
    NotInsideSalesError,
    NotTheHolderError,
    OfferNotOpenError,
    accept,
    decline,
    log_touch,
    qualify,
)
from services.handoff.domain.routed import route, withdraw
from services.handoff.domain.terms import Promises
from shared.schemas import ids
from shared.schemas.policies import Label, SlaPolicy
from shared.schemas.policies.routing import DeclineReason
from shared.schemas.policies.sla import LeadClass, PauseReason
from shared.schemas.routing import LeadRouted, LeadWithdrawn, Reason, ScoreSummary

START = 1_700_000_000_000
SLA = SlaPolicy(
    classes=(LeadClass(id="named", accept=60, first_touch=300, qualify=600, untouched="tell_manager", remind=(50,)),),
    default=LeadClass(id="score", accept=60, first_touch=600),
)
SCORE = ScoreSummary(fit=0, engagement=0, grade="B1", as_of=START)
EFFECTS = ("reroute", "return_to_is", "recycle", "nurture", "on_hold", "disqualify", "to_owner")

reps = st.sampled_from(["sato", "tanaka", "suzuki"])
leads = st.sampled_from(["lead-1", "lead-2"])
cycles = st.sampled_from([1, 1, 1, 2])


class Handoff(RuleBasedStateMachine):
    """The router, reps and time, doing what they like; `records` are on the topic for ever, and may be read again."""

    records = Bundle("records")
    touches = Bundle("touches")

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.assignments: dict[str, int] = {}
        self.opportunities: dict[str, Opportunity] = {}
        self.pauses: dict[str, list[Pause]] = {}
        self.logged: set[str] = set()
        self.told: dict[str, object] = {}
        self.ended: dict[tuple[str, int, str], Clock] = {}
        self.holders: dict[str, str | None] = {}  # as a reader of the events knows them

    def take(self, change: Change) -> None:
        opportunity = change.opportunity
        self.opportunities[opportunity.opportunity_id] = opportunity
        for event in change.events:
            assert event.event_id not in self.told, f"{event.kind} was said twice"
            self.told[event.event_id] = event
            if event.kind == "offer-opened":
                self.holders[event.opportunity_id] = event.rep_id
            elif event.kind in ("offer-declined", "offer-expired", "offer-withdrawn", "lead-qualified"):
                self.holders[event.opportunity_id] = None

    @rule(
        target=records,
        lead=leads,
        cycle=cycles,
        rep=reps,
        late=st.integers(0, 3600),
        mode=st.sampled_from(["offer", "assign"]),
        leg=st.sampled_from(["is", "fs"]),
        lead_class=st.sampled_from(["score", "named"]),
    )
    def route(self, lead, cycle, rep, late, mode, leg, lead_class):
        self.assignments[lead] = self.assignments.get(lead, 0) + 1
        record = LeadRouted(
            tenant="hinode", lead_id=lead, cycle=cycle, assignment=self.assignments[lead], decision_id="d", mode=mode,
            decided_at=self.now, leg=leg, pool_id="tokyo", rep_id=rep, rep_name=rep, lead_class=lead_class,
            qualifying_at=self.now - late * 1000, score=SCORE,
        )  # fmt: skip
        self.read(record)
        return record

    @rule(target=records, lead=leads, cycle=cycles, back=st.integers(0, 2), merged=st.booleans())
    def take_back(self, lead, cycle, back, merged):
        record = LeadWithdrawn(
            tenant="hinode", lead_id=lead, cycle=cycle, assignment=max(1, self.assignments.get(lead, 1) - back),
            reason=Reason(code="merged"), decided_at=self.now, merged_into="lead-9" if merged else None,
        )  # fmt: skip
        self.read(record)
        return record

    @rule(record=records)
    def read_again(self, record):
        self.read(record)

    def read(self, record):
        known = self.opportunities.get(ids.opportunity_id("hinode", record.lead_id, record.cycle))
        if isinstance(record, LeadRouted):
            self.take(route(known, record, Promises(SLA), self.now))
        elif known:
            self.take(withdraw(known, record, self.now))

    @rule(lead=leads, cycle=cycles, rep=reps)
    def accept(self, lead, cycle, rep):
        self.say(lead, cycle, lambda opportunity: accept(opportunity, rep, self.now))

    @rule(lead=leads, cycle=cycles, rep=reps, effect=st.sampled_from(EFFECTS))
    def decline(self, lead, cycle, rep, effect):
        reason = DeclineReason(code=effect, kind="decline", label=Label(en=effect), effect=effect)
        self.say(lead, cycle, lambda opportunity: decline(opportunity, rep, reason, self.now, note_given=False))

    @rule(lead=leads, cycle=cycles, rep=reps, human=st.booleans())
    def touch(self, lead, cycle, rep, human):
        activity = Activity(f"a-{len(self.logged)}", "call_connected", self.now, rep, is_first_touch=human)
        self.logged.add(activity.activity_id)
        self.say(lead, cycle, lambda opportunity: log_touch(opportunity, activity, self.now))

    @rule(lead=leads, cycle=cycles, rep=reps, seconds=st.integers(1, 900))
    def pause(self, lead, cycle, rep, seconds):
        reason = PauseReason(code="waiting_for_customer", most=seconds, times=3)
        self.stand(lead, cycle, lambda known, before: pause(known, before, rep, reason, self.now, by=rep))

    @rule(lead=leads, cycle=cycles, rep=reps)
    def resume(self, lead, cycle, rep):
        self.stand(lead, cycle, lambda known, before: resume(known, before, rep, self.now, by=rep))

    @rule(lead=leads, cycle=cycles, rep=reps)
    def qualify(self, lead, cycle, rep):
        self.say(lead, cycle, lambda opportunity: qualify(opportunity, rep, self.now))

    def stand(self, lead, cycle, what):
        key = ids.opportunity_id("hinode", lead, cycle)
        if key not in self.opportunities:
            return
        before = self.pauses.get(key, [])
        try:
            change, made = what(self.opportunities[key], before)
        except (NotTheHolderError, OfferNotOpenError, PauseLimitError, NothingRunsError):
            return
        self.take(change)
        same = made and [(one.assignment, one.number) != (made.assignment, made.number) for one in before]
        self.pauses[key] = [*(one for one, kept in zip(before, same, strict=True) if kept), made] if made else before

    def say(self, lead, cycle, what):
        known = self.opportunities.get(ids.opportunity_id("hinode", lead, cycle))
        if known:
            try:
                self.take(what(known))
            except (NotTheHolderError, OfferNotOpenError, NotInsideSalesError):
                return

    @rule(seconds=st.sampled_from([0, 1, 30, 59, 60, 61, 599, 600, 3600]))
    def pass_time(self, seconds):
        self.now += seconds * 1000

    @rule()
    def fire(self):
        for opportunity in list(self.opportunities.values()):
            self.take(fire(opportunity, self.now))

    @invariant()
    def at_most_one_holder(self):
        for opportunity in self.opportunities.values():
            held = [offer for offer in opportunity.offers if offer.is_held()]
            assert len(held) <= 1
            assert held == [offer for offer in [opportunity.current()] if offer]
            assert (opportunity.stage == "accepted") == bool(held and held[0].state == "accepted")
            assert opportunity.is_open() or not held

    @invariant()
    def one_opportunity_per_lead_and_cycle(self):
        keys = [(opportunity.lead_id, opportunity.cycle) for opportunity in self.opportunities.values()]
        assert len(keys) == len(set(keys))

    @invariant()
    def clocks_end_once_and_never_early(self):
        for opportunity in self.opportunities.values():
            for clock in opportunity.clocks:
                key = (opportunity.opportunity_id, clock.assignment, clock.kind)
                if clock.is_running():
                    assert key not in self.ended
                    continue
                assert replace(self.ended.setdefault(key, clock), done_at=clock.done_at) == clock
                assert clock.done_at is None or clock.done_at >= clock.due_at
                if clock.state == "breached":
                    assert clock.ended_at == clock.due_at <= self.now
                else:
                    assert clock.started_at <= clock.ended_at <= clock.due_at

    @invariant()
    def only_a_held_offer_has_clocks_that_run(self):
        for opportunity in self.opportunities.values():
            held = opportunity.current()
            assert all(held and clock.assignment == held.assignment for clock in opportunity.running())

    @invariant()
    def who_reads_the_events_knows_the_holder(self):
        for key, opportunity in self.opportunities.items():
            held = opportunity.current()
            assert self.holders.get(key) == (held.rep_id if held else None)


Handoff.TestCase.settings = settings(stateful_step_count=40)
TestAnyHistoryOfHandoff = Handoff.TestCase
