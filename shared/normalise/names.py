"""Names of people."""

from __future__ import annotations

import re
from typing import Any

from shared.normalise.text import clean
from shared.normalise.variants import fold

# At the end only, and never the whole of a name. 殿 after a single character is the end of a surname: 鵜殿, 真殿.
_HONORIFIC = re.compile(r"(?<=\S)\s*(?:様|さん|氏|先生|(?<=\s)殿|(?<=\S\S)殿)$")
_EASTERN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U0003ffff]")


def person_name(value: Any) -> str | None:
    """A name without the honorifics that somebody typed after it; old forms of characters as they are."""
    text = clean(value)
    if not text:
        return None
    while (bare := _HONORIFIC.sub("", text)) != text:
        text = bare
    return text


def family_name(last_name: Any, name: Any = None) -> str | None:
    """The family name, folded for comparison; None where it can only be guessed.

    Said in a field of its own; else the first part of a Japanese, Chinese or Korean name that is parted (山田 太郎); else the part
    in capitals (Taro YAMADA), or before a comma (Yamada, Taro). Where a name like `Taro Yamada` begins, nobody knows.
    """
    if said := person_name(last_name):
        return fold(said)
    whole = person_name(name)
    if not whole:
        return None
    before, comma, after = (part.strip() for part in whole.partition(","))
    if comma:
        return fold(before) if before and after else None
    parts = whole.split(" ")
    if len(parts) < 2:
        return None
    if _EASTERN.search(whole):
        return fold(parts[0]) if len(parts) == 2 else None
    capitals = [part for part in parts if len(part) > 1 and part.isupper()]
    return fold(capitals[0]) if len(capitals) == 1 and len(parts) > 1 else None
