"""A decision: a pure function of its stored inputs and the policies they name, with a trace that says why (P6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from services.router.domain.account import CheckId, Known
from services.router.domain.assignment import (
    BY_PERSON,
    Assigned,
    Candidate,
    Parked,
    Stuck,
    Tried,
    Way,
    assign_from,
    match,
)
from services.router.domain.assignment import Before as AskedFirst
from services.router.domain.before_pools import Before, Check, ParkedBy, before_pools, is_target
from services.router.domain.caps import Taken
from services.router.domain.exploring import explores
from services.router.domain.facts import Facts, Scored
from services.router.domain.fairness import PoolState, give
from services.router.domain.gate import Gated, Holding, gate, gate_facts, holding, leg
from services.router.domain.lead import PARKED, Cause, Lead, still
from services.router.domain.manager import Escalated, escalate, went_round
from services.router.domain.nurture import NONE, Nurturing
from services.router.domain.orders import Order, OrderRefusedError, outside
from services.router.domain.playbook import Following, Playbook
from services.router.domain.queues import REASONS, Queued, kind_of, queued
from shared.availability.people import NotAtWork
from shared.qualification.assessing import Assessment, assess
from shared.schemas.ids import derived_id
from shared.schemas.policies.qualification import Verdict
from shared.schemas.policies.routing import asks_absence
from shared.schemas.policies.teams import Rep
from shared.schemas.routing import Leg

Ripe = Literal["mql", "inside_sales_check"]
T = TypeVar("T")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AGAIN = ("call_later", "cooled_off")  # causes that are the end of a cool-off


class PoolsNeededError(LookupError):
    """A rule names a pool whose balances are not among the inputs: they have to be locked and read first."""


@dataclass(frozen=True, slots=True)
class Qualified:
    """The touch that made the lead ripe: which promise it has (SLA), and from when (ms) that counts."""

    lead_class: str
    at: int
    touch: str | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a decision is a function of, beside the policies.

    seq:       the how-manieth decision of the lead
    since:     only hand-raises received later count (ms); None where every one does
    passed_on: inside sales has qualified it in this cycle
    explored_at: when it was last explored on purpose (ms)
    holders:   reps who had the lead earlier in this cycle
    verdict:   of the gate, when the lead was routed earlier in this cycle: it cannot become less ripe while reps decline it
    qualified: what made the lead ripe, where that was found out earlier in this cycle
    pools:     balances of the pools that may be asked;  loads: open leads per rep
    out:       reps who are not at work, and until when
    taken:     leads of their day and week, of reps who have a cap
    had_by:    who accepted the lead last, for a sticky pool
    missing:   kinds of policy that the tenant lacks
    account:   what is known of the lead's account; None where nobody looked
    left:      reps whom the policies still name, and who have left
    queued:    since when (ms) it waits in the queue of a pool, to be given out or taken
    order:     what a person says of who takes it
    """

    tenant: str
    lead_id: str
    seq: int
    cycle: int
    cause: Cause
    decided_at: int
    scored: Scored
    stage: str = "inquiry"
    since: int | None = None
    returned_to_is: bool = False
    passed_on: bool = False
    explored_at: int | None = None
    holders: tuple[str, ...] = ()
    verdict: Ripe | None = None
    qualified: Qualified | None = None
    missing: tuple[str, ...] = ()
    pools: Mapping[str, PoolState] = field(default_factory=dict)
    loads: Mapping[str, int] = field(default_factory=dict)
    account: Known | None = None
    out: Mapping[str, NotAtWork] = field(default_factory=dict)
    taken: Mapping[str, Taken] = field(default_factory=dict)
    had_by: str | None = None
    left: tuple[str, ...] = ()
    queued: int | None = None
    order: Order | None = None

    @property
    def decision_id(self) -> str:
        return derived_id("decision", self.tenant, self.lead_id, self.seq)


