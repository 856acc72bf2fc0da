import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from baton.stack import Addresses, Stack, StackError, running
from baton.stack.jars import Lock
from baton.stack.process import start_time
from baton.stack.supervisor import check_space

ELSEWHERE = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka.test:9092",
    "DATABASE_URL": "postgresql://u@db.test/x",
    "REDIS_URL": "redis://cache.test/3",
}
FREE = dict.fromkeys(("kafka", "kafka_controller", "postgres", "redis"), 0)


def stack(home: Path, lines: list[str] | None = None, *own: str, **environ: str) -> Stack:
    """A stack that itself runs only the servers whose variables are `own`."""
    given = {name: value for name, value in ELSEWHERE.items() if name not in own}
    path = {"PATH": os.environ["PATH"]}
    return Stack(
        home, say=(lines if lines is not None else []).append, ports=FREE, environ={**path, **given, **environ}
    )


def fake_redis(folder: Path, script: str) -> str:
    """A PATH on which `redis-server` is that shell script."""
    program = folder / "bin" / "redis-server"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def test_servers_that_run_elsewhere_are_used_and_not_started(tmp_path: Path):
    lines: list[str] = []
    with stack(tmp_path, lines) as started:
        assert started.addresses() == Addresses(*ELSEWHERE.values())
        assert started.dead() is None
        assert (running(tmp_path) or {})["children"] == {}
    assert lines == [
        "Kafka: using the one that KAFKA_BOOTSTRAP_SERVERS names",
        "Postgres: using the one that DATABASE_URL names",
        "Redis: using the one that REDIS_URL names",
    ]


def test_running_stack_is_found_and_refuses_a_second_start_until_it_stops(tmp_path: Path):
    first, second = stack(tmp_path), stack(tmp_path)
    first.start()
    found = running(tmp_path)
    assert found
    assert found["ready"]
    assert found["addresses"]["redis"] == "redis://cache.test/3"
    with pytest.raises(StackError, match="already runs in"):
        second.start()
    assert running(tmp_path) == found
    first.stop()
    first.stop()
    assert running(tmp_path) is None
    second.start()
    second.stop()


def test_home_may_be_named_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    relative = stack(Path("here"))
    monkeypatch.chdir("/")
    with relative:
        assert running(tmp_path / "here")


def test_addresses_are_not_told_before_the_start(tmp_path: Path):
    with pytest.raises(StackError, match="not started"):
        stack(tmp_path).addresses()


def test_server_that_is_not_ours_can_be_neither_killed_nor_restarted(tmp_path: Path):
    with stack(tmp_path) as started:
        for act in (started.kill, started.restart, started.tail):
            with pytest.raises(StackError, match="No server named 'redis'"):
                act("redis")


def test_pinned_port_in_use_stops_the_start_and_frees_the_directory(tmp_path: Path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(StackError, match=f"Port {port} .* is in use by process {os.getpid()}"):
            stack(tmp_path, None, "REDIS_URL", BATON_REDIS_PORT=str(port)).start()
        assert running(tmp_path) is None
        with stack(tmp_path, BATON_REDIS_PORT=str(port)):
            pass  # a pin of a server that runs elsewhere does not matter


def test_server_that_ends_at_its_start_is_an_error_with_its_last_words(tmp_path: Path):
    path = fake_redis(tmp_path, "echo early; echo 'FATAL CONFIG FILE ERROR'; exit 3")
    with pytest.raises(StackError) as error:
        stack(tmp_path / "home", None, "REDIS_URL", PATH=path).start()
    log = tmp_path / "home" / "redis" / "server.log"
    assert str(error.value) == (
        f"Redis ended at its start (exit status 3); the last lines of {log}:\nearly\nFATAL CONFIG FILE ERROR"
    )
    assert running(tmp_path / "home") is None


def test_server_that_ends_for_want_of_room_says_so_first(tmp_path: Path):
    path = fake_redis(tmp_path, "echo 'write: No space left on device'; exit 1")
    with pytest.raises(StackError, match=r"^The disk is full: Redis ended"):
        stack(tmp_path / "home", None, "REDIS_URL", PATH=path).start()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full")
def test_start_that_fails_halfway_stops_what_was_started(tmp_path: Path, registry, eventually):
    pid_file = tmp_path / "pid"
    path = fake_redis(tmp_path, f"echo $$ > {pid_file}.part; mv {pid_file}.part {pid_file}; exec sleep 600")
    lock = Lock.read()
    cache = tmp_path / "cache" / f"kafka-{lock.kafka}"
    cache.mkdir(parents=True)
    for jar in lock.jars:
        (cache / f"{jar.name}.part-{os.getpid()}").symlink_to("/dev/full")

    def answer(_: str) -> bytes:
        eventually(pid_file.exists)
        return b"a jar"

    registry.answer = answer
    environ = {"PATH": path, "BATON_CACHE": str(tmp_path / "cache"), "BATON_MAVEN_URL": registry.url}
    with pytest.raises(StackError, match="The disk is full"):
        stack(tmp_path / "home", None, "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS", **environ).start()
    assert start_time(int(pid_file.read_text())) is None
    assert running(tmp_path / "home") is None


def test_folder_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"file/home.* cannot be used \(Not a directory\)"):
        stack(tmp_path / "file" / "home").start()


def test_first_start_without_room_is_refused_with_both_sizes(tmp_path: Path):
    check_space(tmp_path, 0)
    with pytest.raises(
        StackError, match=rf"Only \d+ MB are free for {tmp_path} and a first start needs 4611686018427 MB"
    ):
        check_space(tmp_path, 1 << 62)


def test_platform_without_servers_is_an_error_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(StackError, match=r"not on win32: use Docker, or set KAFKA_BOOTSTRAP_SERVERS"):
        stack(tmp_path).start()


def test_stack_belongs_to_the_main_thread(tmp_path: Path):
    refused: list[str] = []

    def attempt() -> None:
        try:
            stack(tmp_path).start()
        except RuntimeError as error:
            refused.append(str(error))

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert len(refused) == 1
