import errno
import hashlib
import os
import sys
import threading
from pathlib import Path, PurePosixPath

import pytest

from baton.stack.errors import StackError
from baton.stack.jars import LOCK_FILE, Jar, Lock, cache_folder, fetch
from baton.stack.jars import registry as registry_of

CONTENTS = {f"org/example/part-{n}/1.0/part-{n}-1.0.jar": bytes([n]) * 300_000 for n in range(12)}
LOCK = Lock("1.0", tuple(Jar(path, len(c), hashlib.sha256(c).hexdigest()) for path, c in CONTENTS.items()))
ONE = Lock("1.0", LOCK.jars[:1])


def nowhere() -> str:
    raise AssertionError("the registry was asked for")


def test_every_jar_arrives_with_the_locked_bytes_in_the_order_of_the_lock(tmp_path: Path, registry):
    registry.answer = CONTENTS.get
    paths = fetch(LOCK, tmp_path / "jars", url=lambda: registry.url)
    assert [path.read_bytes() for path in paths] == list(CONTENTS.values())
    assert sorted(registry.asked) == sorted(CONTENTS)


def test_progress_counts_up_to_all_jars(tmp_path: Path, registry):
    registry.answer = CONTENTS.get
    seen = []
    fetch(LOCK, tmp_path, url=lambda: registry.url, progress=lambda ready, of: seen.append((ready, of)))
    assert seen == [(n, 12) for n in range(13)]


def test_second_fetch_asks_nobody(tmp_path: Path, registry):
    registry.answer = CONTENTS.get
    first = fetch(LOCK, tmp_path, url=lambda: registry.url)
    assert fetch(LOCK, tmp_path, url=nowhere) == first


def test_damaged_file_of_the_right_size_is_fetched_again(tmp_path: Path, registry):
    registry.answer = CONTENTS.get
    damaged = fetch(LOCK, tmp_path, url=lambda: registry.url)[3]
    damaged.write_bytes(b"?" * damaged.stat().st_size)
    registry.asked.clear()
    fetch(LOCK, tmp_path, url=lambda: registry.url)
    assert registry.asked == [LOCK.jars[3].path]
    assert damaged.read_bytes() == CONTENTS[LOCK.jars[3].path]


def test_other_bytes_than_the_locked_are_refused_and_not_kept(tmp_path: Path, registry):
    registry.answer = lambda path: CONTENTS[path][:-1] + b"?"
    with pytest.raises(StackError, match=r"gave other bytes for part-0-1\.0\.jar"):
        fetch(ONE, tmp_path, url=lambda: registry.url, pauses=(0.0,))
    assert len(registry.asked) == 2
    assert list(tmp_path.iterdir()) == []


def test_registry_that_fails_for_a_moment_is_asked_again(tmp_path: Path, registry):
    registry.answer = lambda path: CONTENTS[path] if len(registry.asked) > 2 else None
    [path] = fetch(ONE, tmp_path, url=lambda: registry.url, pauses=(0.0, 0.0))
    assert path.read_bytes() == CONTENTS[ONE.jars[0].path]


def test_registry_that_stays_away_is_an_error_with_address_and_remedy(tmp_path: Path, registry):
    registry.close()
    with pytest.raises(StackError) as error:
        fetch(LOCK, tmp_path, url=lambda: registry.url, pauses=())
    assert registry.url in str(error.value)
    assert "BATON_MAVEN_URL" in str(error.value)


def test_cancelled_download_ends_without_further_tries(tmp_path: Path, registry):
    cancelled = threading.Event()

    def answer(path: str) -> None:
        cancelled.set()

    registry.answer = answer
    with pytest.raises(StackError, match="stopped"):
        fetch(ONE, tmp_path, url=lambda: registry.url, cancelled=cancelled, pauses=(3600.0,))
    assert len(registry.asked) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full")
def test_full_disk_is_told_at_once_and_not_taken_for_the_network(tmp_path: Path, registry):
    registry.answer = CONTENTS.get
    (tmp_path / f"{ONE.jars[0].name}.part-{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(OSError) as error:
        fetch(ONE, tmp_path, url=lambda: registry.url)
    assert error.value.errno == errno.ENOSPC
    assert len(registry.asked) == 1


def test_committed_lock_names_whole_relative_paths_and_no_registry():
    lock = Lock.read()
    assert "://" not in LOCK_FILE.read_text()
    assert len({jar.name for jar in lock.jars}) == len(lock.jars) > 40
    for jar in lock.jars:
        assert not PurePosixPath(jar.path).is_absolute()
        assert ".." not in PurePosixPath(jar.path).parts
        assert len(bytes.fromhex(jar.sha256)) == 32
        assert jar.size > 0


def test_committed_lock_takes_all_of_kafka_at_one_version():
    lock = Lock.read()
    versions = {jar.path.split("/")[4] for jar in lock.jars if jar.path.startswith("org/apache/kafka/")}
    assert versions == {lock.kafka}


def test_lock_reads_what_it_wrote(tmp_path: Path):
    LOCK.write(tmp_path / "lock.json")
    assert Lock.read(tmp_path / "lock.json") == LOCK


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"BATON_CACHE": "/c/own", "XDG_CACHE_HOME": "/c/xdg"}, Path("/c/own")),
        ({"XDG_CACHE_HOME": "/c/xdg"}, Path("/c/xdg/baton")),
        ({}, Path.home() / ".cache" / "baton"),
    ],
)
def test_cache_is_where_the_environment_says(environ: dict[str, str], folder: Path):
    assert cache_folder(environ) == folder


def test_mirror_is_taken_from_the_environment():
    assert registry_of({"BATON_MAVEN_URL": "http://mirror.test/maven/"}) == "http://mirror.test/maven"
