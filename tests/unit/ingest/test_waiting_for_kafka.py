"""What follows a topic goes on after a failure of Kafka: without it the service takes events for its spool."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError

from services.ingest import app


async def test_a_task_that_kafka_fails_begins_again_and_any_other_fault_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcomes = [KafkaTimeoutError("no leader"), KafkaTimeoutError("no leader"), KeyError("a fault of ours")]
    runs: list[str] = []

    async def run() -> None:
        runs.append("run")
        raise outcomes[len(runs) - 1]

    async def at_once(_: float) -> None:
        runs[-1] = "run and wait"

    monkeypatch.setattr(asyncio, "sleep", at_once)
    there = asyncio.Event()
    there.set()
    with pytest.raises(KeyError):
        await app._with_kafka(there, run)
    assert runs == ["run and wait", "run and wait", "run"]
