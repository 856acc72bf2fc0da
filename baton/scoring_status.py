"""How scoring stands: what it keeps in each partition, what is due, how far a new policy has reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from services.scoring.progress import Pass, Progress, read
from services.scoring.states import RedisStates
from services.scoring.subjects import parse
from shared.kit.clock import iso

COUNTED = (
    10_000  # subjects of a partition, up to which leads and accounts are told apart by looking at all; beyond, by lot
)
MOST_PARTITIONS = 1_024
FAR = 2**53  # ms


@dataclass(frozen=True, slots=True)
class Kept:
    """One partition. exact: whether leads and accounts were counted, not reckoned from some

    due: when time alone may change something next, ms;  applied: by topic, the next offset
    """

    partition: int
    leads: int
    accounts: int
    exact: bool
    due: int | None
    applied: Mapping[str, int]
    progress: Progress


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a policy of a tenant is. partitions: that it has reached;  said: leads and accounts re-scored in those under way"""

    tenant: str
    sequence: int
    partitions: int
    said: int


async def look(states: RedisStates) -> list[Kept]:
    """All partitions that a worker has ever begun, from the store."""
    partitions = await states.begun(MOST_PARTITIONS)
    if not partitions:
        return []
    loaded = await states.load({partition: [] for partition in partitions})
    sizes, noted = await states.sizes(partitions), await states.rescoring(partitions)
    due = await states.due(partitions, FAR, 1)
    found = []
    for partition in partitions:
        names = await states.some(partition, COUNTED)
        accounts = sum(parse(name).is_account for name in names)
        size = sizes[partition]
        exact = len(names) >= size
        reckoned = accounts if exact else round(accounts / len(names) * size)
        first = due[partition][0][1] if partition in due else None
        applied = loaded[partition].applied
        found.append(Kept(partition, size - reckoned, reckoned, exact, first, applied, read(noted[partition])))
    return found


def reaches(found: Sequence[Kept], in_force: Mapping[str, int]) -> list[Reach]:
    """By tenant that has been scored, the latest policy that any partition was or is re-scored by, or that is in force, though no
    worker has taken it up.

    in_force: versions, by tenant; empty where they are not known
    """
    latest: dict[str, int] = {}
    for one in found:
        for sequences in (one.progress.done, one.progress.under_way.targets if one.progress.under_way else {}):
            for tenant, sequence in sequences.items():
                latest[tenant] = max(sequence, latest.get(tenant, 0))
    latest |= {tenant: max(sequence, in_force.get(tenant, 0)) for tenant, sequence in latest.items()}
    return [
        Reach(
            tenant,
            sequence,
            sum(one.progress.done.get(tenant) == sequence for one in found),
            sum(_said(one.progress.under_way, tenant, sequence) for one in found),
        )
        for tenant, sequence in sorted(latest.items())
    ]


def _said(under_way: Pass | None, tenant: str, sequence: int) -> int:
    return under_way.said.get(tenant, 0) if under_way and under_way.targets.get(tenant) == sequence else 0


def tables(
    found: Sequence[Kept], ends: Mapping[int, Mapping[str, int]] | None, in_force: Mapping[str, int], now: int
) -> Iterator[Table]:
    """ends: of the log, by partition and topic; None where Kafka does not answer;  in_force: as `reaches`"""
    kept = Table(box=None, pad_edge=False, header_style="bold")
    kept.add_column("partition")
    for name in ("leads", "accounts", "due next", "unread"):
        kept.add_column(name, justify="right")
    kept.add_column("re-scoring")
    for one in found:
        unread = _unread([one], ends)
        about = "" if one.exact else "~"
        kept.add_row(
            str(one.partition),
            f"{about}{one.leads:,}",
            f"{about}{one.accounts:,}",
            _due(one.due, now),
            unread,
            _pass(one.progress.under_way, now),
        )
    about = "" if all(one.exact for one in found) else "~"
    kept.add_section()
    kept.add_row(
        "all",
        f"{about}{sum(one.leads for one in found):,}",
        f"{about}{sum(one.accounts for one in found):,}",
        _due(min((one.due for one in found if one.due is not None), default=None), now),
        _unread(found, ends),
        "",
    )
    yield kept
    reached = Table(box=None, pad_edge=False, header_style="bold")
    reached.add_column("tenant")
    reached.add_column("policy", justify="right")
    reached.add_column("re-scored")
    for reach in reaches(found, in_force):
        reached.add_row(reach.tenant, str(reach.sequence), _reached(reach, len(found)))
    if reached.row_count:
        yield reached


def _reached(reach: Reach, partitions: int) -> str:
    if reach.partitions == partitions:
        return "everything"
    so_far = f", {reach.said:,} leads and accounts so far in the others" if reach.said else ""
    return f"{reach.partitions} of {partitions} partitions{so_far}"


def _unread(found: Iterable[Kept], ends: Mapping[int, Mapping[str, int]] | None) -> str:
    if ends is None:
        return "?"
    behind = [
        max(0, end - one.applied.get(topic, 0)) for one in found for topic, end in ends.get(one.partition, {}).items()
    ]
    return f"{sum(behind):,}"


def _due(due: int | None, now: int) -> str:
    if due is None:
        return "nothing"
    if due > now:
        return f"in {_span(due - now)}"
    return f"{_span(now - due)} ago"


def _pass(under_way: Pass | None, now: int) -> str:
    if under_way is None:
        return ""
    policies = ", ".join(f"{tenant} by policy {sequence}" for tenant, sequence in sorted(under_way.targets.items()))
    of = max(under_way.seen, under_way.total)
    return f"{under_way.seen:,} of {of:,} passed since {iso(under_way.began_at)[11:19]} UTC: {policies}"


def _span(milliseconds: int) -> str:
    seconds = milliseconds // 1000
    for length, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
