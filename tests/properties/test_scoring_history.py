"""P2, for the past: what is asked of the records says what was said then, and what the reference says of any other moment."""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import settings

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import Now, decide
from services.scoring.domain.codec import decode_memory
from services.scoring.domain.rules import Rules
from services.scoring.domain.state import LeadState
from services.scoring.history import Records, needed, owner, past
from shared.schemas import ids
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import LeadScored, PolicyRef
from shared.schemas.topics import HANDOFF_EVENTS, LEAD_SCORED, SCORE_TRANSFERS, TOUCHPOINTS
from tests import scoring_reference as reference

HOUR, DAY = 3_600_000, 86_400_000
NOW = 1_790_000_000_000
TENANT = "acme"
WORLDS = 2 * settings.default.max_examples
BASE = 0 if settings.default.derandomize else uuid4().int % 10**9
IDENTITIES = {"mail": "email", "account": "user", "phone": "anonymous", "tablet": "anonymous", "other": "email"}
LEADS = [ids.lead_id(name) for name in IDENTITIES]
Json = dict[str, Any]


def rule(name: str, when: Json, points: float, **more: Any) -> Json:
    return {"id": name, "when": when, "points": points, "half_life_days": 9, "group": "web"} | more


POLICY = ScoringPolicy.model_validate(
    {
        "kind": "scoring",
        "hand_raises": ["contact_requested"],
        "engagement": {
            "cap": 60,
            "groups": {"web": 20, "ask": 45, "sales": 30},
            "rules": [
                rule("page", {"touch.type": {"eq": "page_viewed"}}, 3, limit=2),
                rule("pricing", {"touch.path": {"eq": "/pricing"}}, 7.5, per="once", window_days=20),
                rule("mail", {"touch.type": {"eq": "email_opened"}}, 4, per="campaign", limit=2, half_life_days=3),
                rule("ask", {"touch.type": {"eq": "contact_requested"}}, 33, group="ask"),
                rule("junk", {"touch.type": {"eq": "sales_rejected_quality"}}, -25, group="sales", per="cycle"),
                rule("won", {"touch.type": {"eq": "opportunity_won"}}, 30, group="sales", per="cycle"),
            ],
        },
        "fit": {
            "rules": [
                {"id": "head", "when": {"lead.level": {"eq": "head"}}, "points": 50, "expires_days": 40},
                {"id": "japan", "when": {"lead.country": {"eq": "JP"}}, "points": 25},
            ]
        },
        "overlays": [{"id": "germany", "when": {"lead.country": {"eq": "DE"}}, "off": ["pricing"]}],
    }
)
RULES = Rules(POLICY, PolicyRef(sequence=1, hash="h"))


