"""Which of the things that happen people are told, and which are over by them; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from services.handoff.domain.opportunity import Change, Offer, Opportunity
from services.handoff.domain.rep import QUALIFIED
from shared.schemas import ids
from shared.schemas.handoff import HandoffEvent

# What a notification is about. `late`: to a manager;  `overdue`: of a deal, to its rep;  `sent_back`: to inside sales, who had
# passed the lead on;  `handed_over`: to who has the customer from now on
Kind = Literal[
    "offer", "assigned", "reminder", "taken_back", "withdrawn", "sent_back", "late", "overdue", "handed_over"
]
Audience = Literal["rep", "manager", "their_manager"]
ABOUT = ("clock", "due_at", "share", "reason")  # of the event, what its notification repeats
_MANAGERS: Mapping[str, Audience] = {"tell_manager": "manager", "tell_their_manager": "their_manager"}


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that somebody is to be told.

    rep_id: whom it concerns;  audience: who hears of it, they or who manages them
    about:  what of the event is not read from the opportunity when it is told
    """

    notification_id: str
    kind: Kind
    rep_id: str
    audience: Audience
    opportunity_id: str
    assignment: int
    about: dict[str, Any] = field(default_factory=dict)


def happenings(before: Opportunity | None, change: Change) -> list[Happening]:
    """What is to be told of `change`, once each however often it is stored."""
    told = [found for event in change.events for found in _of_event(change.opportunity, event)]
    return told + list(_taken(before, change.opportunity))


def over(before: Opportunity | None, change: Change) -> list[tuple[str, int]]:
    """Offers, by opportunity and assignment, that were answered or ended: what still waits to be told of them may be over."""
    known = {offer.assignment: offer.state for offer in before.offers} if before else {}
    return [
        (change.opportunity.opportunity_id, offer.assignment)
        for offer in change.opportunity.offers
        if known.get(offer.assignment, "open") != offer.state
    ]


def _of_event(opportunity: Opportunity, event: HandoffEvent) -> Iterator[Happening]:
    said = {"clock-escalated": "late", "clock-breached": "late", "clock-reminder": "reminder"}
    offer = _offer(opportunity, event.assignment)
    about = {name: value for name in ABOUT if (value := getattr(event, name)) is not None}
    if offer is None:
        return
    if event.kind == "offer-opened":
        kind: Kind = "offer" if offer.mode == "offer" else "assigned"
        yield _happening(opportunity, kind, offer, event.event_id)
    elif said.get(event.kind) == "reminder":
        yield _happening(opportunity, "reminder", offer, event.event_id, about)
    elif said.get(event.kind) == "late" and (audience := _MANAGERS.get(event.effect or "")):
        yield _happening(opportunity, "late", offer, event.event_id, about, audience)
    elif event.kind == "clock-breached" and event.effect == "tell_holder":
        yield _happening(opportunity, "overdue", offer, event.event_id, about)
    elif event.kind == "deal-handed-over" and event.account_manager not in (None, offer.rep_id):
        yield replace(_happening(opportunity, "handed_over", offer, event.event_id), rep_id=str(event.account_manager))
    elif event.kind == "offer-expired":
        yield _happening(opportunity, "taken_back", offer, event.event_id, about)
    elif event.kind == "offer-declined" and event.effect == "return_to_is":
        passed = [one for one in opportunity.offers if (one.state, one.reason) == ("superseded", QUALIFIED)]
        if passed:
            yield _happening(opportunity, "sent_back", passed[-1], event.event_id, about)


def _taken(before: Opportunity | None, after: Opportunity) -> Iterator[Happening]:
    """Offers that somebody else ended: the router took them elsewhere, or a person did."""
    known = {offer.assignment: offer for offer in before.offers} if before else {}
    for offer in after.offers:
        was = known.get(offer.assignment)
        ended = offer.state == "withdrawn" or (offer.state == "superseded" and offer.reason != QUALIFIED)
        if ended and (was is None or was.is_held()):
            made_of = ids.derived_id("taken", after.tenant, after.opportunity_id, offer.assignment)
            yield _happening(after, "withdrawn", offer, made_of, {"reason": offer.reason} if offer.reason else {})


def _offer(opportunity: Opportunity, assignment: int) -> Offer | None:
    return next((offer for offer in opportunity.offers if offer.assignment == assignment), None)


def _happening(
    opportunity: Opportunity,
    kind: Kind,
    offer: Offer,
    made_of: str,
    about: Mapping[str, Any] | None = None,
    audience: Audience = "rep",
) -> Happening:
    return Happening(
        ids.derived_id("notification", opportunity.tenant, made_of, kind),
        kind,
        offer.rep_id,
        audience,
        opportunity.opportunity_id,
        offer.assignment,
        dict(about or {}),
    )
