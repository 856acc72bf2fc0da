"""The Dockerfile: one image per program, each with what its program imports and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Imports every module of the packages named, then prints which files of ours and which distributions that took.
IMPORT_ALL = """
import importlib, importlib.metadata, json, pkgutil, sys
before = set(sys.modules)
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(getattr(package, "__path__", ()), name + "."):
        importlib.import_module(module.name)
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
owners = importlib.metadata.packages_distributions()
ours = ("baton", "services", "shared")
print(json.dumps({
    "files": [m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] in ours and m.__file__],
    "distributions": {top: owners[top] for top in tops - set(ours) if top in owners},
}))
"""


COMMAND_LINE = [
    "baton.cli",
    "baton.commands",
    "baton.policies",
    "baton.rebuilding",
    "baton.explaining",
    "baton.importing",
]


@pytest.fixture(scope="module", params=["ingest", "scoring", "router", "handoff", "baton"])
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def copied(stages: dict[str, list[Any]]) -> Callable[[str], list[tuple[str, str]]]:
    """What a stage copies from the repository, its base's copies first: (source, target) pairs."""

    def read(stage: str) -> list[tuple[str, str]]:
        base = stages[stage][0].rest.split()[0]
        pairs = [i.rest.split() for i in stages[stage] if i.name == "COPY" and not i.rest.startswith("--from")]
        return [*(read(base) if base in stages else []), *((source, target) for source, target in pairs)]

    return read


@pytest.fixture(scope="module")
def image(
    root: Path, copied: Callable[[str], list[tuple[str, str]]], program: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The application folder of the program's image, without the machine around it."""
    folder = tmp_path_factory.mktemp(program)
    for source, target in copied(program):
        origin, place = root / source, folder / target
        place.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, place, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(origin, place)
    return folder


@pytest.fixture(scope="module")
def imported(image: Path, program: str) -> dict[str, Any]:
    """What importing all modules of the service, or of the command line, takes inside its image's folder."""
    own = COMMAND_LINE if program == "baton" else [f"services.{program}"]
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *own],
        cwd=image,
        env={"PYTHONPATH": str(image), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return result


def test_an_image_holds_every_module_its_program_imports(imported: dict[str, Any], image: Path) -> None:
    assert imported["files"]
    assert [file for file in imported["files"] if not Path(file).is_relative_to(image)] == []


def test_an_image_installs_every_package_its_program_imports(imported: dict[str, Any], root: Path) -> None:
    locked = {
        canonicalize_name(Requirement(line.split(" \\")[0]).name)
        for line in (root / "deploy/requirements.lock").read_text().splitlines()
        if re.match(r"\w", line)
    }
    missing = {
        top: owners
        for top, owners in imported["distributions"].items()
        if not any(canonicalize_name(owner) in locked for owner in owners)
    }
    assert imported["distributions"]
    assert missing == {}


def test_an_image_holds_no_other_service(image: Path, program: str, services: dict[str, int]) -> None:
    """But for the command line's, which works by the code of them all."""
    folders = {path.name for path in (image / "services").iterdir() if path.is_dir()}
    assert folders == (services.keys() if program == "baton" else {program})
    assert (image / "baton").exists() == (program == "baton")


def test_no_tests_and_no_tools_are_copied(
    copied: Callable[[str], list[tuple[str, str]]], services: dict[str, int], program: str
) -> None:
    allowed = {"shared", "services/__init__.py", "deploy/healthcheck.py", f"services/{program}"}
    if program == "baton":
        allowed = allowed - {"services/baton"} | {"baton", "policies", "services"}
    assert {source for source, _ in copied(program)} == allowed


def test_what_is_copied_is_let_into_the_build(root: Path, stages: dict[str, list[Any]]) -> None:
    let_in = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = {
        i.rest.split()[0] for stage in stages.values() for i in stage if i.name == "COPY" and "--from" not in i.rest
    }
    assert {s for s in sources if not any(s == entry or s.startswith(f"{entry}/") for entry in let_in)} == set()
    assert all((root / entry).exists() for entry in let_in)


def test_programs_do_not_run_as_root(stages: dict[str, list[Any]], program: str) -> None:
    base = stages[program][0].rest.split()[0]
    users = [i.rest for stage in (base, program) for i in stages[stage] if i.name == "USER"]
    assert users
    assert users[-1].partition(":")[0] not in {"", "0", "root"}


def test_processes_start_without_a_shell(stages: dict[str, list[Any]], program: str) -> None:
    starts = {i.name: i.rest for i in stages[program] if i.name in {"CMD", "ENTRYPOINT"}}
    argv = [part for name in ("ENTRYPOINT", "CMD") for part in json.loads(starts.get(name, "[]"))]
    module = "baton" if program == "baton" else f"services.{program}"
    assert argv[:3] == ["python", "-m", module]


def test_a_service_is_probed_where_it_listens(
    stages: dict[str, list[Any]], default_port: Callable[[str], int], service: str
) -> None:
    port = default_port(service)
    (check,) = (i.rest for i in stages[service] if i.name == "HEALTHCHECK")
    (exposed,) = (i.rest for i in stages[service] if i.name == "EXPOSE")
    assert json.loads(check.partition("CMD ")[2]) == ["python", "-I", "deploy/healthcheck.py", str(port), "/livez"]
    assert exposed == str(port)


def test_dependencies_are_installed_by_their_hashes_from_wherever_the_builder_says(
    root: Path, stages: dict[str, list[Any]]
) -> None:
    (install,) = (i.rest for i in stages["dependencies"] if i.name == "RUN")
    assert "--require-hashes" in install
    assert "--no-deps" in install
    text = (root / "deploy/Dockerfile").read_text()
    assert re.findall(r"://|--index|--extra-index|--find-links|--trusted-host|^# *syntax=", text, flags=re.M) == []


def test_every_image_starts_from_the_same_python(stages: dict[str, list[Any]]) -> None:
    origins = {stage[0].rest.split()[0] for stage in stages.values()} - stages.keys()
    assert origins == {"python:3.12-slim"}
