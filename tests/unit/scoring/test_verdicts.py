"""Machines: automated touches, and events that turn out later to have been a machine's."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from services.scoring.domain.ledger import event_of
from services.scoring.domain.memory import MOST_VERDICTS
from services.scoring.domain.score import Scored, score
from services.scoring.domain.state import LeadState
from tests.unit.scoring.leads import LEAD, NOW, link, page, rules, scored, state_of, touch

UNDER = rules([page(limit=1), page(-1, id="robot", when={"touch.automated": {"eq": True}}, group="mail")])


def verdict(*events: str, number: int = 90, identity: str = "ann", **more: Any) -> Any:
    return touch(number, identity, lead_id=LEAD, type="custom", automated=True, condemns=events, **more)


def human(found: Scored) -> tuple[int, list[str], str | None, str | None]:
    of_pages = sum(part.given for part in found.engagement.parts if part.rule_id == "page")
    raised = found.hand_raise.raised.event_id if found.hand_raise else None
    return of_pages, [one.event_id for one in found.touches], found.first_source, raised


def test_an_automated_touch_marks_only_rules_that_judge_it() -> None:
    found = scored(UNDER, touch(1, automated=True))
    assert [part.rule_id for part in found.engagement.parts] == ["robot"]


def test_an_automated_touch_is_no_hand_raise_no_recent_touch_and_no_source() -> None:
    found = scored(UNDER, touch(1, type="contact_requested", automated=True))
    assert (found.hand_raise, found.touches, found.first_source, found.last_source) == (None, [], None, None)


def test_an_automated_touch_still_tells_what_it_tells() -> None:
    assert scored(UNDER, touch(1, automated=True, attributes={"level": "head"})).attributes == {"level": "head"}


def test_a_verdict_condemns_whether_it_comes_before_the_touch_or_after() -> None:
    told = [touch(1, type="page_viewed"), touch(2, at=NOW + 1, type="contact_requested"), verdict("event-1", "event-2")]
    found = [scored(UNDER, *order) for order in permutations(told)]
    assert {(*human(one)[2:], one.engagement.total) for one in found} == {(None, None, -1_000)}


def test_what_is_condemned_holds_its_place() -> None:
    first, second = touch(1, at=NOW - 2), touch(2, at=NOW - 1)
    assert human(scored(UNDER, first, second))[0] == 8_000
    assert human(scored(UNDER, first, second, verdict("event-1"))) == (0, ["event-2"], None, None)
    assert human(scored(UNDER, first, second, verdict("event-2")))[0] == 8_000


def test_a_verdict_told_of_one_identity_of_a_lead_condemns_the_touches_of_all() -> None:
    told = [touch(1), link("phone", LEAD, 1, "anonymous"), verdict("event-1", identity="phone")]
    assert {human(scored(UNDER, *order))[0] for order in permutations(told)} == {0}


def test_a_verdict_reaches_as_far_as_the_lead_does() -> None:
    apart = state_of(UNDER, touch(1), verdict("event-1", identity="phone"))
    assert human(score(apart, LEAD, UNDER))[0] == 8_000, "the phone is a lead of its own"
    merged = state_of(UNDER, link("phone", LEAD, 1, "anonymous"), base=apart)
    assert human(score(merged, LEAD, UNDER))[0] == 0
    undone = state_of(UNDER, link("phone", "another", 2, "anonymous"), base=merged)
    assert human(score(undone, LEAD, UNDER))[0] == 8_000


@pytest.mark.parametrize("step", [1, -1])
def test_of_too_many_verdicts_the_latest_stand_however_they_came(step: int) -> None:
    many = MOST_VERDICTS + 20
    told = [verdict(f"event-{n}", number=1000 + n, at=NOW + n, received_at=NOW + n) for n in range(many)]
    told.append(verdict("event-0", number=5000, received_at=NOW + many))
    state = LeadState()
    for some in [told[n : n + 50] for n in range(0, many + 1, 50)][::step]:
        state = state_of(UNDER, *some, base=state)
    condemned = state.memories["ann"].condemned
    assert condemned == state_of(UNDER, *told).memories["ann"].condemned
    assert condemned.keys() == {event_of(f"event-{n}") for n in (0, *range(21, many))}
