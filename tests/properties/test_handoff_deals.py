"""Whatever is done with a deal, in any order and again: its history adds up to it, no guard is passed, and what ended stays so."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.handoff.domain.opportunity import Offer, Opportunity
from services.handoff.pipeline import steps
from services.handoff.pipeline.deal import changes, fold, recorded
from services.handoff.pipeline.following import followed
from services.handoff.pipeline.handover import applied, entered
from services.handoff.pipeline.steps import Loss, Moment, RefusedError
from shared.schemas.policies.pipeline import CONFIRMED, DEAL_TYPES
from tests.hinode_deals import PIPELINE as POLICY

START = 1_700_000_000_000
STAGES = sorted({stage.id for pipeline in POLICY.types for stage in pipeline.stages})
CONFIRMABLE = sorted(
    {
        found[1]
        for pipeline in POLICY.types
        for stage in pipeline.stages
        for one in (*stage.entry, *stage.exit)
        if (found := CONFIRMED.fullmatch(one.field))
    }
)
days = st.dates(date(2023, 1, 1), date(2026, 12, 31))
texts = st.sampled_from(["", "短い", "在庫管理に毎月120時間かかっている"])
edits = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(DEAL_TYPES),
        "amount": st.none() | st.integers(0, 10**9).map(Decimal) | st.just(Decimal("0.5")),
        "currency": st.sampled_from([None, "JPY", "USD"]),
        "expected_close": st.none() | days,
        "probability": st.none() | st.integers(0, 100),
        "forecast": st.sampled_from([None, "commit", "omitted"]),
        "products": st.sampled_from([(), ("在庫",)]),
        "first_meeting": st.none() | days,
        "problem": st.none() | texts,
        "impact": texts,
        "decision_process": texts,
        "success_criteria": texts,
        "confirmed": st.dictionaries(st.sampled_from(CONFIRMABLE), st.booleans(), max_size=12),
        "handover": st.dictionaries(st.sampled_from(["contract", "promises", "onboarding"]), texts, max_size=3),
    },
)
ALL_SAID = {
    "amount": Decimal(1_200_000),
    "expected_close": date(2024, 3, 31),
    "products": ("在庫",),
    "first_meeting": date(2023, 11, 20),
    "problem": "在庫",
    "impact": "月120時間",
    "decision_process": "部長から役員",
    "success_criteria": "半減",
    "confirmed": dict.fromkeys(CONFIRMABLE, True),
}


class Deals(RuleBasedStateMachine):
    """One opportunity that field sales has accepted, and everybody who may do something with its deal."""

    @initialize()
    def begin(self):
        self.now = START
        self.accepted(1)

    @rule()
    @precondition(lambda self: not self.deal.is_open)
    def next_cycle(self):
        self.accepted(self.opportunity.cycle + 1)

    def accepted(self, cycle):
        offer = Offer(1, "sato", "佐藤", "offer", "fs", "tokyo", self.now, "accepted", self.now)
        opportunity = Opportunity("hinode", f"o-{cycle}", "lead-1", cycle, "accepted", 1, offers=(offer,))
        self.deal = steps.begun(POLICY, self.now)
        self.opportunity = entered(opportunity, self.deal, self.now).opportunity
        self.history = []
        self.events = []

    @property
    def moment(self):
        return Moment(self.now, "Asia/Tokyo")

    def take(self, after):
        """As the desk does: what changes nothing is not stored; what does is told."""
        before = self.deal
        if not changes(before, after):
            return
        assert before.is_open or before.stage == after.stage, "what has ended stays ended"
        after = after.model_copy(update={"version": before.version + 1})
        self.history += changes(recorded(before), after)
        change = applied(self.opportunity, before, after, self.now)
        self.opportunity, self.deal = change.opportunity, after
        self.events += change.events

    def tries(self, act):
        """What the act makes of the deal, taken; None where it is refused. Said again, it changes nothing."""
        try:
            after = act()
        except RefusedError:
            return None
        self.take(after)
        assert not changes(self.deal, act())
        return after

    @rule(given=edits)
    def edit(self, given):
        deal = self.deal
        self.tries(lambda: steps.edit(self.deal, given, POLICY, self.moment))
        if not deal.is_open:
            assert self.deal.model_copy(update={"handover": {}, "version": 0}) == deal.model_copy(
                update={"handover": {}, "version": 0}
            )

    @rule(but=st.sets(st.sampled_from(sorted(ALL_SAID)), max_size=2), kind=st.sampled_from(DEAL_TYPES))
    def say_all_but(self, but, kind):
        said = {name: value for name, value in ALL_SAID.items() if name not in but}
        self.tries(lambda: steps.edit(self.deal, said, POLICY, self.moment))
        self.tries(lambda: steps.edit(self.deal, {"type": kind}, POLICY, self.moment))

    @rule(to_the_end=st.sampled_from([False, False, True]))
    def go_on(self, to_the_end):
        """As far as it may, without which few deals would be anywhere to go back from, or be won."""
        for stage in POLICY.of(self.deal.type).stages[1:]:
            if POLICY.of(self.deal.type).index(stage.id) > POLICY.of(self.deal.type).index(self.deal.stage):
                self.move_to(stage.id, None)
        if to_the_end:
            self.win_on(self.moment.today)

    @rule(to=st.sampled_from([*STAGES, "no-such"]), reason=st.sampled_from([None, " ", "予算の前提が変わった"]))
    def move(self, to, reason):
        self.move_to(to, reason)

    def move_to(self, to, reason):
        before, pipeline = self.deal, POLICY.of(self.deal.type)
        after = self.tries(lambda: steps.move(self.deal, to, reason, POLICY, self.moment))
        if after is None or not changes(before, after):
            return
        here, place = pipeline.index(before.stage), pipeline.index(to)
        passed = [one.field for stage in pipeline.stages[max(here, 0) : place] for one in stage.exit]
        passed += [one.field for stage in pipeline.stages[here + 1 : place + 1] for one in stage.entry]
        assert all(before.has(field) for field in passed)
        assert place > here or (reason and reason.strip())

    @rule(ahead=st.integers(-400, 2), said=st.booleans())
    def win(self, ahead, said):
        self.win_on(self.moment.today + timedelta(days=ahead) if said else None)

    def win_on(self, day):
        before = self.deal
        after = self.tries(lambda: steps.win(self.deal, day, POLICY, self.moment))
        if after is not None and before.is_open:
            pipeline = POLICY.of(before.type)
            rest = pipeline.stages[pipeline.index(before.stage) :]
            assert after.ordered_on is not None
            assert after.ordered_on <= self.moment.today
            assert all(after.has(one.field) for stage in rest for one in stage.exit)

    @rule(
        code=st.sampled_from([reason.code for reason in POLICY.loss_reasons]),
        text=texts,
        rival=st.sampled_from([None, "他社A"]),
        end=st.none() | days,
        back=st.none() | days,
        rare=st.integers(0, 3),
    )
    def lose(self, code, text, rival, end, back, rare):
        if rare and self.deal.is_open:
            return
        reason, before = POLICY.reason(code), self.deal
        after = self.tries(lambda: steps.lose(self.deal, Loss(reason, text or None, rival, end, back), self.moment))
        if after is not None and before.is_open:
            assert len(after.closed_note or "") >= reason.text
            assert after.rival or not reason.rival
            assert after.comes_back_at is None or after.comes_back_at > self.now
            assert after.comes_back_at or reason.back_on == "optional"

    @rule(stage=st.sampled_from(["recycled", "disqualified", "merged"]), rare=st.integers(0, 3))
    @precondition(lambda self: self.deal.is_open)
    def given_back(self, stage, rare):
        """What store does where the opportunity closes under the deal."""
        if rare:
            return
        closed = replace(self.opportunity, stage=stage)
        after = followed(closed, self.deal, self.now).model_copy(update={"version": self.deal.version + 1})
        self.history += changes(recorded(self.deal), after)
        self.deal = after
        self.opportunity = replace(closed, deal=after.stage)

    @rule(full=st.booleans(), manager=st.sampled_from([None, "kato"]))
    def hand_over(self, full, manager):
        items = dict.fromkeys([item.id for item in POLICY.handover], "済") if full else {}
        before = self.deal
        after = self.tries(lambda: steps.hand_over(self.deal, manager, items, POLICY, self.now))
        if after is not None and before.handed_over_at is None:
            assert after.stage == "won"
            assert after.account_manager
            assert all(after.handover.get(item.id) for item in POLICY.handover if item.required)

    @rule(answers=st.dictionaries(st.sampled_from(["why", "when"]), texts, max_size=2))
    def review(self, answers):
        before = self.deal
        after = self.tries(lambda: steps.review(self.deal, answers, POLICY, self.now))
        assert after is None or (before.stage in ("won", "lost") and (after.review.get("why") or after == before))

    @rule(seconds=st.sampled_from([0, 1, 3600, 86_400, 40 * 86_400]))
    def pass_time(self, seconds):
        self.now += seconds * 1000

    @invariant()
    def history_adds_up_to_the_deal(self):
        if self.deal.version:
            assert fold(self.history) == self.deal

    @invariant()
    def who_reads_the_events_knows_the_stage(self):
        told = [event.stage for event in self.events if event.kind == "stage-changed"]
        if self.opportunity.stage in ("accepted", "won", "lost"):
            assert (told[-1] if told else "accepted") == self.deal.stage
        assert len({event.event_id for event in self.events}) == len(self.events)

    @invariant()
    def the_opportunity_is_open_as_long_as_its_deal(self):
        assert self.opportunity.is_open() == self.deal.is_open
        if self.deal.stage in ("won", "lost"):
            assert self.opportunity.current().rep_id == "sato", "who won it or lost it is kept"


Deals.TestCase.settings = settings(stateful_step_count=40)
TestAnyHistoryOfADeal = Deals.TestCase
