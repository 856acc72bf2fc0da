"""How a lead is scored."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.schemas.catalogue import BEHAVIOUR_FIELDS, FIT_FIELDS
from shared.schemas.policies.base import Label, Policy, RuleId, Strict, condition_of
from shared.schemas.topics import HORIZON_DAYS

Points = Annotated[float, Field(ge=-1000, le=1000, multiple_of=0.001)]


class BehaviourRule(Strict):
    """What one kind of touch is worth.

    half_life_days: until a touch is worth half; after seven of them it is worth nothing
    limit, per:     how many touches of one bucket count, the earliest first; a bucket is a number of days such as `1d`, `7d`,
                    `once`, or `campaign` (each campaign, event or mail is a bucket)
    """

    id: RuleId
    when: condition_of(BEHAVIOUR_FIELDS)  # type: ignore[valid-type]
    points: Points
    half_life_days: Annotated[float, Field(gt=0, le=HORIZON_DAYS)]
    limit: Annotated[int, Field(ge=1, le=50)] = 1
    per: Annotated[str, Field(pattern=r"^([1-9][0-9]{0,2}d|once|campaign)$")] = "1d"
    group: RuleId
    label: Label = Label()


class FitRule(Strict):
    """Points for what a lead is. Of the rules of one `group` the best matching one counts, if a group is named."""

    id: RuleId
    when: condition_of(FIT_FIELDS)  # type: ignore[valid-type]
    points: Points
    group: RuleId | None = None
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


class ScoringPolicy(Policy):
    """zone_offset_minutes: of the tenant's day buckets, from UTC, fixed;  generation: raise it to start over from the topics."""

    kind: Literal["scoring"] = "scoring"
    generation: Annotated[int, Field(ge=1)] = 1
    zone_offset_minutes: Annotated[int, Field(ge=-840, le=840)] = 0
    hand_raises: tuple[str, ...] = Field(description="touch types by which a lead asks to be contacted")
    engagement: Engagement
    fit: Fit
