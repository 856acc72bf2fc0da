"""A small tenant without a fault, into which faults are planted by exact text."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

BASE = Path(__file__).parent / "base"
DIRECTORY = Path("policies/base")

Edit = Callable[[str, str, str], None]


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tenant's directory, under a path that is the same on every machine."""
    shutil.copytree(BASE, tmp_path / DIRECTORY)
    monkeypatch.chdir(tmp_path)
    return DIRECTORY


@pytest.fixture
def edit(base: Path) -> Edit:
    """edit(kind, old, new): replace the one occurrence of `old`."""

    def replace(kind: str, old: str, new: str) -> None:
        path = base / f"{kind}.yaml"
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        path.write_text(text.replace(old, new))

    return replace
