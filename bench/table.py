"""The same scoring in stock Faust: an agent that takes event by event, and a table of states in memory.

Per event: decode, join and score with the functions of the service, one write to the table (and so to its changelog topic), one
`LeadScored`. Favourably to it, states stay decoded in memory beside the table, and the loggers are quiet.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import faust

from services.scoring.batch import Told
from services.scoring.decide import Now, decide
from services.scoring.domain.codec import encode_state
from services.scoring.domain.state import LeadState
from services.scoring.policies import Policies
from services.scoring.settings import Settings
from services.scoring.wire import decode
from shared.kit.kafka import EMBEDDED_PARTITIONS
from shared.schemas.topics import LEAD_SCORED, TOUCHPOINTS

if TYPE_CHECKING:
    from bench.drain import Meter

RAW: dict[str, Any] = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}


async def table(settings: Settings, meter: Meter, policies: Policies) -> None:
    """Until cancelled. Raises what crashed it."""
    for name in ("aiokafka", "faust", "mode"):
        logging.getLogger(name).setLevel(logging.WARNING)
    app: Any = faust.App(
        settings.group,
        broker=f"kafka://{settings.kafka_bootstrap_servers}",
        store="memory://",
        consumer_auto_offset_reset="earliest",
        topic_replication_factor=1,
        topic_partitions=EMBEDDED_PARTITIONS,
        web_enabled=False,
        loghandlers=[],
    )
    states = app.Table("states", partitions=EMBEDDED_PARTITIONS, key_type=bytes, value_type=bytes)
    scored = app.topic(LEAD_SCORED.name, **RAW)
    decoded: dict[bytes, LeadState] = {}

    async def score(stream: Any) -> None:
        async for event in stream.events():
            record: Any = decode(TOUCHPOINTS.name, event.value)
            told = Told(record.tenant, record.lead_id, [(record, None)])
            known = decoded.get(event.key) or LeadState()
            decision = decide(told, known, policies.find(told.tenant), Now(event.message.offset + 1))
            assert isinstance(decision.state, LeadState)
            decoded[event.key] = decision.state
            states[event.key] = encode_state(decision.state)
            for outgoing in decision.records:
                await scored.send(key=outgoing.key, value=outgoing.value)
            meter.count(1)

    app.agent(app.topic(TOUCHPOINTS.name, **RAW), name="scorer")(score)
    try:
        await app.start()
        await app._crashed.wait()
        raise app.crash_reason or RuntimeError("Faust crashed")
    finally:
        await asyncio.shield(app.stop())
