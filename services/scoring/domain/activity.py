"""When a lead did something of its own: what makes it one of its company's active people."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache

from services.scoring.domain.better import types_of
from services.scoring.domain.ledger import DAY, read
from services.scoring.domain.memory import Memory, Recent
from services.scoring.domain.people import MOST_MOMENTS
from services.scoring.domain.rules import RuleSet

# Done by us, by partners or by machines: a person of whom no more than this is known did nothing.
NOT_THEIRS = frozenset(
    ["email_sent_by_rep", "call_attempted", "referral_received", "deal_registered", "tender_notified", "intent_surged"]
)


@dataclass(frozen=True, slots=True)
class Acts:
    """What a policy gives points for that people do themselves.

    types:   of touches;  keys: of marks, each with its horizon, ms
    lasting: keys of marks that count for as long as is asked, or longer;  passing: the others
    """

    types: frozenset[str]
    keys: dict[str, int]
    lasting: frozenset[str]
    passing: frozenset[str]


@lru_cache(maxsize=256)
def acts(rules: RuleSet, span: int) -> Acts:
    """span: for how long is asked, ms"""
    types: set[str] = set()
    keys: dict[str, int] = {}
    for rule in rules.behaviour:
        named = set(types_of(rule.condition))
        if rule.points > 0 and named and not named & NOT_THEIRS:
            types |= named
            keys[rule.key] = max(keys.get(rule.key, 0), rule.horizon)
    lasting = frozenset(key for key, horizon in keys.items() if horizon >= span)
    return Acts(frozenset(types), keys, lasting, frozenset(keys.keys() - lasting))


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
    own = acts(rules, as_of - since)
    found = [touch.at for touch in touches if touch.type in own.types]
    for memory in memories:
        days = [] if condemned else memory.days(own.lasting, zone).all
        told = days[bisect_left(days, since) :]
        found += told
        for key in memory.marks.keys() & (own.passing if told else own.keys):
            oldest = max(as_of - own.keys[key], 0)
            if condemned:
                marks = read(b"".join(memory.marks[key].values()))
                found += [at for at, event in marks if at >= oldest and event not in condemned]
            else:
                every = memory.moments(key).all
                some = every[bisect_left(every, max(oldest, since)) :] or [at for at in every[-1:] if at >= oldest]
                found += map(int, some)
    latest = {(at + zone) // DAY: at for at in sorted(found)}  # by day, the earliest first
    moments = list(latest.values())[: -MOST_MOMENTS - 1 : -1]
    return tuple([at for place, at in enumerate(moments) if at > since or not place])
