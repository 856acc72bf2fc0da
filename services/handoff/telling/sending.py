"""One message through Apprise, bounded in time: it blocks, so each has a thread, and one that hangs is left behind alone."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

from services.handoff.telling.media import Message, as_markdown, as_text
from services.handoff.telling.schedule import Outcome
from shared.kit.names import parse

TO = "{to}"


class Senders:
    """Sends on channels.

    names:   a file of NAME=value lines that `env:NAME` stands for, before the environment; read again for every message
    seconds: that one message may take, all in all
    """

    def __init__(self, names: Path | None = None, *, seconds: float = 20) -> None:
        self._names, self._seconds = names, seconds
        self._hanging: dict[tuple[str, str], threading.Thread] = {}

    def hanging(self) -> list[tuple[str, str]]:
        """Tenant and channel of messages that were given up and still hold a thread: nothing else is sent on these meanwhile."""
        self._hanging = {key: thread for key, thread in self._hanging.items() if thread.is_alive()}
        return list(self._hanging)

    async def send(
        self, channel: tuple[str, str], reference: str, to: str | None, message: Message
    ) -> tuple[Outcome, int]:
        """What came of it, and how long (ms) it took; never raises for what the other side does. channel: tenant and id;
        reference: where its URL is kept"""
        await asyncio.to_thread(_apprise)  # before the time runs
        began = monotonic()
        outcome = await self._send(channel, reference, to, message)
        return outcome, round((monotonic() - began) * 1000)

    async def _send(self, channel: tuple[str, str], reference: str, to: str | None, message: Message) -> Outcome:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Outcome] = loop.create_future()

        def say(outcome: Outcome) -> None:
            if not done.done():
                done.set_result(outcome)

        def work() -> None:
            outcome = self._blocking(reference, to, message)
            with suppress(RuntimeError):  # the loop is gone: so is whoever wanted to know
                loop.call_soon_threadsafe(say, outcome)

        # A daemon: whoever hangs holds up neither others nor the end of the process, as threads of a pool would.
        thread = threading.Thread(target=work, name=f"tell-{channel[1]}", daemon=True)
        thread.start()
        try:
            async with asyncio.timeout(self._seconds):
                return await done
        except TimeoutError:
            self._hanging[channel] = thread
            return "timed_out"

    def _blocking(self, reference: str, to: str | None, message: Message) -> Outcome:
        try:
            url = self._url(reference, to)
            return _notify(url, message, self._seconds) if url else "unsendable"
        except Exception:  # of a plugin: one channel's fault must not end the service
            return "refused"

    def _url(self, reference: str, to: str | None) -> str | None:
        url = value_of(reference, self._known())
        if url is None or (TO in url and not to):
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


@cache
def _apprise() -> Any:
    """Apprise with its plugins, imported when the first message is sent: it takes a moment, and many tenants tell nobody. What it
    logs could hold addresses: it logs nothing, and we note what came of each try."""
    import apprise

    apprise.Apprise.instantiate("json://localhost")

    quiet = logging.getLogger("apprise")
    quiet.propagate = False
    quiet.setLevel(logging.CRITICAL + 1)
    return apprise


def _notify(url: str, message: Message, seconds: float) -> Outcome:
    apprise = _apprise()
    # Redirects could lead into our own network; nothing is kept on disk, no templates are read from there.
    asset = apprise.AppriseAsset(
        app_id="Baton",
        app_desc="Baton",
        app_url="",
        image_url_mask="",  # pictures would be fetched from elsewhere
        image_url_logo="",
        http_redirects=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        async_mode=False,
        allow_templates=False,
        service_timeout=0,  # it would wait in a thread of a pool; ours is bounded by us
    )
    sender = apprise.Apprise(asset=asset)
    if not sender.add(url):
        return "unsendable"
    plugin = sender[0]
    if plugin.overflow_mode == apprise.OverflowMode.UPSTREAM:  # as it is where the URL says nothing
        plugin.overflow_mode = apprise.OverflowMode.SPLIT
    # What a plugin, or `format` of the URL, likes best. HTML, and the text beside it in a mail, is made of Markdown by Apprise.
    likes, formats = plugin.resolve_format(None), apprise.NotifyFormat
    plain = likes == formats.TEXT
    told = sender.notify(
        body=as_text(message) if plain else as_markdown(message, bare_links=likes == formats.HTML),
        title=message.title,
        body_format=formats.TEXT if plain else formats.MARKDOWN,
    )
    return "told" if told else "refused"
