"""An account is a function of what its people are, in whatever order, how often and past which crash they told it.

Held against plain lists of people, summed the slow way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring import wire
from services.scoring.batch import Told, ToldAccount
from services.scoring.decide import Now, decide, decide_account
from services.scoring.domain import people as bounds
from services.scoring.domain.account import ScoredAccount, next_change, score_account
from services.scoring.domain.codec import decode_memory, decode_people, decode_state, encode_people, encode_state
from services.scoring.domain.people import Crowd, People, Person, joined
from services.scoring.domain.rules import Rules
from services.scoring.domain.state import LeadState
from shared.schemas import ids
from shared.schemas.conditions import parse
from shared.schemas.policies import ScoringPolicy
from shared.schemas.policies.scoring import AccountScoring
from shared.schemas.scores import AccountScored, PolicyRef, Version
from shared.schemas.topics import ACCOUNT_SCORED, ACCOUNT_SIGNALS, SCORE_TRANSFERS
from tests import scoring_reference as reference

DAY = 86_400_000
NOW = 1_790_000_000_000
seeds = st.integers(0, 2**32).map(Random)
NAMES = [f"lead-{number}" for number in range(8)]


# --- the slow way -------------------------------------------------------------------------------------------------------


def worth(people: Sequence[Mapping[str, Any]], policy: AccountScoring, moment: int) -> dict[str, Any]:
    """What these people are worth at a moment, read off the words of the policy."""

    def within(days: float, start: float = 0) -> list[tuple[int, int]]:
        """Of each person the days of activity that lie so far back."""
        first, last = round(start * DAY), round(days * DAY)
        return [(n, at) for n, one in enumerate(people) for at in one["active"] if first <= moment - at < last]

    def latest(days: float) -> list[Mapping[str, Any]]:
        return [one for one in people if one["active"] and moment - max(one["active"]) < round(days * DAY)]

    known = latest(policy.memory_days)
    roles = {one["role"] for one in known if one["role"]}
    departments = {one["department"] for one in known if one["department"]}
    deep = []
    for one in people:
        age = max(0, moment - one["as_of"]) / round(policy.half_life_days * DAY)
        points = round(max(0, one["engagement"]) * policy.depth * 2**-age)
        deep.append(min(points, round(policy.deepest * 1000)))
    now = len([at for at in within(policy.active_days) if True]) + sum(
        at > moment for one in people for at in one["active"]
    )
    before = len(within(5 * round(policy.active_days * DAY) / DAY, policy.active_days))
    surging = now >= policy.surge_least and now * 4 >= policy.surge_times * before
    active = len(latest(policy.active_days))
    points = {
        "persons": min(active * round(policy.person * 1000), round(policy.persons * 1000)),
        "roles": min(len(roles) * round(policy.role * 1000), round(policy.roles * 1000)),
        "departments": min(
            max(0, len(departments) - 1) * round(policy.department * 1000), round(policy.departments * 1000)
        ),
        "depth": min(sum(deep), round(policy.depths * 1000)),
        "surge": round(policy.surge * 1000) if surging else 0,
    }
    total = min(sum(points.values()), round(policy.cap * 1000))
    return {
        "total": total,
        "band": next((n for n, least in enumerate(policy.bands, 1) if total >= least * 1000), 4),
        "people": len(people),
        "active": active,
        "roles": sorted(roles),
        "departments": sorted(departments),
        "surging": surging,
        "depth": sum(deep),
    }


def told(scored: ScoredAccount) -> dict[str, Any]:
    """The same of the engine's answer."""
    return {
        "total": scored.score.total,
        "band": scored.band,
        "people": scored.people,
        "active": scored.active,
        "roles": scored.roles,
        "departments": scored.departments,
        "surging": scored.surging,
        "depth": sum(part.given for part in scored.score.parts if part.rule_id == "depth"),
    }


def plain(people: Mapping[str, Person]) -> list[dict[str, Any]]:
    return [
        {
            "active": person.active,
            "role": person.role,
            "department": person.department,
            "engagement": person.engagement,
            "as_of": person.version.as_of,
        }
        for person in people.values()
        if not person.gone
    ]


# --- one account, told by registers -------------------------------------------------------------------------------------


