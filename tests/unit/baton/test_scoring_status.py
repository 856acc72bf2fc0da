"""How scoring stands, in words."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from baton.scoring_status import Kept, Reach, reaches, tables
from services.scoring.progress import Pass, Progress

NOW = 1_790_000_000_000
INPUTS = {"touchpoints": 10, "handoff-events": 2}


def kept(partition: int, **more: Any) -> Kept:
    given: dict[str, Any] = {
        "leads": 1_200,
        "accounts": 30,
        "exact": True,
        "due": None,
        "applied": INPUTS,
        "progress": Progress({"acme": 7}, None),
    }
    return Kept(partition, **given | more)


def shown(found: list[Kept], ends: Any = None, in_force: Any = None) -> list[str]:
    console = Console(file=io.StringIO(), width=160)
    for table in tables(found, ends, in_force or {}, NOW):
        console.print(table)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_each_partition_and_all_together() -> None:
    found = [kept(0, due=NOW + 180_000), kept(1, leads=800, due=NOW - 5_000)]
    ends = {0: {"touchpoints": 15, "handoff-events": 2}, 1: {"touchpoints": 10, "handoff-events": 3}}
    lines = shown(found, ends)
    assert lines[0] == "partition leads accounts due next unread re-scoring"
    assert "0 1,200 30 in 3 min 5" in lines
    assert "1 800 30 5 s ago 1" in lines
    assert "all 2,000 60 5 s ago 6" in lines
    assert "acme 7 everything" in lines


def test_what_is_reckoned_is_told_as_such_and_what_is_not_known_as_well() -> None:
    lines = shown([kept(0, exact=False)])
    assert "0 ~1,200 ~30 nothing ?" in lines
    assert "all ~1,200 ~30 nothing ?" in lines


def test_a_policy_that_has_not_reached_everything_says_how_far_it_is() -> None:
    under_way = Pass({"acme": 8, "beta": 2}, 1_000, NOW - 60_000, cursor=9, seen=400, said={"acme": 300})
    found = [
        kept(0, progress=Progress({"acme": 8, "beta": 2}, None)),
        kept(1, progress=Progress({"acme": 7}, under_way)),
        kept(2, progress=Progress({"acme": 7}, None)),
    ]
    assert reaches(found, {}) == [Reach("acme", 8, 1, 300), Reach("beta", 2, 1, 0)]
    lines = shown(found, {})
    assert any(
        line.endswith("400 of 1,000 passed since 14:12:20 UTC: acme by policy 8, beta by policy 2") for line in lines
    )
    assert "acme 8 1 of 3 partitions, 300 leads and accounts so far in the others" in lines
    assert "beta 2 1 of 3 partitions" in lines


def test_a_policy_in_force_that_no_worker_has_taken_up_yet_has_reached_nothing() -> None:
    lines = shown([kept(0), kept(1)], in_force={"acme": 9, "beta": 2})
    assert "acme 9 0 of 2 partitions" in lines
    assert not any("beta" in line for line in lines), "it has no leads"
    assert "acme 7 everything" in shown([kept(0), kept(1)], in_force={"acme": 6}), "we may have read before they did"


def test_without_any_tenant_there_is_nothing_to_say_of_policies() -> None:
    assert not any("tenant" in line for line in shown([kept(0, progress=Progress({}, None))]))
