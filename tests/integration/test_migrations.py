"""What a migration makes of the rows that are there."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from baton.errors import OperatorError
from baton.migrations import upgrade

pytestmark = pytest.mark.servers


@pytest.fixture
def old_database(database_url: str) -> Iterator[str]:
    """A database of before assignments were kept."""
    name = f"baton_old_{uuid4().hex[:10]}"
    asyncio.run(_execute(database_url, f'CREATE DATABASE "{name}"'))
    url = urlunsplit(urlsplit(database_url)._replace(path=f"/{name}"))
    upgrade(url, "0007")
    yield url
    asyncio.run(_execute(database_url, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _execute(url: str, statement: str, *values: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement, *values)
        return rows
    finally:
        await connection.close()


def test_assignments_of_before_are_found_in_their_decisions(old_database: str) -> None:
    outcomes = [
        {"kind": "parked"},
        {"kind": "routed", "rep_id": "sato", "pool_id": "field", "by": None},
        {"kind": "below_gate"},
        {"kind": "routed", "rep_id": "mori", "pool_id": None, "by": "named_account"},
    ]
    for seq, outcome in enumerate(outcomes, start=1):
        asyncio.run(
            _execute(
                old_database,
                "INSERT INTO router.decisions (tenant, decision_id, lead_id, seq, cycle, cause, inputs, trace, outcome,"
                " policies, at) VALUES ('t', $1, 'l1', $2, 1, '{}', '{}', '{}', $3, '{}', $4)",
                f"d{seq}",
                seq,
                json.dumps(outcome),
                seq * 1000,
            )
        )
    upgrade(old_database)
    rows = asyncio.run(
        _execute(
            old_database,
            "SELECT assignment, decision_id, at, rep_id, pool_id, way, given_back FROM router.assignments ORDER BY 1",
        )
    )
    assert [tuple(row) for row in rows] == [
        (1, "d2", 2000, "sato", "field", "fair", False),
        (2, "d4", 4000, "mori", None, "named", False),
    ]


def test_of_migrators_that_start_at_once_each_finds_the_database_migrated(old_database: str) -> None:
    code = f"from baton.migrations import upgrade; upgrade({old_database!r})"
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [one.wait(timeout=180) for one in started] == [0, 0, 0]
    broken = "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid"
    assert asyncio.run(_execute(old_database, broken)) == []
    found = "SELECT count(*) FROM pg_indexes WHERE indexname IN ('leads_by_pool', 'leads_by_update')"
    assert asyncio.run(_execute(old_database, found))[0][0] == 2


def test_decisions_are_written_while_their_index_is_built(old_database: str) -> None:
    upgrade(old_database, "0011")
    insert = (
        "INSERT INTO router.decisions (tenant, decision_id, lead_id, seq, cycle, cause, inputs, trace, outcome, policies, at)"
        " VALUES ('t', $1, $1, 1, 1, '{}', '{}', '{}', '{}', '{}', 1)"
    )
    comes = (
        "SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE a.datname = current_database() AND a.query LIKE 'CREATE INDEX%' AND NOT l.granted"
    )

    async def write_meanwhile() -> None:
        first, second = await asyncpg.connect(old_database), await asyncpg.connect(old_database)
        try:
            async with first.transaction():
                await first.execute(insert, "d1")  # who builds the index waits for its end
                building = asyncio.create_task(asyncio.to_thread(upgrade, old_database, "0012", 0.001))
                async with asyncio.timeout(30):
                    while not await second.fetch(comes):
                        await asyncio.sleep(0.05)
                await second.execute("SET lock_timeout = '2s'")
                await second.execute(insert, "d2")
            await building
            valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'router.decisions_by_age'::regclass"
            assert await second.fetchval(valid)
        finally:
            await first.close()
            await second.close()

    asyncio.run(write_meanwhile())


def test_a_migration_that_waits_for_a_table_gives_up_and_goes_on_when_it_is_run_again(old_database: str) -> None:
    """Whoever comes to the table meanwhile stands behind it, so it must not wait for as long as somebody reads."""
    upgrade(old_database, "0024")

    async def read_meanwhile() -> None:
        reading = await asyncpg.connect(old_database)
        try:
            async with asyncio.timeout(30), reading.transaction():
                await reading.execute("SELECT FROM handoff.clocks")
                with pytest.raises(
                    OperatorError, match=r"0\.2 s for a table .*ALTER TABLE handoff\.clocks.* Migrate again"
                ):
                    await asyncio.to_thread(upgrade, old_database, "0025", 0.2)
        finally:
            await reading.close()

    asyncio.run(read_meanwhile())
    assert _execute_now(old_database, "SELECT version_num FROM alembic_version") == [("0024",)]
    upgrade(old_database)
    unproven = "SELECT conname FROM pg_constraint WHERE NOT convalidated"
    assert _execute_now(old_database, unproven) == [], "new rows are checked, and all of before were looked at"


def _execute_now(url: str, statement: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in asyncio.run(_execute(url, statement))]
