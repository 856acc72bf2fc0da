"""Settings that every service reads from its environment."""

from __future__ import annotations

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """kafka_bootstrap_servers: `host:port`, comma-separated
    identity_secret: what the tenants' secrets derive from, 32 bytes or more
    dead_letters_per_minute: past it a consumer stops instead of draining its topic into the dead letters

    Every name stands in the environment in capitals; a service's own settings carry its prefix (`HANDOFF_…`).
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    kafka_bootstrap_servers: str
    identity_secret: SecretStr = Field(min_length=32)
    host: str = Field(default="127.0.0.1", validation_alias="BATON_HOST")
    log_level: str = Field(default="INFO", validation_alias="BATON_LOG_LEVEL")
    topic_replication_factor: int = Field(default=1, validation_alias="BATON_TOPIC_REPLICATION_FACTOR")
    dead_letters_per_minute: int = Field(default=1000, ge=1, validation_alias="BATON_DEAD_LETTERS_PER_MINUTE")

    def master_secret(self) -> bytes:
        return self.identity_secret.get_secret_value().encode()


def explain_missing(service: str, error: ValidationError) -> str:
    """One sentence for a start that fails for want of a setting: which one, and where to set it."""
    names = ", ".join(f"{'.'.join(map(str, p['loc'])).upper()} ({p['msg'].lower()})" for p in error.errors())
    return f"{service} cannot start: settings {names}. Set them in the environment; `.baton/env` shows those of the embedded stack."
