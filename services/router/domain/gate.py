"""Whether a lead is ripe: exclusions, then the gate of its segment by grade and hand-raise, then what makes it less than that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from services.router.domain.facts import Facts, Scored
from shared.schemas import conditions
from shared.schemas.catalogue import GATE_FIELDS
from shared.schemas.conditions import ALWAYS, Condition
from shared.schemas.policies.base import Label
from shared.schemas.policies.qualification import Cells, Exclusion, Gate, Hold, Requirement, Verdict
from shared.schemas.touches import Scalar

Leg = Literal["is", "fs"]
LEAST_FIRST: tuple[Verdict, ...] = ("nurture", "inside_sales_check", "mql")
HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Lowered:
    """Something that made a lead less ripe than its grade or hand-raise.

    by:    minimum_fit, one_person, falling and partner (its people are no demand) are what they are called in the
           policy; else the id of what it requires
    """

    by: str
    before: Verdict
    after: Verdict
    required: bool = False


@dataclass(frozen=True, slots=True)
class Gated:
    """What the gate says, and by what: the grade's cell, a hand-raise, a hand-raise below the fit that makes an MQL; that all of it
    was a test, that the lead is one of ourselves, or that a rule of the policy excludes it.

    segment:  whose gate it was;  excluded: the rule, and its outcome
    lowered:  what made it less, in order
    """

    verdict: Verdict
    by: Literal["grade", "hand_raise", "hand_raise_below_fit", "test", "internal", "excluded"]
    grade: str
    hand_raise: str | None = None
    minimum_fit: str | None = None
    segment: str | None = None
    excluded: str | None = None
    outcome: Literal["nurture", "disqualify", "never"] | None = None
    lowered: tuple[Lowered, ...] = ()

    @property
    def never(self) -> bool:
        """Whether the lead is not routed, whatever was said of it before."""
        return self.by in ("test", "internal", "excluded")


@dataclass(frozen=True, slots=True)
class Asked:
    """A condition of the policy, parsed, with what it is of."""

    condition: Condition
    requirement: Requirement


@dataclass(frozen=True, slots=True)
class Section:
    """The gate of one segment, or of all others: its condition, and those of what it requires."""

    cells: Cells
    condition: Condition
    requires: tuple[Asked, ...]
    id: str | None
    label: Label


@dataclass(frozen=True, slots=True)
class GateRules:
    """A gate, ready for use. sections: the last is that of the leads of no segment"""

    excluding: tuple[tuple[Condition, Exclusion], ...]
    sections: tuple[Section, ...]

    @staticmethod
    def of(gate: Gate) -> GateRules:
        segments = tuple(
            Section(one, conditions.parse(one.when, GATE_FIELDS), _requires(one), one.id, one.label)
            for one in gate.segments
        )
        excluding = tuple((conditions.parse(one.when, GATE_FIELDS), one) for one in gate.exclude)
        return GateRules(excluding, (*segments, Section(gate, ALWAYS, _requires(gate), None, Label())))

    def section(self, facts: Facts) -> Section:
        return next(one for one in self.sections if one.condition.holds(facts))

    def label(self, name: str) -> Label:
        """Of a rule, requirement or segment."""
        named = [rule for _, rule in self.excluding] + [
            one.requirement for section in self.sections for one in section.requires
        ]
        labels = {rule.id: rule.label for rule in named} | {one.id: one.label for one in self.sections if one.id}
        return labels.get(name, Label())

    @property
    def may_drop_who_is_alone(self) -> bool:
        """Whether it may come to depend on the people of its company whether a lead is ripe at all."""
        return any(one.cells.one_person and one.cells.one_person.verdict == "nurture" for one in self.sections)

    def may_pass(self, scored: Scored) -> bool:
        """Whether the grade passes in some segment, for all that is known without the account."""
        ours = scored.is_test or scored.internal
        return not ours and any(cell(scored.grade, section.cells) != "nurture" for section in self.sections)


def _requires(cells: Cells) -> tuple[Asked, ...]:
    return tuple(Asked(conditions.parse(one.when, GATE_FIELDS), one) for one in cells.requires)


def gate(
    scored: Scored, rules: GateRules, since: int | None = None, account: Facts | None = None, *, confirmed: bool = False
) -> Gated:
    """The verdict on a lead. Only hand-raises received after `since` count, where it is given; those of who was only tested
    with, or is one of ourselves, never.

    account:   fields of its account;  confirmed: it has said something that meets a criterion
    """
    if scored.is_test:
        return Gated("nurture", "test", scored.grade)
    facts = gate_facts(scored, account)
    for condition, rule in rules.excluding:
        if condition.holds(facts):
            return Gated("nurture", "excluded", scored.grade, excluded=rule.id, outcome=rule.outcome)
    if scored.internal:
        return Gated("nurture", "internal", scored.grade)
    section = rules.section(facts)
    gated = replace(_first(scored, section.cells, since), segment=section.id)
    for by, least, required in _less(gated, section, scored, facts, confirmed=confirmed):
        if LEAST_FIRST.index(least) < LEAST_FIRST.index(gated.verdict):
            lowered = (*gated.lowered, Lowered(by, gated.verdict, least, required))
            gated = replace(gated, verdict=least, lowered=lowered)
    return gated


def gate_facts(scored: Scored, account: Facts | None) -> Facts:
    """The fields that conditions of the gate may name."""
    return (
        scored.facts()
        | (account or {})
        | {
            "lead.internal": scored.internal,
            "lead.is_test": scored.is_test,
            "score.trend": scored.trend,
        }
    )


def _first(scored: Scored, cells: Cells, since: int | None) -> Gated:
    by_grade = cell(scored.grade, cells)
    raised = scored.hand_raise
    if raised is None or (since is not None and raised.received_at <= since):
        return Gated(by_grade, "grade", scored.grade)
    if cells.hand_raises is not None and raised.type not in cells.hand_raises:
        return Gated(by_grade, "grade", scored.grade)
    if scored.fit_grade <= cells.hand_raise_minimum_fit:  # A is the best
        return Gated("mql", "hand_raise", scored.grade, raised.type, cells.hand_raise_minimum_fit)
    if by_grade == "mql":
        return Gated(by_grade, "grade", scored.grade, raised.type)
    return Gated("inside_sales_check", "hand_raise_below_fit", scored.grade, raised.type, cells.hand_raise_minimum_fit)


def _less(
    gated: Gated, section: Section, scored: Scored, facts: Facts, *, confirmed: bool
) -> list[tuple[str, Verdict, bool]]:
    """What of the policy speaks against the verdict: what it is called, and what the lead is then at most."""
    cells, found = section.cells, list[tuple[str, Verdict, bool]]()
    wanted = gated.hand_raise is not None
    if "partner" in (facts.get("account.kind"), facts.get("lead.kind")):
        found.append(("partner", "inside_sales_check", False))
    if not wanted and scored.fit_grade > cells.minimum_fit:
        found.append(("minimum_fit", "inside_sales_check", False))
    found += [
        (one.requirement.id, one.requirement.otherwise, True)
        for one in section.requires
        if not one.condition.holds(facts)
    ]
    alone = cells.one_person
    if gated.verdict != "mql" or wanted:
        return found
    if cells.falling and scored.trend == "falling":
        found.append(("falling", cells.falling, False))
    people = max(_whole(facts.get("account.people")), _whole(facts.get("account.active")))
    if alone and not confirmed and people < alone.people:
        found.append(("one_person", alone.verdict, False))
    return found


def _whole(value: Scalar | None) -> int:
    return value if isinstance(value, int) else 0


def cell(grade: str, cells: Cells) -> Verdict:
    """What happens to leads of this grade, all else apart."""
    if grade in cells.mql:
        return "mql"
    return "inside_sales_check" if grade in cells.inside_sales_check else "nurture"


@dataclass(frozen=True, slots=True)
class Holding:
    """A ripe lead that waits for fields of it, and until when at most (ms)."""

    fields: tuple[str, ...]
    until: int


def holding(gated: Gated, hold: Hold | None, facts: Facts, ripe_at: int, now: int) -> Holding | None:
    """What a ripe lead still waits for; None where it goes on. ripe_at: when what made it ripe was received (ms)"""
    if hold is None or (gated.hand_raise is not None and not hold.hand_raises):
        return None
    missing = tuple(name for name in hold.until if facts.get(name) is None)
    until = ripe_at + round(hold.at_most_hours * HOUR)
    return Holding(missing, until) if missing and now < until else None


def leg(verdict: Verdict, *, enough: bool, returned: bool) -> Leg:
    """Field sales is asked for an MQL of which enough is known; inside sales looks at everything else that is ripe, and at what
    field sales sent back."""
    return "fs" if verdict == "mql" and enough and not returned else "is"
