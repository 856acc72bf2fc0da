"""What a score and a handoff event do to a lead: its transitions, its cycles, and what is stale."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.router.domain.assignment import Exclusion
from services.router.domain.facts import Scored
from services.router.domain.lead import CLOSED, Cause, Held, Lead, VersionParts
from services.router.domain.orders import Order, OrderRefusedError
from services.router.domain.playbook import Playbook
from services.router.domain.stages import DAY, Stages
from shared.schemas.handoff import HandoffEvent
from shared.schemas.policies.lifecycle import Again

EARLIER: tuple[Exclusion, ...] = ("earlier_holder",)
NO_POLICY = Stages.of(None)
HAND_OVER = (
    "offered",
    "recycled",
    "disqualified",
    "merged",
    None,
)  # stages that say nothing that an offer's end has not
ENDS = ("won", "lost")
CLOSING = {"recycle": "recycled", "nurture": "nurture", "on_hold": "on_hold", "disqualify": "disqualified"}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A score that came in: what of a `LeadScored` moves a lead."""

    version: VersionParts
    scored: Scored
    digest: str
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What became of a lead.

    cause:    why it moved; None where nothing happened that is worth a row
    reason:   the code that a rep gave it back with, where that ended its cycle
    decide:   the router shall decide anew who takes it
    credit:   (pool, rep) of an assignment that does not count against the rep's fair share
    sharing:  reps who were owed their share of it
    withdraw: its offer is to be taken back
    """

    lead: Lead
    cause: Cause | None = None
    decide: bool = False
    credit: tuple[str, str] | None = None
    sharing: tuple[str, ...] = ()
    withdraw: bool = False
    reason: str | None = None


def scored(lead: Lead, arrival: Arrival, playbook: Playbook | None, at: int) -> Step:
    """A score arrived. One that is not newer than what is known changes nothing."""
    if lead.version is not None and arrival.version <= lead.version:
        return Step(lead)
    changed = arrival.digest != lead.digest
    fresh = replace(
        lead,
        version=arrival.version,
        digest=arrival.digest,
        grade=arrival.scored.grade,
        account=arrival.scored.account,
        floor_grade=max(lead.floor_grade, arrival.scored.grade) if lead.floor_grade else None,
    )
    cause = Cause("scored", "/".join(map(str, arrival.version)), at)
    if arrival.merged_into:
        return _merged(fresh, arrival.merged_into, replace(cause, kind="merged"))
    if lead.merged_into:
        return _unmerged(fresh, replace(cause, kind="unmerged"), playbook)
    if fresh.owner_rep is not None:
        return Step(fresh)
    if fresh.closed:
        # `closed` is judged by the lead as it was: its floor grade must not be raised by the score that may lift it.
        return reopen(fresh, arrival.scored, playbook, cause, lead.floor_grade)
    raised = arrival.scored.hand_raise
    if fresh.worn_out and raised and raised.received_at > (fresh.waiting_since or 0):
        # It ends where it wore out, so that the hand-raise is newer and opens another cycle, in which all may be asked again.
        return Step(_close(fresh, "recycled", fresh.waiting_since or 0), cause, withdraw=True)
    return Step(fresh, cause, decide=True) if changed or fresh.parked or lead.version is None else Step(fresh)


def _merged(lead: Lead, survivor: str, cause: Cause) -> Step:
    """Everything went to `survivor`. An accepted owner keeps the lead; an offer is taken back."""
    gone = replace(lead, merged_into=survivor, stage="merged")
    if lead.accepted:
        return Step(gone, cause)
    gone = replace(gone.waits("merged", cause.at), pool_id=None)
    if lead.owner_rep is None:
        return Step(gone, cause)
    return Step(replace(gone, replaced=_with_current(lead)), cause, withdraw=True)


def _unmerged(lead: Lead, cause: Cause, playbook: Playbook | None) -> Step:
    """The lead is one of its own again. It goes on in its cycle: only handoff knows whether a rep accepted it before it was taken
    back, and refuses the next assignment if so, or if the opportunity was closed."""
    back = replace(lead, merged_into=None)
    if back.owner_rep is not None:
        return Step(replace(back, stage=_taken(back, playbook)), cause)
    fresh = replace(back, stage="inquiry", verdict=None, lead_class=None, qualifying_at=None)
    return Step(fresh, cause, decide=True)


def reopen(lead: Lead, scored: Scored, playbook: Playbook | None, cause: Cause, floor: str | None) -> Step:
    """A closed lead comes back by a signal that the lifecycle names for how it ended, and by none else: the history says which.
    Nobody but a person brings back who was disqualified. floor: its lowest grade since then"""
    if lead.waiting_reason == "disqualified" or lead.closed_at is None:
        return Step(lead)
    stages = playbook.stages if playbook else NO_POLICY
    signal = next((one for one in stages.again if _signalled(one, lead, scored, playbook, floor)), None)
    if signal is None:
        return Step(lead)
    touch = scored.hand_raise if signal.signal == "hand_raise" else scored.own
    cause = replace(cause, kind=signal.signal, ref=touch.event_id if touch else cause.ref, reason=signal.id)
    # What was left to the owner of a deal is not closed in handoff: it goes on in the same cycle.
    return Step(lead if lead.waiting_reason == "to_owner" else _next_cycle(lead), cause, decide=True)


def _signalled(again: Again, lead: Lead, scored: Scored, playbook: Playbook | None, floor: str | None) -> bool:
    """Whether this signal has come since the lead was closed. A better grade is one only by what the lead did itself since, and
    in the score that this came with: not one that rose while time passed, or because a policy changed."""
    closed_at = lead.closed_at or 0
    if lead.waiting_reason not in again.after:
        return False
    raised = scored.hand_raise
    if again.signal == "hand_raise":
        return raised is not None and raised.received_at > closed_at and (not again.types or raised.type in again.types)
    did = scored.own is not None and scored.own.received_at > closed_at
    risen = floor is not None and scored.grade < floor and scored.cause == "input"
    return did and risen and playbook is not None and playbook.gate.may_pass(scored)


def cooled(lead: Lead, now: int) -> Step:
    """The cool-off of a closed lead has ended: a new cycle begins, as of when it ended. One that sales put on hold until that day
    goes back to sales; any other is judged by the gate."""
    due = lead.waiting_until
    if not lead.closed or due is None or due > now or lead.waiting_reason == "disqualified":
        return Step(lead)
    if lead.waiting_reason == "on_hold":
        called = replace(_next_cycle(lead), verdict=lead.verdict or "inside_sales_check")
        return Step(called, Cause("call_later", None, due), decide=True)
    # What was left to the owner of a deal is not closed in handoff: it goes on in the same cycle.
    fresh = lead if lead.waiting_reason == "to_owner" else _next_cycle(lead)
    return Step(fresh, Cause("cooled_off", None, due), decide=True)


def _next_cycle(lead: Lead) -> Lead:
    return replace(
        lead,
        cycle=lead.cycle + 1,
        stage="inquiry",
        disposition="active",
        floor_grade=None,
        leg=None,
        pool_id=None,
        returned_to_is=False,
        passed_on=False,
        verdict=None,
        lead_class=None,
        qualifying_at=None,
        excluded=(),
        replaced=(),
    )


def _with_current(lead: Lead) -> tuple[Held, ...]:
    """The assignments of this cycle, the one in force included."""
    if lead.owner_rep is None:
        return lead.replaced
    return (*lead.replaced, Held(lead.held_assignment, lead.owner_rep, lead.pool_id, lead.sharing))


def happened(lead: Lead, event: HandoffEvent, playbook: Playbook | None) -> Step:
    """Something happened in handoff. What concerns an assignment that is no longer in force changes nothing, unless handoff had
    done it before it heard of the next one."""
    cause = Cause(event.kind, event.event_id, event.at, event.reason, event.rep_id)
    if event.assignment != lead.held_assignment:
        return _just_before(lead, event, playbook, cause)
    if event.kind == "offer-accepted":
        return _accepted(lead, event, playbook, cause)
    if event.kind == "routing-refused":
        return _refused(lead, event, playbook, cause)
    if lead.owner_rep is None:
        return Step(lead)  # said before
    if event.kind == "offer-opened":
        return Step(replace(lead, provisional=False))
    if event.kind in ("offer-declined", "offer-expired"):
        return _given_back(lead, event, playbook, cause)
    if event.kind == "lead-qualified" and lead.accepted:
        return _passed_on(lead, event, cause)
    if event.kind == "stage-changed" and lead.accepted:
        return _progressed(lead, event, playbook, cause)
    return Step(lead)


def _passed_on(lead: Lead, event: HandoffEvent, cause: Cause) -> Step:
    """Inside sales has qualified the lead: it is routed anew, to field sales. Who qualified it did not give it up."""
    free = replace(lead.waits("rerouting", event.at), replaced=_with_current(lead))
    free = replace(free, passed_on=True, returned_to_is=False, verdict="mql")
    if lead.merged_into:  # the lead that is left inherits it; what handoff has left open of this one ends
        return Step(replace(free.waits("merged", event.at), pool_id=None), cause, withdraw=True)
    return Step(free, cause, decide=True)


def inherited(lead: Lead, cause: Cause, playbook: Playbook | None) -> Step:
    """A lead that was merged into this one is qualified, and nobody of field sales has taken it: so this one is. It goes to field
    sales; whoever has it keeps it, and passes it on as usual. One that was closed since stays so, as does one that field sales has
    sent back, or that is nobody's to route."""
    closed_at = lead.closed_at or 0
    if lead.passed_on or lead.returned_to_is or lead.merged_into:
        return Step(lead)
    if lead.closed and (lead.waiting_reason in ("disqualified", "to_owner") or closed_at >= cause.at):
        return Step(lead)
    known = replace(_next_cycle(lead) if lead.closed else lead, passed_on=True, verdict="mql")
    if lead.accepted:
        return Step(replace(known, stage=_taken(known, playbook)), cause)
    if lead.owner_rep is not None or lead.version is None:  # whoever is asked next is of field sales
        return Step(known)
    return Step(known, cause, decide=True)


