"""Policies come into force once, in order, whole, and whatever dies on the way."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from baton.policies import Applied, PolicyErrors, PolicySet, apply, preview, read, show
from baton.policies.reading import body_hash
from baton.policies.store import Versions
from baton.run.rules import apply_the_good
from shared.kit.clock import FakeClock
from shared.kit.compacted import CompactedTopic
from shared.kit.database import Pool, open_pool, tenant_transaction
from shared.kit.kafka import FakePublisher, Message
from shared.schemas.policies import KINDS, PolicyPublished, SlaPolicy
from shared.schemas.policies.book import PolicyBook
from shared.schemas.topics import POLICIES

pytestmark = pytest.mark.servers
DEADLINE = 60
ROOT = Path(__file__).parents[2]


@pytest.fixture
def directory(tmp_path: Path, tenant: str) -> Path:
    """The demo tenant's policies under this test's own tenant."""
    return Path(shutil.copytree(ROOT / "policies" / "olist", tmp_path / tenant))


@pytest.fixture
def change(directory: Path) -> Callable[[int], PolicySet]:
    """change(seconds): the policies with another accept time."""

    def edit(seconds: int) -> PolicySet:
        path = directory / "sla.yaml"
        path.write_text(re.sub(r"accept: \d+", f"accept: {seconds}", path.read_text()))
        return read(directory)

    return edit


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database_url, "baton_app", application="test", size=4)
    yield pool
    await pool.close()


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
def versions(pool: Pool, publisher: FakePublisher) -> Versions:
    return Versions(pool, publisher, FakeClock(1_795_219_200_000))


def published(publisher: FakePublisher) -> list[tuple[str, int]]:
    records = [PolicyPublished.model_validate_json(record.value or b"") for record in publisher.records]
    return [(record.kind, record.sequence) for record in records]


def stored(applied: list[Applied]) -> list[str]:
    return [entry.kind for entry in applied if entry.stored]


async def test_the_first_time_every_kind_is_stored_and_published_in_order(
    versions: Versions, publisher: FakePublisher, directory: Path, tenant: str
) -> None:
    applied = await versions.apply(read(directory))
    assert stored(applied) == list(KINDS)
    assert published(publisher) == [(kind, number) for number, kind in enumerate(KINDS, 1)]
    record = PolicyPublished.model_validate_json(publisher.records[0].value or b"")
    assert publisher.records[0].key == f"{tenant}/sources".encode()
    assert record.activated_at == 1_795_219_200_000
    assert record.hash == body_hash(record.body)


async def test_what_did_not_change_is_neither_stored_nor_published_again(
    versions: Versions, publisher: FakePublisher, directory: Path
) -> None:
    await versions.apply(read(directory))
    publisher.records.clear()
    applied = await versions.apply(read(directory))
    assert not any(entry.stored or entry.published for entry in applied)
    assert publisher.records == []


async def test_a_change_of_one_kind_is_one_version_and_a_change_back_another(
    versions: Versions, publisher: FakePublisher, directory: Path, change: Callable[[int], PolicySet]
) -> None:
    await versions.apply(change(60))
    publisher.records.clear()
    assert stored(await versions.apply(change(61))) == ["sla"]
    assert stored(await versions.apply(change(60))) == ["sla"]
    assert published(publisher) == [("sla", 9), ("sla", 10)]


@pytest.mark.parametrize("failure", ["fail_next", "fail_after"])
async def test_what_was_stored_and_not_known_to_be_published_is_published_by_the_next_run(
    versions: Versions, publisher: FakePublisher, change: Callable[[int], PolicySet], failure: str
) -> None:
    await versions.apply(change(60))
    publisher.records.clear()
    setattr(publisher, failure, True)
    with pytest.raises(KafkaError):
        await versions.apply(change(61))
    publisher.records.clear()
    applied = await versions.apply(change(61))
    assert stored(applied) == []
    assert published(publisher) == [("sla", 9)]
    publisher.records.clear()
    await versions.apply(change(61))
    assert publisher.records == []


async def test_an_older_version_is_never_published_after_a_newer_one(
    versions: Versions, publisher: FakePublisher, change: Callable[[int], PolicySet]
) -> None:
    await versions.store(change(60))
    await versions.store(change(61))
    await versions.publish(change(61).tenant)
    sequences = [sequence for kind, sequence in published(publisher) if kind == "sla"]
    assert sequences == sorted(sequences)
    assert len(sequences) == 2


async def test_of_two_runs_at_once_one_stores_and_the_topic_ends_with_the_latest(
    versions: Versions, publisher: FakePublisher, change: Callable[[int], PolicySet]
) -> None:
    first, second = change(60), change(61)
    runs = await asyncio.gather(*(versions.apply(policies) for policies in [first, second] * 4))
    assert len([kind for applied in runs for kind in stored(applied) if kind != "sla"]) == len(KINDS) - 1
    sequences = [sequence for _, sequence in published(publisher)]
    assert sequences == sorted(set(sequences)), "once each, and in order"


async def test_everything_in_force_can_be_published_again(
    versions: Versions, publisher: FakePublisher, change: Callable[[int], PolicySet]
) -> None:
    await versions.apply(change(60))
    await versions.apply(change(61))
    publisher.records.clear()
    applied = await versions.apply(change(61), republish=True)
    assert all(entry.published and not entry.stored for entry in applied)
    assert sorted(kind for kind, _ in published(publisher)) == sorted(KINDS)
    assert ("sla", 9) in published(publisher)


async def test_what_is_applied_is_what_services_read_from_the_topic(
    directory: Path, tenant: str, database_url: str, kafka_url: str, change: Callable[[int], PolicySet]
) -> None:
    report = await apply(directory, database_url, kafka_url)
    assert [entry.kind for entry in report.changed()] == list(KINDS)
    change(77)
    report = await apply(directory, database_url, kafka_url)
    assert [(entry.kind, entry.sequence, entry.published) for entry in report.changed()] == [("sla", 9, True)]
    book = PolicyBook(dict(KINDS))

    def take(message: Message) -> None:
        if (message.key or b"").startswith(tenant.encode()):
            book.apply(message.value or b"")

    follower = CompactedTopic(kafka_url, POLICIES, take)
    following = asyncio.create_task(follower.run())
    async with asyncio.timeout(DEADLINE):
        await follower.caught_up.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    found = book.find(tenant, SlaPolicy)
    assert found is not None
    assert (found[0].default.accept, found[1].sequence) == (77, 9)
    assert all(book.find(tenant, model) for model in KINDS.values())


async def test_one_bad_policy_keeps_all_of_them_out(
    directory: Path, tenant: str, database_url: str, kafka_url: str, change: Callable[[int], PolicySet]
) -> None:
    await apply(directory, database_url, kafka_url)
    change(99)
    teams = directory / "teams.yaml"
    teams.write_text(teams.read_text().replace("manager: head-sr,", "manager: head-sir,"))
    with pytest.raises(PolicyErrors, match="Did you mean `head-sr`"):
        await apply(directory, database_url, kafka_url)
    latest = await show(tenant, "sla", database_url=database_url)
    assert (latest.record.sequence, latest.record.body["default"]["accept"]) == (7, 14400)


async def test_every_version_is_kept_and_can_be_shown(
    directory: Path, tenant: str, database_url: str, kafka_url: str, change: Callable[[int], PolicySet]
) -> None:
    for seconds in (60, 61):
        change(seconds)
        await apply(directory, database_url, kafka_url)
    assert (await show(tenant, "sla", database_url=database_url)).record.body["default"]["accept"] == 61
    old = await show(tenant, "sla", 7, database_url=database_url)
    assert old.record.body["default"]["accept"] == 60
    assert old.published


@pytest.mark.parametrize(
    ("kind", "version", "told"),
    [("slo", None, "Did you mean `sla`"), ("sla", 3, "has no version 3; it has 7")],
)
async def test_what_is_not_stored_is_told_with_what_is(
    directory: Path, tenant: str, database_url: str, kafka_url: str, kind: str, version: int | None, told: str
) -> None:
    await apply(directory, database_url, kafka_url)
    with pytest.raises(LookupError, match=told):
        await show(tenant, kind, version, database_url=database_url)


async def test_a_tenant_without_policies_is_told_how_to_get_them(database_url: str, tenant: str) -> None:
    with pytest.raises(LookupError, match="has no policies; `baton policy apply`"):
        await show(tenant, "sla", database_url=database_url)


async def test_tenants_count_their_versions_apart(
    versions: Versions, directory: Path, tmp_path: Path, tenant: str
) -> None:
    other = Path(shutil.copytree(directory, tmp_path / f"{tenant}-2"))
    await versions.apply(read(directory))
    assert [entry.sequence for entry in await versions.apply(read(other))] == list(range(1, len(KINDS) + 1))


async def test_a_preview_says_what_would_change_and_changes_nothing(
    versions: Versions, directory: Path, database_url: str, kafka_url: str, pool: Pool
) -> None:
    assert all(entry.stored for entry in (await preview(directory, database_url, kafka_url)).applied)
    await versions.apply(read(directory))
    path = directory / "scoring.yaml"
    text = path.read_text()
    path.write_text(re.sub(r"limit: \d+", "limit: 17", text, count=1))
    seen = await preview(directory, database_url, kafka_url)
    assert [(entry.kind, entry.sequence) for entry in seen.changed()] == [("scoring", len(KINDS) + 1)]
    (change,) = next(entry.changes for entry in seen.applied if entry.kind == "scoring")
    assert re.fullmatch(r"~ engagement\.rules\.\S+\.limit: \d+ → 17", change)
    (note,) = next(entry.notes for entry in seen.applied if entry.kind == "scoring")
    assert re.fullmatch(
        r"rule \S+ counts from now on only: its `limit` changed; what it gave until now is gone .*", note
    )
    assert stored(again := await versions.apply(read(directory))) == ["scoring"]
    assert next(entry.notes for entry in again if entry.kind == "scoring") == (note,)
    assert not any(entry.notes for entry in await versions.apply(read(directory)))
    path.write_text(text)
    (undone,) = next(
        entry.notes for entry in (await preview(directory, database_url, kafka_url)).applied if entry.kind == "scoring"
    )
    assert "has the marks of an earlier version again" in undone
    assert next(entry.notes for entry in await versions.apply(read(directory)) if entry.kind == "scoring") == (undone,)


async def test_a_preview_refuses_a_secret_that_is_not_there_as_apply_does(
    directory: Path, tenant: str, database_url: str, kafka_url: str
) -> None:
    sources = directory / "sources.yaml"
    sources.write_text(sources.read_text().replace("OLIST_WRITE_KEY", "NOPE_KEY"))
    known = {name: f"{tenant}-{name}" for name in ("OLIST_WRITE_KEY", "OLIST_SERVER_WRITE_KEY", "OLIST_IMPORT_KEY")}
    told = []
    for foretell_or_do in (preview, apply):
        with pytest.raises(PolicyErrors, match="there is no NOPE_KEY") as refused:
            await foretell_or_do(directory, database_url, kafka_url, environment=known)
        told.append(str(refused.value))
    assert told[0] == told[1]
    good = await preview(directory, database_url, kafka_url, environment=known | {"NOPE_KEY": f"{tenant}-nope"})
    assert all(entry.stored for entry in good.applied)


async def test_a_stage_that_is_taken_away_is_told_with_the_open_deals_that_stand_in_it(
    versions: Versions, directory: Path, database_url: str, kafka_url: str, pool: Pool, tenant: str
) -> None:
    await versions.apply(read(directory))
    path = directory / "pipeline.yaml"
    path.write_text(path.read_text().replace("discovery", "first_talk"))
    insert = (
        "INSERT INTO handoff.opportunities (tenant, opportunity_id, lead_id, cycle, stage, deal_stage, assignment, lead_class,"
        " pool_id, leg, attributes, score, evidence, touches, reasons, created_at, updated_at)"
        " SELECT $1, gen_random_uuid(), $2, 1, $3, 'discovery', 1, 'score', 'field', 'fs', '{}', '{}', '[]', '[]', '[]', 0, 0"
    )
    async with tenant_transaction(pool, tenant) as connection:
        for lead, stage in (("l1", "accepted"), ("l2", "offered"), ("l3", "recycled")):
            await connection.execute(insert, tenant, lead, stage)
    seen = [
        entry.notes for entry in (await preview(directory, database_url, kafka_url)).applied if entry.kind == "pipeline"
    ]
    told = "stage `discovery` of `new` is gone: 2 open deals are in it"
    assert [note.startswith(told) for note in seen[0]] == [True]
    applied = [entry.notes for entry in await versions.apply(read(directory)) if entry.kind == "pipeline"]
    assert applied == seen


async def test_at_the_start_a_broken_file_is_told_and_the_good_version_goes_on(
    tmp_path: Path, tenant: str, database_url: str, kafka_url: str
) -> None:
    keys = {}
    for name in ("a", "b"):
        directory = Path(shutil.copytree(ROOT / "policies" / "olist", tmp_path / f"{tenant}-{name}"))
        sources = directory / "sources.yaml"
        sources.write_text(sources.read_text().replace("OLIST_WRITE_KEY", f"KEY_{name.upper()}"))
        keys[f"KEY_{name.upper()}"] = f"{tenant}-{name}"
    broken, other = (tmp_path / f"{tenant}-{name}" / "sla.yaml" for name in ("a", "b"))
    good, said = broken.read_text(), list[str]()

    async def start() -> None:
        await apply_the_good(tmp_path, database_url, kafka_url, keys, said.append)

    broken.write_text(good.replace("accept:", "acept:", 1))
    with pytest.raises(PolicyErrors, match="acept"):
        await start()
    broken.write_text(good)
    await start()
    assert said == []
    broken.write_text(good.replace("accept:", "acept:", 1))
    other.write_text(re.sub(r"accept: \d+", "accept: 77", good))
    await start()
    assert "the versions in force go on" in said[0]
    assert "sla.yaml" in said[1]
    assert "accept" in said[1]
    in_force = [await show(f"{tenant}-{name}", "sla", database_url=database_url) for name in ("a", "b")]
    assert [one.record.body["default"]["accept"] == 77 for one in in_force] == [False, True]
