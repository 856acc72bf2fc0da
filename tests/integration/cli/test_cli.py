"""`baton up` and the commands beside it, on a whole running Baton."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest

from shared.kit.kafka import KafkaPublisher, Outgoing
from shared.schemas.handoff import HandoffEvent

pytestmark = pytest.mark.servers


def test_env_holds_every_name_and_only_its_owner_may_read_it(baton: Any) -> None:
    wanted = "KAFKA_BOOTSTRAP_SERVERS DATABASE_URL REDIS_URL INGEST_URL SCORING_URL ROUTER_URL HANDOFF_URL CONSOLE_URL"
    names = baton.names()
    assert {*wanted.split(), "DEMO_WRITE_KEY", "DEMO_API_TOKEN", "IDENTITY_SECRET"} <= names.keys()
    assert all(names.values())
    assert stat.S_IMODE((baton.home / "env").stat().st_mode) == 0o600


def test_status_says_that_everything_is_ready(baton: Any) -> None:
    done = baton.run("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"{name:<9} is ready" in done.stdout for name in ("ingest", "scoring", "router", "handoff"))


def test_a_second_up_in_the_same_directory_is_refused_in_a_sentence(baton: Any) -> None:
    done = baton.run("up")
    assert done.returncode == 1
    assert "already runs" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pinned_port_in_use_is_one_sentence_and_leaves_nothing_behind(baton: Any, tmp_path: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "baton", "up"],
            env={**baton.environ, "BATON_HOME": str(tmp_path), "ROUTER_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "ROUTER_PORT" in done.stderr
    assert not (tmp_path / "env").exists()


def test_a_policy_in_force_is_shown(baton: Any) -> None:
    done = baton.run("policy", "show", "sla", "--tenant", "northstar")
    assert done.returncode == 0, done.stderr
    assert "kind: sla" in done.stdout


def test_the_scoring_policy_of_a_region_is_shown_with_its_own_rules_marked(baton: Any) -> None:
    done = baton.run("policy", "show", "scoring", "--region", "EMEA")
    assert done.returncode == 0, done.stderr
    assert "# emea: in place of the rule of all" in done.stdout
    assert "# emea: without email_opened" in done.stdout
    refused = baton.run("policy", "show", "scoring", "--region", "emae")
    assert refused.returncode == 1
    assert "there is no overlay `emae`. Did you mean `emea`?" in refused.stderr
    assert baton.run("policy", "show", "sla", "--region", "emea").returncode == 1


def test_applying_the_same_policies_again_changes_nothing(baton: Any) -> None:
    done = baton.run("policy", "apply", "policies/northstar")
    assert done.returncode == 0, done.stderr
    assert {line.split()[-1] for line in done.stdout.splitlines() if line.startswith("northstar")} == {"unchanged"}


def test_a_service_that_was_killed_is_started_again(baton: Any, wait: Any) -> None:
    before = _pid_of(baton, "handoff")
    assert before
    os.kill(before, signal.SIGKILL)
    wait(lambda: _pid_of(baton, "handoff") not in (0, before), 60, baton.log.read_text)
    wait(lambda: baton.run("status").returncode == 0, 120, baton.log.read_text)
    assert "handoff ended (signal 9)" in baton.log.read_text()


async def test_a_dead_letter_is_listed_shown_and_put_back_once(baton: Any) -> None:
    lead = f"lead-{uuid4().hex}"
    event = HandoffEvent(
        tenant="northstar",
        kind="clock-met",
        event_id=uuid4().hex,
        lead_id=lead,
        opportunity_id=uuid4().hex,
        cycle=1,
        assignment=1,
        at=1,
        rep_id="taro@x.example",
    )
    headers = (("baton-reason", b"test_reason"), ("baton-source", b"handoff-events/0/7"), ("baton-group", b"router"))
    publisher = KafkaPublisher(baton.names()["KAFKA_BOOTSTRAP_SERVERS"])
    await publisher.start()
    await publisher.publish([Outgoing("handoff-events-dlq", event.key(), event.model_dump_json().encode(), headers)])
    await publisher.stop()

    listed = baton.run("dlq", "list", "--each", "--topic", "handoff-events")
    letter = next(line.split()[0] for line in listed.stdout.splitlines() if line.startswith("handoff-events-dlq/"))
    assert "test_reason" in listed.stdout
    shown = baton.run("dlq", "show", letter).stdout
    assert lead in shown
    assert "taro" not in shown
    assert "taro" in baton.run("dlq", "show", letter, "--reveal").stdout
    assert "1 letter back" in baton.run("dlq", "replay", "--reason", "test_reason").stdout
    assert "no letter to put back" in baton.run("dlq", "replay", "--reason", "test_reason").stdout
    assert "(put back)" in baton.run("dlq", "list").stdout


def _pid_of(baton: Any, service: str) -> int:
    """The process of a service; 0 while there is none."""
    ps = ["ps", "-o", "pid=,args=", "--ppid", str(baton.process.pid)]
    shown = subprocess.run(ps, capture_output=True, text=True, check=False)
    found = [line.split()[0] for line in shown.stdout.splitlines() if line.endswith(f"services.{service}")]
    return int(found[0]) if found else 0