@dataclass(frozen=True, slots=True)
class Trace:
    """How the decision came about, step by step; what it did not come to is empty.

    target:  ripe only because of its account
    explored: below the gate, and given to inside sales on purpose, in this decision or before it in the cycle
    manager: to whom it went after the whole pool had had it, or nobody had given it out in time; None where it had not
    queue:   in which it waits, or waited too long
    """

    gate: Gated | None = None
    evidence: Assessment | None = None
    holding: Holding | None = None
    nurture: Nurturing | None = None
    target: bool = False
    explored: bool = False
    checks: tuple[Check, ...] = ()
    rules: tuple[Tried, ...] = ()
    pool_id: str | None = None
    candidates: tuple[Candidate, ...] = ()
    chosen: str | None = None
    missing: tuple[str, ...] = ()
    way: Way = "fair"
    stuck: Stuck | None = None
    manager: Escalated | None = None
    queue: Queued | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided: who takes the lead, or why nobody does.

    by: the check that gave it to its rep, that it went round its pool to a `manager`, or a `person`; None where the pool chose
    """

    kind: Literal["routed", "parked", "below_gate"]
    stage: str
    disposition: str
    leg: Leg | None = None
    pool_id: str | None = None
    mode: Literal["offer", "assign"] | None = None
    rep_id: str | None = None
    rep_name: str | None = None
    qualified: Qualified | None = None
    waiting_reason: str | None = None
    waiting_for: tuple[str, ...] = ()
    by: CheckId | Literal["manager", "person"] | None = None
    waiting_until: int | None = None
    scenario: str | None = None
    may_email: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, how, and from what; `inputs` hold of the pools and loads only what was looked at."""

    inputs: Inputs
    trace: Trace
    outcome: Outcome
    pool: PoolState | None = None

    @property
    def way(self) -> str:
        """By which way the lead was given: by its account, to a manager, by a person, or by a pool's rule."""
        if self.outcome.by == "manager":
            return "manager"
        return self.trace.way if self.outcome.by in (None, "person") else "named"


def inputs_of(
    tenant: str,
    lead: Lead,
    scored: Scored,
    cause: Cause,
    following: Following,
    now: int,
    pools: Mapping[str, PoolState],
    loads: Mapping[str, int],
    account: Known | None = None,
    *,
    out: Mapping[str, NotAtWork],
    taken: Mapping[str, Taken],
    had_by: str | None,
    left: tuple[str, ...] = (),
    order: Order | None = None,
) -> Inputs:
    """The inputs of the lead's next decision."""
    known = lead.lead_class is not None and lead.qualifying_at is not None
    return Inputs(
        tenant,
        lead.lead_id,
        lead.decisions + 1,
        lead.cycle,
        cause,
        now,
        scored,
        stage=lead.stage,
        since=lead.closed_at,
        returned_to_is=lead.returned_to_is,
        passed_on=lead.passed_on,
        explored_at=lead.explored_at,
        holders=lead.excluded,
        verdict=lead.verdict,
        qualified=Qualified(lead.lead_class or "", lead.qualifying_at or 0) if known else None,
        missing=following.missing,
        pools=pools,
        loads=loads,
        account=account,
        out=out,
        taken=taken,
        had_by=had_by,
        left=left,
        queued=lead.waiting_since if lead.waiting_reason in REASONS else None,
        order=order,
    )


def decide(inputs: Inputs, playbook: Playbook | None) -> Decision:
    """The decision that `inputs` and the policies lead to; a function of nothing else.

    Raises PoolsNeededError where a rule names a pool of the policy whose balances are not among the inputs.
    """
    if inputs.left:  # whom the policies name no more is kept with no decision
        named = tuple(rep_id for rep_id in inputs.left if playbook and rep_id in playbook.reps)
        inputs = replace(inputs, left=named)
    decision = _decide(inputs, playbook)
    out = {
        one.rep_id: inputs.out[one.rep_id] for one in decision.trace.checks if one.rep_id and one.rep_id in inputs.out
    }
    if not out or playbook is None or not asks_absence(playbook.routing.accounts):
        return decision
    return replace(decision, inputs=replace(decision.inputs, out={**decision.inputs.out, **out}))


