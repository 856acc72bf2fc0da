"""Qualification and SLA that can come true: criteria that can be met, classes that some touch leads to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from baton.policies.findings import Check, Finding, Policies
from services.handoff.domain.activities import ACTIVITY_TYPES
from shared.schemas.policies.sources import SIGNED


def _criteria(policies: Policies) -> Iterator[Finding]:
    """As many criteria can be met as have to be."""
    bant = policies.qualification.bant
    never = [name for name, criterion in bant.criteria().items() if not any(criterion.questions.values())]
    for name in never:
        en, ja = f"no answer meets `{name}`: it names none", f"`{name}`を満たす回答がありません"
        yield Finding("qualification", ("bant", name), en, "criterion-never-met", ja)
    possible = len(bant.criteria()) - len(never)
    if possible < bant.minimum_met:
        en = f"no lead goes to field sales: {bant.minimum_met} criteria have to be met, and {possible} can be"
        ja = f"フィールドセールスに渡るリードがありません: {bant.minimum_met}項目が必要ですが、満たせるのは{possible}項目です"
        yield Finding("qualification", ("bant", "minimum_met"), en, "bant-never-enough", ja)


def _classes(policies: Policies) -> Iterator[Finding]:
    """Every class is of some touch that no earlier class claims."""
    holders: dict[str, str] = {}
    for index, lead_class in enumerate(policies.sla.classes):
        taken = {t: holders[t] for t in lead_class.touch_types if t in holders}
        if len(taken) == len(set(lead_class.touch_types)):
            names = [f"`{name}`" for name in dict.fromkeys(taken.values())]
            why, why_ja = "it has no touch types", "タッチ種別がありません"
            if names:
                why = f"all of its touch types make it {' or '.join(names)} already"
                why_ja = f"どのタッチ種別でも先に{'か'.join(names)}になります"
            en = f"no touch makes a lead `{lead_class.id}`: {why}"
            ja = f"区分`{lead_class.id}`になるリードはありません: {why_ja}"
            yield Finding("sla", ("classes", index), en, "class-unreachable", ja)
        else:
            for number, touch_type in enumerate(lead_class.touch_types):
                if touch_type in taken:
                    place = ("classes", index, "touch_types", number)
                    en = f"`{touch_type}` never makes a lead `{lead_class.id}`: it makes it `{taken[touch_type]}` already"
                    ja = f"`{touch_type}`では区分`{lead_class.id}`になりません: 先に`{taken[touch_type]}`になります"
                    yield Finding("sla", place, en, "touch-claimed", ja)
        for touch_type in lead_class.touch_types:
            holders.setdefault(touch_type, lead_class.id)


def _sent(policies: Policies) -> Iterator[Finding]:
    """What makes a lead one of a class can come: from a source, by a mapping rule, or from a rep who logs it."""
    sources = policies.sources
    by_kind = [sendable(source.kind) for source in sources.sources]
    if None in by_kind:
        return
    rules = [*sources.mapping, *(rule for source in sources.sources for rule in source.mapping)]
    sent = ACTIVITY_TYPES.union(*(types for types in by_kind if types is not None), (rule.type for rule in rules))
    for index, lead_class in enumerate(policies.sla.classes):
        for number, touch_type in enumerate(lead_class.touch_types):
            if touch_type not in sent:
                en = f"no source of this tenant sends `{touch_type}`, no mapping rule makes it, and no rep logs it"
                ja = f"`{touch_type}`を送るソースも、割り当てる規則もなく、担当者が記録することもありません"
                yield Finding("sla", ("classes", index, "touch_types", number), en, "touch-unsent", ja)


def sendable(kind: str) -> frozenset[str] | None:
    """Touch types that a sender of this kind can send by itself; None where that is any."""
    if kind not in SIGNED:
        return None
    types: Mapping[str, str] | None = getattr(import_module(f"services.ingest.senders.{kind}"), "TYPES", None)
    return None if types is None else frozenset(types.values())


PROMISE_CHECKS: tuple[Check, ...] = (_criteria, _classes, _sent)