def _just_before(lead: Lead, event: HandoffEvent, playbook: Playbook | None, cause: Cause) -> Step:
    """The lead was taken from a rep who had just said more of it than that it is not for them: that holds, whoever has it now."""
    theirs = next((held for held in lead.replaced if held.assignment == event.assignment), None)
    if theirs and event.kind == "lead-qualified":
        return _qualified_before(lead, event, playbook, cause)
    if theirs and event.kind == "offer-declined" and event.effect in CLOSING:
        return _closed_before(lead, theirs, event, playbook, cause)
    if theirs and event.kind == "stage-changed" and event.stage in ENDS:
        return _ended_before(lead, theirs, event, playbook, cause)
    return Step(lead)


def _closed_before(lead: Lead, theirs: Held, event: HandoffEvent, playbook: Playbook | None, cause: Cause) -> Step:
    """A rep had closed the lead just before it was taken from them. Handoff refuses it to whoever has it now: that gives the turn
    back. A merged lead goes on waiting: once it is one of its own again, handoff refuses the next one, too, and it closes then."""
    if lead.merged_into:
        return Step(replace(lead, excluded=()))
    others = tuple(rep for rep in lead.excluded if rep != theirs.rep_id)
    was = replace(_owned(lead, theirs.rep_id), pool_id=theirs.pool_id, sharing=theirs.sharing, excluded=others)
    step = _given_back(was, event, playbook, cause)
    return replace(step, lead=replace(step.lead, replaced=_with_current(lead)[len(lead.replaced) :]))


