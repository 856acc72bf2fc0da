"""Sending at a chosen speed, with a bar that shows how far it is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from baton.segment import Sender

Messages = Sequence[Mapping[str, Any]]


def send(sender: Sender, units: Iterable[Messages], count: int, what: str, speed: float, console: Console) -> float:
    """Send `count` units of messages, `speed` of them a second (0: as fast as they are taken), and wait for every answer; seconds.

    A unit is what speed is measured in: a lead with all its messages, or one message.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    begun = time.monotonic()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"sending {what}", total=count)
        for number, unit in enumerate(units):
            if speed and (ahead := begun + number / speed - time.monotonic()) > 0:
                time.sleep(ahead)
            for message in unit:
                sender.send(message)
            progress.advance(task)
        progress.update(task, description="waiting for the last answers")
        sender.flush()
    return time.monotonic() - begun
