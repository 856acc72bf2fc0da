"""P2: a score is a function of the set of touches, links and outcomes, whatever happened on the way; held against the reference."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import Decision, Now, decide
from services.scoring.domain.codec import decode_memory, decode_state, digest, encode_state
from services.scoring.domain.rules import Rules
from services.scoring.domain.state import LeadState
from shared.schemas import ids
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import LeadScored, PolicyRef
from shared.schemas.topics import HANDOFF_EVENTS, LEAD_SCORED, SCORE_TRANSFERS, TOUCHPOINTS
from shared.schemas.touches import STRONG
from tests import scoring_reference as reference

DAY = 86_400_000
NOW = 1_790_000_000_000
TENANT = "acme"
KINDS = {"ann@": "email", "ann": "user", "bob@": "email", "bob": "user", "phone": "anonymous", "tablet": "anonymous"}
IDENTITIES = list(KINDS)
LEADS = {name: ids.lead_id(name) for name in IDENTITIES}
TOPICS = {"touch": TOUCHPOINTS.name, "link": TOUCHPOINTS.name, "handoff-event": HANDOFF_EVENTS.name}
TOPICS |= {"transfer": SCORE_TRANSFERS.name}


# --- policies -----------------------------------------------------------------------------------------------------------


def rule(rule_id: str, when: dict[str, Any], points: float, days: float, group: str, **more: Any) -> dict[str, Any]:
    return {"id": rule_id, "when": when, "points": points, "half_life_days": days, "group": group, **more}


BODY: dict[str, Any] = {
    "kind": "scoring",
    "zone_offset_minutes": 540,
    "hand_raises": ["contact_requested"],
    "internal": {"lead.kind": {"eq": "ourselves"}},
    "engagement": {
        "cap": 60,
        "groups": {"web": 20, "mail": 10, "ask": 45, "sales": 30},
        "rules": [
            rule("pricing", {"touch.path": {"prefix": "/pricing"}}, 8, 7, "web", limit=3, per="1d"),
            rule("page", {"touch.type": {"eq": "page_viewed"}}, 0.333, 3, "web", limit=2, per="7d", window_days=9),
            rule("contact", {"touch.type": {"eq": "contact_requested"}}, 40, 30, "ask", limit=1, per="once"),
            rule("mail", {"touch.type": {"eq": "email_opened"}}, 1.5, 14, "mail", limit=2, per="campaign"),
            rule("robot", {"touch.automated": {"eq": True}}, -3, 5, "mail", limit=2, per="1d"),
            rule("trusted", {"source.trusted": {"eq": True}}, -7.001, 60, "ask", limit=2, per="2d"),
            rule("junk", {"touch.type": {"eq": "sales_rejected_quality"}}, -20, 90, "sales", limit=1, per="cycle"),
            rule("met", {"touch.type": {"in": ["meeting_held", "opportunity_won"]}}, 15, 60, "sales", limit=2, per="30d"),
        ],
    },
    "fit": {
        "cap": 50,
        "rules": [
            {"id": "head", "when": {"lead.level": {"eq": "head"}}, "points": 30, "group": "level", "expires_days": 30},
            {"id": "any-level", "when": {"lead.level": {"exists": True}}, "points": 10, "group": "level"},
            {"id": "large", "when": {"lead.employees": {"gte": 100}}, "points": 35},
            {"id": "student", "when": {"lead.kind": {"eq": "student"}}, "points": -20},
        ],
    },
    "overlays": [
        {
            "id": "students",
            "when": {"lead.kind": {"eq": "student"}},
            "off": ["mail"],
            "behaviour": [rule("page", {"touch.type": {"eq": "page_viewed"}}, 2, 30, "web", limit=3, per="1d")],
        }
    ],
}  # fmt: skip
POLICY = ScoringPolicy.model_validate(BODY)
RULES = Rules(POLICY, PolicyRef(sequence=9, hash="h"))


def changed(sequence: int, **of_rules: Mapping[str, Any] | None) -> Rules:
    """The policy with some rules otherwise, or without them."""
    told = [of_rules.get(one["id"], {}) for one in BODY["engagement"]["rules"]]
    rules = [{**one, **more} for one, more in zip(BODY["engagement"]["rules"], told, strict=True) if more is not None]
    body = {**BODY, "engagement": {**BODY["engagement"], "rules": rules, "cap": 33, "bands": [9, 5, 1]}}
    return Rules(ScoringPolicy.model_validate(body), PolicyRef(sequence=sequence, hash="h"))


# The same marks; other points, half-lives within a horizon, windows, schedules and labels.
SAME_KEYS = [
    changed(1, pricing={"points": 3, "half_life_days": 10}, contact={"points": -5, "label": {"en": "Asked"}}),
    changed(2, mail={"half_life_days": 25, "valid_from": "2020-01-01"}, page={"group": "mail", "window_days": 20}),
]
# Some of the marks; and some of no rule that counts in the end.
OTHER_KEYS = [
    changed(1, pricing=None, junk={"limit": 2}),
    changed(2, mail={"per": "7d"}, contact={"half_life_days": 3}, met=None),
]


# --- histories ----------------------------------------------------------------------------------------------------------

names = st.sampled_from(IDENTITIES)
numbers = st.integers(1, 30)
times = st.integers(0, 40 * DAY).map(lambda age: NOW - age)
touch_bodies = st.fixed_dictionaries(
    {"type": st.sampled_from(["page_viewed", "contact_requested", "email_opened"]), "at": times},
    optional={
        "path": st.sampled_from(["/pricing", "/blog"]),
        "campaign": st.sampled_from(["spring", "autumn"]),
        "source_id": st.just("crm"),
        "automated": st.booleans(),
        "is_test": st.booleans(),
        "attributes": st.dictionaries(
            st.sampled_from(["level", "kind", "account"]), st.sampled_from(["head", "student", "ourselves"]), max_size=2
        ),
        "evidence": st.dictionaries(st.sampled_from(["need", "timeline"]), st.sampled_from(["N1", "T1"]), max_size=1),
        "condemns": st.lists(numbers, max_size=5),
        "delay": st.one_of(st.integers(0, 3 * DAY), st.integers(0, 60 * DAY)),
        "name": st.sampled_from(["Ann", "Bob"]),
    },
)
outcome_bodies = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["offer-declined", "stage-changed", "activity-logged", "clock-breached"]),
        "cycle": st.integers(1, 2),
        "at": times.map(lambda at: at - at % (DAY // 2)),
    },
    optional={
        "reason": st.sampled_from(["junk", "not_now", "at_capacity"]),
        "stage": st.sampled_from(["won", "lost", "offered"]),
        "activity": st.sampled_from(["meeting_held", "contact_requested"]),
    },
)
touches = st.tuples(st.just("touch"), names, touch_bodies)
links = st.tuples(st.just("link"), names, names)
outcomes = st.tuples(st.just("outcome"), names, outcome_bodies)
records = st.one_of(touches, touches, touches, links, links, outcomes)
histories = st.integers(1, 30).flatmap(lambda many: st.lists(records, min_size=many, max_size=many))
rngs = st.integers(0, 2**32).map(Random)
PLAIN = {"source_id": "site", "automated": False, "is_test": False, "attributes": {}, "evidence": {}, "condemns": []}


@dataclass
class Ingest:
    """What ingest and handoff would have published of a history, and all that is known at the end."""

    published: list[dict[str, Any]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    registers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, history: Iterable[tuple[Any, ...]]) -> Ingest:
        for number, (kind, identity, detail) in enumerate(history, start=1):
            if kind == "touch":
                self._tell(self._touch(number, identity, dict(detail)))
            elif kind == "link":
                self._link(number, identity, LEADS[detail])
            else:
                event = {"record": "handoff-event", "event_id": event_id(number), "lead_id": LEADS[identity]}
                self._tell({"tenant": TENANT, **event, **detail})
        return self

    def owner(self, identity: str) -> str:
        register = self.registers.get(identity)
        return register["owner"] if register else LEADS[identity]

    def _tell(self, record: dict[str, Any]) -> None:
        self.told.append(record)
        self.published.append(record)

    def _touch(self, number: int, identity: str, body: dict[str, Any]) -> dict[str, Any]:
        delay, name = body.pop("delay", 0), body.pop("name", None)
        body = PLAIN | body
        return body | {
            "record": "touch",
            "tenant": TENANT,
            "lead_id": self.owner(identity),
            "identity_id": identity,
            "identity_kind": KINDS[identity],
            "event_id": event_id(number),
            "condemns": [event_id(other) for other in body["condemns"]],
            "received_at": body["at"] + delay,
            "trusted": body["source_id"] == "crm",
            "person": {"fields": {"name": name}} if name else None,
        }

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
        for lead in sorted({LEADS[identity], before, owner}):
            self.published.append(register | {"lead_id": lead})


def event_id(number: int) -> str:
    return ids.derived_id("event", number)


# --- workers ------------------------------------------------------------------------------------------------------------


@dataclass
class Way:
    """How records come to be read. policies: in force one after the other, before the last one"""

    rng: Random = field(default_factory=lambda: Random(0))
    shuffle: bool = False
    repeat: bool = False
    crashes: float = 0
    prunes: float = 0
    policies: Sequence[Rules] = ()


class Scoring:
    """Workers that get records in batches of any size, keep states as bytes, and hand transfers to one another."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}
        self.scores: dict[str, LeadScored] = {}
        self.position = 0
        self.rules = RULES

    def run(self, records: list[dict[str, Any]], way: Way) -> Scoring:
        rng, pending = way.rng, [json.dumps(record).encode() for record in records]
        if way.repeat:
            pending += rng.choices(pending, k=len(pending) // 2)
        if way.shuffle:
            rng.shuffle(pending)
        policies = [*way.policies]
        while pending:
            self.rules = rng.choice(policies) if policies else RULES
            size = rng.randint(1, max(1, len(pending) // 2))
            batch, pending = pending[:size], pending[size:]
            if rng.random() < 0.2 and len(pending) < 5:
                policies = []
            crash = rng.random() < way.crashes
            decided = self._decide(batch)
            if not (crash and rng.random() < 0.5):
                self._save(decided, rng, way.prunes)
            if crash:  # before anything is saved, or before anything is published
                pending = batch + pending
                continue
            for transfer in self._publish(decided) * (2 if way.repeat else 1):
                pending.insert(rng.randint(0, len(pending)) if way.shuffle else len(pending), transfer)
        self._score_again()
        return self

    def follow(self, lead: str) -> str:
        """Who took over in the end: whoever took over may have been taken over since, and not everybody is told."""
        passed = [lead]
        while (score := self.scores[passed[-1]]).merged_into:
            assert score.merged_into not in passed, "no circles"
            passed.append(score.merged_into)
        return passed[-1]

    def digest(self, lead: str) -> str:
        return digest(decode_state(self.states[lead]), lead)

    def _decide(self, batch: list[bytes]) -> dict[str, Decision]:
        self.position += len(batch)
        told: dict[str, Told] = {}
        for raw in batch:
            record = wire.decode(TOPICS[json.loads(raw)["record"]], raw)
            if record is None:
                continue
            assert isinstance(record, wire.Touch | wire.LinkChanged | wire.ScoreTransfer)
            memory = decode_memory(record.memory) if isinstance(record, wire.ScoreTransfer) else None
            told.setdefault(record.lead_id, Told(TENANT, record.lead_id)).inputs.append((record, memory))
        return {lead: self._decide_one(lead, said) for lead, said in told.items()}

    def _decide_one(self, lead: str, said: Told) -> Decision:
        base = decode_state(self.states[lead]) if lead in self.states else LeadState()
        before = encode_state(base)
        decision = decide(said, base, self.rules, Now(self.position))
        assert encode_state(base) == before, "deciding must leave the old state as it was"
        return decision

    def _save(self, decided: Mapping[str, Decision], rng: Random, prunes: float) -> None:
        for lead, decision in decided.items():
            assert isinstance(decision.state, LeadState)
            state = decode_state(encode_state(decision.state))
            assert state == decision.state, "what is written comes back as it was"
            for memory in state.memories.values():
                if rng.random() < prunes:
                    memory.tidy()
            self.states[lead] = encode_state(state)

    def _publish(self, decided: Mapping[str, Decision]) -> list[bytes]:
        transfers = []
        for lead, decision in decided.items():
            for record in decision.records:
                assert record.value is not None
                if record.topic == LEAD_SCORED.name:
                    self.scores[lead] = LeadScored.model_validate_json(record.value)
                elif record.topic == SCORE_TRANSFERS.name:
                    transfers.append(record.value)
        return transfers

    def _score_again(self) -> None:
        """As a new policy does."""
        self.rules = RULES
        self._publish({lead: self._decide_one(lead, Told(TENANT, lead)) for lead in self.states})


def what_counts(score: LeadScored) -> dict[str, Any]:
    """Everything but the position, which says when it was computed."""
    return score.model_dump(exclude={"version"})


def expected(ingest: Ingest, lead: str) -> dict[str, Any] | None:
    """The score of a known lead from all touches and registers at once; None for a lead that owns no strong identity."""
    told = reference.leads([*ingest.told, *ingest.registers.values()]).get(lead)
    return reference.scored(told, POLICY) if told and reference.is_known(told) else None


def known(ingest: Ingest) -> list[str]:
    return [lead for lead in LEADS.values() if expected(ingest, lead) is not None]


def hard(rng: Random, policies: Sequence[Rules] = ()) -> Way:
    return Way(rng, shuffle=True, repeat=True, crashes=0.2, prunes=0.2, policies=policies)


# --- the promises -------------------------------------------------------------------------------------------------------


@given(histories, rngs)
def test_any_order_duplication_split_and_crash_gives_the_score_of_the_whole(history: list[Any], rng: Random) -> None:
    ingest = Ingest().take(history)
    scoring = Scoring().run(ingest.published, hard(rng))
    for lead in LEADS.values():
        wanted = expected(ingest, lead)
        if wanted is not None:
            assert scoring.scores[lead].merged_into is None
            assert reference.published(scoring.scores[lead]) == wanted


@given(histories, rngs)
def test_two_ways_through_the_same_history_leave_the_same_state_and_explanation(
    history: list[Any], rng: Random
) -> None:
    """Any permutation, duplication, split over workers, crash, order of links and merges, prune and policy change."""
    ingest = Ingest().take(history)
    straight = Scoring().run(ingest.published, Way())
    crooked = Scoring().run(ingest.published, hard(rng, SAME_KEYS))
    for lead in LEADS.values():
        if lead in straight.states:
            assert crooked.digest(lead) == straight.digest(lead)
    for lead in known(ingest):
        assert what_counts(crooked.scores[lead]) == what_counts(straight.scores[lead])


@given(histories, rngs)
def test_a_replay_fills_what_rules_missed_while_their_keys_were_not_there(history: list[Any], rng: Random) -> None:
    ingest = Ingest().take(history)
    straight = Scoring().run(ingest.published, Way())
    crooked = Scoring().run(ingest.published, hard(rng, OTHER_KEYS)).run(ingest.published, hard(rng))
    for lead in known(ingest):
        assert what_counts(crooked.scores[lead]) == what_counts(straight.scores[lead])


@given(histories, rngs)
def test_a_lead_that_gave_up_its_strong_identities_says_who_took_over(history: list[Any], rng: Random) -> None:
    ingest = Ingest().take(history)
    scoring = Scoring().run(ingest.published, hard(rng))
    for lead in LEADS.values():
        had = {t["identity_id"] for t in ingest.told if t["lead_id"] == lead and t.get("identity_kind") in STRONG}
        if had and expected(ingest, lead) is None:
            assert scoring.follow(lead) in {ingest.owner(identity) for identity in IDENTITIES} - {lead}


@given(histories)
def test_parts_sum_to_the_score_and_no_cap_is_passed(history: list[Any]) -> None:
    scoring = Scoring().run(Ingest().take(history).published, Way())
    caps = {group: round(cap * 1000) for group, cap in POLICY.engagement.groups.items()}
    for score in scoring.scores.values():
        for partial in (score.fit, score.engagement):
            assert partial.total == sum(part.kept for part in partial.parts)
            assert all(part.kept == part.given - part.cut and 0 <= part.cut_total <= part.cut for part in partial.parts)
            assert all(part.cut <= max(0, part.given) for part in partial.parts)
        assert score.engagement.total <= 60_000
        assert score.fit.total <= 50_000
        for group, cap in caps.items():
            of_group = [part for part in score.engagement.parts if part.group == group]
            by_group = sum(part.kept + part.cut_total for part in of_group)
            assert by_group == min(cap, sum(part.given for part in of_group)), "the rest of the cut is the group's"


@given(histories, names, rngs)
def test_merging_and_un_merging_leaves_no_trace(told: list[Any], other: str, rng: Random) -> None:
    """Both histories end with the same registers, so that as_of is the same; only one of them passed through a merge."""
    told = [one for one in told if one[0] != "link"]
    undone = [("link", identity, identity) for identity in IDENTITIES]
    merged = [("link", identity, other) for identity in IDENTITIES]
    half = len(told) // 2
    apart = Ingest().take([*told[:half], *undone, *told[half:], *undone])
    together = Ingest().take([*told[:half], *merged, *told[half:], *undone])
    plain = Scoring().run(apart.published, Way())
    back = Scoring().run(together.published, hard(rng))
    for lead in plain.states:
        assert back.digest(lead) == plain.digest(lead)
    for lead in known(apart):
        assert what_counts(back.scores[lead]) == what_counts(plain.scores[lead])
