"""What a lead is worth, the slow way: from plain lists of touches, read whole, with nothing kept from one moment to the next.

The engine is held against this. They share no code: conditions are read by the contracts, and all else is said again here, in the
words of the promise. A touch is what stands on `touchpoints`, as a mapping. Times are ms, points milli-points.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from shared.schemas import ids
from shared.schemas.catalogue import BEHAVIOUR_FIELDS, FIT_FIELDS
from shared.schemas.conditions import parse
from shared.schemas.policies import BehaviourRule, FitRule, ScoringPolicy
from shared.schemas.scores import LeadScored
from shared.schemas.touches import STRONG
from shared.schemas.vocabulary import OUTCOME_OF_REASON, OUTCOME_OF_STAGE, TOUCH_TYPES

DAY = 86_400_000
LATEST_TOUCHES = 20
Touch = Mapping[str, Any]


class Given(NamedTuple):
    """What one rule gave before any cap: for how many touches, and when the first and the last of them happened."""

    points: int
    times: int
    first_at: int
    last_at: int


class Lead(NamedTuple):
    """All that was ever told of the identities that a lead owns now: touches, and the last register of each."""

    touches: list[Touch]
    registers: list[Mapping[str, Any]]


# --- points -------------------------------------------------------------------------------------------------------------


def engagement(
    touches: Iterable[Touch], rules: Iterable[BehaviourRule], policy: ScoringPolicy, as_of: int
) -> tuple[int, dict[str, Given]]:
    """The points of all, and what each rule gave."""
    given: dict[str, Given] = {}
    groups: dict[str, int] = defaultdict(int)
    told = [(touch, facts(touch)) for touch in touches]
    condemned = {event for touch, _ in told for event in touch.get("condemns", ())}
    for rule in rules:
        when = parse(rule.when, BEHAVIOUR_FIELDS)
        buckets: dict[Any, set[tuple[int, str]]] = defaultdict(set)
        for touch, known in told:
            judged = "touch.automated" in when.fields() or not touch["automated"]
            if judged and when.holds(known) and touch["received_at"] - touch["at"] <= remembered(rule):
                buckets[bucket(rule, touch, policy)].add(moment(touch))
        counted = sorted(mark for marks in buckets.values() for mark in sorted(marks)[: rule.limit])
        worths = [(at, worth(rule, max(0, as_of - at))) for at, event in counted if event not in condemned]
        worths = [(at, points) for at, points in worths if points]
        if worths and in_force(rule, policy, as_of):
            given[rule.id] = Given(sum(points for _, points in worths), len(worths), worths[0][0], worths[-1][0])
            groups[rule.group] += given[rule.id].points
    capped = [min(points, most(policy.engagement.groups[group])) for group, points in groups.items()]
    return min(sum(capped), most(policy.engagement.cap)), given


def worth(rule: BehaviourRule, age: int) -> int:
    """Of one touch, rounded once."""
    half_life = round(rule.half_life_days * DAY)
    return 0 if age > counts_for(rule) else round(round(rule.points * 1000) * 2 ** (-age / half_life))


def counts_for(rule: BehaviourRule) -> int:
    """How long a touch counts: seven half-lives or the window, and no longer than the topics are kept."""
    return min(7 * round(rule.half_life_days * DAY), round((rule.window_days or 400) * DAY), 400 * DAY)


def remembered(rule: BehaviourRule) -> int:
    """How old a touch may be when it arrives, to be remembered at all."""
    return next(days for days in (30, 90, 180, 400) if days * DAY >= counts_for(rule)) * DAY


def bucket(rule: BehaviourRule, touch: Touch, policy: ScoringPolicy) -> Any:
    if rule.per == "once":
        return None
    if rule.per in ("campaign", "cycle"):
        return touch.get("campaign") or touch.get("event") or touch["type"]
    return (touch["at"] + policy.zone_offset_minutes * 60_000) // (int(rule.per[:-1]) * DAY)


def in_force(rule: BehaviourRule | FitRule, policy: ScoringPolicy, as_of: int) -> bool:
    """By the calendar of the tenant's zone."""
    today = datetime.fromtimestamp(as_of // 1000 + policy.zone_offset_minutes * 60, UTC).date()
    return (rule.valid_from or date.min) <= today <= (rule.valid_until or date.max)


def fit(
    told: Mapping[str, tuple[Any, int]], rules: Iterable[FitRule], policy: ScoringPolicy, as_of: int
) -> tuple[int, set[str]]:
    """The points of the rules that hold, of each group the best one, and which rules those are. told: values, and since when"""
    known = {f"lead.{name}": value for name, (value, _) in told.items()}
    best: dict[Any, FitRule] = {}
    for rule in sorted(rules, key=lambda rule: (-rule.points, rule.id)):
        when = parse(rule.when, FIT_FIELDS)
        asked = [told[name][1] for field in when.fields() if (name := field.removeprefix("lead.")) in told]
        fresh = rule.expires_days is None or all(as_of - at < round(rule.expires_days * DAY) for at in asked)
        if fresh and in_force(rule, policy, as_of) and when.holds(known):
            best.setdefault(rule.group or (rule.id,), rule)
    points = sum(round(rule.points * 1000) for rule in best.values())
    return min(points, most(policy.fit.cap)), {rule.id for rule in best.values()}


def grade(fit_points: int, engagement_points: int, policy: ScoringPolicy) -> str:
    letters = zip("ABC", policy.fit.grades, strict=True)
    bands = zip("123", policy.engagement.bands, strict=True)
    letter = next((letter for letter, least in letters if fit_points >= round(least * 1000)), "D")
    return letter + next((band for band, least in bands if engagement_points >= round(least * 1000)), "4")


def temperature(band: int, raised: Touch | None, policy: ScoringPolicy, as_of: int) -> str:
    asked = raised is not None and as_of - raised["at"] < round(policy.temperature.hand_raise_days * DAY)
    return "hot" if asked or band <= policy.temperature.hot else "warm" if band <= policy.temperature.warm else "cold"


def most(cap: float) -> int:
    return max(0, round(cap * 1000))


def facts(touch: Touch) -> dict[str, Any]:
    """What conditions may ask of a touch."""
    known = {name: touch.get(name.partition(".")[2]) for name in BEHAVIOUR_FIELDS}
    return known | {"source.id": touch["source_id"], "source.trusted": touch["trusted"]}


def moment(touch: Touch) -> tuple[int, str]:
    return touch["at"], touch["event_id"]


# --- a lead -------------------------------------------------------------------------------------------------------------


def attributes(touches: Collection[Touch]) -> dict[str, tuple[Any, int]]:
    """One value of each, and since when: of what each source last said by each identity a trusted source's, then the latest."""
    told = {
        (name, touch["source_id"], touch["identity_id"]): touch
        for touch in sorted(touches, key=moment)
        for name in touch["attributes"]
    }
    ranked = sorted(told.items(), key=lambda item: (item[1]["trusted"], *moment(item[1])))
    return {name: (touch["attributes"][name], touch["at"]) for (name, *_), touch in ranked} | company(touches)


def company(touches: Collection[Touch]) -> dict[str, tuple[Any, int]]:
    """The account named last, by the strongest of the keys of the same mail domain."""
    naming = [touch for touch in touches if "account" in touch["attributes"]]
    if not naming:
        return {}
    last = max(naming, key=lambda touch: (*moment(touch), touch["attributes"]["account"], own_domain(touch)))
    key = last["attributes"]["account"]
    domains = {own_domain(last)} - {""} or domains_of(key, naming)
    same = {t["attributes"]["account"] for t in naming if domains & domains_of(t["attributes"]["account"], naming)}
    strength = {"corporate": 0, "group": 1}
    ranks = {k: (strength.get(k.partition(":")[0], 2), -named_last(k, naming), k) for k in same or {key}}
    return {"account": (min(ranks, key=lambda k: ranks[k]), last["at"])}


def domains_of(key: str, naming: list[Touch]) -> set[str]:
    """The mail domains that an account was named with; else the one that was new last when it was named last, or the first."""
    told = {own_domain(touch) for touch in naming if touch["attributes"]["account"] == key} - {""}
    begun = {domain: min(t["at"] for t in naming if own_domain(t) == domain) for domain in map(own_domain, naming)}
    begun.pop("", None)
    before = {domain: at for domain, at in begun.items() if at <= named_last(key, naming)}
    return told or set(
        sorted(before, key=lambda d: (before[d], d))[-1:] or sorted(begun, key=lambda d: (begun[d], d))[:1]
    )


def named_last(key: str, naming: list[Touch]) -> int:
    return max(int(touch["at"]) for touch in naming if touch["attributes"]["account"] == key)


def own_domain(touch: Touch) -> str:
    known = touch["attributes"]
    return known.get("domain", "") if known.get("own_domain") is True else ""


def by_sales(event: Mapping[str, Any]) -> Touch | None:
    """What sales says of a lead, as a touch that nobody did; None where it says nothing. A decline and the change of stage that
    follows from it say one thing."""
    said = None
    if event["kind"] == "offer-declined":
        said = OUTCOME_OF_REASON.get(event.get("reason") or "")
    elif event["kind"] == "stage-changed":
        said = OUTCOME_OF_STAGE.get(event.get("stage") or "", OUTCOME_OF_REASON.get(event.get("reason") or ""))
    elif event["kind"] == "activity-logged" and event.get("activity") in TOUCH_TYPES and not event.get("touch"):
        said = event["activity"]
    if said is None:
        return None
    told = [event["tenant"], event["lead_id"], event["cycle"], event["at"], said, event.get("reason")]
    event_id = event["event_id"] if event["kind"] == "activity-logged" else ids.derived_id("outcome", *told)
    touch = {"type": said, "event": event.get("reason"), "campaign": f"cycle/{event['cycle']}", "source_id": "handoff"}
    silent = {"trusted": True, "automated": False, "is_test": False, "attributes": {}, "evidence": {}}
    whose = {"identity_id": f"outcome/{event['lead_id']}", "identity_kind": "outcome", "event_id": event_id}
    return touch | silent | whose | {"at": event["at"], "received_at": event["at"]}


def leads(records: Iterable[Mapping[str, Any]]) -> dict[str, Lead]:
    """Touches, links and what sales says, told in any order and any number of times, by the lead whose they are in the end."""
    registers: dict[str, Mapping[str, Any]] = {}
    touches: dict[tuple[str, str], Touch] = {}
    said: list[tuple[str, Touch]] = []
    for record in records:
        if record["record"] == "touch":
            touches[record["identity_id"], record["event_id"]] = record
        elif record["record"] == "handoff-event":
            if outcome := by_sales(record):
                said.append((record["lead_id"], outcome))
        elif record["sequence"] > registers.get(record["identity_id"], {"sequence": 0})["sequence"]:
            registers[record["identity_id"]] = record
    became = {ids.lead_id(identity): register["owner"] for identity, register in registers.items()}
    found: dict[str, Lead] = defaultdict(lambda: Lead([], []))
    for register in registers.values():
        found[register["owner"]].registers.append(register)
    for (identity, _), touch in touches.items():
        own = ids.lead_id(identity)
        found[became.get(own, own)].touches.append(touch)
    for lead, outcome in said:  # goes where the identity went that the lead derives from
        found[became.get(lead, lead)].touches.append(outcome)
    return dict(found)


def is_known(lead: Lead) -> bool:
    return any(record["identity_kind"] in STRONG for record in [*lead.touches, *lead.registers])


def scored(lead: Lead, policy: ScoringPolicy, as_of: int = 0) -> dict[str, Any]:
    """All that is said of a lead when it was last heard of, or at `as_of` if later."""
    heard = [*lead.touches, *lead.registers]
    as_of = max(as_of, *(record["received_at"] for record in heard))
    did = sorted((touch for touch in lead.touches if touch["identity_kind"] != "outcome"), key=moment)
    told = attributes(did)
    known = {f"lead.{name}": value for name, (value, _) in told.items()}
    internal = policy.internal is not None and parse(policy.internal, FIT_FIELDS).holds(known)
    behaviour, fits, region = rules_for(known, policy)
    fit_points, holding = fit(told, () if internal else fits, policy, as_of)
    engaged, given = engagement(lead.touches, () if internal else behaviour, policy, as_of)
    letter = grade(fit_points, engaged, policy)
    raised, first, last, latest = looked_at(did, policy)
    return {
        "as_of": as_of,
        "fit": (fit_points, holding),
        "engagement": (engaged, given),
        "grade": letter,
        "temperature": "cold" if internal else temperature(int(letter[1]), raised, policy, as_of),
        "hand_raise": raised["event_id"] if raised else None,
        "attributes": {name: value for name, (value, _) in told.items()},
        "touches": latest,
        "identities": sorted({one["identity_id"] for one in heard if one["identity_kind"] != "outcome"}),
        "first_source": first["source_id"] if first else None,
        "last_source": last["source_id"] if last else None,
        "is_test": bool(did) and all(touch["is_test"] for touch in did),
        "internal": internal,
        "region": region,
        "account": known.get("lead.account"),
        "person": {name: value for t in did if t.get("person") for name, value in t["person"]["fields"].items()},
        "evidence": {(name, t["source_id"]): code for t in did for name, code in t["evidence"].items()},
    }


def rules_for(known: Mapping[str, Any], policy: ScoringPolicy) -> tuple[list[BehaviourRule], list[FitRule], str | None]:
    """The rules that count for a lead with these facts, and the region whose they are."""
    overlay = next((one for one in policy.overlays if parse(one.when, FIT_FIELDS).holds(known)), None)
    if overlay is None:
        return list(policy.engagement.rules), list(policy.fit.rules), None
    behaviour = {rule.id: rule for rule in (*policy.engagement.rules, *overlay.behaviour) if rule.id not in overlay.off}
    fits = {rule.id: rule for rule in (*policy.fit.rules, *overlay.fit) if rule.id not in overlay.off}
    return list(behaviour.values()), list(fits.values()), overlay.id


def looked_at(did: list[Touch], policy: ScoringPolicy) -> tuple[Touch | None, Touch | None, Touch | None, list[str]]:
    """The last hand-raise, the first and the last touch, and the latest ones, of those that no machine did.

    Of each identity one touch is remembered for each of these, and 20 of all: when such a one turns out to be a machine's, none
    takes its place.
    """
    condemned = {event for touch in did for event in touch.get("condemns", ())}
    human = [touch for touch in did if not touch["automated"]]
    first = {touch["identity_id"]: touch for touch in human[::-1]}
    last = {touch["identity_id"]: touch for touch in human}
    raised = {(t["identity_id"], t["type"]): t for t in human if t["type"] in policy.hand_raises}
    firsts, lasts, raises = (
        [touch for touch in found.values() if touch["event_id"] not in condemned] for found in (first, last, raised)
    )
    latest = list(dict.fromkeys(touch["event_id"] for touch in human[::-1]))[:LATEST_TOUCHES]
    return (
        max(raises, key=moment, default=None),
        min(firsts, key=moment, default=None),
        max(lasts, key=moment, default=None),
        [event for event in latest if event not in condemned],
    )


def published(score: LeadScored) -> dict[str, Any]:
    """A published score, in the form of `scored`."""
    parts = score.engagement.parts
    return {
        "as_of": score.as_of,
        "fit": (score.fit.total, {part.rule_id for part in score.fit.parts}),
        "engagement": (
            score.engagement.total,
            {p.rule_id: Given(p.given, p.times, p.first_at, p.last_at) for p in parts},
        ),
        "grade": score.grade,
        "temperature": score.temperature,
        "hand_raise": score.hand_raise.event_id if score.hand_raise else None,
        "attributes": score.attributes,
        "touches": [touch.event_id for touch in score.touches],
        "identities": sorted(identity.identity_id for identity in score.identities),
        "first_source": score.first_source,
        "last_source": score.last_source,
        "is_test": score.is_test,
        "internal": score.internal,
        "region": score.region,
        "account": score.account,
        "person": dict(score.person.fields) if score.person else {},
        "evidence": {(answer.criterion, answer.source_id): answer.code for answer in score.evidence},
    }
