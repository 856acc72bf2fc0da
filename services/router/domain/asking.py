"""Which question is worth asking: the cheapest one whose answer could still make a framework enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from shared.schemas.policies.frameworks import Codes, Criterion
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
    is_: Literal["met", "open", "closed"]


Parts = Mapping[str, tuple[tuple[Part, ...], ...]]
Said = Mapping[str, str | None]


def question_worth_asking(asked: Mapping[str, Criterion], parts: Parts, met: int, minimum: int) -> Question | None:
    """The cheapest open question on whose answer it may come to depend whether there is enough; of equal cost the one that is
    asked earlier.

    parts: of the criteria that are not met, all of their ways;  met: weight of those that are
    """
    families = [_Family(asked, parts, names) for names in _related(parts)]
    candidates = [
        (asked[name].asking(question)[0], _ORDER.get(question, len(_ORDER)), number, name, question)
        for number, family in enumerate(families)
        for name, question in family.questions()
    ]
    gains = [family.gains() for family in families] if len(families) > 1 else []
    for cost, _, number, name, question in sorted(candidates):
        reached = {met}
        for others in (gained for n, gained in enumerate(gains) if n != number):
            reached = {weight + more for weight in reached for more in others}
        if _turns(families[number], question, reached, minimum):
            words = asked[name].asking(question)[1]
            return Question(name, cost, words.en, words.ja, question)
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

    def __init__(self, asked: Mapping[str, Criterion], parts: Parts, names: tuple[str, ...]) -> None:
        self._asked = asked
        self._ways = {name: [way for way in parts[name] if all(part.is_ != "closed" for part in way)] for name in names}
        self._open = list(
            dict.fromkeys(
                part.question for ways in self._ways.values() for way in ways for part in way if part.is_ == "open"
            )
        )

    def questions(self) -> Iterator[tuple[str, str]]:
        """Open questions, each with the first criterion that it is for."""
        for question in self._open:
            yield next(name for name, ways in self._ways.items() if question in _questions(ways)), question

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
        if any(criterion.required and name not in met for name, criterion in self._asked.items() if name in self._ways):
            return None
        return sum(self._asked[name].weight for name in met)

    def gains(self) -> set[int]:
        """What it may come to add."""
        return {worth for said in self.answers() if (worth := self.worth(said)) is not None}


def _met(way: tuple[Part, ...], said: Said) -> bool:
    return all(part.is_ == "met" or said.get(part.question) in part.codes for part in way)


def _questions(ways: list[tuple[Part, ...]]) -> set[str]:
    return {part.question for way in ways for part in way if part.is_ == "open"}


def _related(parts: Parts) -> list[tuple[str, ...]]:
    """Criteria that share open questions, directly or by others, together."""
    families: list[tuple[set[str], tuple[str, ...]]] = []
    for name, ways in parts.items():
        questions = _questions(list(ways))
        names: tuple[str, ...] = (name,)
        for family in [family for family in families if family[0] & questions]:
            families.remove(family)
            questions, names = questions | family[0], family[1] + names
        families.append((questions, names))
    return [names for _, names in families]
