"""The score of a lead, read from its state: exact, explained, and a function of (state, policy) alone. Milli-points throughout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp2
from typing import NamedTuple

from services.scoring.domain.ledger import Bucket, Marks, joined
from services.scoring.domain.memory import LATEST_TOUCHES, TEST, ByFieldAndSource, Memory, Raised, Recent, Told
from services.scoring.domain.rules import Behaviour, Rules
from services.scoring.domain.state import LeadState
from shared.schemas.touches import Scalar


@dataclass(frozen=True, slots=True)
class Part:
    """What one rule gave, and what its group's and the total cap took away again (never more than it gave)."""

    rule_id: str
    group: str | None
    times: int
    given: int
    label: Mapping[str, str]
    cut: int = 0

    @property
    def kept(self) -> int:
        return self.given - self.cut


@dataclass(frozen=True, slots=True)
class Partial:
    """Milli-points, and the parts whose `kept` sum to them exactly."""

    total: int
    parts: tuple[Part, ...]


class Answer(NamedTuple):
    """The latest answer to one qualification question by one source."""

    criterion: str
    source_id: str
    told: Told


@dataclass(frozen=True, slots=True)
class Scored:
    """What a lead is worth at `as_of`, and all that the router looks at."""

    as_of: int
    fit: Partial
    engagement: Partial
    grade: str
    hand_raise: tuple[str, Raised] | None
    attributes: dict[str, Scalar]
    evidence: list[Answer]
    touches: list[Recent]
    identities: list[tuple[str, str]]
    first_source: str | None
    last_source: str | None
    is_test: bool
    person: dict[str, str]


def score(state: LeadState, lead: str, rules: Rules) -> Scored:
    """Everything the lead's own identities say, under these rules."""
    owned = state.owned(lead)
    memories = [state.memories[identity] for identity in owned if identity in state.memories]
    as_of = state.as_of(owned)
    attributes = chosen(memory.attributes for memory in memories)
    fit_score, engaged = fit(attributes, rules), engagement(memories, rules, as_of)
    firsts = [memory.first for memory in memories if memory.first]
    lasts = [memory.last for memory in memories if memory.last]
    return Scored(
        as_of=as_of,
        fit=fit_score,
        engagement=engaged,
        grade=grade(fit_score.total, engaged.total, rules),
        hand_raise=_latest_raise(memories, rules),
        attributes=attributes,
        evidence=_evidence(memories),
        touches=_latest_touches(memories),
        identities=[(identity, state.kind(identity)) for identity in owned],
        first_source=min(firsts).source_id if firsts else None,
        last_source=max(lasts).source_id if lasts else None,
        is_test=bool(memories) and all(memory.seen == TEST for memory in memories),
        person=_person(memories),
    )


def engagement(memories: Sequence[Memory], rules: Rules, as_of: int) -> Partial:
    """Σ over groups of min(cap, Σ points · 2^(-age / half-life)), and no more than the cap of all."""
    groups: dict[str, list[Part]] = {}
    for key in {key for memory in memories for key in memory.marks}:
        for rule in rules.by_key.get(key, ()):
            part = _given(rule, _marks(memories, rule), as_of)
            if part.times:
                groups.setdefault(rule.group, []).append(part)
    parts: list[Part] = []
    for group in sorted(groups):
        parts += capped(groups[group], rules.group_caps.get(group, rules.engagement_cap))
    return _summed(capped(parts, rules.engagement_cap))


def fit(attributes: Mapping[str, Scalar], rules: Rules) -> Partial:
    """Points of the rules that hold, of each group the best one only, and no more than the cap."""
    facts = {f"lead.{name}": value for name, value in attributes.items()}
    best: dict[str, Part] = {}
    for rule in rules.fit:
        if rule.condition.holds(facts):
            slot = rule.group or f" {rule.rule_id}"  # a rule without a group stands alone
            if slot not in best or rule.points > best[slot].given:
                best[slot] = Part(rule.rule_id, rule.group, 1, rule.points, rule.label)
    return _summed(capped(list(best.values()), rules.fit_cap))


