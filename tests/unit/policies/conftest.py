"""A tenant's policies to spoil: a copy of the demo tenant, edited by exact text."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from baton.policies import PolicyErrors, read

ROOT = Path(__file__).parents[3]

Edit = Callable[[str, str, str], None]
Faults = Callable[[], list[str]]


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of northstar's policies, under a path that is the same on every machine."""
    shutil.copytree(ROOT / "policies" / "northstar", tmp_path / "policies" / "northstar")
    monkeypatch.chdir(tmp_path)
    return Path("policies/northstar")


@pytest.fixture
def edit(demo: Path) -> Edit:
    """edit(kind, old, new): replace the one occurrence of `old`."""

    def replace(kind: str, old: str, new: str) -> None:
        path = demo / f"{kind}.yaml"
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        path.write_text(text.replace(old, new))

    return replace


@pytest.fixture
def faults(demo: Path) -> Faults:
    """What `read` refuses, as printed, without the line: `routing.yaml: message`, and that the line holds what it should."""

    def read_faults() -> list[str]:
        try:
            read(demo)
        except PolicyErrors as errors:
            return [str(problem) for problem in errors.problems]
        return []

    return read_faults


@pytest.fixture
def line_of(demo: Path) -> Callable[[str, str], int]:
    """line_of(kind, text): the first line of the file that holds `text`."""

    def find(kind: str, text: str) -> int:
        lines = (demo / f"{kind}.yaml").read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    return find
