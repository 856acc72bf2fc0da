"""What owners of endpoints send and are answered, typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, SecretStr

from services.handoff.bodies import ShortText, Text
from services.handoff.outbound.messages import EVENT_TYPES
from shared.kit.asked import Asked
from shared.kit.clock import iso
from shared.kit.faults import unknown_word

DAY = 86_400


def _known(event_type: str) -> str:
    if event_type not in EVENT_TYPES:
        raise unknown_word("event type", event_type, EVENT_TYPES)
    return event_type


Url = Annotated[
    Text,
    Field(
        max_length=2000,
        description="https; its host must lead to public addresses, unless the operator has allowed it by name",
        examples=["https://crm.example.com/hooks/baton"],
    ),
]
Description = Annotated[Text, Field(max_length=500, examples=["the CRM"])]
EventTypes = Annotated[
    list[Annotated[ShortText, AfterValidator(_known)]],
    Field(max_length=50, description="what it wants to hear; empty: everything", examples=[["offer.accepted"]]),
]
DeliveryState = Literal["pending", "delivered", "failed"]


class Create(Asked):
    url: Url
    description: Description = ""
    event_types: EventTypes = Field(default=[])
    secret: SecretStr | None = Field(
        default=None,
        description="yours, where you have one already: `whsec_` and 24 to 64 random bytes in base64; else one is made",
    )


class Change(Asked):
    """What is given is changed."""

    url: Url | None = None
    description: Description | None = None
    event_types: EventTypes | None = None
    enabled: bool | None = Field(
        default=None,
        description="false: it gets nothing, and what happens then is not kept for it; true: what waited is sent",
    )


class Rotate(Asked):
    overlap_seconds: int = Field(
        default=DAY, ge=0, le=7 * DAY, description="for which the secret before signs as well; 0 where it became known"
    )
    secret: SecretStr | None = Field(default=None, description="as when the endpoint was created")


class Since(Asked):
    since: AwareDatetime = Field(description="what came from then on", examples=["2026-11-21T00:00:00Z"])


class Endpoint(BaseModel):
    """Where webhooks are sent. Its secret is shown when it is made, and never again."""

    id: str
    url: str
    description: str
    event_types: list[str]
    enabled: bool
    disabled_reason: str | None = Field(
        description="`by hand`; `gone`: it answered 410; `failing`: nothing got there for as long as a message is tried"
    )
    disabled_at: str | None
    created_at: str
    updated_at: str
    overlap_until: str | None = Field(description="until when the secret before the last rotation signs as well")
    failures: int = Field(description="in a row, up to now")
    paused_until: str | None = Field(description="after failures nothing is sent for a while")
    last_success_at: str | None


class EndpointWithSecret(Endpoint):
    secret: str = Field(description="verify with it what comes from us; it is not shown again")


class EndpointList(BaseModel):
    items: list[Endpoint]


class EventType(BaseModel):
    type: str
    description: str


class EventTypeList(BaseModel):
    items: list[EventType]


class Try(BaseModel):
    number: int
    at: str
    outcome: str = Field(
        description="`delivered`, `gone`, `throttled`, `refused`, `timed_out`, `unreachable`, `forbidden`, `unsigned`"
    )
    status: int | None
    took_ms: int
    answer: str | None = Field(description="the beginning of an answer that was no success, or what went wrong")


class DeliveryBody(BaseModel):
    """A message on its way to an endpoint."""

    message_id: str = Field(description="its `webhook-id`, the same in every try")
    type: str
    state: DeliveryState = Field(description="`failed`: given up; it can be sent again")
    attempts: int
    created_at: str
    ended_at: str | None
    due_at: str | None = Field(description="when it is tried next")
    tries: list[Try]


class DeliveryDetail(DeliveryBody):
    body: str = Field(description="what is sent, byte for byte")


class DeliveryPage(BaseModel):
    items: list[DeliveryBody]
    next: str | None = Field(description="`after` of the next page")


class Queued(BaseModel):
    queued: int = Field(description="messages that are sent now")


class TestMessage(BaseModel):
    message_id: str


_TIMES = (
    "at", "created_at", "updated_at", "ended_at", "due_at", "disabled_at", "paused_until", "last_success_at",
    "overlap_until",
)  # fmt: skip


def endpoint(row: Mapping[str, Any]) -> dict[str, Any]:
    return _shown(dict(row) | {"enabled": row["state"] == "active", "overlap_until": row["old_secret_until"]})


def delivery(row: Mapping[str, Any]) -> dict[str, Any]:
    return _shown(dict(row) | {"tries": [_shown(tried) for tried in row["tries"]]})


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """Times as RFC 3339; one that is 0 is none."""
    return row | {name: iso(row[name]) if row[name] else None for name in _TIMES if name in row}
