"""Text as senders write it."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

MOST = 200  # characters of a fact that travel
# Characters that are read for them. One may become 18 in NFKC: megabytes of those would fill the memory, and take seconds.
_MOST_READ = 10_000
# Old forms of characters (神, 福, 隆 … as ideographs of their own): names are written with them, and NFKC would mend them away.
_OLD_FORMS = re.compile("([\uf900-\ufaff\U0002f800-\U0002fa1f]+)")
_ADDRESS = re.compile(r"[^\s/?&=;,:()<>]{1,64}(?:@|%40)[^\s/?&=;,:()<>]{1,255}")


def clean(value: Any, most: int = MOST) -> str | None:
    """NFKC text without surrounding or doubled blanks, `most` characters at most; None where nothing is said.

    The old forms of ideographs stay as they are written; `variants.fold` makes them one with the new.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _clean(value, most) if len(value) <= MOST else _clean.__wrapped__(value.lstrip()[:_MOST_READ], most)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(value)[:most]


@lru_cache(maxsize=16_384)  # names of events, pages, campaigns and companies come again and again
def _clean(text: str, most: int) -> str | None:
    return " ".join(_nfkc(text).split())[:most].strip() or None


def unnamed(text: str | None) -> str | None:
    """`text` with `*` for every mail address in it, encoded ones too: pages, events and campaigns are named after people, and that
    is to be known in `person` alone."""
    return _ADDRESS.sub("*", text) if text and ("@" in text or "%40" in text) else text


def _nfkc(text: str) -> str:
    if text.isascii():
        return text
    if not _OLD_FORMS.search(text):
        return unicodedata.normalize("NFKC", text)
    parts = _OLD_FORMS.split(text)
    return "".join(part if index % 2 else unicodedata.normalize("NFKC", part) for index, part in enumerate(parts))
