"""A scoring policy, compiled once: which rules a touch marks, and what its marks and a lead's attributes are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from services.scoring.domain.ledger import DAY, Bucket, KeyParts, bucket_of, horizon_of, key_parts, rule_key
from services.scoring.domain.memory import TouchLike
from shared.schemas.catalogue import BEHAVIOUR_FIELDS, FIT_FIELDS
from shared.schemas.conditions import Condition, parse
from shared.schemas.policies import BehaviourRule, FitRule, ScoringPolicy
from shared.schemas.scores import PolicyRef

MILLI = 1000
REMEMBERED_MATCHES = 20_000  # of touches that look alike to the rules

_FACTS = {name: name.partition(".")[2] for name in BEHAVIOUR_FIELDS}
_FACTS |= {"source.id": "source_id", "source.trusted": "trusted"}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one kind of touch is worth. points: milli-points;  half_life, horizon: ms;  key: of its marks."""

    rule_id: str
    condition: Condition
    key: str
    points: int
    half_life: int
    horizon: int
    limit: int
    group: str
    label: Mapping[str, str]
    judges_automated: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """Milli-points for what a lead is."""

    rule_id: str
    condition: Condition
    points: int
    group: str | None
    label: Mapping[str, str]


class Rules:
    """One version of a tenant's scoring policy. caps, bands, grades: milli-points;  by_key: rules that read the same marks."""

    def __init__(self, policy: ScoringPolicy, ref: PolicyRef) -> None:
        zone = policy.zone_offset_minutes * 60_000
        self.ref = ref
        self.generation = policy.generation
        self.hand_raises = frozenset(policy.hand_raises)
        self.behaviour = tuple(_behaviour(rule, zone) for rule in sorted(policy.engagement.rules, key=lambda r: r.id))
        self.by_key: dict[str, list[Behaviour]] = {}
        for behaviour in self.behaviour:
            self.by_key.setdefault(behaviour.key, []).append(behaviour)
        self.fit = tuple(_fit(rule) for rule in sorted(policy.fit.rules, key=lambda r: r.id))
        self.engagement_cap = _milli(policy.engagement.cap)
        self.fit_cap = _milli(policy.fit.cap)
        self.group_caps = {group: _milli(cap) for group, cap in policy.engagement.groups.items()}
        self.bands = tuple(map(_milli, policy.engagement.bands))
        self.grades = tuple(map(_milli, policy.fit.grades))
        used = frozenset[str]().union(*(rule.condition.fields() for rule in self.behaviour))
        self._fields = (*sorted(used - {"touch.automated"}), "touch.automated", "touch.type")  # two or more: a tuple
        self._facts = attrgetter(*(_FACTS[field] for field in self._fields))
        self._matches: dict[tuple[Any, ...], list[tuple[str, KeyParts]]] = {}

    def slots(self, touch: TouchLike) -> list[tuple[str, Bucket]]:
        """Rule keys and buckets that the touch marks; none of a rule whose horizon it was already past when it arrived."""
        facts = self._facts(touch)
        keys = self._matches.get(facts)
        if keys is None:
            keys = self._remember(facts)
        if not keys:
            return []
        age = touch.received_at - touch.at
        campaign = touch.campaign or touch.event or touch.type
        return [(key, bucket_of(parts, touch.at, campaign)) for key, parts in keys if age <= parts.horizon]

    def _remember(self, values: tuple[Any, ...]) -> list[tuple[str, KeyParts]]:
        facts = dict(zip(self._fields, values, strict=True))
        automated = facts["touch.automated"]
        keys = {
            rule.key
            for rule in self.behaviour
            if (rule.judges_automated or not automated) and rule.condition.holds(facts)
        }
        if len(self._matches) >= REMEMBERED_MATCHES:
            self._matches.clear()
        self._matches[values] = found = [(key, key_parts(key)) for key in sorted(keys)]
        return found


def _behaviour(rule: BehaviourRule, zone: int) -> Behaviour:
    condition = parse(rule.when, BEHAVIOUR_FIELDS)
    half_life = round(rule.half_life_days * DAY)
    return Behaviour(
        rule_id=rule.id,
        condition=condition,
        key=rule_key(rule.when, rule.limit, rule.per, half_life, zone),
        points=_milli(rule.points),
        half_life=half_life,
        horizon=horizon_of(half_life),
        limit=rule.limit,
        group=rule.group,
        label=rule.label.texts(),
        judges_automated="touch.automated" in condition.fields(),
    )


def _fit(rule: FitRule) -> Fit:
    return Fit(rule.id, parse(rule.when, FIT_FIELDS), _milli(rule.points), rule.group, rule.label.texts())


def _milli(points: float) -> int:
    return round(points * MILLI)
