"""`baton migrate`, as the migration's container runs it: by its environment alone, with no home."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from shared.kit.kafka import EMBEDDED_PARTITIONS
from shared.schemas.policies import KINDS

pytestmark = pytest.mark.servers
Migrate = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def migrate(root: Path, tmp_path: Path, kafka_url: str, database_url: str) -> Migrate:
    def run(**changed: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PYTHONPATH": str(root),
            "KAFKA_BOOTSTRAP_SERVERS": kafka_url,
            "DATABASE_URL": database_url,
            "BATON_TOPIC_PARTITIONS": str(EMBEDDED_PARTITIONS),
            "BATON_TOPIC_REPLICATION_FACTOR": "1",
            **changed,
        }
        command = [sys.executable, "-m", "baton", "migrate", "--policies", str(root / "policies")]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


async def in_force(database_url: str) -> list[tuple[str, str, int]]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            "SELECT tenant, kind, max(sequence) FROM policy.versions GROUP BY 1, 2 ORDER BY 1, 2"
        )
    finally:
        await connection.close()
    return [(row[0], row[1], row[2]) for row in rows]


def test_migrating_twice_is_migrating_once(migrate: Migrate, database_url: str, root: Path) -> None:
    first = migrate()
    assert first.returncode == 0, first.stdout + first.stderr
    policies = asyncio.run(in_force(database_url))
    tenants = {path.name for path in (root / "policies").iterdir() if path.is_dir()}
    stored = {(tenant, kind) for tenant, kind, _ in policies if tenant in tenants}  # others are other tests'
    assert stored == {(tenant, kind) for tenant in tenants for kind in KINDS}
    second = migrate()
    assert second.returncode == 0, second.stdout + second.stderr
    assert asyncio.run(in_force(database_url)) == policies


def test_another_number_of_partitions_is_refused_in_a_sentence(migrate: Migrate) -> None:
    refused = migrate(BATON_TOPIC_PARTITIONS=str(EMBEDDED_PARTITIONS * 2))
    assert refused.returncode == 1
    assert "never a change in place" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_postgres_that_is_away_is_told_in_a_sentence(migrate: Migrate, free_port: int) -> None:
    refused = migrate(DATABASE_URL=f"postgresql://baton@127.0.0.1:{free_port}/baton")
    assert refused.returncode == 1
    assert "Postgres" in refused.stderr
    assert "Traceback" not in refused.stderr
