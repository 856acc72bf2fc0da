"""What all unit tests share: a policy file that many of them read is parsed once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from baton.policies import reading
from baton.policies.documents import load

_parsed: dict[tuple[str, bytes], Any] = {}


@pytest.fixture(scope="session", autouse=True)
def _parsed_once() -> Iterator[None]:
    """`load` of the same bytes under the same name gives what it gave before: to parse is most of what to read a policy costs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "load", _once)
        yield


def _once(path: Path, name: str) -> Any:
    if not path.is_file() or path.stat().st_size > 100_000:
        return load(path, name)
    key = name, path.read_bytes()
    if key not in _parsed:
        _parsed[key] = load(path, name)
    return _parsed[key]
