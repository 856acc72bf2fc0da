"""Epochs in Redis: what supersedes what, who may build the next one, and since when marks are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from services.scoring.domain.rules import Rules
from services.scoring.epochs import Buildings, Lease, LeaseLostError, RebuildUnderWayError
from services.scoring.recorded import ALWAYS, Before, Recorded, kept_by, partly
from services.scoring.states import Change, RedisStates, SupersededError, connect
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef

pytestmark = pytest.mark.servers

A, B = "score-transfers", "touchpoints"
DAY = 86_400_000
NOW = 1_790_000_000_000


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def group() -> str:
    return f"g-{uuid4().hex[:8]}"


async def keys(redis: Redis, group: str) -> set[str]:
    return {key.decode() async for key in redis.scan_iter(f"{group}*")}


async def test_each_epoch_has_keys_of_its_own(redis: Redis, group: str) -> None:
    first, second = RedisStates(redis, group=group), RedisStates(redis, group=group, epoch=1)
    await first.save([Change(0, {}, {B: 7}, {"acme/ann": b"old"})])
    assert (await second.load({0: ["acme/ann"]}))[0].applied == {}
    await second.save([Change(0, {}, {B: 5}, {"acme/ann": b"new"})])
    assert (await first.load({0: ["acme/ann"]}))[0].states == {"acme/ann": b"old"}


async def test_who_holds_on_to_a_superseded_epoch_can_neither_read_nor_write_nor_reset_it(
    redis: Redis, group: str
) -> None:
    first, second = RedisStates(redis, group=group), RedisStates(redis, group=group, epoch=1)
    await first.save([Change(0, {}, {B: 7}, {"acme/ann": b"old"})])
    await second.supersede([0, 1])
    for attempt in (
        lambda: first.save([Change(0, {B: 7}, {B: 8}, {"acme/ann": b"late"})]),
        lambda: first.save([Change(1, {}, {B: 1})]),
        lambda: first.load({0: []}),
        lambda: first.reset(0),
    ):
        with pytest.raises(SupersededError, match="epoch 1"):
            await attempt()
    assert await redis.hget(f"{group}:{{s:0}}:states", "acme/ann") == b"old"
    assert await second.save([Change(0, {}, {B: 1})]) == {}


async def test_what_is_dropped_leaves_nothing_but_the_word_that_it_is_over(redis: Redis, group: str) -> None:
    first = RedisStates(redis, group=group)
    await first.save([Change(0, {}, {B: 7}, {"acme/ann": b"old"}, {"acme/ann": 5}, {"done/acme": "1"})])
    await first.drop([0, 1], 1)
    # No offsets: a version of before epochs would go on from them, without the states.
    assert await redis.hgetall(f"{group}:{{s:0}}:applied") == {b"superseded": b"1"}
    assert await keys(redis, group) == {f"{group}:{{s:{partition}}}:applied" for partition in (0, 1)}
    with pytest.raises(SupersededError):
        await first.save([Change(0, {B: 7}, {B: 8}, {"acme/ann": b"late"})])
    assert await keys(redis, group) == {f"{group}:{{s:{partition}}}:applied" for partition in (0, 1)}


async def test_the_later_of_what_the_topic_and_what_the_store_knows_is_in_force(redis: Redis, group: str) -> None:
    states = RedisStates(redis, group=group)
    assert await states.enter(0) == 0
    assert await states.enter(3) == 3
    assert await states.enter(2) == 3, "the topics were made anew, the store was not"
    await redis.delete(f"{group}:epoch")
    assert await states.enter(3) == 3, "the store lost it, the topic has it"
    assert states.epoch == 3


async def test_a_number_is_given_to_one_rebuild_only(redis: Redis, group: str) -> None:
    buildings = Buildings(redis, group)
    assert await buildings.next(0) == 1
    assert await buildings.next(0) == 2, "the first was killed"
    await buildings.built(2)
    assert await buildings.numbers() == {1: False, 2: True}
    await RedisStates(redis, group=group, epoch=1).save([Change(0, {}, {B: 1}, {"acme/ann": b"half"})])
    await buildings.drop([1], [0], by=2)
    assert await buildings.numbers() == {2: True}
    assert await keys(redis, group) == {f"{group}:epochs", f"{group}.1:{{s:0}}:applied"}
    await buildings.drop([2], [0], by=0)
    assert await buildings.next(0) == 3, "a number that was dropped is never given again"
    assert await buildings.next(7) == 8, "the store had lost all it knew"


async def test_while_one_rebuild_lives_another_is_refused(redis: Redis, group: str) -> None:
    async with Lease(redis, group, seconds=10):
        with pytest.raises(RebuildUnderWayError):
            await Lease(redis, group, seconds=10).__aenter__()
    async with Lease(redis, group, seconds=10) as lease:
        lease.check()


async def test_the_lease_of_one_who_was_killed_ends_by_itself(redis: Redis, group: str) -> None:
    await redis.set(f"{group}:rebuild", "killed", px=400)
    async with Lease(redis, group, seconds=10) as lease:
        await lease.confirm()


async def test_one_who_slept_through_his_lease_is_told(redis: Redis, group: str) -> None:
    async with Lease(redis, group, seconds=5) as sleeper:
        await redis.set(f"{group}:rebuild", "another")
        with pytest.raises(LeaseLostError):
            await sleeper.confirm()
        with pytest.raises(LeaseLostError):
            sleeper.check()
    assert await redis.get(f"{group}:rebuild") == b"another", "what another holds is not given back"


def rules(sequence: int, **more: dict[str, Any]) -> Rules:
    """A rule per name, of what is given beside the rest."""
    body = {
        "kind": "scoring",
        "hand_raises": ["contact_requested"],
        "engagement": {
            "groups": {"web": 30},
            "rules": [
                {
                    "id": name,
                    "when": {"touch.type": {"eq": "page_viewed"}},
                    "points": 2,
                    "half_life_days": 4,
                    "group": "web",
                }
                | given
                for name, given in more.items()
            ],
        },
        "fit": {"rules": []},
    }
    return Rules(ScoringPolicy.model_validate(body), PolicyRef(sequence=sequence, hash="h"))


async def test_what_the_first_policy_names_was_always_kept_and_what_a_later_one_adds_only_since(
    redis: Redis, group: str
) -> None:
    recorded = Recorded(redis, group)
    first = rules(1, page={}, mail={"limit": 3})
    await recorded.note(0, "acme", first, NOW)
    assert set((await recorded.read(0))["acme"].values()) == {ALWAYS}
    second = rules(2, page={}, mail={"limit": 2})
    await recorded.note(0, "acme", second, NOW + 1)
    await recorded.note(0, "acme", first, NOW + 2)  # a worker that is behind
    since = (await recorded.read(0))["acme"]
    assert [(one.kept.rule_id, one.since) for one in partly(second, since, NOW + 2)] == [("mail", NOW + 1)]
    assert partly(second, since, NOW + 1 + 28 * DAY) == [], "seven half-lives later it is complete by itself"
    assert len(since) == len(kept_by(second)), "what is kept no more is forgotten"
    await recorded.note(0, "acme", rules(3, page={}, mail={"limit": 3}), NOW + 5)
    since, before = (await recorded.read(0))["acme"], (await recorded.before(0))["acme"]
    [back] = partly(rules(3, page={}, mail={"limit": 3}), since, NOW + 5, before)
    assert (back.since, back.before) == (NOW + 5, Before(ALWAYS, NOW + 1)), "its marks were never dropped"


async def test_what_comes_back_again_and_again_lacks_what_came_in_since_it_first_went(redis: Redis, group: str) -> None:
    """Of each kind of the two that take turns, which is what a policy is that is changed, undone, and changed again."""
    recorded = Recorded(redis, group)
    kinds = [rules(1, page={}), rules(1, page={"limit": 9})]
    for turn in range(5):
        await recorded.note(0, "acme", rules(turn + 1, page={"limit": 9} if turn % 2 else {}), NOW + turn)
    since, before = (await recorded.read(0))["acme"], (await recorded.before(0))["acme"]
    assert [(one.since, one.before) for one in partly(kinds[0], since, NOW + 9, before)] == [
        (NOW + 4, Before(ALWAYS, NOW + 1))
    ]
    assert [one.before for one in partly(kinds[1], since, NOW + 9, before)] == [Before(NOW + 1, NOW + 2)]


async def test_what_was_whole_again_lacks_only_what_came_in_since_it_went_the_last_time(
    redis: Redis, group: str
) -> None:
    recorded, year = Recorded(redis, group), 400 * DAY
    begins = [NOW, NOW + 1, NOW + 2, NOW + 2 + year, NOW + 3 + year]
    for turn, since in enumerate(begins, 1):
        await recorded.note(0, "acme", rules(turn, page={} if turn % 2 else {"limit": 9}), since)
    since, before = (await recorded.read(0))["acme"], (await recorded.before(0))["acme"]
    [one] = partly(rules(5, page={}), since, NOW + 3 + year, before)
    assert (one.since, one.before) == (NOW + 3 + year, Before(ALWAYS, NOW + 2 + year))
    [other] = partly(rules(6, page={"limit": 9}), since, NOW + 3 + year, before)
    assert other.before is None, "what was kept of it a year ago counts for nothing"


async def test_a_worker_of_an_earlier_version_reads_what_is_noted(redis: Redis, group: str) -> None:
    """It takes each field with a slash for a number."""
    recorded = Recorded(redis, group)
    for turn in (1, 2, 3):
        await recorded.note(0, "acme", rules(turn, page={"limit": turn % 2 + 1}), NOW + turn)
    noted = await redis.hgetall(f"{group}:recorded")
    assert any(field.startswith(b"before:acme:") for field in noted)
    assert all(int(value) >= 0 for field, value in noted.items() if b"/" in field)


async def test_tenants_and_epochs_are_noted_apart(redis: Redis, group: str) -> None:
    recorded = Recorded(redis, group)
    await asyncio.gather(*(recorded.note(0, tenant, rules(1, page={}), NOW) for tenant in ("acme", "acme-2")))
    await recorded.note(0, "acme", rules(2, page={"limit": 9}), NOW)
    found = await recorded.read(0)
    assert ALWAYS in found["acme-2"].values()
    assert partly(rules(1, page={}), found["acme-2"], NOW) == []
    assert await recorded.read(1) == {}
    assert partly(rules(2, page={"limit": 9}), {}, NOW) == [], (
        "the first that is noted of an epoch is there from its start"
    )
    await recorded.drop(0)
    assert (await recorded.read(0), await recorded.before(0)) == ({}, {})
