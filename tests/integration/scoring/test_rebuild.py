"""Rebuilding all states from the topics while workers go on, and switching over at once."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from random import Random
from typing import Any

import httpx
import msgspec
import pytest

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.builder import BuildingLostError
from services.scoring.decide import join
from services.scoring.domain.codec import decode_state
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import score
from services.scoring.domain.state import LeadState
from services.scoring.epochs import LeaseLostError, RebuildUnderWayError
from services.scoring.rebuild import Options, Progress, drop_old, rebuild, survey
from services.scoring.states import RedisStates, SupersededError
from shared.kit.kafka import EMBEDDED_PARTITIONS, Outgoing
from shared.schemas import ids
from shared.schemas.base import Record
from shared.schemas.handoff import HandoffEvent
from shared.schemas.policies import PolicyPublished, ScoringPolicy
from shared.schemas.scores import LeadScored, PolicyRef, Version
from shared.schemas.topics import HANDOFF_EVENTS, TOUCHPOINTS
from shared.schemas.touches import LinkChanged
from tests.integration.scoring.town import NOW, POLICY, RULES, Town, history

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

PARTITIONS = range(EMBEDDED_PARTITIONS)
PAGES = {"any": [{"touch.type": {"eq": "page_viewed"}}, {"touch.type": {"eq": "contact_requested"}}]}
CHANGED: dict[str, Any] = copy.deepcopy(POLICY)
CHANGED["engagement"]["rules"][0]["when"] = PAGES
CHANGED["engagement"]["rules"].append(
    {
        "id": "junk",
        "when": {"touch.type": {"eq": "sales_rejected_quality"}},
        "points": -10,
        "half_life_days": 14,
        "group": "ask",
    }
)
NEW_RULES = Rules(ScoringPolicy.model_validate(CHANGED), PolicyRef(sequence=2, hash="h2"))


async def apply(town: Town, body: dict[str, Any], sequence: int) -> None:
    policy = PolicyPublished(
        tenant=town.tenant, kind="scoring", sequence=sequence, hash=f"h{sequence}", body=body, activated_at=NOW
    )
    await town.publisher.publish([Outgoing("policies", policy.key(), policy.model_dump_json().encode())])


def offline(records: Iterable[Record], rules: Rules) -> dict[str, LeadState]:
    """The state of each lead from all that was ever said of its identities, at once: no batches, no transfers, no stores."""
    records = list(records)
    registers: dict[str, LinkChanged] = {}
    for record in records:
        if isinstance(record, LinkChanged):
            known = registers.get(record.identity_id)
            registers[record.identity_id] = record if known is None or record.sequence > known.sequence else known
    told: dict[str, Told] = {}
    for record in [*registers.values(), *(r for r in records if not isinstance(r, LinkChanged))]:
        topic = HANDOFF_EVENTS.name if isinstance(record, HandoffEvent) else TOUCHPOINTS.name
        read = wire.decode(topic, record.model_dump_json().encode())
        assert isinstance(read, wire.Touch | wire.LinkChanged)
        if isinstance(record, HandoffEvent):  # it goes wherever the identity goes that the lead derives from
            register = next((one for one in registers.values() if ids.lead_id(one.identity_id) == record.lead_id), None)
            owner = register.owner if register else record.lead_id
        else:
            register = registers.get(read.identity_id)
            owner = register.owner if register else ids.lead_id(read.identity_id)
        told.setdefault(owner, Told(record.tenant, owner)).inputs.append((read, None))
    return {lead: join(said, LeadState(), rules).finish() for lead, said in told.items()}


def digest(state: LeadState, lead: str, rules: Rules) -> dict[str, Any]:
    """All that counts of a state: what the lead's own identities remember, and of marks those that a rule reads."""
    found, read = {}, rules.keys()
    for identity in state.owned(lead):
        if identity in state.memories:
            memory = state.memories[identity].copy()
            memory.marks = {key: marks for key, marks in memory.marks.items() if key in read}
            found[identity] = msgspec.to_builtins(memory, order="deterministic", str_keys=True)
    return found


