"""What a batch does to its leads: pure, lead by lead in order, the balances and loads passed on from one to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.router.domain.account import Deal, Known, Place
from services.router.domain.caps import Taken
from services.router.domain.decision import Decision, Inputs, Outcome, PoolsNeededError, decide, inputs_of, settle
from services.router.domain.facts import Scored
from services.router.domain.fairness import PoolState, credit_back
from services.router.domain.gate import gate_facts
from services.router.domain.lead import PARKED, Cause, Lead
from services.router.domain.lifecycle import Arrival, Step, cooled, happened, inherited, left, ordered, reopen
from services.router.domain.lifecycle import scored as score_arrived
from services.router.domain.matching.keys import Asked
from services.router.domain.nurture import NONE
from services.router.domain.orders import Order, OrderRefusedError
from services.router.domain.playbook import Following
from services.router.domain.queues import REASONS
from shared.availability.people import NotAtWork
from shared.schemas.handoff import HandoffEvent

MOST_DEALS = 20  # of an account's family that one decision looks at


class AccountsNeededError(LookupError):
    """A lead is ripe, and nobody has looked yet whose account it is."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What is shared by the leads of a batch: the balances of all pools, the open leads per rep, and who holds which lead of which
    account.

    read:     pools and loads have been locked and read; a desk that has not refuses to assign
    accounts: of each lead of the batch what is known of its account; None where nobody has looked, which comes before `read`
    deals:    leads of those accounts that reps hold, by lead
    """

    pools: Mapping[str, PoolState] = field(default_factory=dict)
    loads: Mapping[str, int] = field(default_factory=dict)
    read: bool = False
    accounts: Mapping[str, Known] | None = None
    deals: Mapping[str, Deal] = field(default_factory=dict)
    out: Mapping[str, NotAtWork] = field(default_factory=dict)  # reps who are not at work
    taken: Mapping[str, Taken] = field(default_factory=dict)  # leads of their day and week, of reps who have a cap
    had_by: Mapping[str, str] = field(default_factory=dict)  # by lead, who accepted it last; where a pool is sticky
    left: tuple[str, ...] = ()  # reps who have left, and whom the policies may still name

    def known(self, lead_id: str) -> Known | None:
        """What is known of a lead's account as the batch stands now: with what reps hold of its whole family, the lead apart."""
        found = (self.accounts or {}).get(lead_id)
        if found is None or found.party is None:
            return found
        root = found.party.root
        deals = [deal for deal in self.deals.values() if deal.place.root == root and deal.lead_id != lead_id]
        deals.sort(key=lambda deal: (not deal.accepted, deal.lead_id))
        return replace(found, deals=tuple(deals[:MOST_DEALS]))

    def held(self, lead: Lead) -> Desk:
        """The desk after a lead has found or lost its owner, or was accepted."""
        found = (self.accounts or {}).get(lead.lead_id)
        if found is None or found.party is None:
            return self
        deals = {lead_id: deal for lead_id, deal in self.deals.items() if lead_id != lead.lead_id}
        if lead.owner_rep is not None and lead.merged_into is None:
            place = Place(found.party.account_id, found.party.entity, found.party.root)
            deals[lead.lead_id] = Deal(lead.lead_id, place, lead.owner_rep, lead.leg, lead.accepted)
        return replace(self, deals=deals)

    def moved(self, before: str | None, after: str | None) -> Desk:
        """The desk after a lead went from one owner to another."""
        if before == after:
            return self
        loads = dict(self.loads)
        if before is not None:
            loads[before] = max(0, loads.get(before, 0) - 1)
        if after is not None:
            loads[after] = loads.get(after, 0) + 1
        return replace(self, loads=loads)

    def given(self, rep_id: str | None) -> Desk:
        """The desk after the rep was given one more lead."""
        if rep_id is None or rep_id not in self.taken:
            return self
        return replace(self, taken={**self.taken, rep_id: self.taken[rep_id].more()})

    def settled(self, pool: PoolState | None) -> Desk:
        return replace(self, pools={**self.pools, pool.pool_id: pool}) if pool else self

    def credited(self, pool_id: str, rep_id: str, sharing: tuple[str, ...]) -> Desk:
        pool = self.pools.get(pool_id)
        if pool is None:
            return self
        return self.settled(replace(pool, balances=credit_back(pool.balances, rep_id, sharing)))


@dataclass(frozen=True, slots=True)
class Change:
    """A row of a lead's history: how it stood before and after, why, and the decision, if one was made."""

    before: Lead
    after: Lead
    cause: Cause
    decision: Decision | None = None
    withdrawn: bool = False
    given_back: bool = False  # the assignment that ended does not count against the rep's fair share

    @property
    def told(self) -> bool:
        """Whether others have to be told: the lead was given to a rep, or taken back, or is to be nurtured in another way."""
        if self.withdrawn:
            return True
        nurture = (self.before.scenario, self.before.may_email) != (self.after.scenario, self.after.may_email)
        return nurture or (self.decision is not None and self.decision.outcome.kind == "routed")


