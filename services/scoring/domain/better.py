"""What would make it an A: the fewest plausible touches that reach the next better band."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from services.scoring.domain.engagement import Engagement, capped, net, used
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
    """Those first that bring most. plain: each brings something to one group alone"""

    all: tuple[Offer, ...]
    plain: bool


def by_touches(engaged: Engagement, memories: Sequence[Memory], rules: RuleSet, as_of: int) -> list[Suggestion]:
    """The fewest touches that reach the next band, the last of them no larger than it has to be, since small ones come easier; none
    where there is no better band, or it is out of reach."""
    needed = min((edge for edge in rules.bands if edge > engaged.total), default=None)
    if needed is None or needed > rules.engagement_cap:
        return []
    outlook = _Outlook(engaged, memories, rules, as_of, needed)
    offers = plausible(rules)
    found = outlook.greedily(offers.all)
    if not offers.plain and len(found) != 1:
        found = outlook.exactly(offers.all) or found
    return outlook.told(found)


class _Outlook:
    """The engagement as it would be after a few touches more."""

    def __init__(
        self, engaged: Engagement, memories: Sequence[Memory], rules: RuleSet, as_of: int, needed: int
    ) -> None:
        self.engaged, self.memories, self.rules, self.as_of, self.needed = engaged, memories, rules, as_of, needed
        self.places: dict[tuple[str, Bucket], int] = {}
        self.trials = 0

    def total(self, offers: Iterable[Offer]) -> int:
        groups = net(self.engaged.gains, self.engaged.losses)
        taken: dict[tuple[str, Bucket], int] = {}
        for offer in offers:
            for readers in offer.meets:
                parts = key_parts(readers[0].key)
                if parts.length != CAMPAIGN or offer.campaign != FRESH:
                    place = readers[0].key, bucket_of(parts, self.as_of, offer.campaign)
                    taken[place] = taken.get(place, 0) + 1
                    if taken[place] > self._places(readers[0], place):
                        continue
                for rule in readers:
                    if rule.begins <= self.as_of < rule.ends:
                        groups[rule.group] = groups.get(rule.group, 0) + rule.points
        return capped(groups, self.rules)

    def greedily(self, offers: Sequence[Offer]) -> list[Offer]:
        """The largest gain, until one touch is enough. What a touch adds to one group only shrinks with what was added before, so
        that for touches of one group each this is the best choice."""
        found: list[Offer] = []
        while len(found) < MOST_SUGGESTIONS:
            total = self.total(found)
            if last := self._smallest(offers, found, total):
                return [*found, last]
            best, reached = None, total
            for offer in offers:
                if total + offer.most <= reached:
                    break
                would = self.total([*found, offer])
                if would > reached:
                    best, reached = offer, would
            if best is None:
                break
            found.append(best)
        return []

    def exactly(self, offers: Sequence[Offer]) -> list[Offer]:
        """Two, or three, of which each may bring something to several groups; none where that takes too long to find."""
        total = self.engaged.total
        alone = [(self.total([offer]) - total, offer) for offer in offers]
        gains = sorted([one for one in alone if one[0] > 0], key=lambda one: -one[0])
        for many in range(2, MOST_SUGGESTIONS + 1):
            if found := self._some(gains, 0, [], total, many):
                last = self._smallest(offers, found[:-1], self.total(found[:-1]))
                return [*found[:-1], last or found[-1]]
        return []

    def _smallest(self, offers: Sequence[Offer], found: list[Offer], total: int) -> Offer | None:
        """That is enough, after those found; None where none is."""
        for offer in reversed(offers):
            if total + offer.most >= self.needed and self.total([*found, offer]) >= self.needed:
                return offer
        return None

    def _some(
        self, gains: list[tuple[int, Offer]], first: int, chosen: list[Offer], total: int, many: int
    ) -> list[Offer]:
        """So many that are enough, from the `first` on; no touch brings more than it does alone."""
        for place in range(first, len(gains)):
            gain, offer = gains[place]
            self.trials += 1
            if total + many * gain < self.needed or self.trials > MOST_TRIALS:
                break
            would = self.total([*chosen, offer])
            if would >= self.needed:
                return [*chosen, offer]
            if many > 1 and (found := self._some(gains, place, [*chosen, offer], would, many - 1)):
                return found
        return []

    def told(self, offers: list[Offer]) -> list[Suggestion]:
        """Each with what it brings when it comes after the others."""
        totals = [self.engaged.total, *(self.total(offers[: many + 1]) for many in range(len(offers)))]
        return [
            Suggestion(offer.rule.rule_id, after - before, label=offer.rule.label)
            for offer, before, after in zip(offers, totals, totals[1:], strict=False)
        ]

    def _places(self, rule: Behaviour, place: tuple[str, Bucket]) -> int:
        """How many touches would count in a bucket, with those that are in it already left out."""
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
            least = min(offers, key=lambda offer: offer.most)
            found.setdefault((*(one.rule_id for key in least.meets for one in key), least.campaign), least)
    every = sorted(found.values(), key=lambda offer: (offer.most, offer.rule.rule_id), reverse=True)
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
