"""A scoring policy, compiled once: which rules a touch marks, and what its marks and a lead's attributes are worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from math import exp2
from operator import attrgetter
from typing import Any, TypeVar

from services.scoring.domain.ledger import DAY, Bucket, KeyParts, bucket_of, horizon_of, key_parts, rule_key
from services.scoring.domain.memory import TouchLike
from services.scoring.domain.parts import NEVER
from shared.schemas.catalogue import BEHAVIOUR_FIELDS, FIT_FIELDS
from shared.schemas.conditions import Condition, parse
from shared.schemas.policies import BehaviourRule, FitRule, ScoringPolicy
from shared.schemas.policies.scoring import AccountScoring, Overlay, Temperature
from shared.schemas.scores import PolicyRef

REMEMBERED_MATCHES = 20_000  # of touches that look alike to the rules

_FACTS = {name: name.partition(".")[2] for name in BEHAVIOUR_FIELDS}
_FACTS |= {"source.id": "source_id", "source.trusted": "trusted"}
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one kind of touch is worth. points: milli-points;  half_life, horizon: ms;  key: of its marks;
    begins, ends: when the rule is in force, ms, the end excluded;
    usual: share that a steady stream of touches is worth by a quarter of the half-life"""

    rule_id: str
    condition: Condition
    key: str
    points: int
    half_life: int
    horizon: int
    limit: int
    group: str
    label: dict[str, str]
    judges_automated: bool
    begins: int
    ends: int
    usual: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Milli-points for what a lead is. attributes: that it asks about;  expires: ms after which what was told of them is void;
    slot: of the rules of one only the best counts: its group's, or its own"""

    rule_id: str
    condition: Condition
    points: int
    group: str | None
    label: dict[str, str]
    attributes: tuple[str, ...]
    expires: int
    begins: int
    ends: int
    slot: str


class RuleSet:
    """The rules of one region, or of all the others. caps, bands, grades: milli-points;  zone: offset from UTC, ms

    by_key:     rules that read the same marks
    boundaries: moments at which a rule comes into force or ends, sorted
    asked:      attributes that rules of fit ask about, each with the most milli-points per slot that it can have a part in
    deciding:   attributes that decide which rules count for a lead, or that none do
    fits, missing: what is remembered of fit, and of what would raise it
    """

    def __init__(
        self,
        policy: ScoringPolicy,
        behaviour: Iterable[Behaviour],
        fit: Iterable[Fit],
        deciding: Iterable[str],
        region: str | None = None,
    ) -> None:
        self.region = region
        self.zone = policy.zone_offset_minutes * 60_000
        self.behaviour = tuple(sorted(behaviour, key=lambda rule: rule.rule_id))
        self.fit = tuple(sorted(fit, key=lambda rule: rule.rule_id))
        self.by_key: dict[str, list[Behaviour]] = {}
        for rule in self.behaviour:
            self.by_key.setdefault(rule.key, []).append(rule)
        self.engagement_cap = milli(policy.engagement.cap)
        self.fit_cap = milli(policy.fit.cap)
        self.group_caps = {group: milli(cap) for group, cap in policy.engagement.groups.items()}
        self.bands = tuple(map(milli, policy.engagement.bands))
        self.grades = tuple(map(milli, policy.fit.grades))
        self.temperature: Temperature = policy.temperature
        self.hand_raises = frozenset(policy.hand_raises)
        forgotten = {name for rule in self.fit if rule.expires < NEVER for name in rule.attributes}
        self.fit_attributes = tuple(
            (name, name in forgotten) for name in sorted({name for rule in self.fit for name in rule.attributes})
        )
        dated = [(rule.begins, rule.ends) for rule in self.behaviour] + [(rule.begins, rule.ends) for rule in self.fit]
        self.boundaries = sorted({at for dates in dated for at in dates if 0 < at < NEVER})
        self.asked: dict[str, dict[str, int]] = {name: {} for name, _ in self.fit_attributes}
        for one in self.fit:
            for name in one.attributes:
                self.asked[name][one.slot] = max(self.asked[name].get(one.slot, 0), one.points)
        self.deciding = frozenset(field.removeprefix("lead.") for field in deciding)
        self.fits: dict[Any, Any] = {}
        self.missing: dict[Any, Any] = {}

    def cap_of(self, group: str) -> int:
        return self.group_caps.get(group, self.engagement_cap)


