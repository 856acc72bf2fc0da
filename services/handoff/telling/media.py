"""A message without a medium, and how it is written for one; pure.

What others have typed is harmless in all of them: it has no line breaks, no control characters, no addresses that a client makes
links of, and calls nobody by `@`. Signs that mean something in Markdown are escaped here, what means something in HTML or Slack by
Apprise, which knows what it sends.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

LONGEST = 80  # characters of what others have typed
_JOINER = "\u2060"  # takes no room, and parts what a client would see as a link or a mention
_MARKDOWN = re.compile(r"([\\`*_\[\]<>&~|])")  # what has a meaning within a line; how lines begin is ours
_LINKS = re.compile(r"(?i)(https?|ftp|mailto|www|tel|javascript|data)(?=[:.])|(?<=\w)\.(?=[a-z]{2})")
_TAG = re.compile(r"\[(?=[A-Za-z/])")  # of Chatwork: [toall], [To:1]
_ENTITY = re.compile(r"&(?=[#\w])")


@dataclass(frozen=True, slots=True)
class Link:
    """Where somebody may answer. label: what stands before it, or on it"""

    label: str
    url: str


Line = str | Link


@dataclass(frozen=True, slots=True)
class Message:
    """title: one line;  lines: an empty one parts what belongs together"""

    title: str
    lines: tuple[Line, ...]


def harmless(text: str, longest: int = LONGEST) -> str:
    """What a stranger may have typed, on one line, and nothing in it that is more than text."""
    kept = "".join(
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Co", "Cs", "Cn")
    )
    kept = " ".join(kept.split())
    if len(kept) > longest:
        kept = kept[: longest - 1] + "…"
    kept = kept.replace("://", f":{_JOINER}//").replace("@", f"@{_JOINER}")
    # Of Markdown, where a medium reads plain text as such, or another one than ours: links, pictures, and what escapes our signs.
    kept = (
        kept.replace("\\", f"\\{_JOINER}")
        .replace("](", f"]{_JOINER}(")
        .replace("][", f"]{_JOINER}[")
        .replace("![", f"!{_JOINER}[")
    )
    kept = _TAG.sub(f"[{_JOINER}", _ENTITY.sub(f"&{_JOINER}", kept))
    return _LINKS.sub(lambda found: found[0] + _JOINER, kept)


def as_text(message: Message) -> str:
    return "\n".join(f"{line.label}: {line.url}" if isinstance(line, Link) else line for line in message.lines)


def as_markdown(message: Message, *, bare_links: bool = False) -> str:
    """CommonMark; every line is one of its own. bare_links: addresses are shown, for who reads it without its marks, too"""
    return "\n".join(_line(line, bare_links) + ("  " if line else "") for line in message.lines)


def _line(line: Line, bare_links: bool) -> str:
    if isinstance(line, str):
        return escaped(line)
    label = escaped(line.label)
    return f"{label}: [{escaped(line.url)}]({line.url})" if bare_links else f"[{label}]({line.url})"


def escaped(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return _MARKDOWN.sub(r"\\\1", text)
