"""Opening the spool's file: a lock of one process, SQLite with every commit fsynced, and what to do with another file."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from zlib import crc32

PAGE = 4096
APPLICATION = 0x42544E53  # "BTNS": tells the file from a stranger's
VERSION = 1
FULL = (errno.ENOSPC, errno.EDQUOT)

# crc: SQLite has none of its own.  unfinished: files that were moved aside, and not yet taken over.
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE spooled(id INTEGER PRIMARY KEY, tenant TEXT, event_id TEXT, at INTEGER NOT NULL, crc INTEGER NOT NULL, aside TEXT,
                     content BLOB NOT NULL);
CREATE UNIQUE INDEX spooled_event ON spooled(tenant, event_id) WHERE event_id IS NOT NULL;
CREATE TABLE policies(name BLOB PRIMARY KEY, crc INTEGER NOT NULL, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE unfinished(file TEXT PRIMARY KEY);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""


class SpoolError(Exception):
    """Nothing was kept, or it is not known. reason: full (the spool's bound), disk_full, io"""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SpoolUnusableError(Exception):
    """The directory cannot be used at all: another process has it, or it is not ours to write."""


class ForeignError(sqlite3.DatabaseError):
    """The file is not as we left it."""


def lock(directory: Path) -> int:
    """A handle that holds the directory for this process until it is closed. Raises SpoolUnusableError, SpoolError `disk_full`."""
    handle = None
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(directory / "spool.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if handle is not None:
            os.close(handle)
        if isinstance(error, BlockingIOError):
            raise SpoolUnusableError(
                f"the spool in {directory} is in use by another process: each process of ingest needs a directory of its own"
            ) from None
        if error.errno in FULL:
            raise SpoolError("disk_full", f"the disk of the spool in {directory} is full") from error
        raise SpoolUnusableError(f"the spool cannot be kept in {directory}: {error.strerror or error}") from error
    return handle


def connect(path: Path, most_bytes: int) -> sqlite3.Connection:
    """The spool at `path`, made where there is none. Raises sqlite3.Error, or OSError; `is_damaged` tells what they mean."""
    size = path.stat().st_size if path.exists() else 0
    if size == 0:
        _move_orphan(path)
    elif size < PAGE:  # SQLite would take it for an empty one
        raise ForeignError("it is cut off")
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        # Exclusive: no shared memory is mapped, which a full disk would turn into a SIGBUS.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute(f"PRAGMA page_size = {PAGE}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute(f"PRAGMA max_page_count = {most_bytes // PAGE}")
        db.execute(f"PRAGMA wal_autocheckpoint = {min(256, most_bytes // PAGE // 8)}")
        db.execute("PRAGMA journal_size_limit = 8388608")
        if _one(db, "SELECT count(*) FROM sqlite_master") == 0:
            db.executescript(_SCHEMA)
            _sync(path.parent)
        _check(db)
    except BaseException:
        with suppress(sqlite3.Error):
            db.close()
        raise
    return db


def is_damaged(error: Exception) -> bool:
    """Whether the file is no spool, or not a whole one, as against a disk that fails at the moment."""
    return isinstance(error, ForeignError) or code_of(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def code_of(error: Exception) -> int | None:
    """SQLite's primary result code, where there is one."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def move_aside(path: Path, moved: Path) -> None:
    """The file and its log, to another name."""
    for one, other in zip(files(path), files(moved), strict=True):
        with suppress(FileNotFoundError):
            one.rename(other)
    _sync(path.parent)


def files(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(path.name + "-wal")


def readable(path: Path, columns: str, table: str, key: str) -> Iterator[tuple[object, ...]]:
    """What can be read of a damaged file, from its beginning on and then from its end on, as (crc, content, *columns)."""
    seen: object = None
    with suppress(sqlite3.Error), closing(_existing(path)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        for order in ("ASC", "DESC"):
            with suppress(sqlite3.Error):
                statement = f"SELECT {key}, crc, content, {columns} FROM {table} NOT INDEXED ORDER BY {key} {order}"
                for own, crc, content, *rest in db.execute(statement):
                    if order == "DESC" and own == seen:
                        return
                    seen = own if order == "ASC" else seen
                    if isinstance(content, bytes) and crc32(content) == crc:
                        yield (crc, content, *rest)


def _existing(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None)


def _check(db: sqlite3.Connection) -> None:
    if _one(db, "PRAGMA application_id") != APPLICATION:
        raise ForeignError("it is no spool of ingest")
    if _one(db, "PRAGMA user_version") != VERSION:
        raise ForeignError("it is the spool of another version")
    if (found := _one(db, "PRAGMA quick_check(1)")) != "ok":
        raise ForeignError(f"it is damaged: {found}")


def _one(db: sqlite3.Connection, statement: str) -> object:
    return db.execute(statement).fetchone()[0]


def _move_orphan(path: Path) -> None:
    """The log of a file that is gone would be taken for the new one's."""
    _, log = files(path)
    with suppress(FileNotFoundError):
        log.rename(log.with_name(log.name + ".orphan"))


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
