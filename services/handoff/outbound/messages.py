"""Events as other systems hear them: named as Standard Webhooks recommends, thin, and without anything personal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from shared.kit.clock import iso
from shared.schemas.handoff import HandoffEvent

TEST = "endpoint.test"
# The kinds of HandoffEvent; a test compares them.
EVENT_TYPES = {
    "offer.opened": "a lead was offered to a rep, or given to them",
    "offer.accepted": "a rep took the lead",
    "offer.declined": "a rep gave the lead back, with `reason` and its `effect`",
    "offer.expired": "a clock took the lead back: `clock` says which",
    "offer.withdrawn": "the lead was taken elsewhere: merged, routed again, or its rep has left",
    "lead.qualified": "inside sales has qualified the lead and passed it on",
    "routing.refused": "the router was overtaken: `holder` keeps the lead",
    "activity.logged": "somebody did something about the lead: `activity`, with its `outcome`",
    "task.created": "`rep_id` has something to do about the lead, by `due_at`: `subject` is the task",
    "task.done": "it is done",
    "task.cancelled": "it is not to be done any more, or its rep no longer has the lead",
    "answer.recorded": "a question of qualification was answered: `evidence`, as learnt at `observed_at` from `source`",
    "answer.voided": "an answer holds no more, because who gave it has moved",
    "stakeholder.changed": "a person of the customer's was entered, changed or removed: `subject`",
    "stakeholder.moved": "a person of the customer's has moved: `subject`",
    "approval.changed": "the approval route (稟議) was drawn up, changed, or went on to `reason`",
    "clock.reminder": "an SLA clock still runs, and `share` percent of its time have passed",
    "clock.escalated": "an SLA clock at `share` percent of its time: the manager is told, or theirs, as `effect` says",
    "clock.met": "what an SLA clock asks for was done in time",
    "clock.met.late": "what a breached SLA clock asked for was done after all, by the same holder: `at` against `due_at`",
    "clocks.paused": "the clocks stand still, because of `reason`",
    "clocks.resumed": "the clocks go on",
    "clock.breached": "an SLA clock ran out: `at` is its due time, however late that was noticed",
    "stage.changed": "the opportunity, or its deal, moved to `stage`",
    "deal.changed": "something of the deal became other: `fields`",
    "deal.handed.over": "a won deal is with the account manager: `account_manager`",
}
_ENVELOPE = frozenset({"record", "tenant", "kind", "event_id", "note_given"})
_TIMES = ("at", "due_at", "until", "observed_at")


@dataclass(frozen=True, slots=True)
class Message:
    """message_id: `webhook-id`, the same for every try;  body: what is sent and signed, byte for byte"""

    message_id: str
    type: str
    body: str


def of_event(event: HandoffEvent) -> Message:
    data: dict[str, Any] = event.model_dump(mode="json", exclude_none=True, exclude=set(_ENVELOPE))
    data |= {name: iso(data[name]) for name in _TIMES if name in data}
    return message(event.event_id, event.kind.replace("-", "."), event.at, data)


def message(message_id: str, event_type: str, at: int, data: dict[str, Any]) -> Message:
    """at: when it happened, ms"""
    body = orjson.dumps({"type": event_type, "timestamp": iso(at), "data": data}).decode()
    return Message(message_id, event_type, body)
