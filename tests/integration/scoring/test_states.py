"""Where states are kept: one suite on the fake and on the real thing, and what only the real thing can get wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from services.scoring.states import PLACES, Change, RedisStates, States, connect
from tests.scoring_fakes import FakeStates

A, B = "score-transfers", "touchpoints"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture(params=["fake", pytest.param("redis", marks=pytest.mark.servers)])
def states(request: pytest.FixtureRequest) -> States:
    if request.param == "fake":
        return FakeStates()
    return RedisStates(request.getfixturevalue("redis"), group=f"g-{uuid4().hex[:8]}", pause=0.01)


async def test_nothing_is_applied_at_first(states: States) -> None:
    loaded = await states.load({0: ["acme/ann"], 5: []})
    assert {partition: (dict(one.applied), dict(one.states)) for partition, one in loaded.items()} == {
        0: ({}, {}),
        5: ({}, {}),
    }


async def test_what_was_saved_is_loaded_with_what_is_applied(states: States) -> None:
    assert await states.save([Change(0, {}, {A: 1, B: 7}, {"acme/ann": b"\x00state"})]) == {}
    loaded = (await states.load({0: ["acme/bob", "acme/ann"]}))[0]
    assert loaded.applied == {A: 1, B: 7}
    assert loaded.states == {"acme/ann": b"\x00state"}


async def test_a_write_is_refused_whole_when_another_has_written(states: States) -> None:
    await states.save([Change(0, {}, {A: 0, B: 7}, {"acme/ann": b"one"})])
    refused = await states.save([Change(0, {B: 6}, {A: 0, B: 9}, {"acme/ann": b"two"})])
    assert refused == {0: {A: 0, B: 7}}
    assert (await states.load({0: ["acme/ann"]}))[0].states == {"acme/ann": b"one"}


async def test_either_topic_is_enough_to_refuse(states: States) -> None:
    await states.save([Change(0, {}, {A: 3, B: 7})])
    assert await states.save([Change(0, {A: 0, B: 7}, {A: 0, B: 8})]) == {0: {A: 3, B: 7}}


async def test_one_refused_partition_leaves_the_others_saved(states: States) -> None:
    await states.save([Change(1, {}, {B: 5})])
    refused = await states.save(
        [Change(0, {}, {B: 1}, {"acme/ann": b"x"}), Change(1, {}, {B: 1}), Change(2, {}, {B: 1})]
    )
    assert set(refused) == {1}
    assert (await states.load({0: ["acme/ann"]}))[0].states == {"acme/ann": b"x"}
    assert (await states.load({2: []}))[2].applied == {B: 1}


async def test_what_was_lost_shows_as_less_than_believed(states: States) -> None:
    await states.save([Change(0, {}, {B: 5})])
    await states.reset(0)
    assert await states.save([Change(0, {B: 5}, {B: 6})]) == {0: {}}
    assert (await states.load({0: []}))[0].applied == {}


async def test_more_states_than_one_command_of_a_script_can_carry(states: States) -> None:
    """Trap 8."""
    many = {f"acme/lead-{n}": str(n).encode() for n in range(9_001)}
    assert await states.save([Change(0, {}, {B: 1}, many)]) == {}
    assert (await states.load({0: list(many)}))[0].states == many


@pytest.mark.servers
async def test_a_redis_that_forgot_its_scripts_is_told_again(redis: Redis) -> None:
    """Trap 7."""
    states = RedisStates(redis, group=f"g-{uuid4().hex[:8]}")
    assert await states.save([Change(0, {}, {B: 1})]) == {}
    await redis.script_flush()
    assert await states.save([Change(0, {B: 1}, {B: 2}), Change(1, {}, {B: 1})]) == {}
    assert (await states.load({0: []}))[0].applied == {B: 2}


@pytest.mark.servers
async def test_a_lost_connection_is_waited_out(redis: Redis, redis_url: str) -> None:
    """Trap 7."""
    states = RedisStates(redis, group=f"g-{uuid4().hex[:8]}", pause=0.01)
    await states.save([Change(0, {}, {B: 1})])
    other = connect(redis_url)
    await other.client_kill_filter(_type="normal", skipme=True)
    assert await states.save([Change(0, {B: 1}, {B: 2})]) in ({}, {0: {B: 2}})
    assert (await states.load({0: []}))[0].applied == {B: 2}
    await other.aclose()


@pytest.mark.servers
async def test_a_cursor_of_another_run_of_the_server_begins_anew(redis: Redis) -> None:
    """Each run hashes by a seed of its own, so that what a cursor of another one has before it may be anywhere."""
    states = RedisStates(redis, group=f"g-{uuid4().hex[:8]}")
    names = {f"acme/lead-{number}" for number in range(1_000)}
    await states.save([Change(0, {}, {B: 1}, dict.fromkeys(names, b"s" * 100))])
    cursor, found = await states.subjects(0, 0, 100)
    assert cursor, "or there is nothing to go on with"
    assert (await states.subjects(0, cursor, 100))[1] != found
    assert (await states.subjects(0, cursor ^ PLACES, 100))[1] == found


@pytest.mark.servers
async def test_a_partitions_keys_share_a_slot(redis: Redis) -> None:
    group = f"g-{uuid4().hex[:8]}"
    await RedisStates(redis, group=group).save([Change(3, {}, {B: 1}, {"acme/ann": b"x"})])
    keys = sorted([key async for key in redis.scan_iter(f"{group}:*")])
    assert keys == [f"{group}:{{s:3}}:applied".encode(), f"{group}:{{s:3}}:states".encode()]


async def test_every_run_of_the_server_has_a_name(states: States) -> None:
    assert await states.run(0) == await states.run(5) != ""
