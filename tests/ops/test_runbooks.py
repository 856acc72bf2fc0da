"""Runbooks: a page each, in the same three parts, with commands that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from shared.schemas.topics import TOPICS

Commands = Callable[[str], Iterator[str]]
PARTS = ["What it means", "What to look at", "What to do"]


@pytest.fixture(scope="module")
def baton_commands() -> set[str]:
    """Every command of the command line, in words."""
    from baton.cli import app

    def walk(group: Any, prefix: str) -> Iterator[str]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, f"{prefix}{name} ")
            else:
                yield f"{prefix}{name}"

    return set(walk(typer.main.get_command(app), ""))


def test_a_runbook_is_a_page_in_three_parts(runbooks: dict[str, str]) -> None:
    assert runbooks
    for name, text in runbooks.items():
        assert text.startswith(f"# {name}\n"), name
        assert re.findall(r"^## (.*)$", text, flags=re.M) == PARTS, name
        assert len(text.splitlines()) <= 60, name


def test_a_runbook_says_what_to_type(runbooks: dict[str, str], commands: Commands) -> None:
    assert [name for name, text in runbooks.items() if not list(commands(text))] == []


def test_commands_of_baton_exist(runbooks: dict[str, str], commands: Commands, baton_commands: set[str]) -> None:
    pattern = r"(?:^baton|run --rm migrate) ((?:[a-z]+(?:-[a-z]+)* ?)+)"
    used = [
        (name, m.strip())
        for name, text in runbooks.items()
        for line in commands(text)
        for m in re.findall(pattern, line)
    ]
    assert used
    unknown = [
        (name, words)
        for name, words in used
        if not any(f"{words} ".startswith(f"{known} ") for known in baton_commands)
    ]
    assert unknown == []


def test_containers_that_are_named_exist(runbooks: dict[str, str], commands: Commands, compose: dict[str, Any]) -> None:
    pattern = r"docker compose (?:exec(?: -T)?|logs(?: --since \w+)?|restart|up -d|run --rm) ([a-z]+)"
    used = {(name, m) for name, text in runbooks.items() for line in commands(text) for m in re.findall(pattern, line)}
    assert used
    assert {(name, container) for name, container in used if container not in compose["services"]} == set()


def test_workloads_that_are_named_exist(
    runbooks: dict[str, str], commands: Commands, base: list[dict[str, Any]]
) -> None:
    workloads = {f"{o['kind'].lower()}/{o['metadata']['name']}" for o in base}
    pattern = r"\b((?:deployment|statefulset|job)/[a-z-]+)"
    used = {(name, m) for name, text in runbooks.items() for line in commands(text) for m in re.findall(pattern, line)}
    assert {(name, workload) for name, workload in used if workload not in workloads} == set()


def test_tables_that_are_named_exist(runbooks: dict[str, str], commands: Commands, root: Path) -> None:
    migrations = "".join(path.read_text() for path in (root / "baton/migrations/versions").glob("*.py"))
    created = set(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+\.\w+)", migrations))
    created |= {f"{schema}.outbox" for schema in re.findall(r"create_table\(['\"](\w+)['\"]\)", migrations)}
    pattern = r"\b(?:FROM|JOIN|UPDATE|INTO) (\w+\.\w+)"
    used = {(name, m) for name, text in runbooks.items() for line in commands(text) for m in re.findall(pattern, line)}
    assert used
    assert {(name, table) for name, table in used if table not in created} == set()


def test_topics_that_are_named_exist(runbooks: dict[str, str], commands: Commands) -> None:
    used = {
        (name, m)
        for name, text in runbooks.items()
        for line in commands(text)
        for m in re.findall(r"--topic ([a-z-]+)", line)
    }
    assert used
    assert {(name, topic) for name, topic in used if topic not in TOPICS} == set()


def test_every_command_can_be_typed(runbooks: dict[str, str], commands: Commands) -> None:
    for name, text in runbooks.items():
        for line in commands(text):
            assert shlex.split(line), (name, line)