def _decide(inputs: Inputs, playbook: Playbook | None) -> Decision:
    if playbook is None:
        if inputs.order:
            raise OrderRefusedError("unknown_rep")
        trace = Trace(missing=inputs.missing)
        return Decision(_narrow(inputs), trace, _parked("no_policy", inputs.stage))
    party = inputs.account.party if inputs.account else None
    of_account = inputs.account.facts() if inputs.account else {}
    known = assess(inputs.scored.answers, playbook.framework, inputs.decided_at, party.fiscal_month if party else None)
    gated = gate(inputs.scored, playbook.gate, inputs.since, of_account, confirmed=known.confirmed)
    trace = Trace(gated, known)
    verdict = None if gated.never else _ripeness(gated.verdict, inputs.verdict)
    if verdict is None and not gated.never and is_target(inputs.account, playbook.routing.accounts):
        verdict, trace = "inside_sales_check", replace(trace, target=True)
    explored = _explored(inputs, playbook, gated, verdict, of_account)
    if explored:
        verdict, trace = verdict or "inside_sales_check", replace(trace, explored=True)
    if inputs.order:
        return _ordered(inputs, playbook, inputs.order, trace, verdict, known, of_account)
    if verdict is None:
        chosen = playbook.nurture.choose(gated, gate_facts(inputs.scored, of_account))
        return Decision(_narrow(inputs), replace(trace, nurture=chosen), _below_gate(gated, chosen))
    qualified = _qualified(inputs, playbook)
    way = _leg(inputs, playbook, verdict, known)
    stage = playbook.stages.stage(verdict=verdict, leg=way, passed_on=inputs.passed_on)
    held = _held(inputs, playbook, gated, of_account, qualified)
    if held and not explored:
        parked = _parked("enriching", stage, way, qualified=qualified)
        return Decision(_narrow(inputs), replace(trace, holding=held), replace(parked, waiting_until=held.until))
    reps = _without_leavers(playbook, inputs.left)
    before = before_pools(
        inputs.account, playbook.routing.accounts, reps, inputs.holders, inputs.decided_at, inputs.out
    )
    trace = replace(trace, checks=before.checks)
    if before.decides and explored and inputs.verdict is None:  # by inside sales' pools, and nobody else
        chosen = playbook.nurture.choose(gated, gate_facts(inputs.scored, of_account))
        trace = replace(trace, explored=False, nurture=chosen)
        return Decision(_narrow(inputs), trace, _below_gate(gated, chosen))
    if before.decides:
        return Decision(_narrow(inputs), trace, _by_account(before, stage, way, qualified, inputs))
    facts = _facts(inputs, playbook, known, of_account, qualified, stage)
    tried = match(playbook, way, facts, playbook.moment(inputs.decided_at).date())
    trace = replace(trace, rules=tried)
    if not tried or tried[-1].result != "matched":
        return Decision(_narrow(inputs), trace, _parked("no_rule", stage, way, qualified=qualified))
    pool_id = tried[-1].pool
    trace = replace(trace, pool_id=pool_id)
    if pool_id not in playbook.pools:
        return Decision(_narrow(inputs), trace, _parked("no_pool", stage, way, pool_id, qualified))
    assigned = _ask(inputs, playbook, pool_id, facts)
    trace = replace(trace, candidates=assigned.candidates, chosen=assigned.rep.id if assigned.rep else None)
    trace = replace(trace, way=assigned.way, stuck=assigned.stuck)
    outcome = _assigned(assigned, playbook, pool_id, stage, way, qualified)
    if assigned.rep or assigned.waiting_for:
        wait = _in_queue(inputs, playbook, pool_id)
        if wait is not None:
            return _queue(inputs, playbook, trace, outcome, wait, assigned)
    if assigned.rep is None and went_round(assigned.candidates, inputs.holders):
        to = escalate(playbook.pools[pool_id], playbook.reps, inputs.holders, inputs.left)
        trace = replace(trace, manager=to)
        if to.rep_id is not None:
            name = playbook.reps[to.rep_id].name
            outcome = Outcome("routed", stage, "active", way, None, "assign", to.rep_id, name, qualified, by="manager")
    return Decision(_narrow(inputs, pool_id, playbook), trace, outcome, assigned.pool if assigned.rep else None)


