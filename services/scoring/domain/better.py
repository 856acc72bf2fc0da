"""What would make it an A: the fewest plausible touches that reach the next better band."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from services.scoring.domain.engagement import Engagement, used
from services.scoring.domain.ledger import CAMPAIGN, Bucket, bucket_of, key_parts
from services.scoring.domain.memory import Memory
from services.scoring.domain.parts import MOST_SUGGESTIONS, Suggestion
from services.scoring.domain.rules import Behaviour, RuleSet
from shared.schemas.catalogue import BEHAVIOUR_FIELDS
from shared.schemas.conditions import All, AnyOf, Condition, Test
from shared.schemas.touches import Scalar
from shared.schemas.vocabulary import TOUCH_TYPES

# Done by us, by partners, by machines or by the world, or by customers alone: nothing that one could hope for from a lead.
IMPLAUSIBLE = frozenset(
    [
        "sales_rejected_quality",
        "sales_deferred",
        "wrong_person",
        "opportunity_won",
        "opportunity_lost",
        "call_attempted",
        "email_sent_by_rep",
        "email_delivered",
        "email_bounced",
        "intent_surged",
        "deal_registered",
        "referral_received",
        "tender_notified",
        "workshop_held",
        "poc_run",
        "review_held",
        "product_used",
        "product_activated",
        "usage_dropped",
        "seats_changed",
        "nps_answered",
        "support_opened",
        "renewal_due",
        "invoice_overdue",
        "job_changed",
        "company_news",
        "email_unsubscribed",
        "consent_withdrawn",
        "careers_page_viewed",
        "webinar_missed",
        "card_exchanged",
        "identify",
    ]
)
PAGE = "page_viewed"  # what a rule means that names a page or a topic and no type
MOST_TRIALS = 300  # of touches together, where one brings something to several groups
_NAMING = ("eq", "in", "prefix", "suffix", "contains", "exists")
_most = attrgetter("most")
FRESH = ""  # in place of the name of a campaign that nobody has heard of

Touch = dict[str, Any]  # as conditions name its facts


class Better(msgspec.Struct, gc=False):
    """A better grade, and what reaches it."""

    grade: str
    by: list[Suggestion]


class Offer(NamedTuple):
    """A touch that one could hope for, and that costs nothing.

    rule:     that describes it;  meets: all rules that it meets, those together that read the same marks
    campaign: that it belongs to;  most: milli-points that it brings where nothing is used up
    """

    rule: Behaviour
    meets: tuple[tuple[Behaviour, ...], ...]
    campaign: str
    most: int


class Offers(NamedTuple):
    """Those first that bring least. plain: each brings something to one group alone"""

    all: tuple[Offer, ...]
    plain: bool


class _After(NamedTuple):
    """The engagement after a few touches more: these with the total that each leads to, groups before caps, their sum after, and
    the places of buckets that are taken."""

    did: tuple[tuple[Offer, int], ...]
    groups: dict[str, int]
    kept: int
    taken: dict[tuple[str, Bucket], int]


def by_touches(engaged: Engagement, memories: Sequence[Memory], rules: RuleSet, as_of: int) -> list[Suggestion]:
    """The fewest touches that reach the next band, the last of them no larger than it has to be, since small ones come easier; none
    where there is no better band, or it is out of reach."""
    needed = min([edge for edge in rules.bands if edge > engaged.total], default=None)
    if needed is None or needed > rules.engagement_cap:
        return []
    groups, offers = engaged.groups, plausible(rules)
    search = _Search(offers, memories, rules, as_of, needed)
    now = _After((), groups, sum([min(points, max(rules.cap_of(group), 0)) for group, points in groups.items()]), {})
    found = search.greedily(now)
    if not offers.plain and (found is None or len(found.did) > 1):
        found = search.exactly(now) or found
    before, suggestions = engaged.total, []
    for offer, after in found.did if found else ():
        rule = _in_force(offer, as_of)
        suggestions.append(Suggestion(rule.rule_id, after - before, label=rule.label))
        before = after
    return suggestions


def _in_force(offer: Offer, as_of: int) -> Behaviour:
    """The rule that describes a touch which brings something now; while it is not in force, the largest that the touch meets."""
    if offer.rule.begins <= as_of < offer.rule.ends:
        return offer.rule
    met = [rule for readers in offer.meets for rule in readers if rule.begins <= as_of < rule.ends]
    return max(met, key=lambda rule: rule.points)


class _Search:
    def __init__(self, offers: Offers, memories: Sequence[Memory], rules: RuleSet, as_of: int, needed: int) -> None:
        self.offers, self.memories, self.rules, self.as_of, self.needed = offers, memories, rules, as_of, needed
        self.places: dict[tuple[str, Bucket], int] = {}
        self.trials = 0

    def greedily(self, now: _After) -> _After | None:
        """The largest gain, until one touch is enough. What a touch adds to one group only shrinks with what was added before, so
        that for touches of one group each this is the best choice."""
        while len(now.did) < MOST_SUGGESTIONS:
            if last := self._smallest(now):
                return last
            best = now
            for offer in reversed(self.offers.all):
                if now.kept + offer.most <= best.kept:
                    break
                best = max(best, self._with(now, offer), key=lambda after: after.kept)
            if best is now:
                break
            now = best
        return None

    def exactly(self, now: _After) -> _After | None:
        """Two, or three, of which each may bring something to several groups; None where that takes too long to find."""
        alone = [(self._with(now, offer).kept - now.kept, offer) for offer in reversed(self.offers.all)]
        gains = sorted([one for one in alone if one[0] > 0], key=lambda one: -one[0])
        for many in range(2, MOST_SUGGESTIONS + 1):
            if before_last := self._some(gains, 0, now, many):
                return self._smallest(before_last)
        return None

    def _some(self, gains: list[tuple[int, Offer]], first: int, now: _After, many: int) -> _After | None:
        """All but the last of so many that are enough, from the `first` on; no touch brings more than it does alone."""
        for place in range(first, len(gains)):
            gain, offer = gains[place]
            self.trials += 1
            if now.kept + many * gain < self.needed or self.trials > MOST_TRIALS:
                break
            after = self._with(now, offer)
            if many == 1:
                if after.kept >= self.needed:
                    return now
            elif found := self._some(gains, place, after, many - 1):
                return found
        return None

    def _smallest(self, now: _After) -> _After | None:
        """With the smallest touch that is enough; None where none is."""
        for offer in self.offers.all[bisect_left(self.offers.all, self.needed - now.kept, key=_most) :]:
            after = self._with(now, offer)
            if after.kept >= self.needed:
                return after
        return None

    def _with(self, now: _After, offer: Offer) -> _After:
        groups, taken, kept = now.groups.copy(), now.taken, now.kept
        for readers in offer.meets:
            parts = key_parts(readers[0].key)
            if parts.length != CAMPAIGN or offer.campaign != FRESH:
                place = readers[0].key, bucket_of(parts, self.as_of, offer.campaign)
                if taken.get(place, 0) >= self._places(readers[0], place):
                    continue
                taken = {**taken, place: taken.get(place, 0) + 1}
            for rule in readers:
                if rule.begins <= self.as_of < rule.ends:
                    before, cap = groups.get(rule.group, 0), max(self.rules.cap_of(rule.group), 0)
                    groups[rule.group] = after = before + rule.points
                    kept += min(after, cap) - min(before, cap)
        return _After((*now.did, (offer, min(kept, max(self.rules.engagement_cap, 0)))), groups, kept, taken)

    def _places(self, rule: Behaviour, place: tuple[str, Bucket]) -> int:
        """How many touches would count in a bucket, besides those that are in it already."""
        left = self.places.get(place)
        if left is None:
            left = self.places[place] = rule.limit - used(self.memories, rule, place[1])
        return left


@lru_cache(maxsize=256)
def plausible(rules: RuleSet) -> Offers:
    """Of each rule that gives points the touch that it describes, if the lead itself could do it and it would meet no rule that
    takes some; of several such touches the one that brings least, so that no more is promised than any of them keeps."""
    found: dict[Any, Offer] = {}
    for rule in sorted(rules.behaviour, key=lambda rule: (-rule.points, rule.rule_id)):
        touches = [touch for asked in islice(_asked(rule.condition, {}), 20) if (touch := _whole(asked))]
        offers = [offer for touch in touches if (offer := _offer(rule, touch, rules))]
        if offers:
            least = min(offers, key=_most)
            found.setdefault((*(one.rule_id for key in least.meets for one in key), least.campaign), least)
    every = sorted(found.values(), key=lambda offer: (offer.most, offer.rule.rule_id))
    return Offers(tuple(every), all(len({rule.group for key in one.meets for rule in key}) == 1 for one in every))


def _offer(rule: Behaviour, touch: Touch, rules: RuleSet) -> Offer | None:
    met = [one for one in rules.behaviour if one.points and one.condition.holds(touch)]
    if rule not in met or any(one.points < 0 for one in met):
        return None
    by_key: dict[str, list[Behaviour]] = {}
    for one in met:
        by_key.setdefault(one.key, []).append(one)
    most = sum(one.points for one in met)
    return Offer(rule, tuple(map(tuple, by_key.values())), touch.get("touch.campaign", FRESH), most)


def _whole(touch: Touch) -> Touch | None:
    """A touch that the lead itself could do; None for any other."""
    named = {"touch.type": PAGE} if "touch.path" in touch or "touch.topic" in touch else {}
    whole = {"touch.automated": False, "touch.is_test": False, "source.trusted": False, **named, **touch}
    if "touch.type" not in whole or whole["touch.type"] in IMPLAUSIBLE:
        return None
    return None if whole["touch.automated"] or whole["touch.is_test"] else whole


def _asked(condition: Condition, touch: Touch) -> Iterator[Touch]:
    """Facts by which the condition may hold, beside those of the touch; what it denies is left to be seen."""
    if isinstance(condition, All):
        first, *rest = condition.parts or (None,)
        if first is None:
            yield touch
        else:
            for told in _asked(first, touch):
                yield from _asked(All(tuple(rest)), told)
    elif isinstance(condition, AnyOf):
        for part in condition.parts:
            yield from _asked(part, touch)
    elif isinstance(condition, Test) and condition.op in _NAMING and condition.value is not False:
        for value in [touch[condition.field]] if condition.field in touch else _values(condition):
            yield {**touch, condition.field: value}
    else:
        yield touch


def _values(test: Test) -> Iterable[Scalar]:
    """Of the field, by which the test holds."""
    if test.field == "touch.type":
        return [kind for kind in TOUCH_TYPES if test.holds({test.field: kind})]
    if test.op == "exists":
        return [BEHAVIOUR_FIELDS[test.field] is bool or "any"]
    return test.value if isinstance(test.value, tuple) else (test.value,)


def types_of(condition: Condition) -> Iterator[str]:
    """The types of touches that a condition names."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from types_of(part)
    elif isinstance(condition, Test) and condition.field == "touch.type" and condition.op in ("eq", "in"):
        yield from [condition.value] if isinstance(condition.value, str) else condition.value
