"""Settings of ingest."""

from __future__ import annotations

from pydantic import Field

from shared.kit.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """redis_url: where claims and link registers are; a Redis that never evicts
    ingest_body_bytes: the most a body may measure, as sent and as inflated
    ingest_read_seconds: how long a sender may take for its body
    ingest_concurrent_requests: more than these at once are shed with 503, before their bodies are read
    ingest_claim_hours: how long an event id is remembered
    """

    redis_url: str
    ingest_port: int = 8181
    ingest_body_bytes: int = Field(default=4 * 1_048_576, gt=0)
    ingest_read_seconds: float = Field(default=10, gt=0)
    ingest_concurrent_requests: int = Field(default=512, gt=0)
    ingest_claim_hours: int = Field(default=48, gt=0)
