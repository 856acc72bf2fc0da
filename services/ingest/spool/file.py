"""The spool's rows, on the disk. Blocking; used by one thread at a time."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import structlog

from services.ingest import metrics
from services.ingest.spool import opening
from services.ingest.spool.opening import PAGE, SpoolError, SpoolUnusableError

log = structlog.get_logger(__name__)

NAME = "spool.sqlite"
LEAST_BYTES = 64 * PAGE
ROW_BYTES = 200  # of a row and its index entry, besides its content
MOST_READ = 4 * 1_048_576  # bytes of content of one reading, unless a single row has more
_TAKEN_OVER = 500  # rows of a damaged file that are taken over in one transaction


class Row(NamedTuple):
    """What is to be kept. event_id: None for what is no event, and may be there twice;  at: since when it is here (ms)"""

    tenant: str | None
    event_id: str | None
    at: int
    content: bytes


class Stored(NamedTuple):
    """A row in the file. life: of which file, since ids begin anew in the next one;  whole: the bytes are as they were written"""

    life: int
    id: int
    content: bytes
    whole: bool


class Figures(NamedTuple):
    """rows: without those set aside;  bytes: of what is in the file;  oldest: since when the oldest is there (ms), or None"""

    rows: int = 0
    aside: int = 0
    bytes: int = 0
    oldest: int | None = None


class SpoolFile:
    """Rows in the order in which they came, and the latest policies. Whatever touches the disk may raise SpoolError.

    A damaged or foreign file is moved aside, what can be read of it is taken over, and a new one is begun.
    most_bytes: of the file; its log takes some megabytes beside it
    """

    def __init__(self, directory: Path, most_bytes: int) -> None:
        self._directory, self.most_bytes = directory, max(most_bytes, LEAST_BYTES)
        self.path = directory / NAME
        self._db: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._life = 0
        self._rows = self._aside = 0

    def acquire(self) -> None:
        """Take the directory and open the file. Raises SpoolUnusableError; a disk that is full now is no reason not to start."""
        try:
            self._open()
        except SpoolError as error:
            log.error("spool_not_open", reason=error.reason, error=str(error))

    def release(self) -> None:
        """Close the file and give the directory back."""
        self._close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is done within is on the disk afterwards, or none of it is."""
        db = self._connection()
        counted = self._rows, self._aside
        try:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                db.rollback()
            self._rows, self._aside = counted
            if isinstance(error, sqlite3.Error):
                raise self._failed(error) from error
            raise

    def insert(self, rows: Sequence[Row]) -> list[bool]:
        """Per row whether it is new; an event that is here already stays as it is. Raises SpoolError `full` without a change."""
        needed = sum(len(row.content) + ROW_BYTES for row in rows) + 8 * PAGE
        if self.used() + needed > self.most_bytes:
            raise SpoolError("full", f"the spool has {self.most_bytes} bytes, which are full")
        statement = "INSERT OR IGNORE INTO spooled(tenant, event_id, at, crc, content) VALUES(?, ?, ?, ?, ?)"
        new = [
            self._run(statement, (row.tenant, row.event_id, row.at, crc32(row.content), row.content)).rowcount == 1
            for row in rows
        ]
        self._rows += sum(new)
        return new

    def oldest(self, most: int, after: int = 0) -> list[Stored]:
        """Up to `most` rows whose ids come after `after`, the oldest first; not those set aside."""
        found: list[Stored] = []
        size = 0
        rows = self._run(
            "SELECT id, crc, content FROM spooled WHERE id > ? AND aside IS NULL ORDER BY id LIMIT ?", (after, most)
        )
        for number, crc, content in rows:
            size += len(content)
            if found and size > MOST_READ:
                break
            found.append(Stored(self._life, number, content, crc32(content) == crc))
        rows.close()
        return found

    def delete(self, rows: Iterable[Stored]) -> None:
        ids = [(row.id,) for row in rows if row.life == self._life]
        self._rows -= self._connection().executemany("DELETE FROM spooled WHERE id = ?", ids).rowcount if ids else 0

    def set_aside(self, row: Stored, why: str) -> None:
        """It stays in the file, and is not drained any more."""
        if row.life == self._life:
            done = self._run("UPDATE spooled SET aside = ? WHERE id = ? AND aside IS NULL", (why, row.id)).rowcount
            self._rows, self._aside = self._rows - done, self._aside + done

    def remember(self, policies: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep these (name, content), each instead of the earlier one of its name."""
        rows = [(name, crc32(content), content) for name, content in policies]
        self._connection().executemany("INSERT OR REPLACE INTO policies VALUES(?, ?, ?)", rows)

    def remembered(self) -> list[tuple[bytes, bytes]]:
        with self._telling():
            rows = self._run("SELECT name, crc, content FROM policies ORDER BY name").fetchall()
        return [(name, content) for name, crc, content in rows if crc32(content) == crc]

    def figures(self) -> Figures:
        with self._telling():
            oldest = self._run("SELECT at FROM spooled WHERE aside IS NULL ORDER BY id LIMIT 1").fetchone()
            return Figures(self._rows, self._aside, self.used(), oldest[0] if oldest else None)

    def shrink(self) -> None:
        """Give the disk back what an empty spool does not need."""
        db = self._connection()
        with self._telling():
            if self._pragma("page_count") > LEAST_BYTES // PAGE:
                db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def begin_anew(self, done: int) -> bool:
        """Throw the file away and begin another with the same policies, where it has `done` rows at most and none set aside."""
        if self._rows > done or self._aside:
            return False
        policies = self.remembered()
        self._close()
        with self._telling():
            for path in opening.files(self.path):
                path.unlink(missing_ok=True)
        with self.transaction():
            self.remember(policies)
        return True

    def used(self) -> int:
        """Bytes of what is in the file."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * PAGE

    def _pragma(self, name: str) -> int:
        return int(self._run(f"PRAGMA {name}").fetchone()[0])

    def _run(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        return self._connection().execute(statement, values)

    def _connection(self) -> sqlite3.Connection:
        try:
            return self._db or self._open()
        except SpoolUnusableError as error:  # it was ours to use when the service started
            raise SpoolError("io", str(error)) from error

    def _open(self) -> sqlite3.Connection:
        if self._lock is None:
            self._lock = opening.lock(self._directory)
        try:
            try:
                self._begin(opening.connect(self.path, self.most_bytes))
            except sqlite3.DatabaseError as error:
                if not opening.is_damaged(error):
                    raise
                self._replace(str(error))
            self._take_over()
        except PermissionError as error:
            raise SpoolUnusableError(f"the spool {self.path} cannot be used: {error.strerror}") from error
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error
        assert self._db
        return self._db

    def _begin(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._life += 1
        self._rows, self._aside = self._run("SELECT count(*) - count(aside), count(aside) FROM spooled").fetchone()

    def _replace(self, why: str) -> None:
        metrics.SPOOL_DAMAGED.inc()
        moved = self.path.with_name(f"{NAME}.damaged-{time.time_ns() // 1_000_000}")
        opening.move_aside(self.path, moved)
        log.error("spool_moved_aside", file=str(self.path), moved_to=str(moved), error=why)
        self._begin(opening.connect(self.path, self.most_bytes))
        self._run("INSERT INTO unfinished VALUES(?)", (moved.name,))

    def _take_over(self) -> None:
        """Take what can be read from files that were moved aside. One that a crash or a full disk cuts off is taken up again."""
        for (name,) in self._run("SELECT file FROM unfinished").fetchall():
            moved = self.path.with_name(name)
            with self.transaction():
                policies = opening.readable(moved, "name", "policies", "name")
                self._connection().executemany(
                    "INSERT OR IGNORE INTO policies(crc, content, name) VALUES(?, ?, ?)", policies
                )
            rows = opening.readable(moved, "tenant, event_id, at, aside", "spooled", "id")
            taken = 0
            while part := [row for _, row in zip(range(_TAKEN_OVER), rows, strict=False)]:
                with self.transaction():
                    for row in part:
                        done = self._run(
                            "INSERT OR IGNORE INTO spooled(crc, content, tenant, event_id, at, aside) VALUES(?, ?, ?, ?, ?, ?)",
                            row,
                        ).rowcount
                        taken += done
                        self._rows, self._aside = (
                            self._rows + (done if row[-1] is None else 0),
                            self._aside + (done if row[-1] is not None else 0),
                        )
            self._run("DELETE FROM unfinished WHERE file = ?", (name,))
            log.error("spool_taken_over", moved_to=str(moved), rows=taken)

    def _close(self) -> None:
        db, self._db = self._db, None
        if db:
            with suppress(sqlite3.Error):
                db.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """What fails within is told as SpoolError."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error | OSError) -> SpoolError:
        """What it means. Unless something is just full, the file is opened anew next time, and looked at again."""
        if opening.code_of(error) == sqlite3.SQLITE_FULL or getattr(error, "errno", None) in opening.FULL:
            with suppress(OSError):
                if shutil.disk_usage(self._directory).free > 64 * PAGE:
                    return SpoolError("full", "the spool is full")
            return SpoolError("disk_full", "the disk of the spool is full")
        self._close()
        log.error("spool_failed", error=str(error))
        return SpoolError("io", f"the spool cannot be used: {error}")
