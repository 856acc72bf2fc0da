"""Settings of handoff."""

from __future__ import annotations

from pydantic import Field

from shared.kit.settings import ServiceSettings


class HandoffSettings(ServiceSettings):
    """database_url: Postgres, as a user that is a member of baton_app and baton_worker
    handoff_port:    of the API
    handoff_poll_seconds: how long the firing of clocks sleeps at most; it wakes for the next due time before that
    handoff_policy_wait_seconds: how long a tenant's first lead waits for the tenant's SLA policy, before it is a dead letter
    handoff_batch:   records read at a time
    """

    database_url: str
    handoff_port: int = Field(default=8184, ge=0, le=65_535)
    handoff_poll_seconds: float = Field(default=0.5, gt=0, le=60)
    handoff_policy_wait_seconds: float = Field(default=10, ge=0, le=60)
    handoff_batch: int = Field(default=500, ge=1, le=5000)
