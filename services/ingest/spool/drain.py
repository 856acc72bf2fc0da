"""Emptying the spool."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka.errors import InvalidTopicError, MessageSizeTooLargeError

from services.ingest import metrics
from services.ingest.domain.touch import Draft
from services.ingest.handler import Handle, UnavailableError
from services.ingest.links import LinksLostError
from services.ingest.spool import Kept, Spool, SpoolError
from shared.kit.kafka import Outgoing

log = structlog.get_logger(__name__)

MOST = 500  # rows written at once
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds between tries
LOOKED_PAST = 3  # failures of single rows after which a later one is tried
MOST_TRIES = 3  # of a row by itself that fails, and not for want of Kafka or Redis
_NEVER = (MessageSizeTooLargeError, InvalidTopicError)  # however often it is tried


class Drain:
    """Writes rows in their order through `handle`, and deletes them when they are written; a crash in between repeats them.

    After a failure fewer are tried, in the end each by itself: so one that can never be written is found, and set aside.
    """

    def __init__(self, spool: Spool, handle: Handle) -> None:
        self._spool, self._handle = spool, handle
        self._most, self._pause = MOST, FIRST_PAUSE
        self._after = 0  # the last row of this pass that was written
        self._alone = 0  # failures of single rows, one after the other
        self._past = 0  # the last of those rows
        self._faults: dict[tuple[int, int], int] = {}
        self._done: dict[tuple[int, int], Kept] = {}  # written, and not deleted, for the disk is full

    async def run(self) -> None:
        """Until nothing is left to be written. Raises SpoolError."""
        while True:
            looking = self._alone > 0 and self._alone % LOOKED_PAST == 0
            kept = await self._spool.oldest(self._most, self._past if looking else self._after)
            if todo := [one for one in kept if _name(one) not in self._done]:
                await self._write(todo)
            elif kept:
                self._after = kept[-1].row.id
            elif looking:
                self._alone, self._past = self._alone + 1, self._after
            elif self._after:
                self._after = 0
                await self._delete_done()
            else:
                break
        if not self._spool.figures.aside:
            await self._spool.shrink()

    async def _write(self, kept: list[Kept]) -> None:
        drafts = [one.what for one in kept if isinstance(one.what, Draft)]
        records = [one.what for one in kept if isinstance(one.what, Outgoing)]
        try:
            await self._handle(drafts, records)
        except (UnavailableError, LinksLostError) as error:
            if len(kept) == 1 and isinstance(error.__cause__, _NEVER):
                await self._spool.set_aside(kept[0].row, repr(error.__cause__))
            else:
                await self._fewer(kept)
        except Exception as error:  # a fault of ours; one row that meets it must not hold up the others
            log.exception("spool_rows_not_written", rows=len(kept), exc_info=error)
            if len(kept) == 1 and self._fault(kept[0]) >= MOST_TRIES:
                await self._spool.set_aside(kept[0].row, repr(error))
            else:
                await self._fewer(kept)
        else:
            self._most, self._pause = min(self._most * 4, MOST), FIRST_PAUSE
            self._after, self._alone, self._past = kept[-1].row.id, 0, 0
            await self._delete(kept)

    async def _fewer(self, kept: list[Kept]) -> None:
        self._most = max(1, len(kept) // 4)
        if len(kept) == 1:
            self._alone, self._past = self._alone + 1, max(self._past, kept[0].row.id)
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _fault(self, one: Kept) -> int:
        self._faults[_name(one)] = self._faults.get(_name(one), 0) + 1
        return self._faults[_name(one)]

    async def _delete(self, kept: list[Kept]) -> None:
        try:
            await self._spool.done([one.row for one in kept])
        except SpoolError as error:
            # On a full disk even a deletion finds no room: remember it, and go on.
            log.warning("spool_rows_not_deleted", rows=len(kept), error=str(error))
            self._done |= {_name(one): Kept(one.row._replace(content=b""), one.what) for one in kept}
            if (
                error.reason == "io"
            ):  # the file is opened anew, and its rows are unknown then: they come again, not at once
                await asyncio.sleep(LONGEST_PAUSE)
        else:
            metrics.SPOOL_DRAINED.inc(len(kept))

    async def _delete_done(self) -> None:
        if not self._done:
            return
        count = len(self._done)
        try:
            await self._spool.done([one.row for one in self._done.values()])
        except SpoolError:
            if not await self._spool.begin_anew(count):
                await asyncio.sleep(LONGEST_PAUSE)
                return
            log.warning("spool_begun_anew", rows=count)
        metrics.SPOOL_DRAINED.inc(count)
        self._done.clear()


def _name(one: Kept) -> tuple[int, int]:
    return one.row.life, one.row.id