def a_person(moment: int, span: int) -> st.SearchStrategy[Person]:
    """span: ms that activity and scores lie back, at most"""
    return st.builds(
        lambda versions, as_of, gone, engagement, role, department, active: Person(
            Version(*versions, as_of), gone, engagement, "B", role, department, tuple(sorted(set(active), reverse=True))
        ),
        st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(0, 6)),
        st.integers(moment - span, moment),
        st.sampled_from([False, False, False, True]),
        st.one_of(st.just(0), st.integers(0, 100_000)),
        st.sampled_from([None, "user", "drafter", "decision_maker"]),
        st.sampled_from([None, "it", "dx", "sales"]),
        st.lists(st.integers(moment - span, moment), max_size=6),
    )


def an_account_policy(unit: float) -> st.SearchStrategy[AccountScoring]:
    """unit: days that a day of a usual policy takes here"""
    points = st.sampled_from([0, 0.5, 4, 10, 33.333])
    days = st.sampled_from([unit * n for n in (1, 3, 7, 20)])
    return st.builds(
        AccountScoring,
        active_days=days,
        memory_days=days,
        person=points,
        persons=st.sampled_from([0, 12, 30]),
        role=points,
        roles=st.sampled_from([8, 24]),
        department=points,
        departments=st.just(12),
        depth=st.sampled_from([0, 0.2, 1]),
        deepest=st.sampled_from([0, 8, 50]),
        depths=st.sampled_from([0, 24, 200]),
        half_life_days=days,
        surge=st.sampled_from([0, 10, 40]),
        surge_least=st.integers(1, 6),
        surge_times=st.sampled_from([1, 2, 3.5]),
        cap=st.sampled_from([25, 100]),
        bands=st.sampled_from([(60, 35, 15), (20, 10, 5), (9, 8.5, 0.001), (50, 20, 0)]),
    )


signals = st.lists(st.tuples(st.sampled_from(NAMES), a_person(NOW, 40 * DAY)), max_size=30)


def in_batches(told: Iterable[tuple[str, Person]], rng: Random) -> list[dict[str, Person]]:
    """As batches tell it: of each lead the highest version."""
    batches: list[dict[str, Person]] = [{}]
    for lead, person in told:
        if rng.random() < 0.3:
            batches.append({})
        batches[-1][lead] = joined(batches[-1].get(lead), person)
    return batches


def after(batches: Iterable[Mapping[str, Person]], policy: AccountScoring) -> People:
    """Joined one by one, through bytes now and then; read in between, so that what is kept ready is moved and not made anew."""
    people = People()
    for number, batch in enumerate(batches):
        score_account(people, policy, max(NOW, people.as_of()))
        people, _ = people.join(batch)
        if number % 4 == 3:
            people = decode_people(encode_people(people))
    return people


