"""What happens to the leads of one tenant in fifty days, as ingest and handoff would have put it on their topics, and a policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import orjson

from shared.kit.kafka import Outgoing
from shared.schemas import ids
from shared.schemas.base import record_key
from shared.schemas.topics import HANDOFF_EVENTS, SCORE_TRANSFERS, TOUCHPOINTS

TENANT = "fire"
HOUR, DAY = 3_600_000, 86_400_000
DAYS = 50
Json = dict[str, Any]

TYPES = ("page_viewed", "pricing_page_viewed", "email_opened", "email_clicked", "webinar_attended", "contact_requested")
WEIGHTS = (40, 15, 20, 10, 10, 5)


def a_policy(now: int) -> Json:
    """One rule of every kind. now: ms, from which its dates are told"""
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    return {
        "kind": "scoring",
        "zone_offset_minutes": 540,
        "hand_raises": ["contact_requested"],
        "internal": {"lead.domain": {"eq": "ourselves.example"}},
        "engagement": {
            "cap": 100,
            "groups": {"web": 30, "mail": 12.5, "event": 35, "inquiry": 60, "sales": 40},
            "rules": [
                rule("page", {"touch.type": {"eq": "page_viewed"}}, 1.001, 14, "web", limit=5),
                rule("pricing", {"touch.type": {"prefix": "pricing"}}, 8, 7, "web", limit=3, window_days=10),
                rule("opened", {"touch.type": {"eq": "email_opened"}}, 1, 7, "mail", per="campaign"),
                rule("clicked", {"touch.type": {"eq": "email_clicked"}}, 3, 3, "mail", limit=2),
                rule("robot", {"touch.automated": {"eq": True}}, -2, 5, "mail", limit=2, per="7d"),
                rule("webinar", {"touch.type": {"eq": "webinar_attended"}}, 15, 30, "event", per="7d"),
                rule("trusted", {"source.trusted": {"eq": True}}, 2.5, 60, "event", limit=3, per="2d"),
                rule("contact", {"touch.type": {"eq": "contact_requested"}}, 40, 30, "inquiry", per="once"),
                rule("fair", {"touch.channel": {"eq": "event"}}, 6, 90, "event", valid_from=day(today, -20)),
                rule("spring", {"touch.campaign": {"eq": "c1"}}, 9, 90, "mail", valid_until=day(today, -10)),
                rule("junk", {"touch.type": {"eq": "sales_rejected_quality"}}, -30, 90, "sales", per="cycle"),
                rule("met", {"touch.type": {"eq": "meeting_booked"}}, 20, 30, "sales", limit=2, per="cycle"),
            ],
        },
        "fit": {
            "cap": 80,
            "rules": [
                {"id": "head", "when": {"lead.level": {"eq": "head"}}, "points": 30, "group": "level"},
                {"id": "level", "when": {"lead.level": {"exists": True}}, "points": 5, "group": "level"},
                {"id": "large", "when": {"lead.employees": {"gte": 300}}, "points": 25, "expires_days": 40},
                {"id": "student", "when": {"lead.kind": {"eq": "student"}}, "points": -20.5},
            ],
        },
        "overlays": [
            {
                "id": "emea",
                "when": {"lead.country": {"in": ["DE", "FR"]}},
                "off": ["opened", "student"],
                "behaviour": [rule("page", {"touch.type": {"eq": "page_viewed"}}, 2, 21, "web", limit=2)],
            }
        ],
    }  # fmt: skip


def rule(rule_id: str, when: Json, points: float, days: float, group: str, **more: Any) -> Json:
    return {"id": rule_id, "when": when, "points": points, "half_life_days": days, "group": group, **more}


def day(today: Any, days: int) -> str:
    return str(today + timedelta(days=days))


@dataclass
class Story:
    """Touches by mail, by account and by device; devices that become known, people who turn out to be another, and back.

    touches: so many are told, within the fifty days before `now` (ms)
    """

    rng: Random
    now: int
    people: int
    touches: int
    records: list[Json] = field(default_factory=list)
    poisons: set[bytes] = field(default_factory=set)
    _owner: dict[str, str] = field(default_factory=dict)
    _events: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        weights = [1 / (rank + 1) for rank in range(self.people)]
        for number, person in enumerate(self.rng.choices(range(self.people), weights, k=self.touches)):
            mail, heard = f"mail-{person}", self.now - (self.touches - number) * (DAYS * DAY // self.touches)
            if number % 20 == 3:
                self._link(f"device-{person}", "anonymous", ids.lead_id(mail), number, heard)
            if number % 200 == 9:
                other = f"mail-{(person + 1) % self.people}"
                self._link(mail, "email", self._whose(other), number, heard)
            if number % 200 == 139:
                self._link(mail, "email", ids.lead_id(mail), number, heard)
            if number % 40 == 7:
                self._outcome(ids.lead_id(mail), number, heard)
            self._touch(person, number, heard)

    def _whose(self, identity: str) -> str:
        return self._owner.get(identity, ids.lead_id(identity))

    def _touch(self, person: int, number: int, heard: int) -> None:
        rng = self.rng
        kind = rng.choices(("email", "user", "anonymous"), (5, 1, 4))[0]
        identity = {"email": "mail", "user": "account", "anonymous": "device"}[kind] + f"-{person}"
        late = rng.choice((0, rng.randrange(HOUR), rng.randrange(3 * DAY), rng.randrange(40 * DAY)))
        self.records.append(a_touch(identity, kind, self._whose(identity), f"{number}", heard - late, heard))
        touch = self.records[-1]
        touch["type"] = rng.choices(TYPES, WEIGHTS)[0]
        touch["campaign"] = rng.choice((None, "c1", "c2", "c3"))
        touch["channel"] = rng.choice((None, "event", "ads"))
        touch["automated"], touch["is_test"] = rng.random() < 0.05, person % 50 == 49
        if rng.random() < 0.2:
            touch |= {"source_id": "crm", "trusted": True}
        if rng.random() < 0.1:
            touch["attributes"] = self._attributes(person)
        if rng.random() < 0.05:
            touch["evidence"] = {"N1": rng.choice(("yes", "no"))}
        if rng.random() < 0.05:
            touch["person"] = {"fields": {"name": f"Name {number}"}}
        known = self._events.setdefault(identity, [])
        if known and rng.random() < 0.02:
            touch["condemns"] = [rng.choice(known)]
        known.append(touch["event_id"])

    def _attributes(self, person: int) -> Json:
        domain = "ourselves.example" if person % 97 == 96 else f"company-{person % 300}.example"
        told = {
            "level": self.rng.choice(("head", "manager", "staff")),
            "employees": self.rng.choice((20, 500)),
            "country": ("JP", "DE", "US")[person % 3],
            "kind": self.rng.choice(("customer", "student")),
        }
        company = {
            "domain": domain,
            "own_domain": True,
            "account": self.rng.choice((domain, f"corporate:{person % 300}")),
        }
        return {name: value for name, value in told.items() if self.rng.random() < 0.5} | company

    def _link(self, identity: str, kind: str, to: str, number: int, heard: int) -> None:
        before, self._owner[identity] = self._whose(identity), to
        link = {"record": "link", "tenant": TENANT, "identity_id": identity, "identity_kind": kind, "owner": to}
        for lead in sorted({ids.lead_id(identity), before, to}):
            self.records.append(link | {"lead_id": lead, "sequence": number + 1, "received_at": heard})

    def _outcome(self, lead: str, number: int, heard: int) -> None:
        event = {
            "record": "handoff-event",
            "tenant": TENANT,
            "lead_id": lead,
            "event_id": ids.derived_id("said", number),
        }
        said = self.rng.choice(
            (
                {"kind": "offer-declined", "reason": "junk"},
                {"kind": "activity-logged", "activity": "meeting_booked"},
                {"kind": "stage-changed", "stage": "won"},
                {"kind": "offer-opened"},
            )
        )
        more = {"opportunity_id": "o", "assignment": 1, "cycle": self.rng.randint(1, 2), "at": heard}
        self.records.append(event | said | more)

    def told(self) -> list[Outgoing]:
        """All of it, one record in ten twice, in no order at all, with what nobody can read in between."""
        out = [as_sent(record) for record in self.records]
        out += self.rng.choices(out, k=len(out) // 10)
        self.rng.shuffle(out)
        for poison in self._poisons():
            out.insert(self.rng.randrange(len(out)), poison)
        return out

    def _poisons(self) -> Iterator[Outgoing]:
        """Records that nobody can read, under the keys of leads that are well."""
        touch = a_touch("mail-0", "email", ids.lead_id("mail-0"), "poison", self.now, self.now)
        transfer = {"record": "transfer", "tenant": TENANT, "lead_id": touch["lead_id"], "from_lead_id": "x"}
        transfer |= {"identity_id": "mail-0", "identity_kind": "email", "sequence": 1, "received_at": 1}
        number = count()
        for topic, body in [
            (TOUCHPOINTS, b"no JSON at all"),
            (TOUCHPOINTS, {"record": "of a kind that is unknown"}),
            (TOUCHPOINTS, touch | {"at": "yesterday"}),
            (TOUCHPOINTS, touch | {"at": 2**64 - 1}),
            (TOUCHPOINTS, touch | {"tenant": "without-a-policy"}),
            (SCORE_TRANSFERS, transfer | {"memory": "no base64"}),
            (SCORE_TRANSFERS, transfer | {"memory": "/wAAAA=="}),
            (HANDOFF_EVENTS, b"[]"),
        ] * 3:  # fmt: skip
            # Spaces at the end tell one from another.
            value = (body if isinstance(body, bytes) else orjson.dumps(body)) + b" " * next(number)
            self.poisons.add(value)
            person = self.rng.randrange(self.people)
            yield Outgoing(topic.name, record_key(TENANT, ids.lead_id(f"mail-{person}")), value)


def a_touch(identity: str, kind: str, lead: str, number: str, at: int, heard: int) -> Json:
    return {
        "record": "touch",
        "tenant": TENANT,
        "lead_id": lead,
        "identity_id": identity,
        "identity_kind": kind,
        "event_id": ids.derived_id("event", number),
        "source_id": "site",
        "trusted": False,
        "type": "page_viewed",
        "at": at,
        "received_at": heard,
        "automated": False,
        "is_test": False,
        "attributes": {},
        "evidence": {},
    }


def as_sent(record: Json) -> Outgoing:
    topic = HANDOFF_EVENTS if record["record"] == "handoff-event" else TOUCHPOINTS
    return Outgoing(topic.name, record_key(TENANT, record["lead_id"]), orjson.dumps(record))
