"""What would make it an A: the fewest plausible touches that reach the next better band."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from services.scoring.domain.engagement import Engagement, used
from services.scoring.domain.ledger import bucket_of, key_parts
from services.scoring.domain.memory import Memory
from services.scoring.domain.parts import MOST_SUGGESTIONS, Suggestion
from services.scoring.domain.rules import Behaviour, RuleSet
from shared.schemas.conditions import All, Condition, Test

# Done by us, by partners, by machines, or by customers alone: nothing that one could hope for from a lead.
IMPLAUSIBLE = frozenset(
    [
        "sales_rejected_quality",
        "sales_deferred",
        "wrong_person",
        "opportunity_won",
        "opportunity_lost",
        "call_attempted",
        "email_sent_by_rep",
        "intent_surged",
        "deal_registered",
        "referral_received",
        "tender_notified",
        "workshop_held",
        "poc_run",
        "review_held",
        "product_used",
        "product_activated",
        "email_unsubscribed",
        "careers_page_viewed",
        "card_exchanged",
    ]
)


class Better(msgspec.Struct, gc=False):
    """A better grade, and what reaches it."""

    grade: str
    by: list[Suggestion]


def by_touches(engaged: Engagement, memories: Sequence[Memory], rules: RuleSet, as_of: int) -> list[Suggestion]:
    """The fewest touches that reach the next band, the last of them no larger than it has to be, since small ones come easier; none
    where there is no better band, or it is out of reach.

    The gain of a group grows the less the more is added to it, so that taking the largest gain again and again is the best choice.
    """
    needed = min((edge for edge in rules.bands if edge > engaged.total), default=None)
    if needed is None:
        return []
    groups = dict(engaged.groups)
    kept = sum([min(points, max(rules.cap_of(group), 0)) for group, points in groups.items()])
    offers = plausible(rules)
    taken: dict[str, int] = {}

    def may_come(rule: Behaviour) -> bool:
        return taken.get(rule.rule_id, 0) < _places(rule, memories, as_of)

    found: list[Suggestion] = []
    while kept < needed and len(found) < MOST_SUGGESTIONS:
        rooms = {group: max(rules.cap_of(group), 0) - groups.get(group, 0) for group in offers}
        rule = _least(offers, rooms, needed - kept, may_come) or _largest(offers, rooms, may_come)
        if rule is None:
            return []
        gain = min(rule.points, rooms[rule.group])
        found.append(Suggestion(rule.rule_id, gain, label=rule.label))
        taken[rule.rule_id] = taken.get(rule.rule_id, 0) + 1
        groups[rule.group] = groups.get(rule.group, 0) + rule.points
        kept += gain
    return found if min(kept, rules.engagement_cap) >= needed else []


Offers = Mapping[str, Sequence[Behaviour]]  # by group, the largest points first


def _least(
    offers: Offers, rooms: Mapping[str, int], needed: int, may_come: Callable[[Behaviour], bool]
) -> Behaviour | None:
    """The smallest touch that is enough; None where none is."""
    least: Behaviour | None = None
    for group, candidates in offers.items():
        if rooms[group] < needed:
            continue
        enough = bisect_right(candidates, -needed, key=lambda rule: -rule.points)
        for rule in reversed(candidates[:enough]):
            if least is not None and rule.points >= least.points:
                break
            if may_come(rule):
                least = rule
                break
    return least


def _largest(offers: Offers, rooms: Mapping[str, int], may_come: Callable[[Behaviour], bool]) -> Behaviour | None:
    """The touch that brings most; None where none brings anything."""
    largest: Behaviour | None = None
    most = 0
    for group, candidates in offers.items():
        for rule in candidates:
            gain = min(rule.points, rooms[group])
            if gain <= most:
                break
            if may_come(rule):
                largest, most = rule, gain
                break
    return largest


@lru_cache(maxsize=256)
def plausible(rules: RuleSet) -> dict[str, list[Behaviour]]:
    """By group, the rules that a touch of the lead itself would meet, the largest points first."""
    offers: dict[str, list[Behaviour]] = {}
    for rule in rules.behaviour:
        types = set(types_of(rule.condition))
        if rule.points > 0 and types and not types & IMPLAUSIBLE:
            offers.setdefault(rule.group, []).append(rule)
    for candidates in offers.values():
        candidates.sort(key=lambda rule: (-rule.points, rule.rule_id))
    return offers


def _places(rule: Behaviour, memories: Sequence[Memory], as_of: int) -> int:
    """How often a touch of this kind would count now."""
    if not rule.begins <= as_of < rule.ends:
        return 0
    parts = key_parts(rule.key)
    if parts.length < 0:  # a campaign that is not known yet
        return rule.limit
    return rule.limit - used(memories, rule, bucket_of(parts, as_of, ""))


def types_of(condition: Condition) -> Iterator[str]:
    for test in _tests(condition):
        if test.field == "touch.type" and test.op in ("eq", "in"):
            yield from [test.value] if isinstance(test.value, str) else test.value


def _tests(condition: Condition) -> Iterator[Test]:
    if isinstance(condition, Test):
        yield condition
    elif isinstance(condition, All):
        for part in condition.parts:
            yield from _tests(part)