@given(signals, an_account_policy(1), seeds, st.integers(0, 30 * DAY))
def test_any_order_and_repetition_of_signals_gives_the_people_and_the_score_of_the_whole(
    history: list[tuple[str, Person]], policy: AccountScoring, rng: Random, later: int
) -> None:
    mixed = history + rng.choices(history, k=len(history) // 2) if history else []
    rng.shuffle(mixed)
    people = after(in_batches(mixed, rng), policy)
    best: dict[str, Person] = {}
    for lead, person in history:
        if lead not in best or (person.version, wire.encode(person)) > (best[lead].version, wire.encode(best[lead])):
            best[lead] = person
    assert {lead: one.version for lead, one in people.items()} == {lead: one.version for lead, one in best.items()}
    straight = after([{lead: person} for lead, person in history], policy)
    assert dict(people) == dict(straight)
    moment = people.as_of() + later
    assert told(score_account(people, policy, moment)) == worth(plain(people), policy, moment)


@given(signals, an_account_policy(1), seeds, st.integers(1, 6))
def test_which_people_the_bound_keeps_does_not_depend_on_the_order(
    history: list[tuple[str, Person]], policy: AccountScoring, rng: Random, most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "MOST_PEOPLE", most)
        mixed = history + rng.choices(history, k=len(history) // 2) if history else []
        rng.shuffle(mixed)
        bounded = after(in_batches(mixed, rng), policy)
        assert dict(bounded) == dict(after([{lead: person} for lead, person in history], policy))
        assert told(score_account(bounded, policy, NOW)) == worth(plain(bounded), policy, NOW)
    everybody, _ = People().join({})
    for lead, person in history:
        everybody, _ = everybody.join({lead: person})
    last = sorted(everybody, key=lambda lead: (everybody[lead].version, lead))[-most:]
    assert dict(bounded) == {lead: everybody[lead] for lead in last}


@given(signals, an_account_policy(1), seeds)
def test_what_is_kept_ready_is_what_would_be_made_anew(
    history: list[tuple[str, Person]], policy: AccountScoring, rng: Random
) -> None:
    half_life = round(policy.half_life_days * DAY)
    people = People()
    people.crowd(half_life)
    for lead, person in history:
        people, _ = people.join({lead: person})
        assert people.crowd(half_life) == Crowd.of(people, half_life)
        assert people.as_of() == max(one.version.as_of for one in people.values())


TINY = 2 / DAY  # a policy's day takes two ms


@given(
    st.dictionaries(st.sampled_from(NAMES), a_person(NOW, 60), max_size=6),
    an_account_policy(TINY),
)
def test_the_next_change_by_time_alone_is_found_to_the_millisecond(
    registers: dict[str, Person], policy: AccountScoring
) -> None:
    """Against every single ms until nothing is left that could change."""
    people = People(registers)
    until = NOW + 20 * round(policy.half_life_days * DAY) + 5 * 40 + 100
    bands = [worth(plain(people), policy, moment)["band"] for moment in range(NOW, until)]
    for start in (0, 1, 7, 40, 90):
        change = next((at for at in range(start + 1, len(bands)) if bands[at] != bands[start]), None)
        assert next_change(people, policy, NOW + start) == (NOW + change if change is not None else None)
        steady = score_account(people, policy, NOW + start).steady_until
        assert change is None or NOW + change >= steady, "what is called steady changes"


# --- from touches to accounts -------------------------------------------------------------------------------------------

KINDS = {"ann@": "email", "ann": "user", "bob@": "email", "cy@": "email", "phone": "anonymous", "tablet": "anonymous"}
IDENTITIES = list(KINDS)
TENANT = "acme"
BODY: dict[str, Any] = {
    "kind": "scoring",
    "zone_offset_minutes": 540,
    "hand_raises": ["contact_requested"],
    "internal": {"lead.kind": {"eq": "group"}},
    "engagement": {
        "groups": {"web": 20, "ask": 45},
        "rules": [
            {
                "id": "page",
                "when": {"touch.type": {"eq": "page_viewed"}},
                "points": 3,
                "half_life_days": 5,
                "limit": 2,
                "per": "7d",
                "group": "web",
            },
            {
                "id": "contact",
                "when": {"touch.type": {"eq": "contact_requested"}},
                "points": 30,
                "half_life_days": 14,
                "group": "ask",
            },
            {
                "id": "left",
                "when": {"touch.type": {"eq": "email_unsubscribed"}},
                "points": -5,
                "half_life_days": 14,
                "group": "ask",
            },
            {
                "id": "intent",
                "when": {"touch.type": {"eq": "intent_surged"}},
                "points": 5,
                "half_life_days": 14,
                "group": "web",
            },
        ],
    },
    "fit": {"rules": [{"id": "head", "when": {"lead.level": {"eq": "head"}}, "points": 30}]},
    "account": {"surge_least": 2},
    "overlays": [
        {"id": "japan", "when": {"lead.country": {"eq": "JP"}}, "off": ["page"]},
    ],
}
POLICY = ScoringPolicy.model_validate(BODY)
RULES = Rules(POLICY, PolicyRef(sequence=1, hash="h"))
COMPANIES: list[dict[str, Any]] = [
    {},
    {"account": "a.example", "domain": "a.example", "own_domain": True},
    {"account": "b.example", "domain": "b.example", "own_domain": True},
    {"account": "corporate:1", "domain": "a.example", "own_domain": True},
    {"account": "group:7"},
    {"account": "group:7", "domain": "a.example", "own_domain": True},
    {"account": "group:8", "domain": "freemail.example", "own_domain": False},
]
attributes = st.builds(
    lambda company, more: company | {name: value for name, value in more.items() if value is not None},
    st.sampled_from(COMPANIES),
    st.fixed_dictionaries(
        {
            "level": st.sampled_from([None, "head", "staff", "advisor"]),
            "department": st.sampled_from([None, "it", "dx", "other"]),
            "country": st.sampled_from([None, None, "JP"]),
            "kind": st.sampled_from([None, None, None, "group", "end_customer"]),
        }
    ),
)
touch_bodies = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["page_viewed", "page_viewed", "contact_requested", "email_unsubscribed", "intent_surged"]
        ),
        "source_id": st.sampled_from(["site", "crm"]),
        "automated": st.sampled_from([False, False, False, True]),
        "is_test": st.sampled_from([False, False, True]),
        "attributes": st.one_of(st.just({}), attributes),
        "evidence": st.dictionaries(
            st.just("A1"), st.sampled_from(["information", "selection", "decision"]), max_size=1
        ),
        "at": st.integers(NOW - 40 * DAY, NOW),
        "delay": st.integers(0, 3 * DAY),
        "condemns": st.sampled_from([(), (), (), (1,), (2, 3)]),
    }
)
touches = st.tuples(st.just("touch"), st.sampled_from(IDENTITIES), touch_bodies)
links = st.tuples(st.just("link"), st.sampled_from(IDENTITIES), st.sampled_from(IDENTITIES))
histories = st.lists(st.one_of(touches, touches, touches, links), min_size=1, max_size=25)


