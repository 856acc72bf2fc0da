"""Lead by lead, where one of several cannot be decided on and would keep the others."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import structlog

from services.router import metrics
from services.router.domain.flow import Done
from shared.kit.database import HOPELESS, Connection, Pool, tenant_transaction

log = structlog.get_logger(__name__)


async def lead_by_lead(
    pool: Pool, tenant: str, leads: Iterable[str], attempt: Callable[[Connection, str], Awaitable[Done]]
) -> tuple[list[Done], list[str]]:
    """What became of the leads, and those that cannot be decided on.

    Each in a transaction of its own, which locks the lead itself: whoever kept the locks of accounts and pools from one lead to
    the next would take them in another order than everybody else.
    """
    finished, undecidable = [], []
    for lead_id in leads:
        try:
            async with tenant_transaction(pool, tenant) as connection:
                done = await attempt(connection, lead_id)
        except HOPELESS as error:
            metrics.UNDECIDABLE.inc()
            log.error("undecidable", tenant=tenant, lead_id=lead_id, **described(error))
            undecidable.append(lead_id)
        else:
            finished.append(done)
    return finished, undecidable


def described(error: Exception) -> dict[str, str]:
    """What may be logged of an error: neither its message nor its details, which may quote a row, and so a person."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return {"error": type(error).__name__, "at": f"{Path(frame.filename).name}:{frame.lineno}"}
