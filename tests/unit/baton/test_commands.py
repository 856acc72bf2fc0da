"""The command line teaches, and its errors are sentences."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from baton.cli import main
from baton.errors import OperatorError
from baton.run import ports
from baton.stack.ports import free_port
from shared.kit.kafka import EMBEDDED_PARTITIONS, PRODUCTION_PARTITIONS
from shared.schemas.policies import KINDS

COMMANDS = (
    "up",
    "down",
    "status",
    "demo",
    "replay",
    "import",
    "accounts",
    "explain",
    "timeline",
    "fairness",
    "migrate",
    "policy",
    "dlq",
)


@dataclass(frozen=True, slots=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Baton = Callable[..., Done]


@pytest.fixture
def baton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Baton:
    """The command line as the console script runs it, in an empty home."""
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BATON_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["baton", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0, *capsys.readouterr())

    return run


def test_help_names_every_command(baton: Baton) -> None:
    done = baton("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)
    assert "make run" in done.stdout


def test_help_of_migrate_tells_how_many_partitions_there_will_be(baton: Baton) -> None:
    told = baton("migrate", "--help").stdout.replace("│", " ").split()
    assert f"for ever: {PRODUCTION_PARTITIONS} when left out ({EMBEDDED_PARTITIONS} in" in " ".join(told)


def test_help_of_show_names_every_kind_of_policy(baton: Baton) -> None:
    told = baton("policy", "show", "--help").stdout.replace("│", " ").split()
    *others, last = KINDS
    assert f"{', '.join(others)} or {last}" in " ".join(told)


def test_a_command_that_needs_no_server_loads_no_client_of_one() -> None:
    heavy = "{'aiokafka', 'alembic', 'sqlalchemy', 'asyncpg', 'segment', 'pydantic'}"
    code = f"import sys, baton.cli; print(*sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    "arguments", [("explain", "a@b.example"), ("dlq", "list"), ("policy", "show", "sla"), ("demo",)]
)
def test_without_a_running_baton_one_sentence_says_what_to_do(baton: Baton, arguments: tuple[str, ...]) -> None:
    done = baton(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("baton: no Baton is ready in ")
    assert len(done.stderr.splitlines()) == 1


def test_status_says_that_nothing_runs(baton: Baton) -> None:
    done = baton("status")
    assert (done.returncode, done.stderr) == (1, "")
    assert "does not run" in done.stdout


def test_down_with_nothing_running_is_no_error(baton: Baton) -> None:
    done = baton("down")
    assert (done.returncode, done.stdout[:13]) == (0, "Nothing runs ")


def test_a_missing_command_is_wrong_usage(baton: Baton) -> None:
    done = baton("upp")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_policies_can_be_checked_with_nothing_running(baton: Baton) -> None:
    done = baton("policy", "apply", "--check", str(Path(__file__).parents[3] / "policies"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "northstar: 8 policies are good." in done.stdout


@pytest.mark.parametrize("command", [("lint",), ("apply", "--check")])
def test_a_tenant_names_its_policies_and_a_mistyped_one_is_told_with_the_nearest(
    baton: Baton, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    shutil.copytree(Path(__file__).parents[3] / "policies" / "olist", tmp_path / "policies" / "olist")
    monkeypatch.chdir(tmp_path)
    assert baton("policy", *command, "olist").returncode == 0
    done = baton("policy", *command, "olits")
    assert done.returncode == 1
    assert "there is no such directory. Did you mean `olist`?" in done.stdout + done.stderr


def test_a_broken_policy_is_told_without_a_traceback(baton: Baton, tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "sla.yaml").write_text("kind: sla\ndefualt: {}\n")
    done = baton("policy", "apply", "--check", str(folder))
    assert done.returncode == 1
    assert "sla.yaml:2" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pinned_port_that_is_taken_is_told_with_its_holder() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            OperatorError, match=rf"port {port} on 127.0.0.1, pinned by INGEST_PORT, is in use by process"
        ):
            ports.choose({"INGEST_PORT": str(port)})
        with pytest.raises(OperatorError, match="pinned by INGEST_PORT"):
            ports.check_pins({"INGEST_PORT": str(port)})


def test_a_taken_pin_stops_the_start_before_any_server(baton: Baton, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("ROUTER_PORT", str(taken.getsockname()[1]))
        done = baton("up", "--no-demo")
    assert (done.returncode, done.stdout) == (1, ""), "not a step was made"
    assert "pinned by ROUTER_PORT" in done.stderr


def test_a_port_is_pinned_for_one_service_alone() -> None:
    free = str(free_port())
    with pytest.raises(OperatorError, match="by INGEST_PORT and ROUTER_PORT"):
        ports.check_pins({"INGEST_PORT": free, "ROUTER_PORT": free})


def test_a_pinned_port_that_is_no_port_is_told() -> None:
    with pytest.raises(OperatorError, match="which is no port"):
        ports.choose({"ROUTER_PORT": "eighty"})


def test_a_usual_port_that_is_taken_is_told_with_the_one_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setitem(ports.USUAL, "router", port)
        said: list[str] = []
        chosen = ports.choose({}, said.append)
    [line] = [line for line in said if line.startswith(f"Port {port} ")]
    assert f": router listens on {chosen['router']} (ROUTER_PORT pins one)" in line


def test_every_service_gets_a_port_of_its_own() -> None:
    chosen = ports.choose({})
    assert set(chosen) == {"ingest", "scoring", "router", "handoff"}
    assert len(set(chosen.values())) == 4


def test_a_token_wants_a_role_that_there_is(baton: Baton) -> None:
    done = baton("token", "create", "sato", "--tenant", "hinode", "--role", "mangaer")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no role 'mangaer', did you mean manager?" in done.stderr


def test_the_version_is_told(baton: Baton) -> None:
    done = baton("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "Baton")


def test_a_letter_is_named_by_its_place(baton: Baton) -> None:
    done = baton("dlq", "show", "ingest-rejected")
    assert done.returncode == 1
    assert "topic/partition/offset" in done.stderr