class World:
    """Leads that touch, are linked, and are linked otherwise, as ingest and handoff would write it down, in the order of time."""

    def __init__(self, rng: Random) -> None:
        self.rng, self.clock = rng, NOW
        self.owners: dict[str, str] = {}
        self.records: list[Json] = []

    def write(self, most: int) -> World:
        for name in IDENTITIES:  # ingest registers whoever is not anonymous at once
            if IDENTITIES[name] != "anonymous":
                self.link(name, ids.lead_id(name))
            self.touch(name, automated=False)
        for _ in range(self.rng.randrange(most)):
            self.rng.choice((self.touch, self.touch, self.touch, self.outcome, self.move))()
        return self

    def move(self) -> None:
        name = self.rng.choice(sorted(IDENTITIES))
        self.link(name, self.rng.choice([ids.lead_id(name), *LEADS]))

    def link(self, name: str, to: str) -> None:
        own, sequence = ids.lead_id(name), len(self.records) + 1
        self._wait()
        body = {"identity_id": name, "identity_kind": IDENTITIES[name], "owner": to, "sequence": sequence}
        for lead in sorted({own, self.owners.get(name, own), to}):
            self._add(TOUCHPOINTS.name, body | {"record": "link", "lead_id": lead, "received_at": self.clock})
        self.owners[name] = to

    def touch(self, name: str | None = None, **more: Any) -> None:
        rng = self.rng
        name = name or rng.choice(sorted(IDENTITIES))
        self._wait()
        late = rng.choice((0, 0, 0, rng.randrange(5 * DAY), rng.randrange(100 * DAY)))
        touch = {
            "record": "touch",
            "lead_id": self.owners.get(name, ids.lead_id(name)),
            "identity_id": name,
            "identity_kind": IDENTITIES[name],
            "event_id": ids.derived_id("event", len(self.records)),
            "source_id": rng.choice(("site", "crm")),
            "trusted": rng.random() < 0.3,
            "type": rng.choice(("page_viewed", "page_viewed", "contact_requested", "email_opened")),
            "at": self.clock - late,
            "received_at": self.clock,
            "path": rng.choice((None, "/pricing")),
            "campaign": rng.choice((None, "spring")),
            "automated": rng.random() < 0.1,
            "is_test": False,
            "attributes": {"level": rng.choice(("head", "staff"))} if rng.random() < 0.3 else {},
            "evidence": {"N1": "stated"} if rng.random() < 0.1 else {},
            "person": {"fields": {"name": f"Name {len(self.records)}"}} if rng.random() < 0.2 else None,
        }
        if rng.random() < 0.2:
            touch["attributes"]["country"] = rng.choice(("JP", "DE"))
        if rng.random() < 0.1:
            touch |= {"condemns": [ids.derived_id("event", rng.randrange(len(self.records) + 1))], "automated": True}
        self._add(TOUCHPOINTS.name, touch | more)

    def outcome(self) -> None:
        self._wait()
        event = {
            "record": "handoff-event",
            "lead_id": self.rng.choice(LEADS),
            "kind": "stage-changed",
            "event_id": ids.derived_id("outcome", len(self.records)),
            "cycle": self.rng.randint(1, 2),
            "at": self.clock,
            "reason": self.rng.choice((None, "junk")),
            "stage": self.rng.choice(("won", "proposal")),
        }
        self._add(HANDOFF_EVENTS.name, event)

    def _wait(self) -> None:
        self.clock += self.rng.choice((1, HOUR, 3 * DAY))

    def _add(self, topic: str, record: Json) -> None:
        self.records.append(record | {"tenant": TENANT, "_topic": topic})


def heard(record: Json) -> Any:
    return wire.decode(record["_topic"], orjson.dumps({name: v for name, v in record.items() if name != "_topic"}))


def gathered(lead: str, world: World) -> Records:
    """What a reader of the topics gathers: by key, only of those leads that it finds out it needs."""
    found: dict[str, list[Any]] = {}
    while missing := needed(lead, found) - found.keys():
        for key in missing:
            all_of_key = [heard(record) for record in world.records if record["lead_id"] == key]
            found[key] = [one for one in all_of_key if one is not None]
    return found


def received(record: Json) -> int:
    return int(record["at"] if record["record"] == "handoff-event" else record["received_at"])


def said_by_scoring(world: World) -> dict[tuple[str, int], LeadScored]:
    """Record by record, transfers at once: of each lead, and moment at which something was received, what was said last."""
    states: dict[str, LeadState] = {}
    said: dict[tuple[str, int], LeadScored] = {}
    for position, record in enumerate(world.records):
        pending = [(record["lead_id"], heard(record), None)]
        while pending:
            lead, one, memory = pending.pop(0)
            if one is None:
                continue
            made = decide(Told(TENANT, lead, [(one, memory)]), states.get(lead, LeadState()), RULES, Now(position))
            assert isinstance(made.state, LeadState)
            states[lead] = made.state
            for out in made.records:
                if out.topic == LEAD_SCORED.name:
                    said[lead, received(record)] = LeadScored.model_validate_json(out.value or b"")
                elif out.topic == SCORE_TRANSFERS.name:
                    transfer = wire.decode(out.topic, out.value)
                    assert isinstance(transfer, wire.ScoreTransfer)
                    pending.append((transfer.lead_id, transfer, decode_memory(transfer.memory)))
    return said