def _explored(inputs: Inputs, playbook: Playbook, gated: Gated, verdict: Ripe | None, of_account: Facts) -> bool:
    """Whether the lead is explored: from now on, by something that it did, or since before in this cycle."""
    if gated.never or gated.verdict != "nurture":  # it passes by itself
        return False
    ripe_at = inputs.qualified.at if inputs.qualified else None
    if verdict is not None:
        return inputs.verdict is not None and still(inputs.explored_at, ripe_at)
    explore = playbook.gate.section(gate_facts(inputs.scored, of_account)).cells.explore
    if still(inputs.explored_at, ripe_at):  # it waits for somebody who takes it
        return explore is not None and gated.grade in explore.grades
    begins = inputs.cause.kind == "scored" and not inputs.holders
    return begins and explores(gated, explore, inputs.tenant, inputs.lead_id, inputs.explored_at, inputs.decided_at)


def _facts(
    inputs: Inputs, playbook: Playbook, known: Assessment, of_account: Facts, qualified: Qualified, stage: str
) -> Facts:
    """What routing rules and pools may ask for."""
    facts = inputs.scored.facts() | known.facts() | of_account
    now = playbook.moment(inputs.decided_at)
    facts |= {"time.weekday": WEEKDAYS[now.weekday()], "time.hour": now.hour}
    return facts | {"lead.class": qualified.lead_class, "lead.stage": stage}


def _ask(inputs: Inputs, playbook: Playbook, pool_id: str, facts: Facts) -> Assigned:
    """Whose turn it is in the pool. Raises PoolsNeededError where its balances are not among the inputs."""
    if pool_id not in inputs.pools:
        raise PoolsNeededError(pool_id)
    return assign_from(
        playbook.pools[pool_id],
        inputs.pools[pool_id],
        playbook.reps,
        inputs.loads,
        str(facts["lead.language"]) if "lead.language" in facts else None,
        inputs.holders,
        inputs.out,
        skills=playbook.skills(pool_id, facts),
        taken=inputs.taken,
        prefers=playbook.preferred(pool_id, facts),
        before=_asked_first(inputs),
        left=inputs.left,
    )


def _in_queue(inputs: Inputs, playbook: Playbook, pool_id: str) -> Queued | None:
    """Where the lead stands in the pool's queue; None where the pool has none."""
    pool = playbook.pools[pool_id]
    kind, since = kind_of(pool), inputs.decided_at if inputs.queued is None else inputs.queued
    wait = queued(pool, kind, playbook.people, since, inputs.decided_at) if kind else None
    # What one who has left still holds is in nobody's sight there: it goes on as if it had waited too long.
    return replace(wait, overdue=True) if wait and inputs.cause.kind == "left" else wait


def _queue(
    inputs: Inputs, playbook: Playbook, trace: Trace, outcome: Outcome, wait: Queued, assigned: Assigned
) -> Decision:
    """The lead waits in its pool's queue for a person; when it has waited too long, whoever is next, or the manager, gets it.

    outcome: what the pool would do without a queue
    """
    assert outcome.pool_id is not None
    trace, narrow = replace(trace, queue=wait), _narrow(inputs, outcome.pool_id, playbook)
    waits = replace(
        outcome, kind="parked", mode=None, rep_id=None, rep_name=None, waiting_reason=PARKED + wait.kind, waiting_for=()
    )
    if not wait.overdue:
        return Decision(narrow, replace(trace, chosen=None), replace(waits, waiting_until=wait.due))
    pool = playbook.pools[outcome.pool_id]
    to = escalate(pool, playbook.reps, inputs.holders, inputs.left) if pool.queue.overdue == "manager" else None
    if to and to.rep_id:
        trace, name = replace(trace, chosen=None, manager=to), playbook.reps[to.rep_id].name
        given = replace(outcome, kind="routed", pool_id=None, mode="assign", rep_id=to.rep_id, rep_name=name)
        given = replace(given, by="manager", waiting_reason=None, waiting_for=(), waiting_until=None)
        return Decision(narrow, trace, given)
    if assigned.rep is None:
        until = assigned.waiting_until
        return Decision(narrow, trace, replace(waits, waiting_for=assigned.waiting_for, waiting_until=until))
    return Decision(narrow, trace, outcome, assigned.pool)


