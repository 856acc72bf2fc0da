"""The router's stream: one consumer group on scores and handoff events, one loop."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ValidationError

from services.router.handler import Input, Router
from shared.kit.dead_letters import DeadLetters, Reject
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
    try:
        if b"\\u0000" in message.value:
            return model.model_validate(_without_nul(orjson.loads(message.value)))
        return model.model_validate_json(message.value)
    except orjson.JSONDecodeError:
        raise Reject("unreadable", "not JSON") from None
    except RecursionError:
        raise Reject("unreadable", "nested too deep") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise Reject("unreadable", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _without_nul(value: Any) -> Any:
    """Postgres stores no NUL; a stray one in what a person typed is no reason to lose a lead."""
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    return value


def worker(source: Source, router: Router, dead_letters: DeadLetters, most: int) -> Worker[Input]:
    return Worker(source, decode, router, dead_letters, most=most)
