"""Records of `touchpoints`, as rows of a timeline. Nothing personal is taken out of them.

As msgspec structs: an order of magnitude faster than the pydantic contracts they mirror, for there are thousands a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from services.handoff.stream import LARGEST_NUMBER, LONGEST_ID
from shared.kit.dead_letters import Reject
from shared.kit.kafka import Message
from shared.schemas.base import TENANT_PATTERN
from shared.schemas.vocabulary import HAND_RAISES

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID)]
Tenant = Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
At = Annotated[int, msgspec.Meta(ge=0, lt=LARGEST_NUMBER)]


class Touch(msgspec.Struct, tag_field="record", tag="touch", gc=False):
    tenant: Tenant
    lead_id: Id
    event_id: Id
    source_id: Id
    type: Id
    at: At
    received_at: At
    trusted: bool = False
    automated: bool = False
    is_test: bool = False
    channel: str | None = None
    campaign: str | None = None
    topic: str | None = None
    path: str | None = None
    rep_id: Id | None = None


class LinkChanged(msgspec.Struct, tag_field="record", tag="link", gc=False):
    tenant: Tenant
    lead_id: Id
    identity_id: Id
    identity_kind: Id
    owner: Id
    sequence: Annotated[int, msgspec.Meta(ge=1)]
    received_at: At


@dataclass(frozen=True, slots=True)
class Told:
    """A row of a lead's timeline.

    type:  of the touch, or of the identity that belongs to another lead from now on
    facts: what a timeline shows of it; `rep_id` is who took part, where it says so
    may_count: whether it can be a human touch at all, whatever policy counts as one
    """

    tenant: str
    lead_id: str
    event_id: str
    at: int
    received_at: int
    kind: Literal["touch", "identity"]
    type: str
    facts: dict[str, Any]
    may_count: bool = False


_decode = msgspec.json.Decoder(Touch | LinkChanged).decode
_FACTS = ("source_id", "channel", "campaign", "topic", "path", "automated", "is_test", "rep_id")


def decode(message: Message) -> Told:
    """Raises Reject `empty` or `unreadable` for what is no record of this topic."""
    if message.value is None:
        raise Reject("empty", "a record without a value")
    try:
        # Postgres stores no NUL, and a stray one in a path is no reason to lose a touch.
        record = _decode(message.value.replace(b"\\u0000", b"\\ufffd"))
    except msgspec.MsgspecError as error:
        raise Reject("unreadable", str(error)) from None  # names the place and the expected type, never the value
    except RecursionError:
        raise Reject("unreadable", "nested too deep") from None
    return _of_touch(record) if isinstance(record, Touch) else _of_link(record)


def _of_touch(record: Touch) -> Told:
    facts = {name: value for name in _FACTS if (value := getattr(record, name))}
    # By whoever it pleases, or a machine, no rep's clock is stopped; and what a lead does alone is nobody's touch of it.
    counts = record.trusted and not record.automated and (record.rep_id is not None or record.type not in HAND_RAISES)
    return Told(
        record.tenant,
        record.lead_id,
        record.event_id,
        record.at,
        record.received_at,
        "touch",
        record.type,
        facts,
        counts,
    )


def _of_link(record: LinkChanged) -> Told:
    event_id = f"{record.identity_id}/{record.sequence}"
    facts = {"identity": record.identity_id, "owner": record.owner}
    at = record.received_at
    return Told(record.tenant, record.lead_id, event_id, at, at, "identity", record.identity_kind, facts)
