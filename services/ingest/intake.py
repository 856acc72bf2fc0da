"""From an opened body to what became of its events: the same for every sender."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.ingest import metrics
from services.ingest.answers import Outcome
from services.ingest.domain.refusals import Refused
from services.ingest.domain.touch import Draft, Sender
from services.ingest.handler import Handle, UnavailableError
from services.ingest.links import LinksLostError
from services.ingest.reading import Read, read_body, rejected_record
from services.ingest.seen import Seen
from services.ingest.senders.tracker import Opened
from shared.kit.kafka import Outgoing


class Intake:
    """Writes what bodies hold. Returns when all that was accepted is kept; else raises Refused 503."""

    def __init__(self, handle: Handle, seen: Seen | None = None) -> None:
        """seen: where sources are counted"""
        self._handle = handle
        self.seen = seen or Seen()

    async def take(self, opened: Opened, sender: Sender, received_at: int, *, hide: Sequence[bytes] = ()) -> Outcome:
        """hide: credentials that may stand in the body, and shall not in what is kept of what is refused"""
        read = read_body(opened.envelope, sender, received_at, suspect=opened.suspect, hide=hide)
        accepted = await self.write(read.drafts, read.records)
        self.seen.taken(sender, received_at, read, accepted)
        return _outcome(opened.single, read, accepted)

    async def keep_refused(
        self,
        refused: Refused,
        sender: Sender,
        raw: bytes,
        received_at: int,
        *,
        protocol: str,
        call: str | None = None,
        hide: Sequence[bytes] = (),
    ) -> None:
        """Keep a body that is refused as a whole, for operators."""
        self.seen.refused(sender, received_at, refused.code)
        record = rejected_record(sender, refused, None, raw, received_at, protocol=protocol, call=call, hide=hide)
        await self.write([], [record])

    async def write(self, drafts: Sequence[Draft], records: Sequence[Outgoing]) -> list[bool]:
        """Per draft whether it was accepted, else it is a duplicate. Raises Refused where nothing is known to be kept."""
        try:
            return await self._handle(drafts, records)
        except UnavailableError as error:
            metrics.UNAVAILABLE.labels(error.what).inc()
            raise Refused("unavailable", f"{error}: send it again later", 503) from error
        except LinksLostError as error:
            metrics.UNAVAILABLE.labels("links").inc()
            raise Refused("rebuilding", "the link registers are being read again: send it again later", 503) from error


def _outcome(single: bool, read: Read, accepted: list[bool]) -> Outcome:
    taken = sum(accepted)
    metrics.ACCEPTED.inc(taken)
    if taken == len(accepted) and not read.refused:
        return Outcome(single, taken, 0, 0)
    repeated = len(accepted) - taken
    metrics.DUPLICATE.inc(repeated)
    metrics.REFUSED.inc(len(read.refused))
    refused = next(iter(read.refused.values())) if single and read.refused else None
    return Outcome(single, taken, repeated, len(read.refused), refused, tuple(_results(read, accepted)))


def _results(read: Read, accepted: list[bool]) -> list[dict[str, Any]]:
    """Per event that was not accepted, in the order of the body, what became of it (EventResult)."""
    results: dict[int, dict[str, Any]] = {
        made.position: {"index": made.position, "status": "duplicate", "event_id": made.event_id}
        for made, taken in zip(read.drafts, accepted, strict=True)
        if not taken
    }
    for index, refused in read.refused.items():
        results[index] = {"index": index, "status": "rejected", "code": refused.code, "message": refused.message}
    return [results[index] for index in sorted(results)]