def digests(states: dict[str, LeadState], rules: Rules) -> dict[str, Any]:
    return {lead: found for lead, state in states.items() if (found := digest(state, lead, rules))}


async def built(town: Town, epoch: int) -> dict[str, LeadState]:
    """The states of an epoch in the store, of this town's tenant."""
    found = {}
    for partition in PARTITIONS:
        name = f"{town.group}{f'.{epoch}' if epoch else ''}:{{s:{partition}}}:states"
        for key, raw in (await town.redis.hgetall(name)).items():
            tenant, _, lead = key.decode().partition("/")
            if tenant == town.tenant and not lead.startswith("/"):
                found[lead] = decode_state(raw)
    return found


def published(tenant: str, lead: str, state: LeadState, rules: Rules, version: Version) -> dict[str, Any]:
    """The record that says what the state is worth at the moment that the version names, but for what made it speak."""
    scored = score(state, lead, rules, version.as_of)
    saying = wire.Saying(version, wire.PolicyRef(rules.ref.sequence, rules.ref.hash))
    record = wire.lead_scored(tenant, lead, saying, scored)
    return LeadScored.model_validate_json(wire.encode(record)).model_dump(exclude={"cause", "change_id"})


def options(town: Town, **more: Any) -> Options:
    return Options(town.kafka, town.redis_url, town.group, **more)


def unsaid(town: Town, expected: dict[str, LeadState], rules: Rules, generation: int) -> dict[str, Any]:
    """Known leads that were not told by this generation what their states are worth, and how that differs."""
    found: dict[str, Any] = {}
    for lead, state in expected.items():
        if not state.is_known(state.owned(lead)):
            continue
        told = town.scores.get(lead)
        if told is None or told.merged_into or told.version.generation != generation or told.policy != rules.ref:
            found[lead] = told and (told.version, told.merged_into)
            continue
        said = told.model_dump(exclude={"cause", "change_id"})
        wanted = published(town.tenant, lead, state, rules, told.version)
        if said != wanted:
            found[lead] = {name: (said[name], wanted[name]) for name in said if said[name] != wanted[name]}
    return found


async def until_said(town: Town, expected: dict[str, LeadState], rules: Rules, generation: int) -> None:
    try:
        await town.until(lambda: not unsaid(town, expected, rules, generation))
    except AssertionError as error:
        raise AssertionError(f"{unsaid(town, expected, rules, generation)}") from error


def pages(told: LeadScored) -> int:
    return sum(part.times for part in told.engagement.parts if part.rule_id == "page")


async def test_a_changed_rule_counts_from_then_on_and_after_a_rebuild_all_that_ever_was(town: Town) -> None:
    """Touches, merges both ways and what sales says keep coming in meanwhile: the new states are those of an offline run."""
    records = history(town.tenant, 3_000, 150, Random(11))
    first, second = await asyncio.gather(town.hire(), town.hire())
    await town.send(records[:1_500])
    await until_said(town, offline(records[:1_500], RULES), RULES, 1)
    assert any(pages(told) for told in town.scores.values())

    await apply(town, CHANGED, 2)
    await town.until(lambda: all(told.policy.sequence == 2 for told in town.scores.values()))
    assert not any(pages(told) for told in town.scores.values()), "under its new key the rule knows nothing yet"

    async def needed() -> float:
        figures = [await one.metric("baton_scoring_replay_needed", tenant=town.tenant) for one in (first, second)]
        return max(figures)

    await town.until(needed)

    before = dict(town.scores)
    declined = junk(town, records)
    building = asyncio.create_task(rebuild(options(town)))
    for start in range(1_500, 2_900, 50):
        await town.send(records[start : start + 50])
        await asyncio.sleep(0.05)
    await send_events(town, declined)
    report = await building
    await town.send(records[2_900:])
    assert report.number == 1
    assert report.partly.get(town.tenant) is None

    expected = offline([*records, *declined], NEW_RULES)
    await until_said(town, expected, NEW_RULES, 2)
    assert sum(pages(told) for told in town.scores.values()) > 100
    assert all(town.scores[lead].version > told.version for lead, told in before.items() if told.merged_into is None)
    assert digests(await built(town, 1), NEW_RULES) == digests(expected, NEW_RULES)

    async def none_needed() -> bool:
        with suppress(httpx.TransportError):  # one of them is about to start again
            return not await needed()
        return False

    await town.until(none_needed)
    assert first.crashes == second.crashes == 1, "each went over by starting again, once"
    assert not await built(town, 0), "the old states are gone"