def published(history: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """What ingest would have published."""
    records: list[dict[str, Any]] = []
    owners = {identity: ids.lead_id(identity) for identity in IDENTITIES}
    for number, (kind, identity, detail) in enumerate(history, start=1):
        record = {"record": kind, "tenant": TENANT, "identity_id": identity, "identity_kind": KINDS[identity]}
        if kind == "touch":
            more = dict(detail)
            delay = more.pop("delay")
            condemns = [ids.derived_id("event", condemned) for condemned in more.pop("condemns")]
            record |= more | {"condemns": condemns, "event_id": ids.derived_id("event", number), "trusted": False}
            record |= {"lead_id": owners[identity], "received_at": more["at"] + delay}
            records.append(record)
        else:
            before, owners[identity] = owners[identity], ids.lead_id(detail)
            record |= {"owner": owners[identity], "sequence": number, "received_at": NOW + number}
            records += [record | {"lead_id": lead} for lead in {ids.lead_id(identity), before, owners[identity]}]
    return records


class Scoring:
    """Leads on one log and accounts on another, each read in batches by workers that crash after they saved."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.leads: dict[str, bytes] = {}
        self.accounts: dict[str, bytes] = {}
        self.signals: list[wire.AccountSignal] = []
        self.said: dict[str, AccountScored] = {}

    def run(self, records: list[dict[str, Any]]) -> Scoring:
        log = [json.dumps(record).encode() for record in records]
        log += self.rng.choices(log, k=len(log) // 3)
        self.rng.shuffle(log)
        first = applied = 0
        while first < len(log):
            end = self.rng.randint(first + 1, min(len(log), first + 8))
            applied = max(applied, end)
            transfers, signals = self._batch(log[first:end], applied)
            if self.rng.random() < 0.2:  # saved, not published: it comes again, with more or less of what is around it
                first = self.rng.randint(max(0, first - 3), first)
                continue
            log += transfers
            self.signals += signals
            first = end
        said = self.signals + self.rng.choices(self.signals, k=len(self.signals) // 3) if self.signals else []
        self.rng.shuffle(said)
        self._tell(said)
        return self

    def _batch(self, batch: list[bytes], position: int) -> tuple[list[bytes], list[wire.AccountSignal]]:
        by_lead: dict[str, Told] = {}
        for raw in batch:
            topic = SCORE_TRANSFERS.name if b'"transfer"' in raw[:30] else "touchpoints"
            record: Any = wire.decode(topic, raw)
            memory = decode_memory(record.memory) if isinstance(record, wire.ScoreTransfer) else None
            by_lead.setdefault(record.lead_id, Told(TENANT, record.lead_id)).inputs.append((record, memory))
        transfers, signals = [], []
        for lead, said in by_lead.items():
            base = decode_state(self.leads[lead]) if lead in self.leads else LeadState()
            decision = decide(said, base, RULES, Now(position))
            assert isinstance(decision.state, LeadState)
            self.leads[lead] = encode_state(decision.state)
            transfers += [r.value for r in decision.records if r.topic == SCORE_TRANSFERS.name and r.value]
            for record in decision.records:
                if record.topic == ACCOUNT_SIGNALS.name:
                    signal: Any = wire.decode(record.topic, record.value)
                    signals.append(signal)
        return transfers, signals

    def _tell(self, said: Sequence[wire.AccountSignal]) -> None:
        position = 0
        while position < len(said):
            end = self.rng.randint(position + 1, min(len(said), position + 5))
            accounts: dict[str, ToldAccount] = {}
            for signal in said[position:end]:
                account = accounts.setdefault(signal.account, ToldAccount(TENANT, signal.account))
                account.people[signal.lead_id] = joined(account.people.get(signal.lead_id), signal.person())
            position = end
            for key, account in accounts.items():
                base = decode_people(self.accounts[key]) if key in self.accounts else People()
                decision = decide_account(account, base, RULES, Now(position))
                assert isinstance(decision.state, People)
                self.accounts[key] = encode_people(decision.state)
                (record,) = decision.records
                assert record.topic == ACCOUNT_SCORED.name
                self.said[key] = AccountScored.model_validate_json(record.value or b"")


def belonging(records: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """By account and lead, from all touches and the last registers at once."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for lead, heard in reference.leads(records).items():
        if not reference.is_known(heard):
            continue
        scored = reference.scored(heard, POLICY)
        if scored["account"] is None or scored["is_test"] or scored["internal"]:
            continue
        answers = [t for t in heard.touches if "A1" in t["evidence"]]
        answered = {t["source_id"]: t for t in sorted(answers, key=reference.moment)}
        role = None
        if answered:
            role = {"selection": "influencer", "decision": "decision_maker"}.get(
                max(answered.values(), key=reference.moment)["evidence"]["A1"]
            )
        department = scored["attributes"].get("department")
        found.setdefault(scored["account"], {})[lead] = {
            "engagement": scored["engagement"][0],
            "as_of": scored["as_of"],
            "role": role or {"head": "decision_maker", "staff": "user"}.get(scored["attributes"].get("level")),
            "department": None if department == "other" else department,
            "active": days_of(heard.touches, scored),
        }
    return found


def days_of(touches: Sequence[Mapping[str, Any]], scored: Mapping[str, Any]) -> tuple[int, ...]:
    """The last moment of each day on which a page was viewed or contact requested, as far as the ledger remembers."""
    known = {f"lead.{name}": value for name, value in scored["attributes"].items()}
    behaviour, _, _ = reference.rules_for(known, POLICY)
    condemned = {event for touch in touches for event in touch["condemns"]}
    moments = set()
    for rule in behaviour:
        if rule.id not in ("page", "contact"):
            continue
        when = parse(rule.when, reference.BEHAVIOUR_FIELDS)
        buckets: dict[Any, set[tuple[int, str]]] = {}
        for touch in touches:
            if not when.holds(reference.facts(touch)):
                continue
            if touch["event_id"] in scored["touches"]:
                moments.add(touch["at"])
            if not touch["automated"]:
                buckets.setdefault(reference.bucket(rule, touch, POLICY), set()).add(reference.moment(touch))
        for marks in buckets.values():
            for at, event in sorted(marks)[: rule.limit]:
                if event not in condemned and scored["as_of"] - at <= reference.counts_for(rule):
                    moments.add(at)
    days = {(at + 540 * 60_000) // DAY: at for at in sorted(moments)}
    since = scored["as_of"] - 5 * 7 * DAY
    return tuple(at for n, at in enumerate(sorted(days.values(), reverse=True)) if at > since or not n)


@given(histories, seeds)
def test_every_account_ends_with_the_people_who_belong_to_it(history: list[Any], rng: Random) -> None:
    """Whatever the order of touches, links, transfers and signals, whoever moved or was merged, and wherever it crashed."""
    records = published(history)
    scoring = Scoring(rng).run(records)
    wanted = belonging(records)
    for account in {*wanted, *scoring.accounts}:
        people = decode_people(scoring.accounts[account]) if account in scoring.accounts else People()
        here = {lead: person for lead, person in people.items() if not person.gone}
        assert dict(zip(here, plain(here), strict=True)) == wanted.get(account, {})
        said = scoring.said[account]
        slow = worth(list(wanted.get(account, {}).values()), POLICY.account, said.as_of)
        assert (said.score.total, said.band, said.people, said.active) == tuple(
            slow[name] for name in ("total", "band", "people", "active")
        )
        assert said.score.total == sum(part.kept for part in said.score.parts)
        assert {one.lead_id for one in said.contributors} <= set(here)
