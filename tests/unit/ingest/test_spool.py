"""The spool: what it said it keeps is there, whatever happens to the process, the disk or the file."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest import metrics
from services.ingest.domain.identifiers import Identities, Identity
from services.ingest.domain.touch import Draft
from services.ingest.spool import Spool, SpoolError, SpoolUnusableError, opening
from services.ingest.spool.file import NAME, Row, SpoolFile
from services.ingest.spool.wire import packed, unpacked
from shared.kit.clock import FakeClock
from shared.kit.kafka import Outgoing

ROOMY = 16 * 1_048_576
RECORD = Outgoing("ingest-rejected", b"hinode/web", b"{}", (("why", b"\x00\xff"),))
Open = Callable[..., Awaitable[Spool]]


def draft(name: str, *, body: bytes = b'{"record":"touch"}', tenant: str = "hinode") -> Draft:
    user = Identity(f"id-{name}", "user", f"lead-{name}")
    return Draft(0, tenant, "web", True, f"event-{name}", Identities((user,), None, user), body, 3600)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def opened(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Open]:
    """Opens a spool, in the directory of this test unless told otherwise."""
    spools: list[Spool] = []

    async def begin(directory: Path = tmp_path, *, most_bytes: int = ROOMY) -> Spool:
        spool = Spool(directory, most_bytes, clock)
        spool.open()
        spools.append(spool)
        return spool

    yield begin
    for spool in spools:
        await spool.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SpoolFile]:
    made = SpoolFile(tmp_path, ROOMY)
    made.acquire()
    yield made
    made.release()


def size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


def moved_aside(directory: Path) -> Path:
    """The one file of the spool that was."""
    (found,) = directory.glob(f"{NAME}.damaged-*[0-9]")
    return found


def overwrite_the_middle(path: Path) -> None:
    with open(path, "r+b") as handle:
        handle.seek(path.stat().st_size // 2 // 4096 * 4096)
        handle.write(b"\xff" * 4096)


def answered_before_a_sigkill(directory: Path, least: int) -> list[str]:
    """Events that a process kept and said so."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(directory)], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    told = [child.stdout.readline().strip() for _ in range(least)]
    os.kill(child.pid, signal.SIGKILL)
    told += [line.strip() for line in child.stdout if line.endswith("\n")]
    child.wait()
    assert all(told)
    return told


async def names(spool: Spool) -> list[str]:
    """The events in the spool, in their order."""
    found: list[str] = []
    after = 0
    while kept := await spool.oldest(500, after):
        after = kept[-1].row.id
        found += [one.what.event_id.removeprefix("event-") for one in kept if isinstance(one.what, Draft)]
    return found


async def test_what_was_kept_is_there_in_its_order_and_as_it_was_after_a_restart(opened: Open) -> None:
    spool = await opened()
    kept = [draft("a", body=b'{"at":1,"person":"\xe5\xb1\xb1"}'), draft("b")]
    assert await spool.keep(kept, [RECORD]) == [True, True]
    await spool.close()
    again = await opened()
    assert [one.what for one in await again.oldest(10)] == [*kept, RECORD]
    assert again.figures.rows == 3


async def test_an_event_that_is_there_already_is_a_duplicate_and_stays_as_it_was(opened: Open) -> None:
    spool = await opened()
    assert await spool.keep([draft("a"), draft("a"), draft("b")], []) == [True, False, True]
    assert await spool.keep([draft("b", body=b"{}"), draft("a", tenant="aozora")], []) == [False, True]
    found = [one.what for one in await spool.oldest(10)]
    assert [(one.tenant, one.event_id, one.body) for one in found if isinstance(one, Draft)] == [
        ("hinode", "event-a", b'{"record":"touch"}'),
        ("hinode", "event-b", b'{"record":"touch"}'),
        ("aozora", "event-a", b'{"record":"touch"}'),
    ]


async def test_records_that_are_no_events_are_kept_as_often_as_they_come(opened: Open) -> None:
    spool = await opened()
    await spool.keep([], [RECORD, RECORD])
    await spool.keep([], [RECORD])
    assert spool.figures.rows == 3


