"""What other systems hear."""

from __future__ import annotations

from typing import get_args

import orjson

from services.handoff.outbound.messages import EVENT_TYPES, of_event
from shared.schemas.handoff import HandoffEvent, HandoffKind


def test_every_kind_of_event_is_a_type_that_an_endpoint_can_ask_for() -> None:
    assert {kind.replace("-", ".") for kind in get_args(HandoffKind)} <= set(EVENT_TYPES)


def test_a_message_is_thin_dated_and_without_the_tenant() -> None:
    event = HandoffEvent(
        tenant="hinode",
        kind="clock-breached",
        event_id="e-1",
        lead_id="l-1",
        opportunity_id="o-1",
        cycle=1,
        assignment=2,
        rep_id="sato",
        at=1_700_000_000_000,
        due_at=1_700_000_000_000,
        clock="accept",
        stage="offered",
    )
    made = of_event(event)
    assert (made.message_id, made.type) == ("e-1", "clock.breached")
    assert orjson.loads(made.body) == {
        "type": "clock.breached",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "data": {
            "lead_id": "l-1",
            "opportunity_id": "o-1",
            "cycle": 1,
            "assignment": 2,
            "rep_id": "sato",
            "at": "2023-11-14T22:13:20.000Z",
            "clock": "accept",
            "due_at": "2023-11-14T22:13:20.000Z",
            "stage": "offered",
        },
    }
