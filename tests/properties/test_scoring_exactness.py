"""P2: a score is a function of the set of touches and links, whatever happened on the way; held against the reference."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import Now, decide
from services.scoring.domain.codec import decode_memory, decode_state, encode_state
from services.scoring.domain.rules import Rules
from services.scoring.domain.state import LeadState
from shared.schemas import ids
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import LeadScored, PolicyRef
from shared.schemas.topics import LEAD_SCORED, SCORE_TRANSFERS
from shared.schemas.touches import STRONG
from tests import scoring_reference as reference

DAY = 86_400_000
NOW = 1_790_000_000_000
TENANT = "acme"
KINDS = {"ann@": "email", "ann": "user", "bob@": "email", "bob": "user", "phone": "anonymous", "tablet": "anonymous"}
IDENTITIES = list(KINDS)
LEADS = {name: ids.lead_id(name) for name in IDENTITIES}


def rule(rule_id: str, when: dict[str, Any], points: float, days: float, group: str, **more: Any) -> dict[str, Any]:
    return {"id": rule_id, "when": when, "points": points, "half_life_days": days, "group": group, **more}


POLICY = ScoringPolicy.model_validate(
    {
        "kind": "scoring",
        "zone_offset_minutes": 540,
        "hand_raises": ["contact_requested"],
        "engagement": {
            "cap": 60,
            "groups": {"web": 20, "mail": 10, "ask": 45},
            "rules": [
                rule("pricing", {"touch.path": {"prefix": "/pricing"}}, 8, 7, "web", limit=3, per="1d"),
                rule("page", {"touch.type": {"eq": "page_viewed"}}, 0.333, 3, "web", limit=2, per="7d"),
                rule("contact", {"touch.type": {"eq": "contact_requested"}}, 40, 30, "ask", limit=1, per="once"),
                rule("mail", {"touch.type": {"eq": "email_opened"}}, 1.5, 14, "mail", limit=2, per="campaign"),
                rule("robot", {"touch.automated": {"eq": True}}, -3, 5, "mail", limit=2, per="1d"),
                rule("trusted", {"source.trusted": {"eq": True}}, -7.001, 60, "ask", limit=2, per="2d"),
            ],
        },
        "fit": {
            "cap": 50,
            "rules": [
                {"id": "head", "when": {"lead.level": {"eq": "head"}}, "points": 30, "group": "level"},
                {"id": "any-level", "when": {"lead.level": {"exists": True}}, "points": 10, "group": "level"},
                {"id": "large", "when": {"lead.employees": {"gte": 100}}, "points": 35},
                {"id": "student", "when": {"lead.kind": {"eq": "student"}}, "points": -20},
            ],
        },
    }
)
RULES = Rules(POLICY, PolicyRef(sequence=1, hash="h"))

touch_bodies = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["page_viewed", "contact_requested", "email_opened"]),
        "path": st.sampled_from([None, "/pricing", "/blog"]),
        "campaign": st.sampled_from([None, "spring", "autumn"]),
        "source_id": st.sampled_from(["site", "crm"]),
        "automated": st.sampled_from([False, False, False, True]),
        "is_test": st.sampled_from([False, False, True]),
        "attributes": st.dictionaries(
            st.sampled_from(["level", "kind"]), st.sampled_from(["head", "staff", "student"]), max_size=2
        ),
        "evidence": st.dictionaries(st.sampled_from(["need", "timeline"]), st.sampled_from(["N1", "T1"]), max_size=1),
        "at": st.integers(NOW - 40 * DAY, NOW),
        "delay": st.one_of(st.integers(0, 3 * DAY), st.integers(0, 60 * DAY)),
        "name": st.sampled_from([None, "Ann", "Bob"]),
    }
)
touches = st.tuples(st.just("touch"), st.sampled_from(IDENTITIES), touch_bodies)
links = st.tuples(st.just("link"), st.sampled_from(IDENTITIES), st.sampled_from(IDENTITIES))
histories = st.lists(st.one_of(touches, touches, touches, links), min_size=1, max_size=30)


@dataclass
class Ingest:
    """What ingest would have published of a history, and all that it knows at the end."""

    published: list[dict[str, Any]] = field(default_factory=list)
    touches: list[dict[str, Any]] = field(default_factory=list)
    registers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, history: Iterable[tuple[Any, ...]]) -> Ingest:
        for number, (kind, identity, detail) in enumerate(history, start=1):
            if kind == "touch":
                self._touch(number, identity, dict(detail))
            else:
                self._link(number, identity, LEADS[detail])
        return self

    def owner(self, identity: str) -> str:
        register = self.registers.get(identity)
        return register["owner"] if register else LEADS[identity]

    def _touch(self, number: int, identity: str, body: dict[str, Any]) -> None:
        delay, name = body.pop("delay"), body.pop("name")
        body |= {
            "record": "touch",
            "tenant": TENANT,
            "lead_id": self.owner(identity),
            "identity_id": identity,
            "identity_kind": KINDS[identity],
            "event_id": ids.derived_id("event", number),
            "received_at": body["at"] + delay,
            "trusted": body["source_id"] == "crm",
            "person": {"fields": {"name": name}} if name else None,
        }
        self.touches.append(body)
        self.published.append(body)

    def _link(self, number: int, identity: str, owner: str) -> None:
        before = self.owner(identity)
        register = {
            "record": "link",
            "tenant": TENANT,
            "identity_id": identity,
            "identity_kind": KINDS[identity],
            "owner": owner,
            "sequence": number,
            "received_at": NOW + number,
        }
        self.registers[identity] = register
        for lead in {LEADS[identity], before, owner}:
            self.published.append(register | {"lead_id": lead})


class Scoring:
    """Workers that get records in batches of any size, keep states as bytes, and hand transfers to one another."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}
        self.scores: dict[str, LeadScored] = {}
        self.position = 0

    def run(self, records: list[dict[str, Any]], rng: Random, *, shuffle: bool, repeat: bool) -> Scoring:
        pending = [json.dumps(record).encode() for record in records]
        if repeat:
            pending += rng.choices(pending, k=len(pending) // 2)
        if shuffle:
            rng.shuffle(pending)
        while pending:
            size = rng.randint(1, max(1, len(pending) // 2))
            batch, pending = pending[:size], pending[size:]
            transfers = self._batch(batch)
            for transfer in transfers * (2 if repeat else 1):
                pending.insert(rng.randint(0, len(pending)) if shuffle else len(pending), transfer)
        return self

    def _batch(self, batch: list[bytes]) -> list[bytes]:
        self.position += len(batch)
        told: dict[str, Told] = {}
        for raw in batch:
            topic = SCORE_TRANSFERS.name if b'"transfer"' in raw[:30] else "touchpoints"
            record = wire.decode(topic, raw)
            assert isinstance(record, wire.Touch | wire.LinkChanged | wire.ScoreTransfer)
            memory = decode_memory(record.memory) if isinstance(record, wire.ScoreTransfer) else None
            told.setdefault(record.lead_id, Told(TENANT, record.lead_id)).inputs.append((record, memory))
        transfers = []
        for lead, said in told.items():
            base = decode_state(self.states[lead]) if lead in self.states else LeadState()
            before = encode_state(base)
            decision = decide(said, base, RULES, Now(self.position))
            assert encode_state(base) == before, "deciding must leave the old state as it was"
            assert isinstance(decision.state, LeadState)
            self.states[lead] = encode_state(decision.state)
            for record in decision.records:
                if record.topic == LEAD_SCORED.name:
                    assert record.value is not None
                    self.scores[lead] = LeadScored.model_validate_json(record.value)
                elif record.topic == SCORE_TRANSFERS.name:
                    assert record.value is not None
                    transfers.append(record.value)
        return transfers


def what_counts(score: LeadScored) -> dict[str, Any]:
    """Everything but the position, which says when it was computed."""
    return score.model_dump(exclude={"version"})


# --- the reference ------------------------------------------------------------------------------------------------------


def expected(ingest: Ingest, lead: str) -> dict[str, Any] | None:
    """The score of a known lead from all touches and registers at once; None for a lead that owns no strong identity."""
    told = reference.leads([*ingest.touches, *ingest.registers.values()]).get(lead)
    return reference.scored(told, POLICY) if told and reference.is_known(told) else None


# --- the promises -------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(histories, st.randoms(use_true_random=False))
def test_any_order_duplication_and_split_gives_the_score_of_the_whole(history: list[Any], rng: Random) -> None:
    ingest = Ingest().take(history)
    scoring = Scoring().run(ingest.published, rng, shuffle=True, repeat=True)
    for lead in LEADS.values():
        wanted = expected(ingest, lead)
        if wanted is not None:
            assert scoring.scores[lead].merged_into is None
            assert reference.published(scoring.scores[lead]) == wanted


@settings(max_examples=60, deadline=None)
@given(histories, st.randoms(use_true_random=False))
def test_two_ways_through_the_same_history_publish_the_same_explanation(history: list[Any], rng: Random) -> None:
    ingest = Ingest().take(history)
    straight = Scoring().run(ingest.published, Random(0), shuffle=False, repeat=False)
    crooked = Scoring().run(ingest.published, rng, shuffle=True, repeat=True)
    for lead in LEADS.values():
        if expected(ingest, lead) is not None:
            assert what_counts(crooked.scores[lead]) == what_counts(straight.scores[lead])


@settings(max_examples=60, deadline=None)
@given(histories, st.randoms(use_true_random=False))
def test_a_lead_that_gave_up_its_strong_identities_says_who_took_over(history: list[Any], rng: Random) -> None:
    ingest = Ingest().take(history)
    scoring = Scoring().run(ingest.published, rng, shuffle=True, repeat=False)
    for lead in LEADS.values():
        had = {t["identity_id"] for t in ingest.touches if t["lead_id"] == lead and t["identity_kind"] in STRONG}
        if had and expected(ingest, lead) is None:
            named = scoring.scores[lead].merged_into
            assert named in {ingest.owner(identity) for identity in IDENTITIES}
            assert named != lead


@settings(max_examples=100, deadline=None)
@given(histories)
def test_parts_sum_to_the_score_and_no_cap_is_passed(history: list[Any]) -> None:
    scoring = Scoring().run(Ingest().take(history).published, Random(1), shuffle=False, repeat=False)
    caps = {group: round(cap * 1000) for group, cap in POLICY.engagement.groups.items()}
    for score in scoring.scores.values():
        for partial in (score.fit, score.engagement):
            assert partial.total == sum(part.kept for part in partial.parts)
            assert all(part.kept == part.given - part.cut and part.cut >= 0 for part in partial.parts)
            assert all(part.cut <= max(0, part.given) for part in partial.parts)
        assert score.engagement.total <= 60_000
        assert score.fit.total <= 50_000
        for group, cap in caps.items():
            assert sum(part.kept for part in score.engagement.parts if part.group == group) <= cap


@settings(max_examples=60, deadline=None)
@given(st.lists(touches, min_size=1, max_size=20), st.sampled_from(IDENTITIES), st.randoms(use_true_random=False))
def test_merging_and_un_merging_leaves_no_trace(told: list[Any], other: str, rng: Random) -> None:
    """Both histories end with the same registers, so that as_of is the same; only one of them passed through a merge."""
    undone = [("link", identity, identity) for identity in IDENTITIES]
    merged = [("link", identity, other) for identity in IDENTITIES]
    still = [("link", identity, identity) for identity in IDENTITIES]
    half = len(told) // 2
    apart = Ingest().take([*told[:half], *still, *told[half:], *undone])
    together = Ingest().take([*told[:half], *merged, *told[half:], *undone])
    plain = Scoring().run(apart.published, Random(0), shuffle=False, repeat=False)
    back = Scoring().run(together.published, rng, shuffle=True, repeat=True)
    for lead in LEADS.values():
        if expected(apart, lead) is not None:
            assert what_counts(back.scores[lead]) == what_counts(plain.scores[lead])
