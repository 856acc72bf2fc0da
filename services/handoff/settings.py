"""Settings of handoff."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from services.handoff.outbound.addresses import Allowed
from shared.kit.settings import ServiceSettings
from shared.schemas.topics import HORIZON_DAYS


class HandoffSettings(ServiceSettings):
    """database_url: Postgres, as a user that is a member of baton_app and baton_worker
    handoff_port:    of the API
    handoff_poll_seconds: how long the firing of clocks sleeps at most; it wakes for the next due time before that
    handoff_policy_wait_seconds: how long a tenant's first lead waits for the tenant's SLA policy, before it is a dead letter
    handoff_batch:   records read at a time
    handoff_webhook_allow: hosts, addresses and networks that webhooks and notifications may reach though not public, by comma
    handoff_webhook_endpoints: endpoints served at once
    handoff_webhook_days: for which messages and the log of their deliveries are kept
    handoff_public_url: under which reps reach this API, without which notifications hold no links; `https://baton.example.jp`
    handoff_secrets_file: NAME=value lines that `env:NAME` of channels stands for, before the environment
    handoff_notify_channels: channels on which people are told at once
    handoff_notify_days: for which notifications and the log of their tries are kept
    handoff_touch_days: for which touches, and decisions that are of no opportunity, are kept for the timeline
    """

    database_url: str
    handoff_port: int = Field(default=8184, ge=0, le=65_535)
    handoff_poll_seconds: float = Field(default=0.5, gt=0, le=60)
    handoff_policy_wait_seconds: float = Field(default=10, ge=0, le=60)
    handoff_batch: int = Field(default=500, ge=1, le=5000)
    handoff_webhook_allow: str = ""
    handoff_webhook_endpoints: int = Field(default=32, ge=1, le=500)
    handoff_webhook_days: int = Field(default=30, ge=4, le=400)  # the schedule of tries takes 3.2 days
    handoff_public_url: str = Field(default="", pattern=r"^(https?://[^/?#\s]+(/[^?#\s]*)?)?$")
    handoff_secrets_file: Path | None = None
    handoff_notify_channels: int = Field(default=16, ge=1, le=200)
    handoff_notify_days: int = Field(default=30, ge=1, le=400)
    handoff_touch_days: int = Field(default=HORIZON_DAYS, ge=1, le=3660)  # as long as the topic has them

    @field_validator("handoff_webhook_allow")
    @classmethod
    def _readable(cls, text: str) -> str:
        Allowed.parse(text)
        return text