class Rules:
    """One version of a tenant's scoring policy."""

    def __init__(self, policy: ScoringPolicy, ref: PolicyRef) -> None:
        zone = policy.zone_offset_minutes * 60_000
        self.ref = ref
        self.generation = policy.generation
        self.zone = zone
        self.hand_raises = frozenset(policy.hand_raises)
        self.account: AccountScoring = policy.account
        self.internal = parse(policy.internal, FIT_FIELDS) if policy.internal else None
        behaviour = {rule.id: _behaviour(rule, zone) for rule in policy.engagement.rules}
        fit = {rule.id: _fit(rule, zone) for rule in policy.fit.rules}
        regions = [parse(overlay.when, FIT_FIELDS) for overlay in policy.overlays]
        deciding = frozenset[str]().union(*(condition.fields() for condition in [*regions, self.internal] if condition))
        self.base = RuleSet(policy, behaviour.values(), fit.values(), deciding)
        self.overlays = [
            (condition, _laid_over(policy, behaviour, fit, overlay, deciding, zone))
            for condition, overlay in zip(regions, policy.overlays, strict=True)
        ]
        # Marks are kept for the rules of every region: which one a lead belongs to may change, and is asked when it is read.
        every = [rule for rules in self.rule_sets() for rule in rules.behaviour]
        self._recorded = {rule.key: rule for rule in every}
        used = frozenset[str]().union(*(rule.condition.fields() for rule in every))
        self._fields = (*sorted(used - {"touch.automated"}), "touch.automated", "touch.type")  # two or more: a tuple
        self._facts = attrgetter(*(_FACTS[field] for field in self._fields))
        self._matches: dict[tuple[Any, ...], list[tuple[str, KeyParts]]] = {}

    def rule_sets(self) -> list[RuleSet]:
        return [self.base, *(rules for _, rules in self.overlays)]

    def keys(self) -> frozenset[str]:
        """All rule keys that this version records."""
        return frozenset(self._recorded)

    def of(self, facts: Facts) -> RuleSet:
        """The rules that count for a lead with these facts (`lead.*`)."""
        return next((rules for condition, rules in self.overlays if condition.holds(facts)), self.base)

    def slots(self, touch: TouchLike) -> list[tuple[str, Bucket]]:
        """Rule keys and buckets that the touch marks; none of a rule whose horizon it was already past when it arrived, and
        none of a touch from before 1970."""
        facts = self._facts(touch)
        keys = self._matches.get(facts)
        if keys is None:
            keys = self._remember(facts)
        if not keys or touch.at < 0:
            return []
        age = touch.received_at - touch.at
        campaign = touch.campaign or touch.event or touch.type
        return [(key, bucket_of(parts, touch.at, campaign)) for key, parts in keys if age <= parts.horizon]

    def _remember(self, values: tuple[Any, ...]) -> list[tuple[str, KeyParts]]:
        facts = dict(zip(self._fields, values, strict=True))
        automated = facts["touch.automated"]
        keys = {
            rule.key
            for rule in self._recorded.values()
            if (rule.judges_automated or not automated) and rule.condition.holds(facts)
        }
        if len(self._matches) >= REMEMBERED_MATCHES:
            self._matches.clear()
        self._matches[values] = found = [(key, key_parts(key)) for key in sorted(keys)]
        return found


Rule = TypeVar("Rule", Behaviour, Fit)


def _laid_over(
    policy: ScoringPolicy,
    behaviour: Mapping[str, Behaviour],
    fit: Mapping[str, Fit],
    overlay: Overlay,
    deciding: Iterable[str],
    zone: int,
) -> RuleSet:
    theirs = {rule.id: _behaviour(rule, zone) for rule in overlay.behaviour}
    their_fit = {rule.id: _fit(rule, zone) for rule in overlay.fit}
    off = frozenset(overlay.off)
    return RuleSet(
        policy, _without({**behaviour, **theirs}, off), _without({**fit, **their_fit}, off), deciding, overlay.id
    )


def _without(rules: Mapping[str, Rule], off: frozenset[str]) -> list[Rule]:
    return [rule for rule_id, rule in rules.items() if rule_id not in off]


def _behaviour(rule: BehaviourRule, zone: int) -> Behaviour:
    condition = parse(rule.when, BEHAVIOUR_FIELDS)
    half_life = _days(rule.half_life_days)
    horizon = horizon_of(half_life, _days(rule.window_days) if rule.window_days else None)
    begins, ends = _in_force(rule.valid_from, rule.valid_until, zone)
    return Behaviour(
        rule_id=rule.id,
        condition=condition,
        key=rule_key(rule.when, rule.limit, rule.per, horizon, zone),
        points=milli(rule.points),
        half_life=half_life,
        horizon=horizon,
        limit=rule.limit,
        group=rule.group,
        label=rule.label.texts(),
        judges_automated="touch.automated" in condition.fields(),
        begins=begins,
        ends=ends,
        usual=_faded(horizon, half_life / 4) / _faded(horizon, half_life),
    )


def _faded(horizon: int, half_life: float) -> float:
    """How much a steady stream of touches is worth (∫ 2^(-t / half-life) dt up to the horizon), but for a factor."""
    return half_life * (1 - exp2(-horizon / half_life))


def _fit(rule: FitRule, zone: int) -> Fit:
    condition = parse(rule.when, FIT_FIELDS)
    begins, ends = _in_force(rule.valid_from, rule.valid_until, zone)
    return Fit(
        rule_id=rule.id,
        condition=condition,
        points=milli(rule.points),
        group=rule.group,
        label=rule.label.texts(),
        attributes=tuple(sorted(field.removeprefix("lead.") for field in condition.fields())),
        expires=_days(rule.expires_days) if rule.expires_days else NEVER,
        begins=begins,
        ends=ends,
        slot=rule.group or f" {rule.id}",
    )


def _in_force(first: date | None, last: date | None, zone: int) -> tuple[int, int]:
    begins = _midnight(first, zone) if first else 0
    return begins, _midnight(last, zone) + DAY if last else NEVER


def _midnight(day: date, zone: int) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1000 - zone


def _days(days: float) -> int:
    """ms, never none at all."""
    return max(1, round(days * DAY))


def milli(points: float) -> int:
    return round(points * 1000)