async def test_what_is_done_is_gone_and_the_disk_gets_its_room_back(opened: Open, tmp_path: Path) -> None:
    spool = await opened()
    for number in range(40):
        await spool.keep([draft(f"{number}", body=b"x" * 100_000)], [])
    assert spool.figures.bytes > 4_000_000
    while kept := await spool.oldest(500):
        await spool.done([one.row for one in kept])
    await spool.shrink()
    assert (spool.figures.rows, spool.figures.oldest) == (0, None)
    assert size(tmp_path) < 100_000


async def test_one_reading_is_bounded_in_bytes(opened: Open) -> None:
    spool = await opened()
    await spool.keep([draft(f"{number}", body=b"x" * 1_500_000) for number in range(4)], [])
    assert len(await spool.oldest(500)) == 2


async def test_the_age_of_the_oldest_row_is_known(opened: Open, clock: FakeClock) -> None:
    spool = await opened()
    assert spool.oldest_seconds() == 0
    await spool.keep([draft("a")], [])
    clock.advance(seconds=90)
    await spool.keep([draft("b")], [])
    assert spool.oldest_seconds() == 90


async def test_a_spool_that_is_full_says_so_keeps_nothing_of_the_call_and_takes_again_when_there_is_room(
    opened: Open,
) -> None:
    spool = await opened(most_bytes=1_048_576)
    kept, full = 0, None
    while full is None:
        try:
            await spool.keep([draft(f"{kept}-{part}", body=b"x" * 10_000) for part in range(5)], [])
            kept += 1
        except SpoolError as error:
            full = error
    assert full.reason == "full"
    assert kept > 5
    assert not spool.has_room()
    assert len(await names(spool)) == kept * 5
    await spool.done([one.row for one in await spool.oldest(500)])
    assert spool.has_room()
    assert await spool.keep([draft("more")], []) == [True]
    assert spool.figures.bytes <= 1_048_576


async def test_a_call_that_is_too_large_costs_its_neighbours_nothing(opened: Open) -> None:
    spool = await opened(most_bytes=1_048_576)
    small, large = spool.keep([draft("small")], []), spool.keep([draft("large", body=b"x" * 2_000_000)], [])
    answers = await asyncio.gather(large, small, return_exceptions=True)
    assert isinstance(answers[0], SpoolError)
    assert answers[1] == [True]


def test_every_commit_waits_for_the_disk(file: SpoolFile) -> None:
    """No test can cut the power; what SQLite promises against it depends on these (https://sqlite.org/pragma.html)."""
    file.begin_anew(0)  # the next one too
    assert file._run("PRAGMA journal_mode").fetchone() == ("wal",)
    assert file._run("PRAGMA synchronous").fetchone() == (2,), "FULL: the log is synced at each commit"


async def test_only_its_owner_may_read_it(opened: Open, tmp_path: Path) -> None:
    spool = await opened(tmp_path / "new")
    await spool.keep([draft("a")], [])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    assert modes == {NAME: 0o600, f"{NAME}-wal": 0o600, "spool.lock": 0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


async def test_two_processes_do_not_share_a_directory(opened: Open, tmp_path: Path) -> None:
    spool = await opened()
    with pytest.raises(SpoolUnusableError, match="in use by another process"):
        SpoolFile(tmp_path, ROOMY).acquire()
    await spool.keep([draft("a")], [])
    await spool.close()
    assert await names(await opened()) == ["a"]


def test_a_directory_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpoolUnusableError, match="cannot be kept"):
        SpoolFile(tmp_path / "file" / "spool", ROOMY).acquire()


async def test_the_latest_policies_are_remembered(opened: Open) -> None:
    spool = await opened()
    assert spool.policies() == []
    for value in (b"1", b"2", b"2"):
        spool.remember(b"hinode/sources", value)
    spool.remember(b"aozora/sources", b"3")
    await spool.close()
    assert dict((await opened()).policies()) == {b"hinode/sources": b"2", b"aozora/sources": b"3"}


