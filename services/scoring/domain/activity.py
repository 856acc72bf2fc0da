"""When a lead did something of its own: what makes it one of its company's active people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache

from services.scoring.domain.better import types_of
from services.scoring.domain.ledger import DAY, key_parts
from services.scoring.domain.memory import Memory, Recent
from services.scoring.domain.people import MOST_MOMENTS
from services.scoring.domain.rules import RuleSet

# Done by us, by partners or by machines: a person of whom no more than this is known did nothing.
NOT_THEIRS = frozenset(
    ["email_sent_by_rep", "call_attempted", "referral_received", "deal_registered", "tender_notified", "intent_surged"]
)


@dataclass(frozen=True, slots=True)
class Acts:
    """What a policy gives points for that people do themselves. types: of touches;  keys: of marks, each with its horizon (ms), and
    whether a bucket of it is a day"""

    types: frozenset[str]
    keys: dict[str, tuple[int, bool]]


@lru_cache(maxsize=256)
def acts(rules: RuleSet) -> Acts:
    types: set[str] = set()
    keys: dict[str, tuple[int, bool]] = {}
    for rule in rules.behaviour:
        named = set(types_of(rule.condition))
        if rule.points > 0 and named and not named & NOT_THEIRS:
            types |= named
            horizon, _ = keys.get(rule.key, (0, False))
            keys[rule.key] = max(horizon, rule.horizon), key_parts(rule.key).length == DAY
    return Acts(frozenset(types), keys)


def active(
    memories: Iterable[Memory],
    touches: Sequence[Recent],
    rules: RuleSet,
    as_of: int,
    since: int,
    condemned: Set[bytes],
    zone: int,
) -> tuple[int, ...]:
    """The last moment of each day on which something was done, latest first; of those before `since` the last alone.

    A day is told by the latest touches, of which few are kept, or by the marks, which tell few of each day: so that neither a busy
    person's past is forgotten nor a limited rule's last touch.
    """
    own = acts(rules)
    days: dict[int, int] = {}
    for touch in touches:
        if touch.type in own.types:
            _note(days, touch.at, zone)
    before = 0  # the last of what lies before `since`
    for memory in memories:
        for key in own.keys.keys() & memory.marks:
            horizon, of_one_day = own.keys[key]
            oldest = as_of - horizon
            for marks in memory.marks[key].values():
                for at, event in marks[-1:] if of_one_day and not condemned else marks:  # sorted by time
                    if at < oldest or event in condemned:
                        continue
                    if at > since:
                        day = (at + zone) // DAY  # as `_note`, which is a call too many for each of hundreds
                        if at > days.get(day, -1):
                            days[day] = at
                    elif at > before:
                        before = at
    if before:
        _note(days, before, zone)
    latest = sorted(days.values(), reverse=True)[:MOST_MOMENTS]
    return tuple([at for place, at in enumerate(latest) if at > since or not place])


def _note(days: dict[int, int], at: int, zone: int) -> None:
    day = (at + zone) // DAY
    if at > days.get(day, -1):
        days[day] = at
