"""The router's stream: one consumer group on scores and handoff events, one loop."""

from __future__ import annotations

from services.router.handler import Input, Router
from shared.kit.dead_letters import DeadLetters
from shared.kit.decoding import read_json, read_record
from shared.kit.kafka import Message, Source
from shared.kit.loop import Worker
from shared.schemas.handoff import HandoffEvent
from shared.schemas.scores import LeadScored
from shared.schemas.topics import HANDOFF_EVENTS, LEAD_SCORED

GROUP = "router"
TOPICS = (LEAD_SCORED, HANDOFF_EVENTS)


def decode(message: Message) -> Input | None:
    """The record of `message`; None for a tombstone. Raises Reject for what is no such record."""
    if message.value is None:
        return None
    model: type[LeadScored] | type[HandoffEvent] = LeadScored if message.topic == LEAD_SCORED.name else HandoffEvent
    return read_record(model, read_json(message.value))


def worker(source: Source, router: Router, dead_letters: DeadLetters, most: int) -> Worker[Input]:
    return Worker(source, decode, router, dead_letters, most=most)
