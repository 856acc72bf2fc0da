"""The lifecycle: stages that leads come to, and days on which those come back that sales put on hold."""

from __future__ import annotations

from collections.abc import Iterator

from baton.lint import universe
from baton.lint.rules import LEAD, Ruled
from baton.policies.findings import Check, Finding, Policies


def _entries(policies: Policies) -> Iterator[Finding]:
    """Some lead comes to every stage that has an entry of its own."""
    ruled = Ruled(universe.moving(policies), LEAD)
    for index, stage in enumerate(policies.lifecycle.stages):
        if stage.entry is not None:
            ruled.add("lifecycle", ("stages", index, "entry"), stage.id, stage.entry)
    yield from ruled.findings
    yield from ruled.dead()


def _days(policies: Policies) -> Iterator[Finding]:
    """What is put on hold has a day that ends it, though the rep name none."""
    if "on_hold" in policies.lifecycle.cool_off_days:
        return
    for index, reason in enumerate(policies.routing.decline_reasons):
        if reason.effect == "on_hold" and reason.cool_off_days is None:
            en = f"leads that are given back for `{reason.code}` are on hold for ever where the rep names no day: give it, "
            en += "or lifecycle.yaml, `cool_off_days`"
            ja = f"理由`{reason.code}`で戻ったリードは、日付の指定がないと時期待ちのままです: `cool_off_days`を設定してください"
            yield Finding("routing", ("decline_reasons", index, "effect"), en, "never-comes-back", ja)


LIFECYCLE_CHECKS: tuple[Check, ...] = (_entries, _days)
