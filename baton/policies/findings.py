"""The policies of a tenant side by side, and what checks find in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from baton.policies.documents import Document, Place
from shared.schemas.policies import (
    LifecyclePolicy,
    PipelinePolicy,
    QualificationPolicy,
    RoutingPolicy,
    ScoringPolicy,
    SlaPolicy,
    SourcesPolicy,
    TeamsPolicy,
)


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of one tenant, each valid for itself, with their documents by kind.

    now: what is past is told by it
    """

    sources: SourcesPolicy
    scoring: ScoringPolicy
    lifecycle: LifecyclePolicy
    qualification: QualificationPolicy
    routing: RoutingPolicy
    teams: TeamsPolicy
    sla: SlaPolicy
    pipeline: PipelinePolicy | None
    documents: Mapping[str, Document]
    now: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found at `place` of the policy of `kind`.

    code: of `codes.CODES`, which says how grave it is;  ja: the message in Japanese, where there is one
    example: facts of a lead that prove it, where it is about conditions; of one of which nothing is known they are empty
    """

    kind: str
    place: Place
    message: str
    code: str
    ja: str | None = None
    example: Mapping[str, Any] | None = None


Check = Callable[[Policies], Iterator[Finding]]
