"""Before a rebuild: how much there is to read, and what the log no longer has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from services.scoring.domain.rules import Rules
from services.scoring.inputlog import Bounds
from services.scoring.recorded import ALWAYS, Kept, kept_by


class Loss(NamedTuple):
    """Something that a rebuild cannot count in full. known_since: the oldest touch that it can count, ms"""

    tenant: str
    kept: Kept
    known_since: int


@dataclass(frozen=True, slots=True)
class Survey:
    """records: to read, by topic;  oldest: the append time of the first record, ms; None where there is none
    began:   when the log begins where records have left it already (ms); None for a log that has all there ever was
    subjects: leads and accounts in the states in force;  bytes: that these take in the store, about
    room:    bytes that the store may still take
    """

    records: Mapping[str, int]
    oldest: int | None
    began: int | None
    subjects: int
    bytes: int
    room: int

    @property
    def total(self) -> int:
        return sum(self.records.values())


def log_began(bounds: Mapping[int, Mapping[str, Bounds]], now: int) -> int | None:
    """When the log begins (ms), by the partition that begins last of those that have lost records; None where none has.

    A partition that is empty by now says nothing, where others can.
    """
    cut = [one for topics in bounds.values() for one in topics.values() if one.start > 0]
    if not cut:
        return None
    return max([one.began for one in cut if one.began is not None], default=now)


def losses(
    rules: Mapping[str, Rules],
    began: int | None,
    now: int,
    *,
    since: Mapping[str, Mapping[str, int]] | None,
) -> list[Loss]:
    """What counts touches of before the log begins, of which the rebuild knows from nowhere else.

    rules: by tenant;  since: when the states in force began to keep it (by tenant and name, ms), if they are carried over
    """
    if began is None:
        return []
    found = []
    for tenant, theirs in sorted(rules.items()):
        carried = (since or {}).get(tenant, {})
        not_noted = began if since is None or carried else ALWAYS
        for kept in kept_by(theirs):
            known = min(began, carried.get(kept.name, not_noted))
            if known != ALWAYS and known > now - kept.horizon:
                found.append(Loss(tenant, kept, known))
    return found
