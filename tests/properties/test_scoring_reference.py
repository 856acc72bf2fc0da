"""P2: the engine and the reference agree to the milli-point: random policies, random histories, random moments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import settings

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import join
from services.scoring.domain.codec import decode_state, encode_state
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import score
from services.scoring.domain.state import LeadState
from shared.schemas import ids
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import LeadScored, PolicyRef, Version
from shared.schemas.topics import HANDOFF_EVENTS, TOUCHPOINTS
from tests import scoring_reference as reference

HOUR, DAY = 3_600_000, 86_400_000
NOW = 1_790_000_000_000
BLOCKS, HISTORIES = 10, 3 * settings.default.max_examples  # in each block
BASE = 0 if settings.default.derandomize else uuid4().int % 10**9
TENANT = "acme"
IDENTITIES = {"mail": "email", "account": "user", "phone": "anonymous", "tablet": "anonymous"}
LEAD = ids.lead_id("mail")

Json = dict[str, Any]

TYPES = ("page_viewed", "contact_requested", "email_opened", "webinar_attended")
CONDITIONS: tuple[Json, ...] = (
    {"touch.type": {"eq": "page_viewed"}},
    {"touch.type": {"eq": "contact_requested"}},
    {"touch.type": {"in": ["email_opened", "webinar_attended"]}},
    {"touch.type": {"eq": "page_viewed"}, "touch.path": {"prefix": "/pricing"}},
    {"any": [{"touch.path": {"contains": "RIC"}}, {"touch.topic": {"exists": True}}]},
    {"not": {"touch.type": {"ne": "email_opened"}}},
    {"all": [{"source.trusted": {"eq": True}}, {"touch.campaign": {"ne": "autumn"}}]},
    {"source.id": {"eq": "site"}},
    {"source.id": {"eq": "handoff"}},
    {"touch.type": {"in": ["sales_rejected_quality", "wrong_person", "opportunity_won", "meeting_booked"]}},
    {"touch.automated": {"eq": True}},
    {"touch.automated": {"ne": True}, "touch.channel": {"not_in": ["ads"]}},
    {"touch.is_test": {"eq": True}},
)
FIT_CONDITIONS: tuple[Json, ...] = (
    {"lead.level": {"eq": "head"}},
    {"lead.level": {"exists": True}},
    {"lead.employees": {"gte": 100}, "lead.level": {"ne": "staff"}},
    {"lead.kind": {"in": ["student", "competitor"]}},
    {"lead.country": {"ne": "JP"}},
    {"lead.account": {"prefix": "corporate:"}},
)
REGIONS: tuple[Json, ...] = (
    {"lead.country": {"eq": "JP"}},
    {"lead.country": {"exists": True}},
    {"lead.level": {"eq": "head"}},
)
ATTRIBUTES: dict[str, tuple[Any, ...]] = {
    "level": ("head", "staff"),
    "kind": ("student", "customer"),
    "country": ("JP", "DE"),
    "employees": (5, 100),
    "domain": ("acme.example", "beta.example"),
    "own_domain": (True, True, False),
    "account": ("corporate:1", "group:7", "acme.example"),
}


# --- policies -----------------------------------------------------------------------------------------------------------


def a_policy(rng: Random) -> ScoringPolicy:
    groups = {
        name: rng.choice((0, 3.5, 12, 20.001, 45, 400, -5)) for name in ("web", "mail", "ask")[: rng.randint(1, 3)]
    }
    rules = [a_rule(rng, f"rule-{number}", sorted(groups)) for number in range(rng.randint(1, 8))]
    fits = [a_fit_rule(rng, f"fit-{number}") for number in range(rng.randint(0, 5))]
    body = {
        "kind": "scoring",
        "zone_offset_minutes": rng.choice((-840, -300, 0, 330, 540, 840)),
        "hand_raises": ["contact_requested", "webinar_attended"][: rng.randint(0, 2)],
        "internal": rng.choice((None, None, None, {"lead.domain": {"eq": "beta.example"}})),
        "engagement": {"cap": rng.choice((15, 60, 1000, -1)), "groups": groups, "rules": rules},
        "fit": {"cap": rng.choice((20, 100)), "rules": fits},
        "overlays": [an_overlay(rng, f"region-{number}", sorted(groups)) for number in range(rng.choice((0, 0, 1, 2)))],
    }
    return ScoringPolicy.model_validate(body)


def a_rule(rng: Random, name: str, groups: list[str]) -> Json:
    return a_schedule(rng) | {
        "id": name,
        "when": rng.choice(CONDITIONS),
        "points": points(rng),
        "half_life_days": rng.choice((0.25, 1, 3, 7, 13.37, 30, 60, 90, 200, 400)),
        "window_days": rng.choice((None, None, 0.5, 1, 10, 29.99, 90, 400)),
        "limit": rng.choice((1, 1, 2, 3, 5)),
        "per": rng.choice(("1d", "1d", "2d", "7d", "30d", "once", "campaign", "cycle")),
        "group": rng.choice(groups),
    }


def a_fit_rule(rng: Random, name: str) -> Json:
    group, expires = rng.choice((None, "level", "kind")), rng.choice((None, None, 1, 30.5, 200))
    rule = {
        "id": name,
        "when": rng.choice(FIT_CONDITIONS),
        "points": points(rng),
        "group": group,
        "expires_days": expires,
    }
    return a_schedule(rng) | rule


def a_schedule(rng: Random) -> Json:
    day = datetime.fromtimestamp(NOW / 1000, UTC).date() + timedelta(days=rng.randrange(-300, 300))
    dates = {"valid_from": day, "valid_until": day + timedelta(days=rng.randrange(200))}
    return {name: date for name, date in dates.items() if rng.random() < 0.15}


def an_overlay(rng: Random, name: str, groups: list[str]) -> Json:
    """Some rules stand in for others, some are added, some of both kinds are off."""
    names = [f"rule-{number}" for number in range(12)] + [f"fit-{number}" for number in range(8)]
    rules = [name for name in names if rng.random() < 0.15]
    return {
        "id": name,
        "when": rng.choice(REGIONS),
        "off": [name for name in names if rng.random() < 0.15],
        "behaviour": [a_rule(rng, rule, groups) for rule in rules if rule.startswith("rule")],
        "fit": [a_fit_rule(rng, rule) for rule in rules if rule.startswith("fit")],
    }


def points(rng: Random) -> float:
    return rng.choice((1, 8, 40, rng.randint(-30_000, 60_000) / 1000))


# --- histories ----------------------------------------------------------------------------------------------------------


def a_history(rng: Random) -> list[Json]:
    """What is told of one lead, in the order of its arrival: some late, some of it by two identities, some condemned later."""
    days = rng.choice((1, 30, 200, 600))
    identities = ["mail", *rng.sample(sorted(IDENTITIES), rng.randint(0, 3))]
    touches = [a_touch(rng, number, rng.choice(identities), days) for number in range(rng.randint(1, 45))]
    touches += [touch | {"identity_id": "mail", "identity_kind": "email"} for touch in touches if rng.random() < 0.05]
    said = [an_outcome(rng, number, days) for number in range(rng.choice((0, 0, 1, 3)))]
    return sorted([*touches, *said], key=arrival)


def arrival(record: Json) -> int:
    return int(record["received_at"] if record["record"] == "touch" else record["at"])


def a_touch(rng: Random, number: int, identity: str, days: int) -> Json:
    at = NOW - rng.randrange(days * 24) * HOUR  # whole hours, so that some happen at once and some at midnight
    late = rng.choice((0, 0, 0, HOUR, rng.randrange(3 * DAY), rng.randrange(500 * DAY), -HOUR))
    return {
        "record": "touch",
        "tenant": TENANT,
        "lead_id": LEAD,
        "identity_id": identity,
        "identity_kind": IDENTITIES[identity],
        "event_id": event_id(number),
        "source_id": rng.choice(("site", "crm")),
        "trusted": rng.random() < 0.3,
        "type": rng.choice(TYPES),
        "event": rng.choice((None, "Something Done")),
        "at": at,
        "received_at": at + late,
        "path": rng.choice((None, "/pricing", "/Pricing/eu", "/blog")),
        "topic": rng.choice((None, None, "iot")),
        "campaign": rng.choice((None, "spring", "autumn")),
        "channel": rng.choice((None, "ads", "web")),
        "automated": rng.random() < 0.15,
        "is_test": rng.random() < 0.1,
        "attributes": {name: rng.choice(values) for name, values in ATTRIBUTES.items() if rng.random() < 0.1},
        "evidence": {"N1": rng.choice(("yes", "no"))} if rng.random() < 0.1 else {},
        "condemns": [event_id(rng.randrange(45)) for _ in range(rng.choice((0,) * 9 + (3,)))],
        "person": {"fields": {"name": f"Name {number}"}} if rng.random() < 0.1 else None,
    }


def an_outcome(rng: Random, number: int, days: int) -> Json:
    kind = rng.choice(("offer-declined", "stage-changed", "activity-logged", "offer-opened"))
    return {
        "record": "handoff-event",
        "tenant": TENANT,
        "lead_id": LEAD,
        "kind": kind,
        "event_id": ids.derived_id("outcome", number),
        "cycle": rng.randint(1, 2),
        "at": NOW - rng.randrange(days * 24) * HOUR,
        "reason": rng.choice((None, "junk", "wrong_person", "not_now", "overloaded")),
        "stage": rng.choice((None, "won", "lost", "proposal")),
        "activity": rng.choice((None, "meeting_booked", "no_word_of_ours")),
    }


def event_id(number: int) -> str:
    return ids.derived_id("event", number)


def chapters(rng: Random, history: list[Json]) -> Iterator[tuple[list[Json], int]]:
    """The history in a few pieces, and until when nothing more is heard after each."""
    cuts = sorted({*(rng.randrange(len(history) + 1) for _ in range(rng.randint(0, 3))), len(history)} - {0})
    for first, end in zip([0, *cuts], cuts, strict=False):
        yield history[first:end], arrival(history[end]) if end < len(history) else arrival(history[-1]) + 500 * DAY


def moments(rng: Random, policy: ScoringPolicy, heard: list[Json], since: int, until: int) -> list[int]:
    """Any two, and two at which a rule begins, ends or stops to count a touch, or 1 ms beside it."""
    edges = []
    for rule in policy.engagement.rules:
        days = [rule.valid_from, rule.valid_until and rule.valid_until + timedelta(days=1)]
        midnights = [datetime.combine(day, time(), UTC).timestamp() for day in days if day]
        edges += [int(at) * 1000 - policy.zone_offset_minutes * 60_000 for at in midnights]
        ages = [7 * round(rule.half_life_days * DAY), round((rule.window_days or 400) * DAY)]
        edges += [record["at"] + age for record in heard if "at" in record for age in ages]
    inside = [edge for edge in edges if since < edge < until] or [until]
    return [rng.randint(since, until) for _ in range(2)] + [rng.choice(inside) + rng.randint(-1, 1) for _ in range(2)]


# --- engine and reference -----------------------------------------------------------------------------------------------


def told(records: list[Json]) -> Told:
    topics = {"touch": TOUCHPOINTS.name, "link": TOUCHPOINTS.name, "handoff-event": HANDOFF_EVENTS.name}
    read = [wire.decode(topics[record["record"]], orjson.dumps(record)) for record in records]
    return Told(TENANT, LEAD, [(one, None) for one in read if one is not None])  # type: ignore[misc]


def joined(rng: Random, state: LeadState, records: list[Json], rules: Rules) -> LeadState:
    """As its bytes give it back, after batches in any order, with duplicates."""
    pending = records + rng.choices(records, k=len(records) // 10)
    rng.shuffle(pending)
    while pending:
        size = rng.randint(1, len(pending))
        batch, pending = pending[:size], pending[size:]
        state = decode_state(encode_state(join(told(batch), state, rules).finish()))
    return state


def published(state: LeadState, rules: Rules, as_of: int) -> dict[str, Any]:
    saying = wire.Saying(Version(1, 1, 1, as_of), wire.PolicyRef(1, "h"))
    record = wire.lead_scored(TENANT, LEAD, saying, score(state, LEAD, rules, as_of))
    return reference.published(LeadScored.model_validate_json(wire.encode(record)))


def links() -> list[Json]:
    body = {"record": "link", "tenant": TENANT, "lead_id": LEAD, "owner": LEAD, "sequence": 1, "received_at": 0}
    return [body | {"identity_id": name, "identity_kind": kind} for name, kind in IDENTITIES.items()]


@pytest.mark.parametrize("block", range(BLOCKS))
def test_engine_and_reference_agree_on_random_histories_at_random_moments(block: int) -> None:
    for number in range(BASE + block * HISTORIES, BASE + (block + 1) * HISTORIES):
        rng = Random(number)
        policy, history = a_policy(rng), a_history(rng)
        rules = Rules(policy, PolicyRef(sequence=1, hash="h"))
        state, heard = join(told(links()), LeadState(), rules).finish(), links()
        for records, until in chapters(rng, history):
            state = joined(rng, state, records, rules)
            heard += records
            lead = reference.leads(heard)[LEAD]
            for as_of in (0, *moments(rng, policy, heard, arrival(records[-1]), until)):
                assert published(state, rules, as_of) == reference.scored(lead, policy, as_of), (
                    f"history {number} at {as_of}"
                )