def _ordered(
    inputs: Inputs,
    playbook: Playbook,
    order: Order,
    trace: Trace,
    verdict: Ripe | None,
    known: Assessment,
    of_account: Facts,
) -> Decision:
    """A person says who takes the lead, ripe or not; what keeps that rep from it stands, unless it is overlooked on purpose.

    It is nobody's turn: the balances of the pool in whose queue it waited stay what they are. Raises OrderRefusedError.
    """
    if trace.gate and trace.gate.never:
        raise OrderRefusedError("never_routed")
    rep = playbook.reps.get(order.rep_id)
    if rep is None:
        raise OrderRefusedError("unknown_rep")
    ripe = verdict or "inside_sales_check"
    to, qualified = order.leg or _leg(inputs, playbook, ripe, known), _qualified(inputs, playbook)
    stage = playbook.stages.stage(verdict=ripe, leg=to, passed_on=inputs.passed_on)
    pool_id = order.pool_id if order.pool_id and order.rep_id in playbook.weights(order.pool_id) else None
    if order.kind == "claimed" and (pool_id is None or playbook.pools[pool_id].mode != "claim"):
        raise OrderRefusedError("not_in_queue" if pool_id else "not_eligible", () if pool_id else ("not_in_pool",))
    after = None
    if pool_id is None:
        candidates: tuple[Candidate, ...] = (outside(rep, inputs.loads, inputs.out, inputs.taken, inputs.left),)
    else:
        assigned = _ask(inputs, playbook, pool_id, _facts(inputs, playbook, known, of_account, qualified, stage))
        candidates = tuple(replace(one, share="0") for one in assigned.candidates)
        state = inputs.pools[pool_id]
        # As one that stuck: shared with nobody else.
        after = replace(state, balances=give(state.balances, (rep.id,), rep.id))
    order.check(next(one.excluded for one in candidates if one.rep_id == rep.id))
    waited: Way = "claimed" if order.kind == "claimed" else "dispatched"
    trace = replace(trace, pool_id=pool_id, candidates=candidates, chosen=rep.id, way=waited if pool_id else "manual")
    outcome = Outcome("routed", stage, "active", to, pool_id, order.mode, rep.id, rep.name, qualified, by="person")
    if pool_id:
        return Decision(_narrow(inputs, pool_id, playbook), trace, outcome, after)
    narrow = replace(
        _narrow(inputs), loads=_of(rep.id, inputs.loads), out=_of(rep.id, inputs.out), taken=_of(rep.id, inputs.taken)
    )
    return Decision(narrow, trace, outcome)


def _leg(inputs: Inputs, playbook: Playbook, verdict: Ripe, known: Assessment) -> Literal["is", "fs"]:
    """To whom the lead goes: in the long form of the waterfall to field sales only what inside sales has passed on."""
    enough = inputs.passed_on or (known.enough and playbook.stages.form == "short")
    return leg(verdict, enough=enough, returned=inputs.returned_to_is)


def _of(rep_id: str, everybody: Mapping[str, T]) -> dict[str, T]:
    return {rep_id: everybody[rep_id]} if rep_id in everybody else {}


def _without_leavers(playbook: Playbook, left: tuple[str, ...]) -> Mapping[str, Rep]:
    """The reps, those who have left taking no leads, whatever the policy says."""
    if not left:
        return playbook.reps
    gone = {
        rep_id: playbook.reps[rep_id].model_copy(update={"active": False}) for rep_id in left if rep_id in playbook.reps
    }
    return {**playbook.reps, **gone}


def replay(inputs: Inputs, playbook: Playbook | None) -> tuple[Trace, Outcome]:
    """What the stored inputs lead to; the same as was stored, or the decision does not explain itself."""
    again = decide(inputs, playbook)
    return again.trace, again.outcome


def _ripeness(now: Verdict, earlier: Ripe | None) -> Ripe | None:
    """The better of what the gate says now and said earlier in this cycle; None for a lead that is not ripe."""
    if "mql" in (now, earlier):
        return "mql"
    return "inside_sales_check" if "inside_sales_check" in (now, earlier) else None


