"""Which leads just below the gate are explored on purpose: a set share, by the lead alone, at most once a year."""

from __future__ import annotations

from hashlib import sha256

from services.router.domain.gate import Gated
from shared.schemas.policies.qualification import Explore

YEAR = 365 * 86_400_000


def drawn(tenant: str, lead_id: str, share: float) -> bool:
    """Whether the lead is one of that share of all. A larger share has the leads of every smaller one."""
    digest = sha256(f"explore\0{tenant}\0{lead_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def explores(
    gated: Gated, explore: Explore | None, tenant: str, lead_id: str, explored_at: int | None, now: int
) -> bool:
    """Whether a lead that the gate leaves below it is explored from now on. What something else speaks against than its grade is
    not. explored_at: when it was before (ms)"""
    if explore is None or gated.by != "grade" or gated.verdict != "nurture" or gated.lowered:
        return False
    rested = explored_at is None or now - explored_at >= YEAR
    return rested and gated.grade in explore.grades and drawn(tenant, lead_id, explore.share)