def _ended_before(lead: Lead, theirs: Held, event: HandoffEvent, playbook: Playbook | None, cause: Cause) -> Step:
    """A rep had won or lost the deal just before it was taken from them: as one who had closed it."""
    if lead.merged_into:
        return Step(lead)
    was = replace(_owned(lead, theirs.rep_id), accepted=True, pool_id=theirs.pool_id, sharing=theirs.sharing)
    step = _progressed(was, event, playbook, cause)
    return replace(step, lead=replace(step.lead, replaced=_with_current(lead)[len(lead.replaced) :]))


def _qualified_before(lead: Lead, event: HandoffEvent, playbook: Playbook | None, cause: Cause) -> Step:
    """Inside sales had qualified the lead just before it was taken from them: that holds, and it is routed to field sales unless
    another rep has accepted it meanwhile. That one passes it on as usual."""
    returned = lead.returned_to_is and lead.replaced[-1].assignment != event.assignment
    if lead.passed_on or returned:
        return Step(lead)  # said before
    known = replace(lead, passed_on=True, returned_to_is=False, verdict="mql")
    if lead.merged_into:
        return Step(known, cause)
    if lead.accepted:
        return Step(replace(known, stage=_taken(known, playbook)), cause)
    return Step(replace(known.waits("rerouting", event.at), replaced=_with_current(lead)), cause, decide=True)


