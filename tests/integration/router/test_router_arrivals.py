"""Leads that come by day, by night, before holidays: given when somebody is at work, and not before."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from baton.replay.bpi import Arrival
from bench.arrivals import MINUTE, replay

pytestmark = pytest.mark.servers


async def test_leads_of_the_night_are_given_when_the_first_is_at_work_and_those_of_the_day_at_once(
    database_url, tenant
):
    friday = datetime.fromisoformat("2011-12-16T17:58:00")
    by_day = [Arrival(f"day-{n}", friday + timedelta(seconds=30 * n)) for n in range(4)]
    by_night = [Arrival(f"night-{n}", friday + timedelta(hours=1 + 5 * n)) for n in range(6)]
    before_new_year = [Arrival("last-year", datetime.fromisoformat("2011-12-31T12:00:00"))]
    seen = await replay(database_url, tenant, [*by_day, *by_night, *before_new_year], speed=1)
    assert len(seen.waits) == 11
    assert seen.closed == 7, "those of the night, of the weekend, and of the old year"
    assert 0 <= min(seen.waits) <= max(seen.waits) < MINUTE, "and none before somebody was at work"
    assert seen.leads_off < 1
