"""One message on a channel: its URL is looked up when it is sent."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from time import monotonic
from urllib.parse import quote

from services.handoff.telling import urls
from services.handoff.telling.media import Message
from services.handoff.telling.schedule import Outcome
from shared.kit.names import parse

TO = "{to}"
Deliver = Callable[[str, Message], Awaitable[Outcome]]


class Senders:
    """Sends on channels.

    deliver: to a URL, and bounded in time;  names: a file of NAME=value lines that `env:NAME` stands for, before the environment;
             read again for every message
    """

    def __init__(self, deliver: Deliver, names: Path | None = None) -> None:
        self._deliver, self._names = deliver, names

    async def send(self, reference: str, to: str | None, message: Message) -> tuple[Outcome, int]:
        """What came of it, and how long (ms) it took; never raises for what others do. reference: where the URL is kept"""
        began = monotonic()
        url = self._url(reference, to)
        outcome: Outcome = await self._deliver(url, message) if url else "unsendable"
        return outcome, round((monotonic() - began) * 1000)

    def _url(self, reference: str, to: str | None) -> str | None:
        url = value_of(reference, self._known())
        if url is None or urls.fault(url) or (TO in url and not to):
            return None
        return url.replace(TO, quote(to or "", safe=""))

    def _known(self) -> Mapping[str, str]:
        names = _content(self._names) if self._names else None
        return {**os.environ, **parse(names or "")}


def value_of(reference: str, names: Mapping[str, str]) -> str | None:
    """What `env:NAME` or `file:PATH` stands for; None where there is nothing."""
    kind, _, rest = reference.partition(":")
    value = names.get(rest) if kind == "env" else _content(Path(rest))
    return (value or "").strip() or None


def _content(path: Path) -> str | None:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return None
