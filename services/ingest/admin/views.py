"""A source as operators see it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from services.ingest.domain.completeness import PARTS
from services.ingest.sources import ActiveSecret, Registered
from services.ingest.statistics import Figures
from shared.kit.clock import iso

Time = Annotated[str, Field(description="RFC 3339, UTC")]


class Counts(BaseModel):
    """Events, and webhooks whose signature did not hold. rejected, unverified: by code"""

    accepted: int
    duplicate: int
    rejected: dict[str, int]
    unverified: dict[str, int]


class ClockView(BaseModel):
    """The sender's clock. shifted: events whose times were corrected;  largest_skew_seconds: what it was off, either way"""

    shifted: int
    largest_skew_seconds: float | None


class CompletenessView(BaseModel):
    """Of touches with personal data (a sample, where there are very many): what is there of the six parts needed to work them.

    complete: those that lack nothing;  share: of the parts, those that are there, on average;  missing: how many lack which
    """

    looked_at: int
    complete: int
    share: float | None
    missing: dict[str, int]


class SecretView(BaseModel):
    """A secret, never its value. last_verified_at: when something was last verified by it"""

    id: str
    not_after: Time | None
    last_verified_at: Time | None


class SourceView(BaseModel):
    """today: since midnight UTC;  week: the last eight UTC days, today included
    missing: references of its keys and secrets that lead to nothing where ingest runs
    """

    tenant: str
    source_id: str
    kind: str
    trusted: bool
    last_call_at: Time | None
    per_minute: float
    today: Counts
    week: Counts
    clock: ClockView
    completeness: CompletenessView
    secrets: list[SecretView]
    missing: list[str]


def view(known: Registered, figures: Figures) -> SourceView:
    skew = figures.largest("skew")
    personal, complete, lacking = figures.count("personal"), figures.count("complete"), figures.by("missing")
    return SourceView(
        tenant=known.sender.tenant,
        source_id=known.sender.source_id,
        kind=known.keys.kind,
        trusted=known.sender.trusted,
        last_call_at=_time(figures.largest("last")),
        per_minute=round(figures.per_minute, 2),
        today=_counts(figures.of_today()),
        week=_counts(figures),
        clock=ClockView(shifted=figures.count("shifted"), largest_skew_seconds=None if skew is None else skew / 1000),
        completeness=CompletenessView(
            looked_at=personal,
            complete=complete,
            share=round(1 - sum(lacking.values()) / (len(PARTS) * personal), 4) if personal else None,
            missing=lacking,
        ),
        secrets=[_secret(secret, figures) for secret in (*known.keys.secrets, *known.keys.verify_tokens)],
        missing=list(known.missing),
    )


def _counts(figures: Figures) -> Counts:
    return Counts(
        accepted=figures.count("accepted"),
        duplicate=figures.count("duplicate"),
        rejected=figures.by("rejected"),
        unverified=figures.by("unverified"),
    )


def _secret(secret: ActiveSecret, figures: Figures) -> SecretView:
    return SecretView(
        id=secret.id,
        not_after=_time(secret.not_after),
        last_verified_at=_time(figures.largest(f"secret:{secret.id}")),
    )


def _time(millis: int | None) -> str | None:
    return None if millis is None else iso(millis)
