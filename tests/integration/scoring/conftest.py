"""A town of scoring workers per test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.scoring.states import connect
from tests.integration.scoring.town import Town


@pytest.fixture
async def town(kafka_url: str, redis_url: str, tenant: str, tmp_path: Path) -> AsyncIterator[Town]:
    redis = connect(redis_url)
    town = Town(kafka_url, redis, redis_url, tenant, tmp_path)
    await town.open()
    yield town
    await town.close()
    await redis.aclose()
