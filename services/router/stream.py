"""The router's stream: one consumer group on scores of leads and accounts and on handoff events, one loop."""

from __future__ import annotations

from services.router.handler import Input, Router
from shared.kit.dead_letters import DeadLetters
from shared.kit.decoding import read_json, read_record
from shared.kit.kafka import Message, Source
from shared.kit.loop import Worker
from shared.schemas.handoff import HandoffEvent
from shared.schemas.scores import AccountScored, LeadScored
from shared.schemas.topics import ACCOUNT_SCORED, HANDOFF_EVENTS, LEAD_SCORED

GROUP = "router"
TOPICS = (LEAD_SCORED, ACCOUNT_SCORED, HANDOFF_EVENTS)
MODELS: dict[str, type[Input]] = {
    LEAD_SCORED.name: LeadScored,
    ACCOUNT_SCORED.name: AccountScored,
    HANDOFF_EVENTS.name: HandoffEvent,
}


def decode(message: Message) -> Input | None:
    """The record of `message`; None for a tombstone. Raises Reject for what is no such record."""
    if message.value is None:
        return None
    return read_record(MODELS[message.topic], read_json(message.value))


def worker(source: Source, router: Router, dead_letters: DeadLetters, most: int) -> Worker[Input]:
    return Worker(source, decode, router, dead_letters, most=most)
