"""What a lead is worth, the slow way: from plain lists of touches, read whole, with nothing kept from one moment to the next.

The engine is held against this. They share no code: conditions are read by the contracts, and all else is said again here, in the
words of the promise. A touch is what stands on `touchpoints`, as a mapping. Times are ms, points milli-points.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from shared.schemas import ids
from shared.schemas.catalogue import BEHAVIOUR_FIELDS, FIT_FIELDS
from shared.schemas.conditions import parse
from shared.schemas.policies import BehaviourRule, ScoringPolicy
from shared.schemas.scores import LeadScored
from shared.schemas.touches import STRONG

DAY = 86_400_000
LATEST_TOUCHES = 20
Touch = Mapping[str, Any]


class Given(NamedTuple):
    """What one rule gave before any cap, and for how many touches."""

    points: int
    times: int


class Lead(NamedTuple):
    """All that was ever told of the identities that a lead owns now: touches, and the last register of each."""

    touches: list[Touch]
    registers: list[Mapping[str, Any]]


def engagement(touches: Iterable[Touch], policy: ScoringPolicy, as_of: int) -> tuple[int, dict[str, Given]]:
    """The points of all, and what each rule gave."""
    given: dict[str, Given] = {}
    groups: dict[str, int] = defaultdict(int)
    asked = [(touch, facts(touch)) for touch in touches]
    for rule in policy.engagement.rules:
        when = parse(rule.when, BEHAVIOUR_FIELDS)
        buckets: dict[Any, set[tuple[int, str]]] = defaultdict(set)
        for touch, known in asked:
            judged = "touch.automated" in when.fields() or not touch["automated"]
            if judged and when.holds(known) and touch["received_at"] - touch["at"] <= remembered(rule):
                buckets[bucket(rule, touch, policy)].add(moment(touch))
        counted = [at for marks in buckets.values() for at, _ in sorted(marks)[: rule.limit]]
        worths = [points for at in counted if (points := worth(rule, max(0, as_of - at)))]
        if worths:
            given[rule.id] = Given(sum(worths), len(worths))
            groups[rule.group] += given[rule.id].points
    capped = [min(points, most(policy.engagement.groups[group])) for group, points in groups.items()]
    return min(sum(capped), most(policy.engagement.cap)), given


def worth(rule: BehaviourRule, age: int) -> int:
    """Of one touch, rounded once; nothing past seven half-lives or 400 days."""
    half_life = round(rule.half_life_days * DAY)
    return 0 if age > min(7 * half_life, 400 * DAY) else round(round(rule.points * 1000) * 2 ** (-age / half_life))


def remembered(rule: BehaviourRule) -> int:
    """How old a touch may be when it arrives, to be remembered at all."""
    return next(days for days in (30, 90, 180, 400) if days >= min(7 * rule.half_life_days, 400)) * DAY


def bucket(rule: BehaviourRule, touch: Touch, policy: ScoringPolicy) -> Any:
    if rule.per == "once":
        return None
    if rule.per == "campaign":
        return touch.get("campaign") or touch.get("event") or touch["type"]
    return (touch["at"] + policy.zone_offset_minutes * 60_000) // (int(rule.per[:-1]) * DAY)


def fit(attributes: Mapping[str, Any], policy: ScoringPolicy) -> tuple[int, set[str]]:
    """The points of the rules that hold, of each group the best one, and which rules those are."""
    known = {f"lead.{name}": value for name, value in attributes.items()}
    holding = [rule for rule in policy.fit.rules if parse(rule.when, FIT_FIELDS).holds(known)]
    best: dict[Any, Any] = {}
    for rule in sorted(holding, key=lambda rule: (-rule.points, rule.id)):
        best.setdefault(rule.group or (rule.id,), rule)
    points = sum(round(rule.points * 1000) for rule in best.values())
    return min(points, most(policy.fit.cap)), {rule.id for rule in best.values()}


def grade(fit_points: int, engagement_points: int, policy: ScoringPolicy) -> str:
    letters = zip("ABC", policy.fit.grades, strict=True)
    bands = zip("123", policy.engagement.bands, strict=True)
    letter = next((letter for letter, least in letters if fit_points >= round(least * 1000)), "D")
    return letter + next((band for band, least in bands if engagement_points >= round(least * 1000)), "4")


def most(cap: float) -> int:
    return max(0, round(cap * 1000))


def facts(touch: Touch) -> dict[str, Any]:
    """What conditions may ask of a touch."""
    known = {name: touch.get(name.partition(".")[2]) for name in BEHAVIOUR_FIELDS}
    return known | {"source.id": touch["source_id"], "source.trusted": touch["trusted"]}


def moment(touch: Touch) -> tuple[int, str]:
    return touch["at"], touch["event_id"]


def attributes(touches: Iterable[Touch]) -> dict[str, Any]:
    """One value of each: of what each source last said by each identity a trusted source's before another's, then the latest."""
    told = {
        (name, touch["source_id"], touch["identity_id"]): touch
        for touch in sorted(touches, key=moment)
        for name in touch["attributes"]
    }
    ranked = sorted(told.items(), key=lambda item: (item[1]["trusted"], *moment(item[1])))
    return {name: touch["attributes"][name] for (name, *_), touch in ranked}


def leads(records: Iterable[Mapping[str, Any]]) -> dict[str, Lead]:
    """Touches and links, told in any order and any number of times, by the lead whose they are in the end."""
    registers: dict[str, Mapping[str, Any]] = {}
    touches: dict[tuple[str, str], Touch] = {}
    for record in records:
        identity = record["identity_id"]
        if record["record"] == "touch":
            touches[identity, record["event_id"]] = record
        elif identity not in registers or record["sequence"] > registers[identity]["sequence"]:
            registers[identity] = record
    found: dict[str, Lead] = defaultdict(lambda: Lead([], []))
    for register in registers.values():
        found[register["owner"]].registers.append(register)
    for (identity, _), touch in touches.items():
        owner = registers[identity]["owner"] if identity in registers else ids.lead_id(identity)
        found[owner].touches.append(touch)
    return dict(found)


def is_known(lead: Lead) -> bool:
    return any(record["identity_kind"] in STRONG for record in [*lead.touches, *lead.registers])


def scored(lead: Lead, policy: ScoringPolicy, as_of: int | None = None) -> dict[str, Any]:
    """All that is said of a lead at `as_of`, by default when it was last heard of."""
    told = sorted(
        {moment(touch): touch for touch in lead.touches}.values(), key=moment
    )  # one event, though by two identities
    latest = max(record["received_at"] for record in [*lead.touches, *lead.registers])
    as_of = latest if as_of is None else as_of
    known = attributes(lead.touches)
    fit_points, holding = fit(known, policy)
    engaged, given = engagement(told, policy, as_of)
    human = [touch for touch in told if not touch["automated"]]
    raised = [touch["event_id"] for touch in human if touch["type"] in policy.hand_raises]
    people = [touch["person"]["fields"] for touch in told if touch.get("person")]
    return {
        "as_of": as_of,
        "fit": (fit_points, holding),
        "engagement": (engaged, given),
        "grade": grade(fit_points, engaged, policy),
        "hand_raise": raised[-1] if raised else None,
        "attributes": known,
        "touches": [touch["event_id"] for touch in human[::-1][:LATEST_TOUCHES]],
        "identities": sorted({record["identity_id"] for record in [*lead.touches, *lead.registers]}),
        "first_source": human[0]["source_id"] if human else None,
        "last_source": human[-1]["source_id"] if human else None,
        "is_test": bool(told) and all(touch["is_test"] for touch in told),
        "person": {name: value for fields in people for name, value in fields.items()},
        "evidence": {(name, t["source_id"]): code for t in told for name, code in t["evidence"].items()},
    }


def published(score: LeadScored) -> dict[str, Any]:
    """A published score, in the form of `scored`."""
    return {
        "as_of": score.as_of,
        "fit": (score.fit.total, {part.rule_id for part in score.fit.parts}),
        "engagement": (score.engagement.total, {p.rule_id: Given(p.given, p.times) for p in score.engagement.parts}),
        "grade": score.grade,
        "hand_raise": score.hand_raise.event_id if score.hand_raise else None,
        "attributes": score.attributes,
        "touches": [touch.event_id for touch in score.touches],
        "identities": sorted(identity.identity_id for identity in score.identities),
        "first_source": score.first_source,
        "last_source": score.last_source,
        "is_test": score.is_test,
        "person": dict(score.person.fields) if score.person else {},
        "evidence": {(answer.criterion, answer.source_id): answer.code for answer in score.evidence},
    }
