import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from baton.stack import state
from baton.stack.errors import StackError
from baton.stack.process import start_time

PORTS = {"redis": 6379}


@pytest.fixture
def survivor() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"], process_group=0) as process:
        yield process
        process.kill()


def note(home: Path, child: int, started: str | None) -> None:
    state.write(home, PORTS, children={"redis": {"pid": child, "started": started}})


def test_nothing_runs_in_a_fresh_directory(tmp_path: Path):
    assert state.running(tmp_path) is None
    assert state.running(tmp_path / "none") is None


def test_running_supervisor_is_found(tmp_path: Path):
    state.write(tmp_path, PORTS, ready=True)
    found = state.running(tmp_path)
    assert found
    assert (found["pid"], found["ports"], found["ready"]) == (os.getpid(), PORTS, True)


def test_supervisor_that_was_killed_is_not_found(tmp_path: Path, survivor: subprocess.Popen[bytes]):
    state._replace(tmp_path, {"pid": survivor.pid, "started": start_time(survivor.pid), "ports": PORTS})
    assert state.running(tmp_path)
    survivor.kill()
    survivor.wait()
    assert state.running(tmp_path) is None


def test_other_process_with_the_number_of_an_old_supervisor_is_not_taken_for_it(tmp_path: Path):
    state._replace(tmp_path, {"pid": os.getpid(), "started": "long ago", "ports": PORTS})
    assert state.running(tmp_path) is None


def test_stopped_supervisor_leaves_its_ports_for_the_next(tmp_path: Path):
    state.write(tmp_path, PORTS)
    state.clear(tmp_path, PORTS)
    assert state.running(tmp_path) is None
    assert state.read(tmp_path)["ports"] == PORTS


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_damaged_note_counts_as_none(tmp_path: Path, text: str):
    (tmp_path / "state.json").write_text(text)
    assert state.read(tmp_path) == {}
    assert state.running(tmp_path) is None


def test_directory_is_refused_to_a_second_supervisor_until_the_first_gives_it_back(tmp_path: Path):
    first = state.acquire(tmp_path)
    state.write(tmp_path, PORTS)
    with pytest.raises(StackError) as error:
        state.acquire(tmp_path)
    assert f"Baton already runs in {tmp_path} (process {os.getpid()})" in str(error.value)
    first.close()
    state.acquire(tmp_path).close()


def test_orphan_of_a_crashed_supervisor_is_ended(tmp_path: Path, survivor: subprocess.Popen[bytes]):
    note(tmp_path, survivor.pid, start_time(survivor.pid))
    state.bury(tmp_path, patience=0)
    assert survivor.wait(20) == -9


def test_child_that_had_ended_when_it_was_noted_is_not_waited_for(tmp_path: Path, survivor: subprocess.Popen[bytes]):
    note(tmp_path, survivor.pid, None)
    state.bury(tmp_path, patience=3600)
    assert survivor.poll() is None


def test_stranger_with_the_number_of_an_orphan_is_left_alone(tmp_path: Path, survivor: subprocess.Popen[bytes]):
    note(tmp_path, survivor.pid, "long ago")
    state.bury(tmp_path, patience=0)
    assert survivor.poll() is None
