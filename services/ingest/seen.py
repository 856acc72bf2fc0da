"""What was seen of each source, counted in memory: a few additions per call, everything else is done once a second."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.ingest.domain.completeness import missing
from services.ingest.domain.times import DEAD_BAND
from services.ingest.domain.touch import DAY, Sender
from services.ingest.reading import Read

MINUTE = 60_000
MOST_BODIES = 200  # touches with personal data that are looked at, a second and source
_PERSON = b'"person":{'


@dataclass(slots=True)
class Tally:
    """What was seen of one source on one UTC day.

    counts:  field -> how often;  largest: field -> the largest value (times in ms)
    minutes: minute since the epoch -> events;  bodies: accepted touches with personal data that were not looked at yet
    """

    counts: dict[str, int] = field(default_factory=dict)
    largest: dict[str, int] = field(default_factory=dict)
    minutes: dict[str, int] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)

    def count(self, name: str, times: int = 1) -> None:
        if times:
            self.counts[name] = self.counts.get(name, 0) + times

    def reach(self, name: str, value: int) -> None:
        if value > self.largest.get(name, -1):
            self.largest[name] = value

    def join(self, other: Tally) -> None:
        """Add what `other` has seen."""
        for name, times in other.counts.items():
            self.count(name, times)
        for name, value in other.largest.items():
            self.reach(name, value)
        for minute, times in other.minutes.items():
            self.minutes[minute] = self.minutes.get(minute, 0) + times


Place = tuple[str, str, int]  # tenant, source id, day since the epoch


class Seen:
    """Filled by whoever answers calls, emptied by `take`."""

    def __init__(self) -> None:
        self._tallies: dict[Place, Tally] = {}

    def taken(self, sender: Sender, received_at: int, read: Read, accepted: Sequence[bool]) -> None:
        """A body was read and written; `accepted` as `handle` says it of `read.drafts`."""
        tally = self._tally(sender, received_at)
        fresh = sum(accepted)
        events = len(accepted) + len(read.refused)
        tally.count("accepted", fresh)
        tally.count("duplicate", len(accepted) - fresh)
        for refused in read.refused.values():
            tally.count(f"rejected:{refused.code}")
        if read.skew is not None and abs(read.skew) > DEAD_BAND:
            tally.count("shifted", events)
            tally.reach("skew", abs(read.skew))
        minute = str(received_at // MINUTE)
        tally.minutes[minute] = tally.minutes.get(minute, 0) + events
        if len(tally.bodies) < MOST_BODIES:
            tally.bodies += [
                made.body for made, new in zip(read.drafts, accepted, strict=True) if new and _PERSON in made.body
            ]

    def refused(self, sender: Sender, received_at: int, code: str) -> None:
        """A body was refused as a whole."""
        self._tally(sender, received_at).count(f"rejected:{code}")

    def unverified(self, sender: Sender, received_at: int, code: str) -> None:
        """A webhook's signature did not hold."""
        self._tally(sender, received_at).count(f"unverified:{code}")

    def verified(self, sender: Sender, received_at: int, secret: str) -> None:
        """A webhook's signature held under this secret."""
        self._tally(sender, received_at).reach(f"secret:{secret}", received_at)

    def take(self) -> dict[Place, Tally]:
        """What was seen since the last time, looked through."""
        taken, self._tallies = self._tallies, {}
        for tally in taken.values():
            _look(tally)
        return taken

    def _tally(self, sender: Sender, received_at: int) -> Tally:
        place = (sender.tenant, sender.source_id, received_at // DAY)
        tally = self._tallies.get(place)
        if tally is None:
            tally = self._tallies[place] = Tally()
        tally.reach("last", received_at)
        return tally


def _look(tally: Tally) -> None:
    """Of touches with personal data: what they lack to be worked."""
    for lacks in map(_missing, tally.bodies):
        tally.count("personal")
        if not lacks:
            tally.count("complete")
        for part in lacks:
            tally.count(f"missing:{part}")
    tally.bodies.clear()


def _missing(body: bytes) -> Iterable[str]:
    touch: dict[str, Any] = orjson.loads(body)
    return missing(
        touch["person"]["fields"], touch.get("attributes", {}), touch.get("evidence"), touch.get("consents", ())
    )
