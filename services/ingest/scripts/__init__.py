"""Lua that Redis runs, each script as one atomic step."""

from __future__ import annotations

from pathlib import Path


def text(*names: str) -> str:
    """The scripts of these names as one."""
    return "".join((Path(__file__).parent / f"{name}.lua").read_text() for name in names)
