"""A made lead's life under a policy, asked of scoring's own code at any moment. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from ruamel.yaml import YAML

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.curves import curve_of
from services.scoring.decide import Decision, Now, decide
from services.scoring.domain.rules import Rules
from services.scoring.domain.state import LeadState
from services.scoring.subjects import Subject
from shared.schemas import ids
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef
from shared.schemas.topics import LEAD_SCORED

DAY = 86_400_000
START = int(datetime(2026, 4, 1, tzinfo=UTC).timestamp()) * 1000
EXAMPLE = Path(__file__).with_name("policy.yaml")  # whose rules the pictures show
_TENANT, _IDENTITY = "example", ids.derived_id("the lead of the pictures")
_LEAD = ids.lead_id(_IDENTITY)


@dataclass(frozen=True, slots=True)
class Happening:
    """A touch of a type, so many days after the start; attributes: what it tells of the lead."""

    day: float
    type: str
    attributes: Mapping[str, str | int | bool] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What one rule gave, what its group's cap and the cap of all took, and what is left. Points."""

    group: str
    given: float
    cut_by_group: float
    cut_by_total: float
    kept: float
    label: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Score:
    """Points, and what they make of the lead."""

    fit: float
    engagement: float
    grade: str
    temperature: str
    parts: tuple[Part, ...]


class Life:
    """What happened to one lead. A score of a day knows what had happened by then, and nothing later."""

    def __init__(self, policy: ScoringPolicy, happenings: Iterable[Happening]) -> None:
        self.happenings = sorted(happenings, key=lambda each: each.day)
        self._rules = Rules(policy, PolicyRef(sequence=1, hash="example"))

    def at(self, day: float, known: float | None = None) -> Score:
        """With what had happened by then, or by the day `known`. Raises ValueError before anything happened."""
        return _score(self._decide(_moment(day), day if known is None else known))

    def changes(self, day: float, until: float) -> list[float]:
        """The days on which time alone changes grade or temperature, if nothing happens after `day`."""
        found: list[float] = []
        next_one = self._change(day, day)
        while next_one is not None and next_one <= until:
            found.append(next_one)
            next_one = self._change(next_one, day)
        return found

    def _change(self, day: float, known: float) -> float | None:
        """The first after `day`."""
        state = self._decide(_moment(day), known).state
        change = curve_of(Subject(_TENANT, _LEAD, is_account=False), state, self._rules).next_change(_moment(day))
        return None if change is None else (change.at - START) / DAY

    def _decide(self, moment: int, known: float) -> Decision:
        told = [_touch(number, happening) for number, happening in enumerate(self.happenings) if happening.day <= known]
        if not told:
            raise ValueError(f"nothing had happened by day {known}")
        now = Now(position=1, cause="time", moment=moment)
        return decide(Told(_TENANT, _LEAD, [(touch, None) for touch in told]), LeadState(), self._rules, now)


def read_policy(path: Path = EXAMPLE) -> ScoringPolicy:
    return ScoringPolicy.model_validate(YAML(typ="safe").load(path.read_text()))


def _moment(day: float) -> int:
    return START + round(day * DAY)


def _touch(number: int, happening: Happening) -> wire.Touch:
    at = _moment(happening.day)
    return wire.Touch(
        tenant=_TENANT,
        lead_id=_LEAD,
        identity_id=_IDENTITY,
        identity_kind="email",
        event_id=ids.derived_id("happening", number),
        source_id="site",
        type=happening.type,
        at=at,
        received_at=at,
        trusted=True,
        attributes=dict(happening.attributes or {}),
    )


def _score(decision: Decision) -> Score:
    record = next(record for record in decision.records if record.topic == LEAD_SCORED.name)
    told = msgspec.json.decode(record.value or b"", type=wire.LeadScored)
    parts = tuple(
        Part(
            part.group or "",
            part.given / 1000,
            (part.cut - part.cut_total) / 1000,
            part.cut_total / 1000,
            part.kept / 1000,
            part.label,
        )
        for part in told.engagement.parts
    )
    return Score(told.fit.total / 1000, told.engagement.total / 1000, told.grade, told.temperature, parts)
