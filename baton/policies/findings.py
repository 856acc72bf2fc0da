"""The policies of a tenant side by side, and what checks find in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from baton.policies.documents import Document, Place
from shared.schemas.policies import (
    LifecyclePolicy,
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
    documents: Mapping[str, Document]
    now: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found at `place` of the policy of `kind`; a warning does not keep it from coming into force."""

    kind: str
    place: Place
    message: str
    warning: bool = False


Check = Callable[[Policies], Iterator[Finding]]