@pytest.mark.parametrize("block", range(4))
def test_what_was_said_at_any_time_is_found_again_in_the_records(block: int) -> None:
    for number in range(BASE + block * WORLDS // 4, BASE + (block + 1) * WORLDS // 4):
        world = World(Random(number)).write(60)
        records = {lead: gathered(lead, world) for lead in LEADS}
        for (lead, known_at), score in said_by_scoring(world).items():
            where = f"world {number}, {lead} at {known_at}"
            # What lost an identity is scored as of what it still owns, and what was merged away as of nothing.
            as_of = known_at if score.merged_into else score.as_of
            found = past(TENANT, lead, records[lead], RULES, as_of=as_of, known_at=known_at)
            assert found is not None, where
            assert found.known, where
            assert found.score.merged_into == score.merged_into, where
            if not score.merged_into:
                assert plain(found.score) == plain(score), where


def plain(score: LeadScored) -> Json:
    return score.model_dump(exclude={"version", "policy", "cause", "change_id"})


@pytest.mark.parametrize("block", range(4))
def test_any_moment_by_what_was_known_at_any_other_is_as_the_reference_says(block: int) -> None:
    for number in range(BASE + block * WORLDS // 4, BASE + (block + 1) * WORLDS // 4):
        rng = Random(number)
        world = World(rng).write(60)
        records = {lead: gathered(lead, world) for lead in LEADS}
        for _ in range(6):
            as_of, known_at = (rng.randrange(NOW - 100 * DAY, world.clock + 30 * DAY) for _ in range(2))
            leads = reference.leads(by_then(world, as_of, known_at))
            for lead in LEADS:
                found = past(TENANT, lead, records[lead], RULES, as_of=as_of, known_at=known_at)
                if lead not in leads or not reference.is_known(leads[lead]):
                    assert found is None or found.score.merged_into or not found.known
                    continue
                assert found is not None
                assert found.known
                expected = reference.scored(leads[lead], POLICY, as_of)
                assert reference.published(found.score) == expected, f"world {number}, {lead} at {as_of}, {known_at}"


def by_then(world: World, as_of: int, known_at: int) -> list[Json]:
    """The records that had been received, as if at the moment asked for; what happened later says only whom it condemns."""
    told = []
    for record in world.records:
        if received(record) > known_at:
            continue
        record = record | {"received_at": min(received(record), as_of)}
        if record["record"] != "link" and record["at"] > as_of:
            if not record.get("condemns"):
                continue
            # It was received too late for any rule to remember it, and says nothing else.
            record |= {"at": as_of - 500 * DAY, "attributes": {}, "evidence": {}, "person": None, "automated": True}
        told.append(record)
    return told


def test_an_identity_belongs_to_the_lead_that_it_was_linked_with_last_by_then() -> None:
    world = World(Random(0))
    world.link("mail", ids.lead_id("mail"))
    first = world.clock
    world.link("mail", ids.lead_id("account"))
    own = [heard(record) for record in world.records if record["lead_id"] == ids.lead_id("mail")]
    assert owner("mail", own, first - 1) == owner("mail", own, first) == ids.lead_id("mail")
    assert owner("mail", own, world.clock) == ids.lead_id("account")


def test_of_who_was_never_heard_of_there_is_no_past_and_an_anonymous_visitor_is_not_known() -> None:
    world = World(Random(0))
    world.touch("phone", automated=False)
    lead = ids.lead_id("phone")
    records = gathered(lead, world)
    assert past(TENANT, lead, records, RULES, as_of=NOW - 1, known_at=NOW - 1) is None
    found = past(TENANT, lead, records, RULES, as_of=world.clock, known_at=world.clock)
    assert found is not None
    assert not found.known
