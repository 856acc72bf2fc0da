"""What all contracts have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

TENANT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"

Tenant = Annotated[str, Field(pattern=TENANT_PATTERN, description="who owns the data; the first part of every key")]
Millis = Annotated[int, Field(ge=0, description="milliseconds since the epoch, UTC")]
MilliPoints = Annotated[
    int, Field(description="thousandths of a point, so that the parts of a score sum to it exactly")
]


class Contract(BaseModel):
    """A frozen value on the wire. Readers ignore fields they do not know, so that writers may add optional ones."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")


class Record(Contract):
    """A contract that is a record of a topic: who it belongs to, and the key that decides its partition and its order."""

    topic_field: ClassVar[str]
    tenant: Tenant

    def key(self) -> bytes:
        """`tenant/<what the topic is keyed by>`; records of one key stay in order."""
        return record_key(self.tenant, getattr(self, self.topic_field))


def record_key(tenant: str, subject: str) -> bytes:
    return f"{tenant}/{subject}".encode()
