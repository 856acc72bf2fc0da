"""Which pool a ripe lead goes to."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.schemas.catalogue import ROUTING_FIELDS
from shared.schemas.policies.base import Label, Policy, RuleId, Strict, condition_of

Effect = Literal["reroute", "return_to_is", "recycle", "nurture", "on_hold", "disqualify", "to_owner"]


class RoutingRule(Strict):
    """Leads of `legs` for which `when` holds go to `pool`; the first rule that holds decides."""

    id: RuleId
    legs: tuple[Literal["is", "fs"], ...] = ("is", "fs")
    when: condition_of(ROUTING_FIELDS)  # type: ignore[valid-type]
    pool: RuleId
    label: Label = Label()


class DeclineReason(Strict):
    """What a decline for one reason causes (vocabulary, section 8).

    credit_back: the lead does not count against the rep's fair share
    """

    code: RuleId
    kind: Literal["decline", "quality", "recycle"]
    label: Label
    effect: Effect
    credit_back: bool = False


class RoutingPolicy(Policy):
    """rules: in order;  decline_reasons: the only ones that a rep may give."""

    kind: Literal["routing"] = "routing"
    rules: tuple[RoutingRule, ...] = Field(min_length=1)
    decline_reasons: tuple[DeclineReason, ...] = Field(min_length=1)