def _progressed(lead: Lead, event: HandoffEvent, playbook: Playbook | None, cause: Cause) -> Step:
    """The opportunity moved. One that was won or lost ends the cycle, and is nobody's work any more."""
    if event.stage in HAND_OVER:
        return Step(lead)
    if lead.merged_into:
        # The holder kept the deal, and is done with it.
        gone = replace(lead.waits("merged", event.at), pool_id=None)
        return Step(gone, cause) if event.stage in ENDS else Step(lead)
    moved = replace(lead, stage=_taken(lead, playbook, event.stage))
    if event.stage not in ENDS:
        # Every acceptance is told as a stage, too; one that a deal went back to is news.
        return Step(moved, cause) if event.stage != "accepted" or moved.stage != lead.stage else Step(lead)
    ended = "lost" if event.stage == "lost" else "won"
    until = _cool_off(event, playbook, ended) if ended == "lost" else None
    return Step(_close(moved, ended, event.at, until), cause)


def _taken(lead: Lead, playbook: Playbook | None, opportunity: str | None = None) -> str:
    """The stage of a lead that a rep has taken over."""
    return (playbook.stages if playbook else NO_POLICY).stage(
        verdict=lead.verdict or "mql",
        leg=lead.leg or "fs",
        passed_on=lead.passed_on,
        accepted=True,
        opportunity=opportunity,
    )


def _accepted(lead: Lead, event: HandoffEvent, playbook: Playbook | None, cause: Cause) -> Step:
    """A rep took the lead over. One who accepted while it was being withdrawn keeps it."""
    if lead.accepted:
        return Step(lead)
    if lead.owner_rep is None:
        if event.rep_id is None or event.rep_id in lead.excluded or event.cycle != lead.cycle:
            return Step(lead)  # said before: it was given back since
        lead = _owned(lead, event.rep_id)
    stage = lead.stage if lead.merged_into else _taken(lead, playbook)
    return Step(replace(lead, accepted=True, provisional=False, stage=stage), cause)


def _owned(lead: Lead, rep_id: str) -> Lead:
    free = replace(lead, waiting_reason=None, waiting_since=None, waiting_for=(), waiting_until=None, next_change=None)
    return replace(free, owner_rep=rep_id, provisional=False)


def _given_back(lead: Lead, event: HandoffEvent, playbook: Playbook | None, cause: Cause) -> Step:
    """The offer was declined, or ran out: the rep is not asked again in this cycle, and the reason decides what follows."""
    holder = lead.owner_rep
    assert holder is not None
    reason = playbook.decline(event.reason) if playbook and event.kind == "offer-declined" else None
    credit = (lead.pool_id, holder) if reason and reason.credit_back and lead.pool_id else None
    effect = event.effect or (reason.effect if reason else "reroute")
    free = replace(
        lead.waits("rerouting", event.at),
        excluded=(*lead.excluded, holder),
        replaced=_with_current(lead),
    )
    if lead.merged_into:  # nobody will have it again: what handoff has left open ends with it
        gone = replace(free.waits("merged", event.at), pool_id=None)
        return Step(gone, cause, credit=credit, sharing=lead.sharing, withdraw=True)
    if event.kind == "offer-expired" or effect == "reroute":
        return Step(free, cause, decide=True, credit=credit, sharing=lead.sharing)
    if effect == "return_to_is":
        back = replace(free, returned_to_is=True, passed_on=False)
        return Step(back, cause, decide=True, credit=credit, sharing=lead.sharing)
    if effect == "to_owner":
        closed = _close(free, "to_owner", event.at, _cool_off(event, playbook, "to_owner"))
        return Step(closed, cause, credit=credit, sharing=lead.sharing)
    word = CLOSING[effect]
    closed = _close(free, word, event.at, _cool_off(event, playbook, word))
    return Step(closed, cause, credit=credit, sharing=lead.sharing, reason=event.reason)


def left(lead: Lead, at: int) -> Step:
    """The rep who has the lead has left: it is routed again by all the rules, and they are relieved of it even where they had
    accepted it."""
    holder = lead.owner_rep
    assert holder is not None
    free = replace(lead.waits("rerouting", at), excluded=(*lead.excluded, holder), replaced=_with_current(lead))
    return Step(free, Cause("left", None, at, rep_id=holder), decide=True)


def _close(lead: Lead, reason: str, at: int, until: int | None = None) -> Lead:
    """Its cycle ends, and it waits for a signal, or until its cool-off ends."""
    assert reason in CLOSED
    disposition = {"to_owner": lead.disposition, "won": "active", "lost": "recycled"}.get(reason, reason)
    closed = replace(lead, disposition=disposition, closed_at=at, floor_grade=lead.grade, replaced=())
    return replace(closed.waits(reason, at), waiting_until=until)


