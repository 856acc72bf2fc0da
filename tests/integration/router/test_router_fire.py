"""Four routers share a tenant, two of them are killed in the midst of it: counted by SQL and on the topic, no promise is broken."""

from __future__ import annotations

import pytest

from bench.fire import fire

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]
LEADS = 1_200  # `python -m bench fire` does it with 100,000


async def test_workers_that_are_killed_lose_no_lead_give_none_twice_and_stay_fair(
    tenant, kafka_url, database_url, redis_url, identity_secret
):
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_url,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "IDENTITY_SECRET": identity_secret,
        "BATON_LOG_LEVEL": "WARNING",
    }
    told = await fire(env, tenant, LEADS, kill_at=[0.3], at_once=2)
    assert {what: times for what, times in told.broken.items() if times} == {}
    assert len(told.broken) == 16
    assert told.kills == 2
    assert told.assignments > 0.9 * LEADS
    assert told.parked > 0, "somebody has to wait, or nothing of waiting was seen"
