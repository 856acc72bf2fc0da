"""Policies: one model per kind, and the set of them that a tenant runs under."""

from shared.schemas.policies.base import Label, Policy, PolicyPublished
from shared.schemas.policies.frameworks import BantPolicy, Framework
from shared.schemas.policies.lifecycle import LifecyclePolicy, Stage
from shared.schemas.policies.pipeline import PipelinePolicy
from shared.schemas.policies.qualification import Gate, QualificationPolicy
from shared.schemas.policies.routing import RoutingPolicy, RoutingRule
from shared.schemas.policies.scoring import BehaviourRule, FitRule, ScoringPolicy
from shared.schemas.policies.sla import LeadClass, SlaPolicy
from shared.schemas.policies.sources import MappingRule, Source, SourcesPolicy
from shared.schemas.policies.teams import Pool, Rep, TeamsPolicy

KINDS: dict[str, type[Policy]] = {
    "sources": SourcesPolicy,
    "scoring": ScoringPolicy,
    "lifecycle": LifecyclePolicy,
    "qualification": QualificationPolicy,
    "routing": RoutingPolicy,
    "teams": TeamsPolicy,
    "sla": SlaPolicy,
    "pipeline": PipelinePolicy,
}
OPTIONAL = frozenset({"pipeline"})  # kinds that a tenant may do without

__all__ = [
    "KINDS",
    "OPTIONAL",
    "BantPolicy",
    "BehaviourRule",
    "FitRule",
    "Framework",
    "Gate",
    "Label",
    "LeadClass",
    "LifecyclePolicy",
    "MappingRule",
    "PipelinePolicy",
    "Policy",
    "PolicyPublished",
    "Pool",
    "QualificationPolicy",
    "Rep",
    "RoutingPolicy",
    "RoutingRule",
    "ScoringPolicy",
    "SlaPolicy",
    "Source",
    "SourcesPolicy",
    "Stage",
    "TeamsPolicy",
]
