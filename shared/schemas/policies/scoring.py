"""How a lead is scored."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.schemas.catalogue import BEHAVIOUR_FIELDS, FIT_FIELDS
from shared.schemas.policies.base import Label, Policy, RuleId, Strict, condition_of
from shared.schemas.topics import HORIZON_DAYS

Points = Annotated[float, Field(ge=-1000, le=1000, multiple_of=0.001)]
Gain = Annotated[float, Field(ge=0, le=1000, multiple_of=0.001)]


class Scheduled(Strict):
    """valid_from, valid_until: first and last day, in the tenant's zone, on which a rule gives points."""

    valid_from: date | None = None
    valid_until: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from: the rule would never give anything")
        return self


class BehaviourRule(Scheduled):
    """What one kind of touch is worth.

    half_life_days: until a touch is worth half; after seven of them it is worth nothing
    window_days:    after which it is worth nothing even sooner
    limit, per:     how many touches of one bucket count, the earliest first; a bucket is a number of days such as `1d`, `7d`,
                    `once`, `campaign` (each campaign, event or mail is a bucket) or `cycle` (each cycle of sales is; for outcomes)
    """

    id: RuleId
    when: condition_of(BEHAVIOUR_FIELDS)  # type: ignore[valid-type]
    points: Points
    half_life_days: Annotated[float, Field(gt=0, le=HORIZON_DAYS)]
    window_days: Annotated[float, Field(gt=0, le=HORIZON_DAYS)] | None = None
    limit: Annotated[int, Field(ge=1, le=50)] = 1
    per: Annotated[str, Field(pattern=r"^([1-9][0-9]{0,2}d|once|campaign|cycle)$")] = "1d"
    group: RuleId
    label: Label = Label()


class FitRule(Scheduled):
    """Points for what a lead is. Of the rules of one `group` the best matching one counts, if a group is named.

    expires_days: the rule holds only while what it asks about was told within so many days
    """

    id: RuleId
    when: condition_of(FIT_FIELDS)  # type: ignore[valid-type]
    points: Points
    group: RuleId | None = None
    expires_days: Annotated[float, Field(gt=0, le=HORIZON_DAYS)] | None = None
    label: Label = Label()


class Engagement(Strict):
    """cap: of the sum;  groups: cap per group;  bands: least points of bands 1, 2 and 3, below which it is 4."""

    cap: Points = 100
    groups: dict[str, Points]
    bands: tuple[Points, Points, Points] = (60, 30, 10)
    rules: tuple[BehaviourRule, ...]


class Fit(Strict):
    """cap: of the sum;  grades: least points of A, B and C, below which it is D."""

    cap: Points = 100
    grades: tuple[Points, Points, Points] = (70, 45, 25)
    rules: tuple[FitRule, ...]


class Overlay(Strict):
    """A region's own rules on top of those of all. Of several overlays the first whose condition holds for the lead counts.

    off: ids of rules that do not count here;  behaviour, fit: rules that are added, or stand in for the one of the same id
    """

    id: RuleId
    when: condition_of(FIT_FIELDS)  # type: ignore[valid-type]
    off: tuple[RuleId, ...] = ()
    behaviour: tuple[BehaviourRule, ...] = ()
    fit: tuple[FitRule, ...] = ()
    label: Label = Label()


class Temperature(Strict):
    """One word for a lead: `hot` up to this band, or within so many days of a hand-raise; `warm` up to that band; else cold."""

    hot: Annotated[int, Field(ge=1, le=4)] = 1
    warm: Annotated[int, Field(ge=1, le=4)] = 3
    hand_raise_days: Annotated[float, Field(ge=0, le=HORIZON_DAYS)] = 7


class AccountScoring(Strict):
    """What the people of one company are worth together: breadth before depth. Days begin at midnight of the tenant's zone.

    active_days:     a person is active who within so many days did something that the rules of behaviour give points for
    person:          points for each active person, up to `persons`
    role:            points for each buying role among the people active within `memory_days`, up to `roles`
    department:      points for each of their departments beyond the first, up to `departments`
    depth:           share of each person's engagement that counts, `deepest` points of one person at most, `depths` of all (the
                     100 who have most of it); it fades by `half_life_days` from when the person was last scored
    surge:           points when within active_days there were at least `surge_least` days of a person on which that person was
                     active, and `surge_times` as many as usual in the four periods before
    cap, bands:      of the sum; least points of bands 1, 2 and 3
    """

    active_days: Annotated[float, Field(gt=0, le=90)] = 7
    memory_days: Annotated[float, Field(gt=0, le=HORIZON_DAYS)] = 90
    person: Gain = 10
    persons: Gain = 30
    role: Gain = 8
    roles: Gain = 24
    department: Gain = 6
    departments: Gain = 12
    depth: Annotated[float, Field(ge=0, le=1)] = 0.2
    deepest: Gain = 8
    depths: Gain = 24
    half_life_days: Annotated[float, Field(gt=0, le=HORIZON_DAYS)] = 30
    surge: Gain = 10
    surge_least: Annotated[int, Field(ge=1, le=1000)] = 5
    surge_times: Annotated[float, Field(ge=1, le=100)] = 2
    cap: Gain = 100
    bands: tuple[Gain, Gain, Gain] = (60, 35, 15)


class ScoringPolicy(Policy):
    """zone_offset_minutes: of the tenant's day buckets, from UTC, fixed;  generation: raise it to start over from the topics
    internal: leads of ourselves: kept, and scored 0;  overlays: rules of regions
    """

    kind: Literal["scoring"] = "scoring"
    generation: Annotated[int, Field(ge=1)] = 1
    zone_offset_minutes: Annotated[int, Field(ge=-840, le=840)] = 0
    hand_raises: tuple[str, ...] = Field(description="touch types by which a lead asks to be contacted")
    internal: condition_of(FIT_FIELDS) | None = None  # type: ignore[valid-type]
    engagement: Engagement
    fit: Fit
    temperature: Temperature = Temperature()
    account: AccountScoring = AccountScoring()
    overlays: tuple[Overlay, ...] = ()
