"""Where a worker begins to read a partition, by what is applied, committed, and still in the log. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.scoring.states import Applied


@dataclass(frozen=True, slots=True)
class Log:
    """One topic's partition: the offsets of its first and after its last record, and what the group has committed."""

    start: int
    end: int
    committed: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """offsets: where to begin, by topic;  reset: the states are ahead of the log and must be dropped first
    lost:  records, by topic, that are needed and no longer in the log
    added: topics that the states were built without, and the first offset of each that is still in the log
    behind: the states have lost something that was acknowledged
    end:   the sum of the topics' ends, beyond which nothing was ever applied
    """

    offsets: Mapping[str, int]
    reset: bool
    lost: Mapping[str, int]
    added: Mapping[str, int]
    behind: bool = False
    end: int = 0


def plan(logs: Mapping[str, Log], applied: Applied) -> Plan:
    """The plan for the topics that share one partition's states.

    Nothing committed: from the start, since a rebalance may come before the first commit. Else from what is committed or applied,
    whichever is less: what is applied but not committed may not have been published yet, and what is committed but not
    applied was lost by the store.

    A topic that the group never read, and that is absent where another is applied, was not yet an input when the states were
    written: an earlier version did not need what has left it, and it is read from what is there.
    """
    reset = any(applied.get(topic, 0) > log.end for topic, log in logs.items())
    known: Applied = {} if reset else applied
    added = {topic: log.start for topic, log in logs.items() if known and topic not in known and log.committed is None}
    lost = {topic: log.start - known.get(topic, 0) for topic, log in logs.items() if topic not in added}
    offsets = {
        topic: log.start if log.committed is None else max(log.start, min(log.committed, known.get(topic, 0)))
        for topic, log in logs.items()
    }
    return Plan(
        offsets,
        reset,
        {topic: records for topic, records in lost.items() if records > 0},
        added,
        any((log.committed or 0) > known.get(topic, 0) for topic, log in logs.items()),
        sum(log.end for log in logs.values()),
    )
