"""Whether a lead is ripe: the gate by grade and hand-raise, BANT by its answers, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.router.domain.facts import Answer, Facts, Scored
from shared.schemas.policies.qualification import BantPolicy, Criterion, Gate

DAY = 86_400_000
Verdict = Literal["mql", "inside_sales_check", "nurture"]
Leg = Literal["is", "fs"]
State = Literal["met", "unmet", "expired", "missing"]

ASKING_ORDER = ("need", "timeline", "authority", "budget")  # vocabulary, section 10: of equal cost, the gentler first


@dataclass(frozen=True, slots=True)
class Gated:
    """What the gate says, and by what: the grade's cell, a hand-raise, a hand-raise below the fit that makes an MQL; that all of it
    was a test, or that the lead is one of ourselves."""

    verdict: Verdict
    by: Literal["grade", "hand_raise", "hand_raise_below_fit", "test", "internal"]
    grade: str
    hand_raise: str | None = None
    minimum_fit: str | None = None

    @property
    def never(self) -> bool:
        """Whether the lead is never routed, whatever was said of it before."""
        return self.by in ("test", "internal")


def gate(scored: Scored, policy: Gate, since: int | None = None) -> Gated:
    """The verdict on a lead. Only hand-raises received after `since` count, where it is given; those of who was only tested
    with, or is one of ourselves, never."""
    if scored.is_test:
        return Gated("nurture", "test", scored.grade)
    if scored.internal:
        return Gated("nurture", "internal", scored.grade)
    by_grade = cell(scored.grade, policy)
    raised = scored.hand_raise
    if raised is None or (since is not None and raised.received_at <= since):
        return Gated(by_grade, "grade", scored.grade)
    if scored.fit_grade <= policy.hand_raise_minimum_fit:  # A is the best
        return Gated("mql", "hand_raise", scored.grade, raised.type, policy.hand_raise_minimum_fit)
    if by_grade == "mql":
        return Gated(by_grade, "grade", scored.grade, raised.type)
    return Gated("inside_sales_check", "hand_raise_below_fit", scored.grade, raised.type, policy.hand_raise_minimum_fit)


def cell(grade: str, policy: Gate) -> Verdict:
    """What happens to leads of this grade, a hand-raise apart."""
    if grade in policy.mql:
        return "mql"
    return "inside_sales_check" if grade in policy.inside_sales_check else "nurture"


@dataclass(frozen=True, slots=True)
class Letter:
    """One criterion of BANT. `answer` is the one that met it, or the newest that did not; `expires_at` in ms."""

    criterion: str
    state: State
    answer: Answer | None = None
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is worth asking next. cost: 1 a form … 5 a meeting with the one who knows."""

    criterion: str
    cost: int
    en: str | None = None
    ja: str | None = None


@dataclass(frozen=True, slots=True)
class Bant:
    """BANT at one moment."""

    letters: tuple[Letter, ...]
    met: int
    minimum: int
    question: Question | None

    @property
    def enough(self) -> bool:
        return self.met >= self.minimum

    def facts(self) -> Facts:
        facts: Facts = {f"bant.{letter.criterion}": letter.state == "met" for letter in self.letters}
        facts["bant.met"] = self.met
        return facts


def bant(answers: tuple[Answer, ...], policy: BantPolicy, now: int) -> Bant:
    """Which criteria are met at `now`, by which answers, and the cheapest question that nobody has a valid answer to."""
    letters = tuple(_letter(name, criterion, answers, now) for name, criterion in policy.criteria().items())
    met = sum(letter.state == "met" for letter in letters)
    return Bant(letters, met, policy.minimum_met, _cheapest(letters, policy))


def _letter(name: str, criterion: Criterion, answers: tuple[Answer, ...], now: int) -> Letter:
    newest = [found for question in criterion.questions if (found := _newest(question, answers))]
    if not newest:
        return Letter(name, "missing")
    lifetime = criterion.expires_days * DAY
    newest.sort(key=lambda answer: -answer.observed_at)
    valid = [answer for answer in newest if now < answer.observed_at + lifetime]
    if not valid:
        return Letter(name, "expired", newest[0], newest[0].observed_at + lifetime)
    meeting = [answer for answer in valid if answer.code in criterion.questions[answer.question]]
    deciding = (meeting or valid)[0]
    return Letter(name, "met" if meeting else "unmet", deciding, deciding.observed_at + lifetime)


def _newest(question: str, answers: tuple[Answer, ...]) -> Answer | None:
    """The latest answer to a question; of answers of the same moment a trusted source's counts."""
    given = [answer for answer in answers if answer.question == question]
    return max(given, key=lambda answer: (answer.observed_at, answer.trusted, answer.source_id), default=None)


def _cheapest(letters: tuple[Letter, ...], policy: BantPolicy) -> Question | None:
    criteria = policy.criteria()
    open_ones = [letter.criterion for letter in letters if letter.state in ("missing", "expired")]
    if not open_ones:
        return None
    name = min(open_ones, key=lambda name: (criteria[name].cost, ASKING_ORDER.index(name)))
    ask = criteria[name].ask
    return Question(name, criteria[name].cost, ask.en, ask.ja)


def leg(verdict: Verdict, bant: Bant, *, returned: bool) -> Leg:
    """Field sales is asked for an MQL that has enough of BANT; inside sales looks at everything else that is ripe, and at what
    field sales sent back."""
    return "fs" if verdict == "mql" and bant.enough and not returned else "is"