def junk(town: Town, records: Iterable[Record]) -> list[HandoffEvent]:
    """Sales declines some of the leads."""
    leads = sorted({record.key().decode().partition("/")[2] for record in records})[:20]
    return [
        HandoffEvent(
            tenant=town.tenant,
            lead_id=lead,
            kind="offer-declined",
            event_id=ids.derived_id(town.tenant, "declined", lead),
            opportunity_id=ids.derived_id(town.tenant, "opportunity", lead),
            cycle=1,
            assignment=1,
            at=NOW,
            reason="junk",
        )
        for lead in leads
    ]


async def send_events(town: Town, events: Iterable[HandoffEvent]) -> None:
    out = [Outgoing(HANDOFF_EVENTS.name, e.key(), e.model_dump_json(exclude_none=True).encode()) for e in events]
    await town.publisher.publish(out)


async def keys(town: Town, epoch: int) -> set[str]:
    """What is left of an epoch's keys, by their last part."""
    space = f"{town.group}{f'.{epoch}' if epoch else ''}:{{s:*"
    return {key.decode().rpartition(":")[2] async for key in town.redis.scan_iter(space)}


async def command(town: Town, *arguments: str) -> asyncio.subprocess.Process:
    """`baton scoring rebuild`, as an operator calls it."""
    servers = {"KAFKA_BOOTSTRAP_SERVERS": town.kafka, "REDIS_URL": town.redis_url, "BATON_HOME": str(town.folder)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "baton",
        "scoring",
        "rebuild",
        "--group",
        town.group,
        *arguments,
        env=os.environ | servers,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def settled(town: Town, records: list[Record], rules: Rules = RULES, generation: int = 1) -> dict[str, LeadState]:
    """Send the records, and wait until they are scored; the states that they make."""
    await town.send(records)
    expected = offline(records, rules)
    await until_said(town, expected, rules, generation)
    return expected


async def writes(town: Town, epoch: int) -> int:
    """How often the rebuild has written to an epoch."""
    found = [await town.redis.hget(f"{town.group}.{epoch}:{{s:{p}}}:applied", "rebuild-writes") for p in PARTITIONS]
    return sum(int(one or 0) for one in found)


async def test_a_rebuild_that_was_killed_changes_nothing_and_is_started_again(town: Town) -> None:
    worker = await town.hire()
    records = history(town.tenant, 2_600, 50, Random(12))
    expected = await settled(town, records[:2_500])
    killed = await command(town, "--rate", "20")

    async def half_built() -> bool:
        return await writes(town, 1) > EMBEDDED_PARTITIONS + 3

    await town.until(half_built)
    assert killed.returncode is None
    killed.kill()
    await killed.wait()
    assert await town.redis.get(f"{town.group}:epoch") in (None, b"0")
    expected = await settled_more(town, records, 2_500)
    assert worker.crashes == 0

    again = await command(town)
    out, err = await again.communicate()
    assert again.returncode == 0, err.decode()
    assert out.decode().startswith("Epoch 2 is in force:")
    await until_said(town, expected, RULES, 3)
    assert digests(await built(town, 2), RULES) == digests(expected, RULES)
    assert await keys(town, 1) == await keys(town, 0) == {"applied"}, "what was half built is gone, too"


async def settled_more(town: Town, records: list[Record], sent: int) -> dict[str, LeadState]:
    await town.send(records[sent:])
    expected = offline(records, RULES)
    await until_said(town, expected, RULES, 1)
    return expected


async def test_a_rebuild_that_is_told_to_stop_leaves_nothing_behind(town: Town) -> None:
    await settled_without_workers(town)
    stopped = await command(town, "--rate", "20")

    async def half_built() -> bool:
        return await writes(town, 1) > EMBEDDED_PARTITIONS + 3

    await town.until(half_built)
    stopped.send_signal(signal.SIGINT)
    assert await stopped.wait() == 130
    assert await keys(town, 1) == {"applied"}
    assert await town.redis.hgetall(f"{town.group}:epochs") == {b"last": b"1", b"0": b"built"}
    assert await town.redis.get(f"{town.group}:rebuild") is None


async def test_a_rebuild_that_slept_while_another_was_made_gives_up(town: Town) -> None:
    await settled_without_workers(town)
    sleeper = await command(town, "--rate", "20")

    async def half_built() -> bool:
        return await writes(town, 1) > EMBEDDED_PARTITIONS

    await town.until(half_built)
    sleeper.send_signal(signal.SIGSTOP)
    await town.redis.delete(f"{town.group}:rebuild")  # as time does
    assert (await rebuild(options(town))).number == 2
    states = await built(town, 2)
    sleeper.send_signal(signal.SIGCONT)
    _, err = await sleeper.communicate()
    assert sleeper.returncode == 1, err.decode()
    assert "the states in force are as they were" in err.decode()
    assert await town.redis.get(f"{town.group}:epoch") == b"2"
    assert await built(town, 2) == states
    assert await keys(town, 1) == {"applied"}


async def settled_without_workers(town: Town) -> None:
    """More than a rebuild leaves to the workers."""
    await town.send(history(town.tenant, 2_500, 30, Random(13)))


async def test_of_two_rebuilds_at_once_one_is_refused(town: Town) -> None:
    await settled_without_workers(town)
    begun = asyncio.Event()
    first = asyncio.create_task(rebuild(options(town, per_second=10), lambda _: begun.set()))
    await begun.wait()
    with pytest.raises(RebuildUnderWayError):
        await rebuild(options(town))
    refused = await command(town)
    _, err = await refused.communicate()
    assert refused.returncode == 1
    assert "another rebuild of the group" in err.decode()
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    assert (await rebuild(options(town))).number == 2


async def test_a_zombie_of_the_old_epoch_can_neither_write_nor_be_believed(town: Town) -> None:
    zombie, heir = await asyncio.gather(town.hire(), town.hire())
    records = history(town.tenant, 700, 50, Random(14))
    await settled(town, records[:400])
    assert zombie.process
    zombie.process.send_signal(signal.SIGSTOP)
    await rebuild(options(town, keep_old=True))
    old = {name: await town.redis.hgetall(f"{town.group}:{{s:{p}}}:{name}") for p in PARTITIONS for name in ("states",)}
    await town.send(records[400:550])
    expected = offline(records[:550], RULES)
    await until_said(town, expected, RULES, 2)
    zombie.process.send_signal(signal.SIGCONT)
    expected = offline(records, RULES)
    await town.send(records[550:])
    await until_said(town, expected, RULES, 2)
    await town.until(lambda: zombie.crashes == heir.crashes == 1)
    assert old == {
        name: await town.redis.hgetall(f"{town.group}:{{s:{p}}}:{name}") for p in PARTITIONS for name in ("states",)
    }
    assert await drop_old(options(town)) == [0]
    assert await keys(town, 0) == {"applied"}


async def test_a_switch_that_was_cut_short_is_finished_by_the_workers(town: Town) -> None:
    """The topic was told, and then the rebuilder was killed; or Redis lost its last second."""
    records = history(town.tenant, 300, 30, Random(15))
    await town.send(records)
    await rebuild(options(town, keep_old=True))
    await town.redis.delete(f"{town.group}:epoch")
    for partition in PARTITIONS:
        await town.redis.hdel(f"{town.group}:{{s:{partition}}}:applied", "superseded")
    await town.hire()
    await until_said(town, offline(records, RULES), RULES, 2)
    assert await town.redis.get(f"{town.group}:epoch") == b"1"
    with pytest.raises(SupersededError):
        await RedisStates(town.redis, group=town.group).load({0: []})


async def test_a_store_that_lost_everything_is_filled_again_in_the_epoch_that_was_in_force(town: Town) -> None:
    """Else what is said afterwards would lose to what was said before, and nobody would see it."""
    records = history(town.tenant, 400, 30, Random(16))
    worker = await town.hire()
    await settled(town, records[:300])
    await rebuild(options(town))
    await until_said(town, offline(records[:300], RULES), RULES, 2)
    async for key in town.redis.scan_iter(f"{town.group}*"):
        await town.redis.delete(key)
    await town.send(records[300:350])
    expected = offline(records[:350], RULES)

    async def filled() -> bool:
        return digests(await built(town, 1), RULES) == digests(expected, RULES)

    await town.until(filled)
    assert worker.crashes >= 2
    assert not await built(town, 0)
    touched = {record.key().decode().partition("/")[2] for record in records[350:]}
    await town.send(records[350:])
    expected = {lead: state for lead, state in offline(records, RULES).items() if lead in touched}
    await until_said(town, expected, RULES, 2)


async def test_topics_that_were_made_anew_are_told_of_the_epoch_that_the_store_knows_of(town: Town) -> None:
    await town.redis.set(f"{town.group}:epoch", 4)
    records = history(town.tenant, 200, 20, Random(17))
    worker = await town.hire()
    await settled(town, records[:100], generation=5)
    await worker.end(signal.SIGTERM)
    await town.redis.delete(f"{town.group}:epoch")
    await town.hire()
    await settled(town, records, generation=5)


async def test_states_that_were_lost_while_they_were_built_are_not_brought_into_force(town: Town) -> None:
    await settled_without_workers(town)
    lost = asyncio.Event()

    def tell(progress: Progress) -> None:
        if progress.step == "settling":
            lost.set()

    building = asyncio.create_task(rebuild(options(town), tell))
    await lost.wait()
    await town.redis.hincrby(f"{town.group}.1:{{s:3}}:applied", "rebuild-writes", -1)
    with pytest.raises(BuildingLostError):
        await building
    assert await town.redis.get(f"{town.group}:epoch") in (None, b"0")
    assert await keys(town, 1) == {"applied"}


async def test_who_has_lost_the_lease_drops_nothing(town: Town) -> None:
    """Redis may have lost that the number was given, and have given it to another one."""
    await settled_without_workers(town)
    settling = asyncio.Event()

    def tell(progress: Progress) -> None:
        if progress.step == "settling":
            settling.set()

    building = asyncio.create_task(rebuild(options(town), tell))
    await settling.wait()
    await town.redis.set(f"{town.group}:rebuild", "another")
    before = await built(town, 1)
    with pytest.raises(LeaseLostError):
        await building
    assert before
    assert await built(town, 1) == before


async def test_a_dry_run_counts_what_there_is_and_changes_nothing(town: Town) -> None:
    await settled_without_workers(town)
    found, losses = await survey(options(town))
    assert found.records[TOUCHPOINTS.name] >= 300
    assert found.began is None
    assert [loss for loss in losses if loss.tenant == town.tenant] == []
    told = await command(town, "--dry-run")
    out, _ = await told.communicate()
    assert told.returncode == 0
    assert f"{found.total:,} records are to be read" in out.decode()
    assert not [key async for key in town.redis.scan_iter(f"{town.group}*") if b"epochs" in key or b".1" in key]
