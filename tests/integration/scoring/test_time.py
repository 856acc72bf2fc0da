"""Time alone and a new policy, over real Kafka and Redis: what idle leads are worth is told, once, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from copy import deepcopy
from math import log2
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from services.scoring.progress import read
from shared.kit.clock import SystemClock
from shared.kit.kafka import Outgoing
from shared.schemas import ids
from shared.schemas.policies import PolicyPublished
from shared.schemas.scores import LeadScored
from shared.schemas.topics import LEAD_SCORED
from shared.schemas.touches import Touch
from tests.integration.scoring.town import NOW, POLICY, Town

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

HALF_LIFE = 8_640  # ms
PARTITIONS = range(8)
WholeTopic = Callable[[str, str], Awaitable[list[ConsumerRecord]]]


def fleeting() -> dict[str, Any]:
    """A page view is worth 80 points, and half of it after 8.64 seconds."""
    body = deepcopy(POLICY)
    body["engagement"]["groups"] = {"web": 100, "ask": 40}
    body["engagement"]["rules"][0] |= {"points": 80, "half_life_days": HALF_LIFE / 86_400_000, "limit": 1}
    return body


def points(value: float) -> dict[str, Any]:
    body = deepcopy(POLICY)
    body["engagement"]["rules"][0]["points"] = value
    return body


async def publish(town: Town, sequence: int, body: dict[str, Any]) -> None:
    policy = PolicyPublished(
        tenant=town.tenant, kind="scoring", sequence=sequence, hash="h", body=body, activated_at=NOW
    )
    await town.publisher.publish([Outgoing("policies", policy.key(), policy.model_dump_json().encode())])


async def view(town: Town, people: range) -> set[str]:
    """Each views a page, now; their leads."""
    now, touches = SystemClock().now(), []
    for number in people:
        mail = f"{town.tenant}-mail-{number}"
        body = {"tenant": town.tenant, "lead_id": ids.lead_id(mail), "identity_id": mail, "identity_kind": "email"}
        body |= {"event_id": ids.derived_id(town.tenant, number, now), "source_id": "site", "type": "page_viewed"}
        touches.append(Touch.model_validate(body | {"at": now, "received_at": now}))
    await town.send(list(touches))
    return {touch.lead_id for touch in touches}


async def said(town: Town, whole_topic: WholeTopic, cause: str) -> list[LeadScored]:
    """All that was ever said of this tenant's leads for this cause."""
    records = await whole_topic(town.kafka, LEAD_SCORED.name)
    mine = [record.value for record in records if (record.key or b"").startswith(f"{town.tenant}/".encode())]
    return [score for value in mine if (score := LeadScored.model_validate_json(value or b"")).cause == cause]


async def noted(town: Town, field: str = "rescoring") -> list[dict[str, str]]:
    """What is noted of each partition's re-scoring."""
    found = [await town.redis.hgetall(f"{town.group}:{{s:{partition}}}:{field}") for partition in PARTITIONS]
    return [{name.decode(): value.decode() for name, value in one.items()} for one in found]


async def test_a_lead_falls_through_the_bands_by_time_alone(town: Town, whole_topic: WholeTopic) -> None:
    await publish(town, 2, fleeting())
    await town.until((await town.hire()).is_ready)
    (lead,) = await view(town, range(1))
    await town.until(lambda: lead in town.scores and town.scores[lead].grade == "D4")
    first = next(score for score in await said(town, whole_topic, "input") if score.lead_id == lead)
    changes = [score for score in await said(town, whole_topic, "time") if score.lead_id == lead]
    assert first.grade == "D1"
    assert [score.grade for score in changes] == ["D2", "D3", "D4"]
    assert len({score.change_id for score in changes}) == 3
    assert [score.version for score in changes] == sorted(score.version for score in changes)
    for score, edge in zip(changes, (60, 30, 10), strict=True):
        moment = first.as_of + HALF_LIFE * log2(80 / edge)
        assert abs(score.as_of - moment) < 20  # points are rounded, and ms are whole
        assert score.engagement.total < edge * 1000


async def test_a_new_policy_reaches_leads_that_nothing_happens_to(town: Town, whole_topic: WholeTopic) -> None:
    worker = await town.hire()
    await town.until(worker.is_ready)
    leads = await view(town, range(200))
    await town.until(lambda: town.scores.keys() == leads)
    began = SystemClock().now()
    await publish(town, 2, points(7))
    await town.until(lambda: all(score.policy.sequence == 2 for score in town.scores.values()))
    assert {score.cause for score in town.scores.values()} == {"policy"}
    assert {score.engagement.total for score in town.scores.values()} <= {7_000, 6_999}
    assert min(score.as_of for score in town.scores.values()) >= began
    assert len(await said(town, whole_topic, "policy")) == len(leads)

    async def is_noted() -> bool:
        return all(read(one).done.get(town.tenant) == 2 and not read(one).under_way for one in await noted(town))

    await town.until(is_noted)
    assert worker.crashes == 0


async def test_re_scoring_goes_on_where_a_killed_worker_stopped(town: Town, whole_topic: WholeTopic) -> None:
    worker = await town.hire(SCORING_RESCORE_PER_SECOND="100")
    await town.until(worker.is_ready)
    leads = await view(town, range(3_000))
    await town.until(lambda: town.scores.keys() == leads)
    await publish(town, 2, points(7))

    def reached() -> set[str]:
        return {lead for lead, score in town.scores.items() if score.policy.sequence == 2}

    await town.until(lambda: len(reached()) > 700)
    await worker.end(signal.SIGKILL)
    assert len(reached()) < len(leads)
    assert any(read(one).under_way for one in await noted(town))
    await town.hire()
    await town.until(lambda: reached() == leads)
    again = len(await said(town, whole_topic, "policy")) - len(leads)
    assert again <= 250  # a page that was said, and not noted yet


async def test_two_workers_share_what_is_to_be_re_scored(town: Town, whole_topic: WholeTopic) -> None:
    workers = await asyncio.gather(town.hire(), town.hire())
    for worker in workers:
        await town.until(worker.is_ready)
    leads = await view(town, range(800))
    await town.until(lambda: town.scores.keys() == leads)
    before = [await worker.metric("baton_scoring_visits_total", cause="policy") for worker in workers]
    await publish(town, 2, points(7))
    await town.until(lambda: all(score.policy.sequence == 2 for score in town.scores.values()))
    after = [await worker.metric("baton_scoring_visits_total", cause="policy") for worker in workers]
    assert all(now - then > 100 for then, now in zip(before, after, strict=True))
    assert len(await said(town, whole_topic, "policy")) == len(leads)
    assert [worker.crashes for worker in workers] == [0, 0]
