"""Closing clients of servers that may be gone: in order where that goes quickly, else anyhow; never for ever, never with an error.

aiokafka's own `stop` does not suffice. It waits without bound for a broker that does not answer; it raises CancelledError to
somebody whom nobody cancelled where a fetch is in its back-off, which it always is while the broker is away; and where it raises,
the connections and tasks that it has not come to yet stay for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

log = structlog.get_logger(__name__)

# To leave a group, to have acknowledged what is under way: a service has several clients to close in its grace.
CLOSING_SECONDS = 5.0
GIVING_UP_SECONDS = 1.0  # for what was told to stop closing


async def close_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave its group, and close it. One that was never started is closed too."""
    parts = consumer._coordinator, consumer._fetcher, consumer._client
    await _close("consumer", consumer.stop(), *parts)


async def close_producer(producer: AIOKafkaProducer) -> None:
    """What is under way may still be acknowledged; after that it has failed, and nothing of it is tried again."""
    if not await _close("producer", producer.stop(), producer._sender, producer.client):
        producer._message_accumulator.fail_all(KafkaError("the producer was given up"))


async def _close(what: str, stopping: Coroutine[Any, Any, None], *parts: Any) -> bool:
    """Whether `stopping` ended in order. Where not, the tasks and connections of `parts` are ended."""
    in_order = False
    try:
        in_order = await _in_time(what, stopping)
    finally:  # also where we are cancelled ourselves
        if not in_order:
            _abandon([part for part in parts if part is not None])
    return in_order


async def _in_time(what: str, closing: Coroutine[Any, Any, None]) -> bool:
    """Whether `closing` ended well within the time. It has a task of its own: what it does with a cancellation is nobody else's."""
    task = asyncio.create_task(closing, name=f"closing {what}")
    try:
        await asyncio.wait({task}, timeout=CLOSING_SECONDS)
    finally:
        in_time = task.done()
        task.cancel()
    if not in_time:
        await asyncio.wait({task}, timeout=GIVING_UP_SECONDS)
    error = "cancelled" if task.cancelled() else task.exception() if task.done() else None
    if in_time and error is None:
        return True
    (log.info if in_time else log.warning)("not_closed_in_order", what=what, in_time=in_time, error=repr(error))
    return False


def _abandon(parts: list[Any]) -> None:
    """At once, and without waiting for anything."""
    for part in parts:
        for held in vars(part).values():
            for task in held if isinstance(held, set) else (held,):
                if isinstance(task, asyncio.Task):
                    task.cancel()
        for connection in tuple(getattr(part, "_conns", {}).values()):
            if connection._writer is not None:
                connection._writer.transport.abort()
            connection.close()
