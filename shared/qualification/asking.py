"""Which question is worth asking: the cheapest one whose answer could still make a framework enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal

from shared.schemas.policies.frameworks import Codes
from shared.schemas.vocabulary import ASKING

_ORDER = {question: number for number, question in enumerate(ASKING)}


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is worth asking next. cost: 1 a form … 5 a meeting with the one who knows."""

    criterion: str
    cost: int
    en: str | None = None
    ja: str | None = None
    question: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One question of one way to meet a criterion: met already, open, or closed, because what was answered does not meet it."""

    question: str
    codes: Codes
    cost: int
    is_: Literal["met", "open", "closed"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A criterion that is not met, and all the ways to meet it."""

    name: str
    weight: int
    required: bool
    ways: tuple[tuple[Part, ...], ...]


Said = Mapping[str, str | None]


@lru_cache(maxsize=10_000)  # most leads have said nothing, and many the same
def worth_asking(wanted: tuple[Wanted, ...], met: int, minimum: int) -> tuple[str, str] | None:
    """The cheapest open question on whose answer it may come to depend whether there is enough, and the criterion that it is for;
    of equal cost the one that is asked earlier.

    met: weight of the criteria that are met
    """
    families = [_Family(related) for related in _related(wanted)]
    candidates = [
        (cost, _ORDER.get(question, len(_ORDER)), number, name, question)
        for number, family in enumerate(families)
        for name, question, cost in family.questions()
    ]
    gains = [family.gains() for family in families] if len(families) > 1 else []
    for *_, number, name, question in sorted(candidates):
        reached = {met}
        for others in (gained for n, gained in enumerate(gains) if n != number):
            reached = {weight + more for weight in reached for more in others}
        if _turns(families[number], question, reached, minimum):
            return name, question
    return None


def _turns(family: _Family, question: str, reached: set[int], minimum: int) -> bool:
    """Whether, other questions being answered in some way, it is this one that makes it enough."""
    for others in family.answers(without=question):
        before = family.worth(others)
        for code in family.codes(question):
            after = family.worth({**others, question: code})
            for weight in reached:
                enough = after is not None and weight + after >= minimum
                if enough and not (before is not None and weight + before >= minimum):
                    return True
    return False


class _Family:
    """Criteria whose open questions have to do with each other: one answer may count for several."""

    def __init__(self, wanted: tuple[Wanted, ...]) -> None:
        self._wanted = {one.name: one for one in wanted}
        self._ways = {
            one.name: [way for way in one.ways if all(part.is_ != "closed" for part in way)] for one in wanted
        }
        self._open = list(dict.fromkeys(question for ways in self._ways.values() for question in _questions(ways)))

    def questions(self) -> Iterator[tuple[str, str, int]]:
        """Open questions, each with the first criterion that it is for, and what asking costs there."""
        for question in self._open:
            yield next(
                (name, question, part.cost)
                for name, ways in self._ways.items()
                for way in ways
                for part in way
                if part.question == question and part.is_ == "open"
            )

    def codes(self, question: str) -> list[str]:
        """Answers that meet something; of those that meet the same, one."""
        kinds: dict[frozenset[tuple[str, int]], str] = {}
        ways = [(name, n, part) for name, ways in self._ways.items() for n, way in enumerate(ways) for part in way]
        for code in dict.fromkeys(code for *_, part in ways if part.question == question for code in part.codes):
            meets = frozenset((name, n) for name, n, part in ways if part.question == question and code in part.codes)
            kinds.setdefault(meets, code)
        return list(kinds.values())

    def answers(self, without: str | None = None) -> Iterator[Said]:
        """Every way in which the open questions may be answered; None: not, or with nothing that helps."""
        open_ones = [question for question in self._open if question != without]
        for codes in product(*((None, *self.codes(question)) for question in open_ones)):
            yield dict(zip(open_ones, codes, strict=True))

    def worth(self, said: Said) -> int | None:
        """The weight of what is met then; None while one that has to be met is not."""
        met = [name for name, ways in self._ways.items() if any(_met(way, said) for way in ways)]
        if any(one.required and name not in met for name, one in self._wanted.items()):
            return None
        return sum(self._wanted[name].weight for name in met)

    def gains(self) -> set[int]:
        """What it may come to add."""
        return {worth for said in self.answers() if (worth := self.worth(said)) is not None}


def _met(way: tuple[Part, ...], said: Said) -> bool:
    return all(part.is_ == "met" or said.get(part.question) in part.codes for part in way)


def _questions(ways: Iterable[tuple[Part, ...]]) -> list[str]:
    return [part.question for way in ways for part in way if part.is_ == "open"]


def _related(wanted: tuple[Wanted, ...]) -> list[tuple[Wanted, ...]]:
    """Criteria that share open questions, directly or by others, together."""
    families: list[tuple[set[str], tuple[Wanted, ...]]] = []
    for one in wanted:
        questions = set(_questions(one.ways))
        related: tuple[Wanted, ...] = (one,)
        for family in [family for family in families if family[0] & questions]:
            families.remove(family)
            questions, related = questions | family[0], (*family[1], *related)
        families.append((questions, related))
    return [related for _, related in families]
