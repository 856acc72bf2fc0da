"""Settings of scoring."""

from __future__ import annotations

from pydantic import Field

from shared.kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """redis_url: where the states are
    port: of probes and metrics
    accept_loss: start although records that a state needs are no longer in the log
    instance_id: static membership, the pod's name; a restart within the session keeps the partitions
    session_seconds: silence after which a worker's partitions go to others; the broker's minimum is 6
    poll_records: most records of one batch
    cached_leads: states kept in memory, per partition
    policy_patience_seconds: how long the first touch of a tenant without a scoring policy waits for one, before it is rejected
    rescore_per_second: leads and accounts that a worker re-scores in the background when a policy changed
    liveness_seconds: without progress while there is work, after which the process is to be restarted
    """

    redis_url: str
    port: int = Field(default=8182, validation_alias="SCORING_PORT")
    group: str = Field(default="scoring", validation_alias="SCORING_GROUP")
    accept_loss: bool = Field(default=False, validation_alias="SCORING_ACCEPT_LOSS")
    instance_id: str | None = Field(default=None, validation_alias="SCORING_INSTANCE_ID")
    session_seconds: int = Field(default=10, ge=6, le=300, validation_alias="SCORING_SESSION_SECONDS")
    poll_records: int = Field(default=10_000, ge=1, validation_alias="SCORING_POLL_RECORDS")
    cached_leads: int = Field(default=4000, ge=0, validation_alias="SCORING_CACHED_LEADS")
    policy_patience_seconds: float = Field(default=10, ge=0, validation_alias="SCORING_POLICY_PATIENCE_SECONDS")
    rescore_per_second: float = Field(default=2000, gt=0, validation_alias="SCORING_RESCORE_PER_SECOND")
    liveness_seconds: int = Field(default=60, ge=10, validation_alias="SCORING_LIVENESS_SECONDS")
