"""The valid word that a wrong one is a slip of."""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz import fuzz, process

NEAR = 60  # of 100; below that it is another word, and to name it would mislead


def nearest(wrong: str, valid: Iterable[str]) -> str | None:
    """The one of `valid` that `wrong` is a slip of, or a word of it that stands between underscores; None where none is near."""
    found = process.extractOne(wrong, list(valid), scorer=fuzz.token_set_ratio, processor=_words, score_cutoff=NEAR)
    return found[0] if found else None


def _words(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").replace(".", " ").split())
