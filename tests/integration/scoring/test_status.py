"""`baton scoring status` over a real Kafka and Redis."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.scoring.test_time import points, publish, view
from tests.integration.scoring.town import Town

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


def status(town: Town, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"KAFKA_BOOTSTRAP_SERVERS": town.kafka, "REDIS_URL": town.redis_url, "BATON_HOME": str(town.folder)}
    return subprocess.run(
        [sys.executable, "-m", "baton", "scoring", "status", "--group", town.group],
        cwd=Path(__file__).parents[3],
        env=os.environ | {"COLUMNS": "200"} | environment | more,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def lines(run: subprocess.CompletedProcess[str]) -> list[list[str]]:
    return [line.split() for line in run.stdout.splitlines()]


async def test_it_says_what_is_kept_what_is_unread_and_how_far_a_policy_has_reached(town: Town) -> None:
    empty = status(town)
    assert (empty.returncode, empty.stdout) == (0, f"Scoring has kept nothing yet in the group `{town.group}`.\n")

    worker = await town.hire()
    await town.until(worker.is_ready)
    leads = await view(town, range(100))
    await town.until(lambda: town.scores.keys() == leads)
    await publish(town, 2, points(7))
    await town.until(lambda: all(score.policy.sequence == 2 for score in town.scores.values()))

    def told() -> Any:
        run = status(town)
        assert run.returncode == 0, run.stderr
        return run

    await town.until(lambda: [town.tenant, "2", "everything"] in lines(told()))
    await town.until(town.has_caught_up)
    run = told()
    kept = {line[0]: line for line in lines(run) if line and (line[0].isdigit() or line[0] == "all")}
    assert set(kept) == {*map(str, range(8)), "all"}
    everything = [int(count.replace(",", "")) for count in kept["all"][1:3]]
    assert everything == [
        sum(int(kept[str(partition)][column].replace(",", "")) for partition in range(8)) for column in (1, 2)
    ]
    assert everything[0] >= len(leads)  # those of other tests are read by every group
    assert f"Epoch 0 of {town.group} is in force" in run.stdout
    assert kept["all"][-1] == "0", "nothing is unread"

    await worker.end(15)
    await view(town, range(5))
    assert [line[-1] for line in lines(told()) if line[:1] == ["all"]] == ["5"]


async def test_without_kafka_it_says_what_redis_knows_and_what_is_not_known(town: Town) -> None:
    worker = await town.hire()
    await town.until(worker.is_ready)
    run = status(town, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert run.returncode == 1
    assert [line[-1] for line in lines(run) if line[:1] == ["all"]] == ["?"]
    assert f"Epoch 0 of {town.group} is in force." in run.stdout
    assert "Kafka cannot be reached" in run.stderr


async def test_without_redis_it_says_so(town: Town) -> None:
    run = status(town, REDIS_URL="redis://127.0.0.1:1/0")
    assert run.returncode == 1
    assert run.stdout == ""
    assert "Redis cannot be reached" in run.stderr
    assert "Traceback" not in run.stderr
