"""What a decision knows of a lead: its latest score, without the person."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import get_args

import orjson

from shared.qualification.answers import Answer
from shared.schemas.scores import LeadScored
from shared.schemas.touches import ConsentChannel, Scalar

Facts = dict[str, Scalar]
NOT_THEIRS = frozenset(  # touches that are ours, a machine's, or a wish to be left alone: no signal of the lead's
    {
        "call_attempted",
        "email_sent_by_rep",
        "sales_rejected_quality",
        "sales_deferred",
        "email_bounced",
        "email_unsubscribed",
        "consent_withdrawn",
        "webinar_missed",
        "company_news",
        "job_changed",
        "invoice_overdue",
        "renewal_due",
        "usage_dropped",
        "seats_changed",
        "identify",
    }
)
CHANNELS: tuple[str, ...] = get_args(ConsentChannel)
WITHDRAWN = "withdrawn"
IDLE = "4"  # the band of who did nothing of late


@dataclass(frozen=True, slots=True)
class Touched:
    """A touch by its type, and when we received it (ms)."""

    type: str
    received_at: int
    event_id: str


@dataclass(frozen=True, slots=True)
class Scored:
    """A lead's score as decisions see it. fit and engagement in milli-points; grade such as B1; account: the key of its company.

    own:   the latest that the lead did itself, as far as that is known;  cause: of the score: input, time or policy
    """

    grade: str
    fit: int
    engagement: int
    as_of: int
    hand_raise: Touched | None = None
    latest: Touched | None = None
    attributes: Facts | None = None
    answers: tuple[Answer, ...] = ()
    is_test: bool = False
    internal: bool = False
    trend: str = "steady"
    account: str | None = None
    own: Touched | None = None
    cause: str = "input"
    first_source: str | None = None
    last_source: str | None = None
    campaign: str | None = None

    @staticmethod
    def of(score: LeadScored) -> Scored:
        raised = score.hand_raise
        touches = sorted(score.touches, key=lambda touch: (touch.received_at, touch.event_id))
        newest = touches[-1] if touches else None
        own = next((touch for touch in reversed(touches) if touch.type not in NOT_THEIRS), None)
        return Scored(
            score.grade,
            score.fit.total,
            score.engagement.total,
            score.as_of,
            Touched(raised.type, raised.received_at, raised.event_id) if raised else None,
            Touched(newest.type, newest.received_at, newest.event_id) if newest else None,
            dict(score.attributes),
            tuple(Answer.of(evidence) for evidence in score.evidence),
            score.is_test,
            score.internal,
            score.trend,
            score.account,
            Touched(own.type, own.received_at, own.event_id) if own else None,
            score.cause,
            score.first_source,
            score.last_source,
            next((touch.campaign for touch in reversed(touches) if touch.campaign), None),
        )

    @property
    def fit_grade(self) -> str:
        return self.grade[0]

    @property
    def band(self) -> str:
        return self.grade[1]

    @property
    def active(self) -> bool:
        """Whether it counts for the breadth of its company: a person who did something of late."""
        demand = (self.attributes or {}).get("kind") != "partner"
        return self.band < IDLE and demand and not self.is_test and not self.internal

    def consents(self) -> Facts:
        """Per channel on what basis the lead may be contacted for marketing, or that it has refused: the latest opt-in or refusal
        of all sources, of the same moment the refusal; else the latest other basis."""
        found: Facts = {}
        for channel in CHANNELS:
            said = [one for one in self.answers if one.question == f"consent.{channel}"]
            basis = [one for one in self.answers if one.question == f"consent.{channel}.basis"]
            heard = max(said or basis, key=lambda one: (one.observed_at, one.code == WITHDRAWN, one.code), default=None)
            if heard:
                found[f"lead.consent_{channel}"] = heard.code
        return found

    def facts(self) -> Facts:
        """The fields of `lead.*` and `score.*` that routing rules may name."""
        facts: Facts = {f"lead.{name}": value for name, value in (self.attributes or {}).items()}
        facts |= {
            "score.grade": self.grade,
            "score.fit": self.fit // 1000,
            "score.engagement": self.engagement // 1000,
            "score.fit_grade": self.fit_grade,
            "score.band": self.band,
        }
        facts |= self.consents()
        sources = {"first_source": self.first_source, "last_source": self.last_source, "campaign": self.campaign}
        facts |= {f"lead.{name}": value for name, value in sources.items() if value is not None}
        if self.hand_raise:
            facts["score.hand_raise"] = self.hand_raise.type
        return facts

    def digest(self) -> str:
        """A hash of what the gate, BANT and the rules look at. Points that do not change the grade are left out, or every touch
        would be worth a decision; so is what is only shown."""
        seen = [
            self.grade,
            self.hand_raise.event_id if self.hand_raise else None,
            self.attributes or {},
            sorted([a.question, a.source_id, a.code, a.observed_at, *_said(a)] for a in self.answers),
        ]
        if self.is_test:
            seen.append("test")
        if self.internal:
            seen.append("internal")
        if self.trend == "falling":
            seen.append("falling")  # a gate may ask for it
        return sha256(orjson.dumps(seen, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _said(answer: Answer) -> list[float]:
    """How sure it was said to be; nothing, where nobody said so, so that a hash of before stays the same."""
    return [] if answer.confidence is None else [answer.confidence]