def qualify(scored: Scored, playbook: Playbook, since: int | None) -> Qualified:
    """The touch that made the lead ripe: the hand-raise, if there is one that counts, else the latest."""
    raised = scored.hand_raise
    if raised and (since is None or raised.received_at > since):
        return Qualified(playbook.lead_class(raised.type).id, raised.received_at, raised.type)
    touch = scored.latest.type if scored.latest else None
    return Qualified(playbook.lead_class(touch).id, scored.as_of, touch)


def _qualified(inputs: Inputs, playbook: Playbook) -> Qualified:
    """What made the lead ripe earlier in this cycle, unless it has raised its hand since for something that is promised sooner: a
    lead that was parked by its score, and then wants a demo, does not wait as one of its score."""
    known, now = inputs.qualified, qualify(inputs.scored, playbook, inputs.since)
    if inputs.cause.kind in AGAIN:  # nobody was promised anything while it cooled off
        return replace(now, at=max(now.at, inputs.cause.at))
    raised = inputs.scored.hand_raise
    if known is None or raised is None or not known.at < now.at == raised.received_at:
        return known or now
    sooner = playbook.promise(now.lead_class).accept < playbook.promise(known.lead_class).accept
    return now if sooner else known


def _held(inputs: Inputs, playbook: Playbook, gated: Gated, of_account: Facts, qualified: Qualified) -> Holding | None:
    """What the lead waits for before it is anybody's. One that reps have had in this cycle waits no more."""
    if inputs.verdict is not None or inputs.holders:
        return None
    facts = gate_facts(inputs.scored, of_account)
    section = playbook.gate.section(facts)
    return holding(gated, section.cells.hold, facts, qualified.at, inputs.decided_at)


def _below_gate(gated: Gated | None = None, chosen: Nurturing = NONE) -> Outcome:
    if gated and gated.outcome == "disqualify":
        return Outcome("below_gate", "inquiry", "disqualified", waiting_reason="disqualified")
    nurture = Outcome("below_gate", "inquiry", "nurture", waiting_reason="below_gate")
    return replace(nurture, scenario=chosen.scenario, may_email=chosen.may_email)


def _by_account(before: Before, stage: str, way: Leg, qualified: Qualified, inputs: Inputs) -> Outcome:
    """What the checks before any pool decided. Nothing of it counts against anybody's fair share."""
    if before.never:
        return _below_gate()
    if before.direct is None:
        assert before.parked is not None
        way = "partner" if before.parked in ("partner_protected", "partner_conflict") else way
        deals = inputs.account.registrations if inputs.account else ()
        ends = [deal.protected_until for deal in deals if deal.protected_until > inputs.decided_at]
        parked = _parked(before.parked, stage, way, qualified=qualified)
        if before.parked == "owner_absent":
            absent = before.checks[-1]
            return replace(parked, waiting_for=(absent.rep_id or "",), waiting_until=absent.until)
        return replace(parked, waiting_until=min(ends, default=None))
    to = before.direct
    return Outcome("routed", stage, "active", to.leg, None, to.mode, to.rep.id, to.rep.name, qualified, by=to.check)


def _assigned(
    assigned: Assigned, playbook: Playbook, pool_id: str, stage: str, way: Leg, qualified: Qualified
) -> Outcome:
    if assigned.rep is None:
        assert assigned.parked is not None
        parked = _parked(assigned.parked, stage, way, pool_id, qualified, assigned.waiting_for)
        return replace(parked, waiting_until=assigned.waiting_until)
    return Outcome(
        "routed",
        stage,
        "active",
        way,
        pool_id,
        "assign" if playbook.pools[pool_id].mode == "assign" else "offer",
        assigned.rep.id,
        assigned.rep.name,
        qualified,
    )


def _parked(
    code: Parked | ParkedBy | Literal["enriching"],
    stage: str,
    way: Leg | None = None,
    pool_id: str | None = None,
    qualified: Qualified | None = None,
    waiting_for: tuple[str, ...] = (),
) -> Outcome:
    return Outcome(
        "parked",
        stage,
        "active",
        way,
        pool_id,
        qualified=qualified,
        waiting_reason=PARKED + code,
        waiting_for=waiting_for,
    )


