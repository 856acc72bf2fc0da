"""Where the services listen: the usual port, else a free one; a port that the user pinned must be free."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from baton.errors import OperatorError
from baton.stack.ports import HOST, free_port, holder, is_free

__all__ = ["USUAL", "check_pins", "choose", "holder", "is_free"]

USUAL = {"ingest": 8181, "scoring": 8182, "router": 8183, "handoff": 8184}


def check_pins(environ: Mapping[str, str]) -> None:
    """Raises OperatorError when a pinned port is taken, pinned twice, or no port."""
    holders: dict[int, str] = {}
    for name in USUAL:
        variable = f"{name.upper()}_PORT"
        if pinned := environ.get(variable):
            port = _pinned(variable, pinned)
            if port in holders:
                raise OperatorError(
                    f"port {port} is pinned by {holders[port]} and {variable}: give one of them another number"
                )
            holders[port] = variable


def choose(environ: Mapping[str, str], say: Callable[[str], None] = lambda line: None) -> dict[str, int]:
    """A free port for each service; `say` hears of each that is not the usual one. Raises OperatorError when one pinned by
    `INGEST_PORT` and the like is taken or is no port."""
    chosen: dict[str, int] = {}
    for name, usual in USUAL.items():
        variable = f"{name.upper()}_PORT"
        if pinned := environ.get(variable):
            chosen[name] = _pinned(variable, pinned)
        elif is_free(usual):
            chosen[name] = usual
        else:
            chosen[name] = free_port({*chosen.values(), *USUAL.values()})
            say(
                f"Port {usual} is in use by {holder(usual)}: {name} listens on {chosen[name]} ({name.upper()}_PORT pins one)"
            )
    return chosen


def _pinned(variable: str, value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) < 65_536:
        raise OperatorError(
            f"{variable} is {value!r}, which is no port: set it to a number from 1 to 65535, or unset it"
        )
    if not is_free(int(value)):
        raise OperatorError(
            f"port {value} on {HOST}, pinned by {variable}, is in use by {holder(int(value))}: "
            f"stop that, give {variable} another number, or unset it to use any free port"
        )
    return int(value)