async def test_a_disk_that_fails_is_told_and_the_file_is_opened_again(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await opened()
    await spool.keep([draft("a")], [])

    def fails(*_: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(SpoolFile, "insert", fails)
        with pytest.raises(SpoolError, match="disk I/O error") as told:
            await spool.keep([draft("b")], [])
    assert told.value.reason == "io"
    assert not spool.has_room()
    assert await spool.keep([draft("b"), draft("a")], []) == [True, False]
    assert spool.has_room()


async def test_what_is_on_the_disk_is_kept_though_it_cannot_be_measured_afterwards(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await opened()

    def fails(*_: object) -> None:
        raise SpoolError("io", "disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(SpoolFile, "figures", fails)
        assert await spool.keep([draft("a")], [RECORD]) == [True]
        assert not spool.has_room()
    assert await spool.keep([draft("a")], []) == [False]
    assert spool.figures.rows == 2
    assert spool.has_room()


async def test_a_directory_that_is_taken_from_us_while_we_run_is_an_error_of_the_disk(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await opened()

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as broken:
        broken.setattr(opening, "connect", denied)
        spool._file._close()
        with pytest.raises(SpoolError, match="cannot be used"):
            await spool.keep([draft("a")], [])
    assert await spool.keep([draft("a")], []) == [True]


# --- the process dies -----------------------------------------------------------------------------------------------


async def test_a_crash_between_insert_and_commit_leaves_nothing_of_it_and_all_before_it(
    file: SpoolFile, tmp_path: Path, opened: Open
) -> None:
    with file.transaction():
        file.insert([Row("hinode", "event-a", 1, packed(draft("a")))])
    with file.transaction():
        file.insert([Row("hinode", "event-b", 1, packed(draft("b", body=b"x" * 3_000_000)))])
        shutil.copytree(tmp_path, tmp_path / "crashed")
    assert await names(await opened(tmp_path / "crashed")) == ["a"]


CHILD = """
import asyncio, sys
from pathlib import Path
from services.ingest.domain.identifiers import Identities, Identity
from services.ingest.domain.touch import Draft
from services.ingest.spool import Spool
from shared.kit.clock import SystemClock

def draft(name):
    user = Identity(name, "user", name)
    return Draft(0, "hinode", "web", True, "event-" + name, Identities((user,)), b"x" * 5000, 60)

async def main():
    spool = Spool(Path(sys.argv[1]), 1 << 28, SystemClock())
    spool.open()

    async def sender(me):
        number = 0
        while True:
            await spool.keep([draft(f"{me}-{number}-{part}") for part in range(3)], [])
            sys.stdout.write("".join(f"{me}-{number}-{part}\\n" for part in range(3)))
            sys.stdout.flush()
            number += 1

    await asyncio.gather(*(sender(me) for me in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("answered", [1, 400, 1500])
async def test_whatever_was_answered_before_a_sigkill_is_there(opened: Open, tmp_path: Path, answered: int) -> None:
    told = answered_before_a_sigkill(tmp_path, answered)
    kept = await names(await opened())
    assert set(told) - set(kept) == set()
    whole = {name.rpartition("-")[0] for name in kept}
    assert len(kept) == 3 * len(whole), "a call is there as a whole or not at all"


# --- the file is damaged --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"this is no database" * 500),
        lambda path: path.write_bytes(b"SQLite format 3\x00" + os.urandom(8192)),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(os.urandom(1)),
    ],
    ids=["other", "header", "half", "byte"],
)
async def test_a_damaged_file_is_moved_aside_and_told_and_a_new_one_is_begun(
    opened: Open, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    spool = await opened()
    await spool.keep([draft(f"{number}", body=b"x" * 2_000) for number in range(200)], [])
    await spool.close()
    damage(tmp_path / NAME)
    damaged = (tmp_path / NAME).read_bytes()
    before = metrics.SPOOL_DAMAGED._value.get()

    again = await opened()
    assert await again.keep([draft("new")], []) == [True]
    assert "new" in await names(again)
    assert metrics.SPOOL_DAMAGED._value.get() == before + 1
    aside = moved_aside(tmp_path)
    assert aside.read_bytes()[16:] == damaged[16:] or len(aside.read_bytes()) == len(damaged)


async def test_what_can_be_read_of_a_damaged_file_is_taken_over(opened: Open, tmp_path: Path) -> None:
    spool = await opened()
    spool.remember(b"hinode/sources", b"policy")
    await spool.keep([draft(f"{number}", body=f"{number}".encode() * 500) for number in range(400)], [RECORD])
    await spool.close()
    overwrite_the_middle(tmp_path / NAME)

    again = await opened()
    saved = [one.what for one in await again.oldest(500)]
    assert 300 < len(saved) < 401
    assert all(
        one.body == one.event_id.removeprefix("event-").encode() * 500 for one in saved if isinstance(one, Draft)
    )
    assert dict(again.policies()) == {b"hinode/sources": b"policy"}
    assert moved_aside(tmp_path)


async def test_the_database_of_another_program_is_moved_aside(opened: Open, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / NAME)
    other.execute("CREATE TABLE accounts(id)")
    other.commit()
    other.close()
    assert await names(await opened()) == []
    assert sqlite3.connect(moved_aside(tmp_path)).execute("SELECT count(*) FROM accounts").fetchone() == (0,)


async def test_the_log_of_a_file_that_is_gone_is_not_taken_for_the_new_ones(opened: Open, tmp_path: Path) -> None:
    spool = await opened()
    await spool.keep([draft("a")], [])
    log = (tmp_path / f"{NAME}-wal").read_bytes()
    await spool.close()
    (tmp_path / NAME).unlink()
    (tmp_path / f"{NAME}-wal").write_bytes(log)
    assert await names(await opened()) == []
    assert (tmp_path / f"{NAME}-wal.orphan").read_bytes() == log


async def test_a_row_whose_bytes_changed_or_that_cannot_be_read_is_set_aside_and_not_lost(
    opened: Open, tmp_path: Path
) -> None:
    spool = await opened()
    await spool.keep([draft("a"), draft("b"), draft("c")], [])
    await spool.close()
    db = sqlite3.connect(tmp_path / NAME)
    another = packed(draft("a", body=b'{"record":"tOuch"}'))  # which can be read all the same
    db.execute("UPDATE spooled SET content = ? WHERE event_id = 'event-a'", (another,))
    db.execute("UPDATE spooled SET content = x'c1', crc = 3523407757 WHERE event_id = 'event-b'")
    db.commit()
    db.close()
    again = await opened()
    assert await names(again) == ["c"]
    assert (again.figures.rows, again.figures.aside) == (1, 2)
    await again.close()
    assert (await opened()).figures.aside == 2


async def test_rows_of_an_earlier_file_are_not_deleted_from_the_next(file: SpoolFile, tmp_path: Path) -> None:
    with file.transaction():
        file.insert([Row("hinode", "event-a", 1, b"a")])
        (old,) = file.oldest(1)
    assert file.begin_anew(1)
    with file.transaction():
        file.insert([Row("hinode", "event-b", 1, b"b")])
        (new,) = file.oldest(1)
        file.delete([old])
    assert new.id == old.id
    assert file.figures().rows == 1


def test_a_file_with_rows_that_are_not_done_with_is_not_thrown_away(file: SpoolFile) -> None:
    with file.transaction():
        file.insert([Row("hinode", "event-a", 1, b"a"), Row("hinode", "event-b", 1, b"b")])
    assert not file.begin_anew(1)
    with file.transaction():
        assert file.figures().rows == 2


# --- the wire -------------------------------------------------------------------------------------------------------

texts = st.text(max_size=20)
identities = st.builds(Identity, texts, texts, texts)
drafts = st.builds(
    Draft,
    st.integers(0, 2500),
    texts,
    texts,
    st.booleans(),
    texts,
    st.builds(Identities, st.lists(identities, max_size=3).map(tuple), st.none() | identities, st.none() | identities),
    st.binary(max_size=100),
    st.integers(0, 10**6),
)
records = st.builds(
    Outgoing,
    texts,
    st.binary(max_size=20),
    st.none() | st.binary(max_size=100),
    st.lists(st.tuples(texts, st.binary(max_size=9)), max_size=3).map(tuple),
)


@given(drafts | records)
def test_a_draft_or_record_comes_back_as_it_was(kept: Draft | Outgoing) -> None:
    assert unpacked(packed(kept)) == kept


@given(st.binary(max_size=200))
def test_anything_else_is_refused_with_one_error(content: bytes) -> None:
    try:
        unpacked(content)
    except ValueError:
        return


def test_a_field_that_this_version_does_not_know_is_passed_over() -> None:
    newer = {"draft": {**draft("a")._asdict(), "mood": "sunny"}}
    assert unpacked(msgspec.msgpack.encode(newer)) == draft("a")
