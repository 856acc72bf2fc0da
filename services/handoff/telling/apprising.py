"""One message by Apprise. It blocks, reads answers without end, and logs secrets: only for a process of its own."""

from __future__ import annotations

from functools import cache
from typing import Any

from services.handoff.telling.media import Message, as_markdown, as_text, escaped
from services.handoff.telling.schedule import Outcome
from services.handoff.telling.urls import SCHEMAS

MARKED_TITLES = {"workflow", "workflows"}  # Teams reads Markdown in every part of a card


@cache
def load() -> Any:
    """Apprise with its plugins: it takes a moment, and many tenants tell nobody."""
    import apprise

    apprise.Apprise.instantiate("json://localhost")
    return apprise


def notify(url: str, message: Message) -> Outcome:
    """Raises whatever a plugin raises."""
    apprise = load()
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
        pgp_autogen=False,
        service_timeout=0,  # it would wait in a thread of a pool; ours is bounded by us
    )
    plugin = apprise.Apprise.instantiate(url, asset=asset)
    if plugin is None or not SCHEMAS & _protocols(plugin):
        return "unsendable"
    sender = apprise.Apprise(asset=asset)
    sender.add(plugin)
    if plugin.overflow_mode == apprise.OverflowMode.UPSTREAM:  # as it is where the URL says nothing
        plugin.overflow_mode = apprise.OverflowMode.SPLIT
    # What a plugin, or `format` of the URL, likes best. HTML, and the text beside it in a mail, is made of Markdown by Apprise.
    likes, formats = plugin.resolve_format(None), apprise.NotifyFormat
    plain = likes == formats.TEXT
    merged = plugin.title_maxlen <= 0  # the title is the first line of the body, and read as it is
    marked = merged or bool(MARKED_TITLES & _protocols(plugin))
    told = sender.notify(
        body=as_text(message) if plain else as_markdown(message, bare_links=likes == formats.HTML),
        title=message.title if plain or not marked else escaped(message.title),
        body_format=formats.TEXT if plain else formats.MARKDOWN,
    )
    return "told" if told else "refused"


def _protocols(plugin: Any) -> set[str]:
    found: set[str] = set()
    for named in (plugin.protocol, plugin.secure_protocol):
        found |= {named} if isinstance(named, str) else set(named or ())
    return found
