"""Sets of texts: some, or all but some; and a text that begins, ends and is spelt as wanted, wherever there is one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from string import ascii_lowercase, digits

Pattern = tuple[str, str]  # prefix, suffix or contains, and of what; folded
HOLDS: Mapping[str, Callable[[str, str], bool]] = {
    "prefix": str.startswith,
    "suffix": str.endswith,
    "contains": str.__contains__,
}
_FILLERS = (*ascii_lowercase[::-1], *digits, *map(chr, range(0xE000, 0xF8FF)))


@dataclass(frozen=True, slots=True)
class Texts:
    """items: folded;  others: all texts but `items` are meant"""

    items: frozenset[str] = frozenset()
    others: bool = False

    def __bool__(self) -> bool:
        return self.others or bool(self.items)

    def __contains__(self, text: str) -> bool:
        return (text in self.items) is not self.others

    def __and__(self, other: Texts) -> Texts:
        if self.others and other.others:
            return Texts(self.items | other.items, True)
        if self.others:
            return Texts(other.items - self.items)
        return Texts(self.items - other.items if other.others else self.items & other.items)

    def __sub__(self, other: Texts) -> Texts:
        return self & Texts(other.items, not other.others)

    def __or__(self, other: Texts) -> Texts:
        rest = Texts(self.items, not self.others) & Texts(other.items, not other.others)
        return Texts(rest.items, not rest.others)


ALL = Texts(others=True)


def one(
    texts: Texts, wanted: Collection[Pattern] = (), unwanted: Collection[Pattern] = (), nice: Iterable[str] = ()
) -> str | None:
    """A text of the set that fits all patterns of `wanted` and none of `unwanted`; None only where there is none.

    nice: texts that are tried first
    """
    tried = (*nice, *_made(texts, wanted, unwanted)) if texts.others else (*nice, *sorted(texts.items))
    return next((text for text in tried if text in texts and fits(text, wanted, unwanted)), None)


def fits(text: str, wanted: Iterable[Pattern], unwanted: Iterable[Pattern] = ()) -> bool:
    return all(HOLDS[op](text, part) for op, part in wanted) and not any(HOLDS[op](text, part) for op, part in unwanted)


def _made(texts: Texts, wanted: Collection[Pattern], unwanted: Collection[Pattern]) -> Iterator[str]:
    """What the patterns ask for, held apart by a character that none of them has: so nothing stands in the text but what has to.

    If even that has an unwanted part, every text that fits `wanted` has it. Of excluded texts one is avoided by more fillers.
    """
    start = max((part for op, part in wanted if op == "prefix"), key=len, default="")
    end = max((part for op, part in wanted if op == "suffix"), key=len, default="")
    middle = [part for op, part in wanted if op == "contains"]
    if start or middle or end:
        yield start + "".join(middle) + end
    used = {char for _, part in (*wanted, *unwanted) for char in part}
    filler = next(char for char in _FILLERS if char not in used)
    for times in range(1, len(texts.items) + 2):
        gap = filler * times
        yield gap.join([start, *middle, end]) if middle else start + gap + end
