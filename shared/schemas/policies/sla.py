"""How fast a lead must be taken over."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.schemas.policies.base import Label, Policy, RuleId, Strict

Seconds = Annotated[int, Field(ge=1, le=90 * 86_400)]


class LeadClass(Strict):
    """Leads with one promise (vocabulary, section 6). The first class one of whose `touch_types` is the qualifying touch decides.

    accept:      seconds from the offer until it expires and the lead goes to somebody else
    first_touch: seconds from the qualifying touch's receipt (never less than `accept` after the offer) until a human must have
                 touched the lead
    """

    id: RuleId
    label: Label = Label()
    touch_types: tuple[str, ...] = ()
    accept: Seconds
    first_touch: Seconds


class SlaPolicy(Policy):
    """default: the class of a lead that none of `classes` claims: ripe by its score."""

    kind: Literal["sla"] = "sla"
    classes: tuple[LeadClass, ...] = ()
    default: LeadClass
    first_touch_types: tuple[str, ...] = Field(
        default=(
            "call_attempted",
            "call_connected",
            "email_sent_by_rep",
            "email_replied",
            "meeting_held",
            "meeting_booked",
        ),
        description="activities that count as a human touch",
    )
