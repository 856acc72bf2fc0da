"""Which rules of a tenant do not count all that came in, since they changed: what a score leaves out and cannot say itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from baton import policies
from baton.explaining.past import rules_of
from services.scoring.recorded import ALWAYS, HAND_RAISE, Kept, Partly, Recorded
from services.scoring.states import RedisStates, connect
from shared.schemas.vocabulary import TOUCH_TYPES, Word

PATIENCE_SECONDS = 10.0
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "since": "“{rule}” counts only what came in since {since}, when the policy changed",
        "gap": "“{rule}” lacks what came in from {until} to {since}, while the policy was another",
        "both": "“{rule}” lacks what came in before {earlier}, and from {until} to {since}, while the policy was another",
        "whole": "{what}: until {date}, or until `baton scoring rebuild`.",
        "past": "The score of now does not count all:",
    },
    "ja": {
        "since": "「{rule}」が数えるのは、ポリシーが変わった {since} 以降の行動だけです",
        "gap": "「{rule}」は、ポリシーが異なっていた {until} から {since} までの行動を数えていません",
        "both": "「{rule}」は、{earlier} より前と、ポリシーが異なっていた {until} から {since} までの行動を数えていません",
        "whole": "{what}({date} まで、または `baton scoring rebuild` の実行まで)。",
        "past": "現在のスコアは、すべての行動を数えているわけではありません。",
    },
}


class Lacking(NamedTuple):
    """label: of the rule or the touch type, by language"""

    label: Mapping[str, str]
    partly: Partly


async def ask(names: Mapping[str, str], tenant: str, now: int) -> list[Lacking]:
    """Of the policy in force and the states in force. now: ms

    Raises RedisError and OSError where Redis is away, OperatorError where an address is not known or the policy cannot be read, and
    what `policies.show` raises.
    """
    rules = rules_of(await policies.show(tenant, "scoring", database_url=names["DATABASE_URL"]))
    group = os.environ.get("SCORING_GROUP", "scoring")
    redis = connect(names["REDIS_URL"])
    try:
        states, recorded = RedisStates(redis, group=group), Recorded(redis, group)
        await redis.ping()
        async with asyncio.timeout(PATIENCE_SECONDS):  # they would ask for ever
            await states.enter(0)
            found = await recorded.partly(states.epoch, {tenant: rules}, now)
    finally:
        await redis.aclose()
    labels = {rule.rule_id: rule.label for rule_set in rules.rule_sets() for rule in rule_set.behaviour}
    return [Lacking(_label(one.kept, labels), one) for one in found[tenant]]


def words(found: Sequence[Lacking], *, lang: str, zone: str, past: bool) -> str:
    """A line for each. past: they stand below a score that was made from the topics, and counts all"""
    lines = [_line(one, lang, ZoneInfo(zone)) for one in found]
    return "\n".join([WORDS[lang]["past"], *(f"  {line}" for line in lines)] if past and lines else lines)


def _label(kept: Kept, labels: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    if not kept.name.startswith(HAND_RAISE):
        return labels.get(kept.rule_id) or {"en": kept.rule_id}
    word = TOUCH_TYPES.get(kept.rule_id, Word(kept.rule_id, kept.rule_id))
    return {"en": word.en, "ja": word.ja}


def _line(one: Lacking, lang: str, zone: ZoneInfo) -> str:
    def at(moment: int) -> str:
        return f"{datetime.fromtimestamp(moment / 1000, zone):%Y-%m-%d %H:%M:%S %Z}"

    before, since = one.partly.before, at(one.partly.since)
    times = {"earlier": at(before.since), "until": at(before.until)} if before else {}
    said = "since" if before is None else "gap" if before.since == ALWAYS else "both"
    label = one.label.get(lang) or next(iter(one.label.values()))
    what = WORDS[lang][said].format(rule=label, since=since, **times)
    date = f"{datetime.fromtimestamp(one.partly.complete_at / 1000, zone):%Y-%m-%d}"
    return WORDS[lang]["whole"].format(what=what, date=date)
