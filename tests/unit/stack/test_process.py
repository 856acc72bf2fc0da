import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from baton.stack import process
from baton.stack.errors import StackError
from baton.stack.process import Child, run, spawn, start_time, tail

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's death signal is Linux's")


def shell(script: str, folder: Path, **env: str) -> Child:
    argv = ["sh", "-c", script]
    return spawn(argv, name="child", env={**os.environ, **env}, log_path=folder / "logs" / "child.log", cwd=folder)


def says(child: Child, text: str):
    return lambda: text in child.tail()


def test_output_of_both_kinds_is_appended_to_the_log(tmp_path: Path):
    for word in ("first", "second"):
        child = shell(f"echo {word}; echo {word}-error >&2", tmp_path)
        assert child.wait(20) == 0
    assert tail(child.log_path).splitlines() == ["first", "first-error", "second", "second-error"]


def test_child_gets_the_folder_and_the_environment_that_it_is_given(tmp_path: Path):
    child = shell("pwd; echo $COLOUR", tmp_path, COLOUR="blue")
    assert child.wait(20) == 0
    assert child.tail().splitlines() == [str(tmp_path), "blue"]


def test_tail_shows_nothing_of_an_earlier_run(tmp_path: Path):
    assert shell("echo old", tmp_path).wait(20) == 0
    child = shell("echo new; exit 3", tmp_path)
    assert child.wait(20) == child.poll() == 3
    assert child.tail() == "new"
    assert tail(child.log_path).splitlines() == ["old", "new"]


def test_tail_is_the_last_lines_of_a_long_log_and_empty_without_one(tmp_path: Path):
    log = tmp_path / "long.log"
    log.write_text("".join(f"line {n}\n" for n in range(100_000)))
    assert tail(log, 2).splitlines() == ["line 99998", "line 99999"]
    assert tail(tmp_path / "none.log") == ""


def test_log_that_has_grown_large_is_set_aside(tmp_path: Path):
    log = tmp_path / "logs" / "child.log"
    log.parent.mkdir()
    log.write_bytes(b"x" * (process.LOG_BYTES + 1))
    shell("echo fresh", tmp_path).wait(20)
    assert log.read_text() == "fresh\n"
    assert log.with_name("child.log.1").stat().st_size == process.LOG_BYTES + 1


def test_child_is_asked_to_end_before_it_is_killed(tmp_path: Path, eventually):
    child = shell("trap 'echo bye; exit 0' TERM; sleep 600 & echo up; wait", tmp_path)
    eventually(says(child, "up"))
    assert child.poll() is None
    assert child.terminate(20) == 0
    assert "bye" in child.tail()


def test_child_that_ends_in_order_leaves_nothing_of_its_group(tmp_path: Path, eventually):
    child = shell("trap 'exit 0' TERM; sleep 600 & echo pid $!; wait", tmp_path)
    eventually(says(child, "pid "))
    below = int(child.tail().split()[1])
    assert child.terminate(20) == 0
    eventually(lambda: start_time(below) is None)


def test_child_that_does_not_listen_is_killed(tmp_path: Path, eventually):
    child = shell("trap '' TERM; echo up; exec sleep 600", tmp_path)
    eventually(says(child, "up"))
    assert child.terminate(0.05) == -9


def test_ended_child_may_be_ended_again(tmp_path: Path):
    child = shell("exit 0", tmp_path)
    child.wait(20)
    assert child.terminate(1) == child.kill() == 0


@linux
def test_kill_takes_descendants_that_left_the_group(tmp_path: Path, eventually):
    child = shell("setsid sh -c 'echo pid $$; exec sleep 600' & wait", tmp_path)
    eventually(says(child, "pid "))
    below = int(child.tail().split()[1])
    assert os.getpgid(below) != child.pid
    child.kill()
    eventually(lambda: start_time(below) is None)


def test_child_has_a_process_group_of_its_own(tmp_path: Path):
    child = shell("exec sleep 600", tmp_path)
    try:
        assert os.getpgid(child.pid) == child.pid
    finally:
        child.kill()


def test_missing_program_is_an_early_end_with_its_reason(tmp_path: Path):
    child = spawn(["./none"], name="none", env=None, log_path=tmp_path / "none.log", cwd=tmp_path)
    assert child.wait(20) == 1
    assert child.tail() == "./none: No such file or directory"


@linux
def test_child_dies_with_a_supervisor_that_is_killed(tmp_path: Path, eventually):
    script = f"""
import sys
from pathlib import Path
from baton.stack import spawn
child = spawn(["sleep", "600"], name="child", env=None, log_path=Path("child.log"), cwd=Path({str(tmp_path)!r}))
print(child.pid, flush=True)
sys.stdin.read()
"""
    root = Path(process.__file__).parents[2]
    supervisor = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with supervisor:
        assert supervisor.stdout
        pid = int(supervisor.stdout.readline())
        assert start_time(pid)
        supervisor.kill()
    eventually(lambda: start_time(pid) is None)


def test_only_the_main_thread_may_spawn(tmp_path: Path):
    refused: list[RuntimeError] = []

    def attempt() -> None:
        try:
            shell("exit 0", tmp_path)
        except RuntimeError as error:
            refused.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert len(refused) == 1


def test_start_time_tells_a_process_from_one_that_ended(tmp_path: Path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert start_time(os.getpid())
    assert start_time(ended.pid) is None


@linux
def test_process_of_which_only_the_status_is_left_counts_as_ended(eventually):
    zombie = subprocess.Popen(["true"])
    eventually(lambda: start_time(zombie.pid) is None)
    zombie.wait()


def test_run_gives_what_was_printed(tmp_path: Path):
    assert run(["sh", "-c", "cat; pwd"], what="Asking", cwd=tmp_path, stdin="hello\n") == f"hello\n{tmp_path}\n"


def test_run_that_fails_says_what_where_and_why(tmp_path: Path):
    with pytest.raises(StackError) as error:
        run(["sh", "-c", "echo no room >&2; exit 7"], what="Making a thing", cwd=tmp_path)
    assert str(error.value) == f"Making a thing failed in {tmp_path} (exit status 7); it said:\nno room"
