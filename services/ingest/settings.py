"""Settings of ingest."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from shared.kit.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """redis_url: where claims and link registers are; a Redis that never evicts
    ingest_batch_bytes: the most that a body of many events may measure, as sent and as inflated
    ingest_body_bytes: the same of a body about one event
    ingest_read_seconds: how long a sender may take for its body
    ingest_concurrent_requests: more than these at once are shed with 503, before their bodies are read
    ingest_claim_hours: how long the event id of a tracking call is remembered
    ingest_reclaim_minutes: how far back from the latest one events are claimed again when Redis may have forgotten
    ingest_spool_dir: where events wait while Kafka or Redis is away, on a disk of this process alone; without one nothing waits
    ingest_spool_bytes: the most that they may take there (a log of some megabytes comes on top)
    ingest_secrets_file: NAME=value lines that `env:NAME` in sources stands for, before the environment; read again when it changes
    ingest_admin_token: admits to /admin; without one nobody is admitted
    ingest_quarantine_per_minute: requests of one source whose signature does not hold that are kept, in each process
    """

    redis_url: str
    ingest_port: int = 8181
    ingest_batch_bytes: int = Field(default=4 * 1_048_576, gt=0)
    ingest_body_bytes: int = Field(default=1_048_576, gt=0)
    ingest_read_seconds: float = Field(default=10, gt=0)
    ingest_concurrent_requests: int = Field(default=512, gt=0)
    ingest_claim_hours: int = Field(default=48, gt=0)
    ingest_reclaim_minutes: int = Field(default=30, gt=0)
    ingest_spool_dir: Path | None = None
    ingest_spool_bytes: int = Field(default=1_073_741_824, ge=262_144)
    ingest_secrets_file: Path | None = None
    ingest_admin_token: SecretStr | None = None
    ingest_quarantine_per_minute: int = Field(default=600, ge=0)
