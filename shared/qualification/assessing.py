"""What is known of a lead for a framework such as BANT: which criteria its answers meet at a moment, and until when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from shared.qualification.answers import Answer
from shared.qualification.asking import Part, Question, Wanted, worth_asking
from shared.schemas.catalogue import BANT
from shared.schemas.policies.frameworks import Codes, Confidence, Criterion, Fiscal, Framework
from shared.schemas.touches import Scalar

DAY = 86_400_000
State = Literal["met", "unmet", "expired", "missing", "conflicting"]
# Of the ways of a criterion the one that is furthest tells its state; of the questions of a way the one that is least far.
FURTHEST: tuple[State, ...] = ("met", "conflicting", "unmet", "expired", "missing")
HINDERS: tuple[State, ...] = ("unmet", "conflicting", "missing", "expired", "met")


@dataclass(frozen=True, slots=True)
class Assessed:
    """One criterion.

    answers:    which made it so: those that meet it, that fell short, that contradict each other, or that held once
    expires_at: when the state changes by the clock alone (ms); of one that has expired, when it did
    """

    criterion: str
    state: State
    answers: tuple[Answer, ...] = ()
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """A framework at one moment.

    met, of:     weight of the criteria that are met, and of all;  minimum: what is wanted of it
    lacking:     criteria that have to be met and are not
    question:    the cheapest one whose answer could still make it enough; None where it is, or where none can
    next_change: when the first of the criteria changes by the clock alone (ms)
    """

    framework: str
    criteria: tuple[Assessed, ...]
    met: int
    of: int
    minimum: int
    lacking: tuple[str, ...] = ()
    question: Question | None = None
    next_change: int | None = None

    @property
    def enough(self) -> bool:
        return self.met >= self.minimum and not self.lacking

    @property
    def confirmed(self) -> bool:
        """Whether anything is: an answer that meets a criterion."""
        return any(one.state == "met" for one in self.criteria)

    def facts(self) -> dict[str, Scalar]:
        """The fields of `bant.*` and `framework.*` that routing rules may name."""
        letters: dict[str, Scalar] = {
            name: one.state == "met" for one in self.criteria if (name := f"bant.{one.criterion}") in BANT
        }
        if letters:
            letters["bant.met"] = sum(map(bool, letters.values()))
        return letters | {"framework.met": self.met, "framework.enough": self.enough}


def assess(answers: tuple[Answer, ...], framework: Framework, now: int, fiscal_month: int | None = None) -> Assessment:
    """Which criteria are met at `now`, by which answers and until when, and what is best asked next.

    fiscal_month: of the customer's account, where it is known: in which its fiscal year ends
    """
    asked = framework.resolved
    found = {
        name: _Looking(criterion, answers, framework.confidence, framework.fiscal, fiscal_month)
        for name, criterion in asked.items()
    }
    criteria = tuple(looking.assessed(name, now) for name, looking in found.items())
    states = {one.criterion: one.state for one in criteria}
    met = sum(asked[name].weight for name, state in states.items() if state == "met")
    lacking = tuple(name for name, criterion in asked.items() if criterion.required and states[name] != "met")
    question = None
    if met < framework.minimum_met or lacking:
        wanted = tuple(found[name].wanted(name, now) for name, state in states.items() if state != "met")
        best = worth_asking(wanted, met, framework.minimum_met)
        question = _question(asked, *best) if best else None
    changes = [one.expires_at for one in criteria if one.expires_at is not None and one.expires_at > now]
    of = sum(criterion.weight for criterion in asked.values())
    next_change = min(changes, default=None)
    return Assessment(framework.name, criteria, met, of, framework.minimum_met, lacking, question, next_change)


def _question(asked: Mapping[str, Criterion], name: str, question: str) -> Question:
    words = asked[name].words_of(question)
    return Question(name, asked[name].cost_of(question), words.en, words.ja, question)


@dataclass(frozen=True, slots=True)
class _Said:
    """What was answered to one question, as far as one set of codes is concerned."""

    state: State
    answers: tuple[Answer, ...] = ()


class _Looking:
    """One criterion and the answers that count for it, with the moment (ms) at which each ends."""

    def __init__(
        self,
        criterion: Criterion,
        answers: Iterable[Answer],
        confidence: Confidence,
        fiscal: Fiscal,
        fiscal_month: int | None,
    ) -> None:
        self._criterion = criterion
        self._sure: Callable[[Answer], float] = lambda one: confidence.of(
            one.source_id, trusted=one.trusted, said=one.confidence
        )
        self._ways = criterion.all_ways
        questions = {question for way in self._ways for question in way}
        newest: dict[tuple[str, str], Answer] = {}
        for one in answers:
            if one.question in questions and self._counts(one):
                known = newest.get((one.question, one.source_id))
                if known is None or one.observed_at > known.observed_at:
                    newest[one.question, one.source_id] = one
        month = fiscal_month or fiscal.month
        self._ends = {one: _end(one, criterion, month, fiscal.zone) for one in newest.values()}

    def assessed(self, name: str, now: int) -> Assessed:
        state, answers = self._at(now)
        if state == "expired":
            return Assessed(name, state, answers, max(self._ends[one] for one in answers))
        later = sorted(end for end in self._ends.values() if end > now)
        return Assessed(name, state, answers, next((end for end in later if self._at(end)[0] != state), None))

    def wanted(self, name: str, now: int) -> Wanted:
        """Per way its questions: met already, open to be asked, or answered for now with what does not meet it."""
        its = self._criterion
        ways = tuple(
            tuple(
                Part(question, codes, its.cost_of(question), _PARTS[self._said(question, codes, now).state])
                for question, codes in way.items()
            )
            for way in self._ways
        )
        return Wanted(name, its.weight, its.required, ways)

    def _at(self, now: int) -> tuple[State, tuple[Answer, ...]]:
        found = [self._way(way, now) for way in self._ways]
        state = min((said.state for said in found), key=FURTHEST.index)
        likely = [said for said in found if said.state == state]
        # Of several ways that are equally far the one is told of which the latest is known.
        best = max(likely, key=lambda said: max((one.observed_at for one in said.answers), default=-1))
        return best.state, best.answers

    def _way(self, way: Mapping[str, Codes], now: int) -> _Said:
        said = [self._said(question, codes, now) for question, codes in way.items()]
        state = min((one.state for one in said), key=HINDERS.index)
        return _Said(state, tuple(answer for one in said if one.state == state for answer in one.answers))

    def _said(self, question: str, codes: Codes, now: int) -> _Said:
        given = [one for one in self._ends if one.question == question]
        if not given:
            return _Said("missing")
        live = [one for one in given if now < self._ends[one]]
        if not live:
            return _Said("expired", (max(given, key=lambda one: (self._ends[one], one.source_id)),))
        deciding = self._deciding(live, codes)
        meeting = [one for one in deciding if one.code in codes]
        if not meeting or len(meeting) == len(deciding):
            state: State = "met" if meeting else "unmet"
            return _Said(state, (max(deciding, key=self._rank("latest")),))
        rest = [one for one in deciding if one.code not in codes]
        return _Said("conflicting", tuple(max(side, key=self._rank("latest")) for side in (meeting, rest)))

    def _deciding(self, live: list[Answer], codes: Codes) -> list[Answer]:
        """The answers that decide, by the criterion's way with conflicts."""
        conflict = self._criterion.conflict
        if conflict == "all_met":
            return live
        if conflict == "any_met":
            return [one for one in live if one.code in codes] or live
        rank = self._rank(conflict)
        best = max(rank(one)[:2] for one in live)
        return [one for one in live if rank(one)[:2] == best]

    def _rank(self, conflict: str) -> Callable[[Answer], tuple[float, float, str]]:
        if conflict == "most_trusted":
            return lambda one: (self._sure(one), one.observed_at, one.source_id)
        return lambda one: (one.observed_at, self._sure(one), one.source_id)

    def _counts(self, one: Answer) -> bool:
        sources = self._criterion.sources
        return (sources is None or one.source_id in sources) and self._sure(one) >= self._criterion.confidence


_PARTS: Mapping[State, Literal["met", "open", "closed"]] = {
    "met": "met",
    "unmet": "closed",
    "expired": "open",
    "missing": "open",
    "conflicting": "open",
}


def _end(answer: Answer, criterion: Criterion, fiscal_month: int, zone: str) -> int:
    """The first moment (ms) at which the answer holds no more."""
    if criterion.expires == "fiscal_year_end":
        return fiscal_year_end(answer.observed_at, fiscal_month, zone)
    return answer.observed_at + criterion.expires_days * DAY


def fiscal_year_end(at: int, month: int, zone: str) -> int:
    """The first moment (ms) after the fiscal year in which `at` (ms) lies: years end with the last day of `month`."""
    local = datetime.fromtimestamp(at / 1000, ZoneInfo(zone))
    last_year = local.year if local.month <= month else local.year + 1
    year, first = (last_year, month + 1) if month < 12 else (last_year + 1, 1)
    return int(datetime(year, first, 1, tzinfo=ZoneInfo(zone)).timestamp() * 1000)
