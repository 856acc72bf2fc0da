"""The spool as the service uses it: a thread of its own does the work, and calls that wait together share one fsync."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

import structlog

from services.ingest import metrics
from services.ingest.domain.touch import Draft
from services.ingest.spool.file import Figures, Row, SpoolFile, Stored
from services.ingest.spool.opening import SpoolError
from services.ingest.spool.wire import packed, unpacked
from shared.kit.clock import Clock
from shared.kit.kafka import Outgoing

log = structlog.get_logger(__name__)

T = TypeVar("T")
MOST_SHARING = 64  # calls of one transaction


class Kept(NamedTuple):
    """One row of the spool, and what it says."""

    row: Stored
    what: Draft | Outgoing


class _Job(NamedTuple):
    work: Callable[[], Any]
    done: Future[Any]
    alone: bool  # no part of a transaction


class Spool:
    """Drafts and other records on this machine's disk, in their order, each event once.

    `keep` returns when they are there for good; `after`, of `oldest`, is the last row that was seen. Everything that touches the
    disk raises SpoolError when that fails; the next call tries again.
    """

    def __init__(self, directory: Path, most_bytes: int, clock: Clock) -> None:
        self._file, self._directory, self._clock = SpoolFile(directory, most_bytes), directory, clock
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._broken = self._closed = False
        self._known: dict[bytes, bytes] = {}
        self.figures = Figures()

    def open(self) -> None:
        """Blocking. Raises SpoolUnusableError when this process must not, or cannot, use the directory."""
        self._file.acquire()
        try:
            self._known = dict(self._file.remembered())
        except SpoolError as error:
            log.error("spool_not_read", error=str(error))
        self._measure()
        metrics.SPOOL_OLDEST.set_function(self.oldest_seconds)
        self._thread.start()

    async def close(self) -> None:
        """What was asked for before is done first."""
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._file.release()

    async def keep(self, drafts: Sequence[Draft], records: Sequence[Outgoing]) -> list[bool]:
        """Per draft whether it is new; else its event is here already. All of it is on the disk then, or SpoolError is raised."""
        now = self._clock.now()
        rows = [Row(draft.tenant, draft.event_id, now, packed(draft)) for draft in drafts]
        rows += [Row(None, None, now, packed(record)) for record in records]
        try:
            new = await self._do(lambda: self._file.insert(rows))
        except SpoolError as error:
            metrics.SPOOL_REFUSED.labels(error.reason).inc()
            raise
        metrics.SPOOLED.inc(sum(new[: len(drafts)]))
        return new[: len(drafts)]

    async def oldest(self, most: int, after: int = 0) -> list[Kept]:
        """The next rows to be written; none where there are no more. What cannot be read is set aside."""
        found: list[Kept] = []
        while not found and (rows := await self._do(partial(self._file.oldest, most, after))):
            for row in rows:
                try:
                    if not row.whole:
                        raise ValueError("its checksum is wrong")
                    found.append(Kept(row, unpacked(row.content)))
                except ValueError as error:
                    await self.set_aside(row, str(error))
            after = rows[-1].id
        return found

    async def done(self, rows: Sequence[Stored]) -> None:
        """Kafka has acknowledged these."""
        await self._do(lambda: self._file.delete(rows))

    async def set_aside(self, row: Stored, why: str) -> None:
        """It can never be written. It stays in the file for operators."""
        await self._do(lambda: self._file.set_aside(row, why))
        log.error("spool_row_set_aside", row=row.id, why=why)

    async def shrink(self) -> None:
        """Give back what an empty spool does not need."""
        await self._do(self._file.shrink, alone=True)

    async def begin_anew(self, done: int) -> bool:
        """Throw the file away, where it holds nothing but `done` rows that are done with: for a disk so full that nothing can be
        deleted from it."""
        return await self._do(lambda: self._file.begin_anew(done), alone=True)

    def policies(self) -> list[tuple[bytes, bytes]]:
        """(key, value) of the policies that were remembered in an earlier life, or this one."""
        return list(self._known.items())

    def remember(self, key: bytes, value: bytes) -> None:
        """Keep a policy for a start without Kafka. Does not wait for it."""
        if self._known.get(key) != value:
            self._known[key] = value
            self._submit(lambda: self._file.remember([(key, value)])).add_done_callback(_told)

    def has_room(self) -> bool:
        """Whether another call would be kept, as far as can be told."""
        margin = min(1_048_576, self._file.most_bytes // 8)
        try:
            free = shutil.disk_usage(self._directory).free
        except OSError:
            return False
        return not self._broken and free > margin and self.figures.bytes + margin < self._file.most_bytes

    def is_broken(self) -> bool:
        """Whether it could not be used the last time, so that nothing is known of what is in it."""
        return self._broken

    def oldest_seconds(self) -> float:
        """For how long the oldest row has been here; 0 where there is none."""
        oldest = self.figures.oldest
        return max(0.0, (self._clock.now() - oldest) / 1000) if oldest is not None else 0.0

    async def _do(self, work: Callable[[], T], *, alone: bool = False) -> T:
        result: T = await asyncio.wrap_future(self._submit(work, alone=alone))
        return result

    def _submit(self, work: Callable[[], T], *, alone: bool = False) -> Future[T]:
        if self._closed:
            raise SpoolError("io", "the spool is closed")
        done: Future[T] = Future()
        self._jobs.put(_Job(work, done, alone))
        return done

    def _run(self) -> None:
        """The thread: takes all that waits, does it in one transaction, answers after its commit."""
        while (job := self._jobs.get()) is not None:
            jobs: list[_Job] = [job]
            ending = False
            while len(jobs) < MOST_SHARING:
                try:
                    more = self._jobs.get_nowait()
                except Empty:
                    break
                if ending := more is None:
                    break
                jobs.append(more)
            jobs = [job for job in jobs if job.done.set_running_or_notify_cancel()]
            together = [job for job in jobs if not job.alone]
            if together and not self._in_one(together):
                # One of many may have been too much: each by itself.
                for job in together:
                    self._in_one([job], last=True)
            for job in jobs:
                if job.alone:
                    self._by_itself(job)
            if ending:
                return

    def _in_one(self, jobs: list[_Job], *, last: bool = False) -> bool:
        """False where nothing was done, and each is to be tried by itself."""
        outcomes: list[tuple[_Job, Any, SpoolError | None]] = []
        try:
            with self._file.transaction():
                for job in jobs:
                    try:
                        outcomes.append((job, job.work(), None))
                    except SpoolError as full:  # before it did anything
                        outcomes.append((job, None, full))
        except Exception as error:
            self._broken = not isinstance(error, SpoolError) or error.reason == "io"
            if len(jobs) > 1 and not last:
                return False
            for job in jobs:
                job.done.set_exception(error)
            return True
        self._measure()
        for job, result, refused in outcomes:
            if refused:
                job.done.set_exception(refused)
            else:
                job.done.set_result(result)
        return True

    def _by_itself(self, job: _Job) -> None:
        try:
            result = job.work()
        except Exception as error:
            job.done.set_exception(error)
        else:
            self._measure()
            job.done.set_result(result)

    def _measure(self) -> None:
        """What was done before is done, whether it can be measured or not."""
        try:
            self.figures = self._file.figures()
        except SpoolError as error:
            self._broken = True
            log.error("spool_not_measured", error=str(error))
            return
        self._broken = False
        metrics.SPOOL_ROWS.set(self.figures.rows)
        metrics.SPOOL_ASIDE.set(self.figures.aside)
        metrics.SPOOL_BYTES.set(self.figures.bytes)


def _told(done: Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()):
        log.error("policy_not_remembered", error=str(error))