def capped(parts: list[Part], cap: int) -> list[Part]:
    """The same parts with their excess over `cap` (never below 0) cut, the largest first, so that small signals stay visible."""
    excess = sum([part.given - part.cut for part in parts]) - max(cap, 0)
    if excess <= 0:
        return parts
    result = []
    for part in sorted(parts, key=lambda part: (-part.kept, part.rule_id)):
        cut = min(excess, max(0, part.kept))
        excess -= cut
        result.append(replace(part, cut=part.cut + cut) if cut else part)
    return result


def grade(fit_total: int, engagement_total: int, rules: Rules) -> str:
    """Fit letter A-D and engagement band 1-4."""
    letter = next((letter for letter, least in zip("ABC", rules.grades, strict=True) if fit_total >= least), "D")
    band = next((band for band, least in zip("123", rules.bands, strict=True) if engagement_total >= least), "4")
    return letter + band


def worth(rule: Behaviour, at: int, as_of: int) -> int:
    """Milli-points at `as_of` of a touch that happened at `at`, rounded once."""
    age = as_of - at
    if age <= 0:
        return rule.points
    return round(rule.points * exp2(-age / rule.half_life)) if age <= rule.horizon else 0


def chosen(told: Iterable[ByFieldAndSource]) -> dict[str, Scalar]:
    """One value per attribute: a trusted source's before an untrusted one's, then the latest."""
    best: dict[str, Told] = {}
    for registers in told:
        for name, by_source in registers.items():
            for told_one in by_source.values():
                if name not in best or _rank(told_one) > _rank(best[name]):
                    best[name] = told_one
    return {name: best[name].value for name in sorted(best)}


def _rank(told: Told) -> tuple[bool, int, str]:
    return told.trusted, told.at, told.event_id


def _marks(memories: Sequence[Memory], rule: Behaviour) -> Iterable[Marks]:
    """The rule's marks by bucket, its limit applied over all identities together."""
    held = [buckets for memory in memories if (buckets := memory.marks.get(rule.key))]
    if len(held) <= 1:
        return held[0].values() if held else ()
    union: dict[Bucket, Marks] = {}
    for buckets in held:
        for bucket, marks in buckets.items():
            union[bucket] = joined(rule.limit, union[bucket], marks) if bucket in union else marks
    return union.values()


def _given(rule: Behaviour, slots: Iterable[Marks], as_of: int) -> Part:
    times = given = 0
    for marks in slots:
        for at, _ in marks:
            points = worth(rule, at, as_of)
            if points:
                times += 1
                given += points
    return Part(rule.rule_id, rule.group, times, given, rule.label)


def _summed(parts: list[Part]) -> Partial:
    ordered = sorted(parts, key=lambda part: (-part.given, part.rule_id))
    return Partial(sum([part.given - part.cut for part in ordered]), tuple(ordered))


def _latest_raise(memories: Iterable[Memory], rules: Rules) -> tuple[str, Raised] | None:
    raises = [
        (raised.at, raised.event_id, kind, raised)
        for memory in memories
        for kind, raised in memory.hand_raises.items()
        if kind in rules.hand_raises
    ]
    if not raises:
        return None
    *_, kind, raised = max(raises, key=lambda entry: entry[:3])
    return kind, raised


def _evidence(memories: Iterable[Memory]) -> list[Answer]:
    latest: dict[tuple[str, str], Told] = {}
    for memory in memories:
        for criterion, by_source in memory.evidence.items():
            for source, told in by_source.items():
                key = (criterion, source)
                if key not in latest or told[:2] > latest[key][:2]:
                    latest[key] = told
    return [Answer(criterion, source, latest[criterion, source]) for criterion, source in sorted(latest)]


def _latest_touches(memories: Sequence[Memory]) -> list[Recent]:
    """Latest first."""
    if len(memories) == 1:
        return memories[0].touches[::-1]
    distinct: dict[tuple[int, str], Recent] = {}
    for memory in memories:
        for touch in memory.touches:
            moment = (touch.at, touch.event_id)
            if moment not in distinct or touch.received_at < distinct[moment].received_at:
                distinct[moment] = touch
    return [distinct[moment] for moment in sorted(distinct, reverse=True)[:LATEST_TOUCHES]]


def _person(memories: Iterable[Memory]) -> dict[str, str]:
    latest: dict[str, Told] = {}
    for memory in memories:
        for name, told in memory.person.items():
            if name not in latest or told[:2] > latest[name][:2]:
                latest[name] = told
    return {name: str(latest[name].value) for name in sorted(latest)}
