"""Pools whose leads wait in a queue, to be given out by a manager (dispatch) or taken by a rep (claim), each within a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.availability.people import Person
from shared.schemas.policies.teams import Pool

Kind = Literal["dispatch", "claim"]
REASONS = ("parked:dispatch", "parked:claim")  # why leads of these queues wait


@dataclass(frozen=True, slots=True)
class Queued:
    """A lead in a queue: since when it waits to be given out or taken, and by when it should be (ms).

    overdue: nobody did, and so the router decides
    """

    kind: Kind
    since: int
    due: int
    overdue: bool = False


def kind_of(pool: Pool) -> Kind | None:
    """Of the queue in which the pool's leads wait; None where they wait in none."""
    return pool.mode if pool.mode in ("dispatch", "claim") else None


def queued(pool: Pool, kind: Kind, people: Mapping[str, Person], since: int, now: int) -> Queued:
    """Where a lead that waits in the pool's queue `since` (ms) stands at `now`.

    people: whose hours are known: a queue does not become overdue while the manager who looks after it is not at work
    """
    wait = pool.queue.within * 1000
    manager = people.get(pool.manager) if pool.manager else None
    due = manager.hours.add_open(since, wait) if manager else None
    due = since + wait if due is None else due
    return Queued(kind, since, due, due <= now)
