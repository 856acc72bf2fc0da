"""Settings of the router."""

from __future__ import annotations

from pydantic import Field

from shared.kit.settings import ServiceSettings


class RouterSettings(ServiceSettings):
    """database_url:         Postgres, migrated;  router_database_connections: most that one process opens as baton_app
    router_port:          of the API, the probes and the metrics
    router_batch_records: most records of one batch
    router_sweep_seconds: longest time between two sweeps over what waits
    router_trace_days: how long decisions that hold no more are kept with their traces
    """

    database_url: str
    router_port: int = 8183
    router_database_connections: int = Field(default=8, ge=3)
    router_batch_records: int = Field(default=500, ge=1)
    router_sweep_seconds: float = Field(default=5.0, gt=0)
    router_trace_days: int = Field(default=400, ge=1)
