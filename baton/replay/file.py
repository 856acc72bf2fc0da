"""A file of JSON lines as messages of the tracking API: all of it is read and checked before anything of it is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from baton.errors import OperatorError
from baton.segment import Checker
from shared.schemas import ids


def read(path: Path, *, again: bool = False) -> list[dict[str, Any]]:
    """The messages of `path`, blank lines left out. Raises OperatorError that names the first bad line and what to do.

    A message without a messageId gets one derived from its line, so that the same file sent twice is the same events;
    with `again` it gets none, and the client makes it a new event.
    """
    try:
        lines = path.read_bytes().splitlines()
    except IsADirectoryError:
        raise OperatorError(f"{path} is a folder: say what it holds with --dataset olist") from None
    except OSError as error:
        raise OperatorError(f"{path} cannot be read ({error.strerror})") from None
    checker, messages = Checker(), []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            message = _message(line)
            checker.check(message)
        except OperatorError as error:
            raise OperatorError(f"{path}:{number}: {error}; nothing was sent: mend the line, or take it out") from None
        if message.get("messageId") is None and not again:
            # With the number: two equal lines are two events.
            message["messageId"] = ids.derived_id("replayed-line", number, line.decode())
        messages.append(message)
    return messages


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise OperatorError(f"this is not JSON ({error})") from None
    if not isinstance(message, dict):
        raise OperatorError("this is not an object, as a message of the tracking API is")
    return message