def _narrow(inputs: Inputs, pool_id: str | None = None, playbook: Playbook | None = None) -> Inputs:
    """The inputs without the pools and loads that were not looked at."""
    if pool_id is None or playbook is None:
        return replace(inputs, pools={}, loads={}, out={}, taken={}, had_by=None)
    members = playbook.weights(pool_id)
    return replace(
        inputs,
        pools={pool_id: inputs.pools[pool_id]},
        loads={rep_id: count for rep_id, count in inputs.loads.items() if rep_id in members},
        out={rep_id: reason for rep_id, reason in inputs.out.items() if rep_id in members},
        taken={rep_id: leads for rep_id, leads in inputs.taken.items() if rep_id in members},
        had_by=inputs.had_by if playbook.pools[pool_id].strategy == "sticky" else None,
    )


def _asked_first(inputs: Inputs) -> list[AskedFirst]:
    """Whom a sticky pool asks first: who had the lead, then who holds others of its company, accepted ones first."""
    party = inputs.account.party if inputs.account else None
    deals = inputs.account.deals if inputs.account else ()
    earlier = [AskedFirst(inputs.had_by, "earlier_cycle")] if inputs.had_by else []
    return earlier + [
        AskedFirst(deal.rep_id, "account") for deal in deals if party and deal.place.entity == party.entity
    ]


def _sharing(trace: Trace) -> tuple[str, ...]:
    """Among whom the lead was shared: the eligible. One that stuck to its rep is nobody else's."""
    if trace.way in ("sticky", *BY_PERSON):
        return (trace.chosen,) if trace.chosen else ()
    return tuple(one.rep_id for one in trace.candidates if not one.excluded)


def _verdict(decision: Decision) -> Ripe | None:
    """By what the lead was ripe; what stands in no cell of the gate is for inside sales to look at."""
    gated = decision.trace.gate
    return _ripeness(gated.verdict if gated else "nurture", decision.inputs.verdict) or "inside_sales_check"


def _explored_at(lead: Lead, decision: Decision) -> int | None:
    qualified = decision.outcome.qualified
    if not decision.trace.explored or qualified is None or still(lead.explored_at, qualified.at):
        return lead.explored_at
    return max(decision.inputs.decided_at, qualified.at)


def settle(lead: Lead, decision: Decision, playbook: Playbook | None) -> Lead:
    """The lead after the decision."""
    outcome, inputs = decision.outcome, decision.inputs
    settled = replace(
        lead,
        stage=outcome.stage,
        disposition=outcome.disposition,
        leg=outcome.leg,
        pool_id=outcome.pool_id,
        lead_class=outcome.qualified.lead_class if outcome.qualified else None,
        qualifying_at=outcome.qualified.at if outcome.qualified else None,
        tried_at=inputs.decided_at,
        scenario=outcome.scenario,
        may_email=outcome.may_email,
        explored_at=_explored_at(lead, decision),
    )
    if outcome.rep_id is None:
        assert outcome.waiting_reason is not None
        waiting = settled.waits(outcome.waiting_reason, inputs.decided_at)
        sequence = playbook.gate_sequence if playbook and outcome.kind == "below_gate" else None
        under = sequence if sequence is not None else playbook.sequence if playbook else 0
        if settled.disposition == "disqualified":
            waiting = replace(waiting, closed_at=inputs.decided_at, floor_grade=lead.grade)
        evidence = decision.trace.evidence
        return replace(
            waiting,
            waiting_for=outcome.waiting_for,
            waiting_until=outcome.waiting_until,
            next_change=evidence.next_change if evidence and waiting.parked else None,
            decided_under=under,
        )
    return replace(
        settled,
        owner_rep=outcome.rep_id,
        accepted=False,
        provisional=True,
        assignment=lead.assignment + 1,
        held_assignment=lead.assignment + 1,
        sharing=_sharing(decision.trace),
        verdict=_verdict(decision),
        waiting_reason=None,
        waiting_since=None,
        waiting_for=(),
        waiting_until=None,
        next_change=None,
    )
