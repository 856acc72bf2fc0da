"""Qualification and SLA that can come true: criteria that can be met, classes that some touch leads to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from baton.policies.findings import Check, Finding, Policies
from services.handoff.domain.activities import ACTIVITY_TYPES
from shared.schemas.policies.sources import SIGNED


def _criteria(policies: Policies) -> Iterator[Finding]:
    """As much can be met as has to be."""
    policy = policies.qualification
    framework, base = policy.asked, ("bant",) if policy.bant else ("framework", "criteria")
    asked = framework.resolved
    never = [name for name, one in asked.items() if not any(all(way.values()) for way in one.all_ways)]
    for name in never:
        en, ja = f"no answer meets `{name}`: it names none", f"`{name}`を満たす回答がありません"
        yield Finding("qualification", (*base, name), en, "criterion-never-met", ja)
    for name in (name for name in never if asked[name].required):
        en, ja = (
            f"no lead goes to field sales: `{name}` is required",
            f"フィールドセールスに渡るリードがありません: `{name}`が必須です",
        )
        yield Finding("qualification", (*base, name), en, "bant-never-enough", ja)
    possible = sum(criterion.weight for name, criterion in asked.items() if name not in never)
    if possible < framework.minimum_met:
        en = f"no lead goes to field sales: {framework.minimum_met} criteria (by weight) have to be met, and {possible} can be"
        ja = f"フィールドセールスに渡るリードがありません: {framework.minimum_met}項目が必要ですが、満たせるのは{possible}項目です"
        yield Finding("qualification", (base[0], "minimum_met"), en, "bant-never-enough", ja)


def _signatures(policies: Policies) -> Iterator[Finding]:
    """What is called ripe is agreed by both sides, or by none yet."""
    signed = policies.qualification.signed_off
    if signed and not policies.qualification.signed_by_both:
        side, other = ("marketing", "sales") if signed[0].role == "marketing" else ("sales", "marketing")
        en = f"{side} has signed off what a ripe lead is, and {other} has not"
        words = {"marketing": "マーケティング", "sales": "営業"}
        ja = f"見込み客の定義に{words[side]}は合意していますが、{words[other]}は合意していません"
        yield Finding("qualification", ("signed_off",), en, "half-signed", ja)


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
    if any(source.kind not in SIGNED for source in sources.sources):  # it names touches as it likes
        return
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
    """Touch types that a sender of signed webhooks of this kind can send; None where that is any."""
    types: Mapping[str, str] | None = getattr(import_module(f"services.ingest.senders.{kind}"), "TYPES", None)
    return None if types is None else frozenset(types.values())


PROMISE_CHECKS: tuple[Check, ...] = (_criteria, _signatures, _classes, _sent)
