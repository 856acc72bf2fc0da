"""The crash matrix: after a death at any step and a replay, one owner, and the same record per assignment."""

from __future__ import annotations

import pytest
from aiokafka.errors import KafkaError

from services.router import handler as router_handler
from services.router.store import leads as lead_rows
from services.router.store import pools as pool_rows
from services.router.store import trail
from shared.kit import outbox
from shared.kit.outbox import SHARDS, Relay

pytestmark = pytest.mark.servers


class DeathError(RuntimeError):
    """The process dies here."""


STEPS = [
    (lead_rows, "lock"),
    (pool_rows, "read_desk"),
    (lead_rows, "write"),
    (pool_rows, "write"),
    (trail, "write"),
    (outbox, "enqueue"),
]


@pytest.mark.parametrize(("module", "step"), STEPS, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_death_within_the_transaction_leaves_nothing_behind(world, monkeypatch, module, step, when):
    real = getattr(module, step)

    async def dies(*arguments, **named):
        if when == "after":
            await real(*arguments, **named)
        raise DeathError

    batch = [world.score(f"l{n}") for n in range(4)]
    with monkeypatch.context() as patch:
        patch.setattr(module, step, dies)
        with pytest.raises(DeathError):
            await world.router().handle(batch)
    assert await world.published() == []
    for table in ("leads", "decisions", "stage_history", "pool_members"):
        assert await world.count(table) == 0, table
    await world.router().handle(batch)
    routed = sorted(await world.routed(), key=lambda record: record.lead_id)
    assert [record.rep_id for record in routed] == ["sato", "tanaka", "mori", "sato"]
    assert {record.assignment for record in routed} == {1}


async def test_a_death_between_the_transaction_and_the_offset_repeats_nothing(world, monkeypatch):
    batch = [world.score(f"l{n}") for n in range(4)]

    def dies(*_arguments):
        raise DeathError

    with monkeypatch.context() as patch:
        patch.setattr(router_handler, "count", dies)  # the first thing after the commit
        with pytest.raises(DeathError):
            await world.router().handle(batch)
    await world.router().handle(batch)
    assert sorted(record.lead_id for record in await world.routed()) == ["l0", "l1", "l2", "l3"]


@pytest.mark.parametrize("failure", ["fail_next", "fail_after"])
async def test_a_publish_that_fails_is_repeated_with_the_same_bytes(world, failure):
    await world.router().handle([world.score(f"l{n}") for n in range(6)])
    relay = Relay(world.workers, world.publisher, "router")
    async with world.workers.acquire() as connection:
        for shard in range(SHARDS):
            setattr(world.publisher, failure, True)
            try:
                await relay.drain(connection, shard)
            except KafkaError:
                continue
            finally:
                setattr(world.publisher, failure, False)
        for shard in range(SHARDS):
            await relay.drain(connection, shard)
    mine = [record for record in world.publisher.records if record.key.startswith(world.tenant.encode())]
    assert len({record.key for record in mine}) == 6
    assert len({(record.key, record.value) for record in mine}) == 6, "what is said again is the same to the byte"
    assert len(mine) == (12 if failure == "fail_after" else 6)
    assert await world.count("outbox") == 0


async def test_a_decline_that_is_replayed_after_a_death_reroutes_once(world, monkeypatch):
    router = world.router()
    await router.handle([world.score("l1")])
    [routed] = await world.routed()
    declined = world.event(routed, "offer-declined", reason="junk", effect="disqualify")

    async def dies(*_arguments, **_named):
        raise DeathError

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "enqueue", dies)
        with pytest.raises(DeathError):
            await router.handle([declined])
    for _ in range(3):
        await router.handle([declined])
    lead = await world.lead("l1")
    assert (lead["waiting_reason"], lead["changes"]) == ("disqualified", 2)