def _cool_off(event: HandoffEvent, playbook: Playbook | None, ended: str) -> int | None:
    """When a lead that was given back comes again by itself (ms): as the rep was told, else as the reason says, else as the
    lifecycle does. None: never, or that is for a person alone to say."""
    if ended == "disqualified":
        return None
    if event.until is not None:
        return max(event.until, event.at)
    reason = playbook.decline(event.reason) if playbook else None
    if reason and reason.cool_off_days is not None:
        return event.at + round(reason.cool_off_days * DAY)
    span = playbook.stages.cool_off.get(ended) if playbook else None
    return None if span is None else event.at + span


def _refused(lead: Lead, event: HandoffEvent, playbook: Playbook | None, cause: Cause) -> Step:
    """Handoff did not apply the assignment: somebody had accepted in the same moment, or the opportunity is closed. The rep who was
    to take it never had it."""
    refused = next((held for held in _with_current(lead) if held.assignment == event.assignment), None)
    if refused is None or event.cycle != lead.cycle:
        return Step(lead)  # said before
    credit = (refused.pool_id, refused.rep_id) if refused.pool_id else None
    before = tuple(held for held in lead.replaced if held.assignment < event.assignment)
    if event.holder is not None:
        kept = _kept(replace(lead, replaced=before), event.holder, event.held, playbook)
        return Step(kept, cause, credit=credit, sharing=refused.sharing)
    if lead.owner_rep is None:
        return Step(replace(lead, replaced=before), cause, credit=credit, sharing=refused.sharing)
    if event.stage in ("recycled", "disqualified", *ENDS):
        closed = _close(lead, event.stage, event.at, _cool_off(event, playbook, event.stage))
        return Step(closed, cause, credit=credit, sharing=refused.sharing)
    # It was taken back when it was merged, and is not merged any more. What inside sales found out of it holds.
    anew = replace(_next_cycle(lead.waits("rerouting", event.at)), passed_on=lead.passed_on)
    return Step(anew, cause, decide=True, credit=credit, sharing=refused.sharing)


def _kept(lead: Lead, holder: str, by: int | None, playbook: Playbook | None) -> Lead:
    """The lead with the rep who had accepted it earlier in this cycle, under the assignment of that time. by: which that is; the
    latest of that rep, where handoff did not say. All that were made since are refused as well: those reps never had it.
    """
    theirs = [held for held in lead.replaced if held.rep_id == holder and by in (None, held.assignment)]
    earlier = theirs[-1] if theirs else Held(by or 0, holder, None)
    replaced = tuple(held for held in lead.replaced if held.assignment < earlier.assignment)
    had = {held.rep_id for held in replaced}
    never = {held.rep_id for held in lead.replaced if held.assignment > earlier.assignment > 0} - had
    return replace(
        _owned(lead, holder),
        accepted=True,
        stage=lead.stage if lead.merged_into else _taken(lead, playbook),
        pool_id=earlier.pool_id,
        held_assignment=earlier.assignment or lead.held_assignment,
        sharing=earlier.sharing,
        excluded=tuple(rep for rep in lead.excluded if rep != holder and rep not in never),
        replaced=replaced,
    )


def ordered(lead: Lead, order: Order, at: int) -> Step:
    """A person says who takes the lead. Who has it is relieved of it, and is an earlier holder then; one that was closed comes back
    in a new cycle. Raises OrderRefusedError where it cannot be given, or does not wait to be taken.
    """
    if lead.merged_into:
        raise OrderRefusedError("lead_merged")
    if lead.owner_rep == order.rep_id:
        raise OrderRefusedError("already_theirs")
    if order.kind == "claimed" and lead.owner_rep is not None:
        raise OrderRefusedError("lead_taken")
    if order.kind == "claimed" and lead.waiting_reason != "parked:claim":
        raise OrderRefusedError("not_in_queue")
    cause = Cause(order.kind, None, at, rep_id=order.rep_id)
    if lead.owner_rep is None:
        # What was left to the owner of a deal is not closed in handoff: it goes on in the same cycle.
        free = _next_cycle(lead) if lead.closed and lead.waiting_reason != "to_owner" else lead
    else:
        free = replace(
            lead.waits("rerouting", at), excluded=(*lead.excluded, lead.owner_rep), replaced=_with_current(lead)
        )
    if order.rep_id in free.excluded:
        order.check(EARLIER)
    # Who is chosen again is no earlier holder any more: what they say of the lead from now on is heard.
    return Step(replace(free, excluded=tuple(rep for rep in free.excluded if rep != order.rep_id)), cause, decide=True)