@dataclass(frozen=True, slots=True)
class Task:
    """A lead and what happened to it. retry: it waits, and what it waits for may have changed; because: of what

    order:   what a person says of who takes it;  what_if: it is to be decided on as if nobody had it
    scored: its latest score, this batch's included; None where it has none, and for a lead whose stored score nobody needs
    asked:  what that score tells of its company
    heir_of: leads before it in the batch that are merged into it: what inside sales found out of them may be its own now
    left:   the rep who has it has left: it goes to another, or stays where it is while nobody can take it
    """

    lead: Lead
    scored: Scored | None = None
    arrival: Arrival | None = None
    events: tuple[HandoffEvent, ...] = ()
    retry: bool = False
    asked: Asked | None = None
    order: Order | None = None
    what_if: bool = False
    left: bool = False
    because: str = "swept"
    heir_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """What became of the leads of a batch, and of the desk. stayed: by lead of one who has left, why nobody else gets it yet"""

    leads: tuple[Lead, ...]
    changes: tuple[Change, ...]
    desk: Desk
    stayed: Mapping[str, Outcome] = field(default_factory=dict)


def work(tenant: str, tasks: Iterable[Task], desk: Desk, following: Following, now: int) -> Done:
    """Everything that the tasks cause. Raises AccountsNeededError and PoolsNeededError where the desk has to be read first, and
    OrderRefusedError with its lead."""
    leads: list[Lead] = []
    changes: list[Change] = []
    stayed: dict[str, Outcome] = {}
    bequests: dict[str, Cause] = {}
    for task in tasks:
        found = [bequests[lead_id] for lead_id in task.heir_of if lead_id in bequests]
        bench = _Bench(tenant, task, desk, following, now, found)
        try:
            bench.run()
        except OrderRefusedError as refused:
            refused.lead_id = task.lead.lead_id
            raise
        leads.append(bench.lead)
        changes += bench.changes
        desk = bench.desk
        if bench.bequest and bench.lead.owner_rep is None:
            bequests[bench.lead.lead_id] = bench.bequest
        if bench.stays:
            stayed[bench.lead.lead_id] = bench.stays
    return Done(tuple(leads), tuple(changes), desk, stayed)


