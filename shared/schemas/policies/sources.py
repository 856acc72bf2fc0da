"""Who may send, and what their events mean."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.schemas.catalogue import MAPPING_FIELDS
from shared.schemas.policies.base import Policy, RuleId, Strict, condition_of

Reference = Annotated[str, Field(min_length=1, description="a literal, env:NAME or file:PATH")]


class MappingRule(Strict):
    """Events for which `when` holds become touches of `type`; the first rule that holds decides."""

    id: RuleId
    when: condition_of(MAPPING_FIELDS)  # type: ignore[valid-type]
    type: str
    topic: str | None = None
    channel: str | None = None


class EvidenceRule(Strict):
    """Where an answer to a qualification question stands in an event, and which values mean which code.

    fields: property or trait names, the first that is present counts;  values: code -> texts that mean it, without case;
    otherwise: the code of any other non-empty answer
    """

    criterion: str
    fields: tuple[str, ...]
    values: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    otherwise: str | None = None


class Source(Strict):
    """A system that may send events.

    kind:       protocol; `segment` is the tracking API
    write_keys: any of them admits
    trusted:    a server-side source, whose events may link two known identities
    """

    id: RuleId
    kind: Literal["segment"] = "segment"
    write_keys: tuple[Reference, ...] = Field(min_length=1)
    trusted: bool = False
    mapping: tuple[MappingRule, ...] = ()


class SourcesPolicy(Policy):
    """All sources of a tenant; `mapping` and `evidence` apply to every source, after the source's own."""

    kind: Literal["sources"] = "sources"
    sources: tuple[Source, ...]
    mapping: tuple[MappingRule, ...] = ()
    evidence: tuple[EvidenceRule, ...] = ()
    free_mail_domains: tuple[str, ...] = Field(default=(), description="beside the built-in list")