class _Bench:
    """One lead at work. bequest: why the lead that it is merged into is qualified now, where it is"""

    def __init__(
        self, tenant: str, task: Task, desk: Desk, following: Following, now: int, inherits: Sequence[Cause] = ()
    ) -> None:
        self._inherits = inherits
        self.bequest: Cause | None = None
        self._tenant, self._task, self._following, self._now = tenant, task, following, now
        self.lead, self.desk = task.lead, desk
        self.changes: list[Change] = []
        self.stays: Outcome | None = None

    def run(self) -> None:
        task, playbook = self._task, self._following.playbook
        for cause in self._inherits:  # first, so that its own score is judged by what is known of it
            self._take(inherited(self.lead, cause, playbook))
        if task.arrival:
            step = score_arrived(self.lead, task.arrival, playbook, self._now)
            self._take(step)
            if step.withdraw and step.cause and self.lead.closed:
                self._take(reopen(self.lead, task.arrival.scored, playbook, step.cause, None))
        for event in task.events:
            self._take(happened(self.lead, event, playbook))
            if self.lead.closed and task.scored:
                # The signal that brings it back may have arrived before the news of its closing.
                cause = Cause("scored", None, event.at)
                self._take(reopen(self.lead, task.scored, playbook, cause, None))
        if task.order:
            self._take(ordered(self.lead, task.order, self._now))
        if task.what_if:
            self.desk = self.desk.moved(self.lead.owner_rep, None)
            self.lead = self.lead.waits(PARKED + "what_if", self._now)
            self._take(Step(self.lead, Cause("what_if", None, self._now), decide=True))
        if task.retry and (self.lead.parked or self.lead.waiting_reason == "below_gate"):
            self._take(Step(self.lead, Cause(task.because, None, self._now), decide=True))
        elif task.retry and playbook is not None:
            self._take(cooled(self.lead, self._now))
        if task.left and self.lead.owner_rep is not None and self.lead.merged_into is None:
            self._move_on()

    def _move_on(self) -> None:
        """Give the lead of one who has left to another. While nobody can take it, it stays: in handoff it is theirs until then."""
        before, desk = self.lead, self.desk
        self._take(left(self.lead, self._now))
        if self.lead.owner_rep is None:
            decision = self.changes.pop().decision
            self.stays = decision.outcome if decision else None
            self.lead, self.desk = before, desk

    def _take(self, step: Step) -> None:
        before = self.lead
        if step.cause and _bequeaths(before, step.lead, step.cause):
            self.bequest = replace(step.cause, kind="inherited", reason=None)
        if step.credit:
            if not self.desk.read:
                raise PoolsNeededError(step.credit[0])
            self.desk = self.desk.credited(*step.credit, step.sharing)
        self.lead = self._left_to_marketing(step)
        if self.lead.accepted and self.lead.owner_rep and not before.accepted:
            self.desk = replace(self.desk, had_by={**self.desk.had_by, self.lead.lead_id: self.lead.owner_rep})
        # The load of the rep who gives the lead up counts no more when the next one is chosen.
        self.desk = self.desk.moved(before.owner_rep, self.lead.owner_rep)
        decision = self._decide(step, before) if step.decide else None
        if (before.owner_rep, before.accepted) != (self.lead.owner_rep, self.lead.accepted):
            self.desk = self.desk.held(self.lead)
        back = step.credit is not None
        if step.cause and (decision or self.lead.standing() != before.standing() or step.withdraw or back):
            self.lead = replace(self.lead, changes=self.lead.changes + 1)
            self.changes.append(Change(before, self.lead, step.cause, decision, step.withdraw, back))

    def _left_to_marketing(self, step: Step) -> Lead:
        """The lead after the step. One that sales gave back goes into a scenario, as those do that were never ripe."""
        lead, playbook, scored = step.lead, self._following.playbook, self._task.scored
        if not lead.closed or self.lead.closed or step.decide or step.withdraw:
            return lead
        chosen = NONE
        if playbook is not None and scored is not None and playbook.nurture.scenarios:
            if playbook.accounts_first and self.desk.accounts is None:
                raise AccountsNeededError(lead.lead_id)
            known = self.desk.known(lead.lead_id)
            facts = gate_facts(scored, known.facts() if known else None)
            chosen = playbook.nurture.after(lead.waiting_reason or "", step.reason, facts)
        return replace(lead, scenario=chosen.scenario, may_email=chosen.may_email)

    def _decide(self, step: Step, before: Lead) -> Decision | None:
        """Decide who takes the lead; None where the decision changes nothing, and so is none."""
        scored, order = self._task.scored, self._task.order
        if order and not self.desk.read:
            raise AccountsNeededError(before.lead_id) if self.desk.accounts is None else PoolsNeededError(order.rep_id)
        if scored is None or step.cause is None:
            raise ValueError(f"lead {self.lead.lead_id} is to be decided on without a score")
        pools = self.desk.pools if self.desk.read else {}
        inputs = inputs_of(
            self._tenant,
            self.lead,
            scored,
            step.cause,
            self._following,
            self._now,
            pools,
            self.desk.loads,
            self.desk.known(self.lead.lead_id),
            out=self.desk.out,
            taken=self.desk.taken,
            had_by=self.desk.had_by.get(self.lead.lead_id),
            order=_in_place(order, before) if order else None,
            left=self.desk.left,
        )
        decision = self._decided(inputs)
        after = settle(self.lead, decision, self._following.playbook)
        if after.standing() == before.standing():
            self.lead = after  # it waits as it did before, for the same reason; whom it waits for may have changed
            return None
        self.desk = self.desk.settled(decision.pool).moved(self.lead.owner_rep, after.owner_rep).given(after.owner_rep)
        self.lead = replace(after, decisions=inputs.seq, decision_id=inputs.decision_id)
        return decision

    def _decided(self, inputs: Inputs) -> Decision:
        looked, playbook = self.desk.read or self.desk.accounts is not None, self._following.playbook
        if not looked and playbook and playbook.accounts_first:
            raise AccountsNeededError(inputs.lead_id)
        try:
            decision = decide(inputs, playbook)
        except PoolsNeededError as error:
            if looked:
                raise
            raise AccountsNeededError(inputs.lead_id) from error
        if not looked and decision.trace.gate and decision.outcome.kind != "below_gate":
            raise AccountsNeededError(inputs.lead_id)
        return decision


def _bequeaths(before: Lead, after: Lead, cause: Cause) -> bool:
    """Whether this step leaves a merged lead without anybody, that inside sales has qualified: as it is merged, or qualified."""
    lost = after.merged_into is not None and after.passed_on and after.owner_rep is None
    return lost and (cause.kind == "lead-qualified" or (cause.kind == "merged" and before.merged_into is None))


def _in_place(order: Order, lead: Lead) -> Order:
    """The order, with the queue in which the lead waits, and the leg of whoever has it."""
    return replace(
        order,
        pool_id=lead.pool_id if lead.waiting_reason in REASONS else None,
        leg=lead.leg if lead.owner_rep is not None else None,
    )
