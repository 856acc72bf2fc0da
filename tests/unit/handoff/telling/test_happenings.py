"""Of what happens to an opportunity, people are told this, once."""

from __future__ import annotations

from services.handoff.domain.ending import fire
from services.handoff.domain.rep import accept, decline, qualify
from services.handoff.domain.routed import route, withdraw
from services.handoff.telling.happenings import happenings, over
from shared.schemas.policies import Label
from shared.schemas.policies.routing import DeclineReason

BACK = DeclineReason(code="no_need", kind="quality", label=Label(en="no need"), effect="return_to_is")
FULL = DeclineReason(code="full", kind="decline", label=Label(en="full"), effect="reroute")


def told(before, change):
    return [(one.kind, one.rep_id, one.audience) for one in happenings(before, change)]


def test_an_offer_is_told_and_one_that_is_to_be_taken_is_told_otherwise(given):
    for mode, kind in (("offer", "offer"), ("assign", "assigned")):
        change = route(None, given.routed(mode=mode), given.sla, given.now)
        assert told(None, change) == [(kind, "sato", "rep")]


def test_the_same_change_is_told_under_the_same_id(given):
    change = route(None, given.routed(), given.sla, given.now)
    ids = [one.notification_id for one in happenings(None, change)]
    assert ids == [one.notification_id for one in happenings(None, change)]
    other = route(None, given.routed(assignment=2), given.sla, given.now)
    assert ids != [one.notification_id for one in happenings(None, other)]


def test_who_answers_is_told_nothing_and_what_waits_of_the_offer_is_over(given):
    before = given.offered()
    for change in (accept(before, "sato", given.now), decline(before, "sato", FULL, given.now, note_given=False)):
        assert told(before, change) == []
        assert over(before, change) == [(before.opportunity_id, 1)]
    assert over(before, fire(before, given.now)) == []


def test_what_expires_is_told_to_who_had_it(given):
    before = given.offered()
    change = fire(before, given.now + 60_000)
    assert told(before, change) == [("taken_back", "sato", "rep")]
    assert over(before, change) == [(before.opportunity_id, 1)]


def test_what_the_router_takes_elsewhere_is_told_to_who_had_it_and_to_who_has_it(given):
    before = given.offered()
    assert told(before, route(before, given.routed(2, rep="tanaka"), given.sla, given.now)) == [
        ("offer", "tanaka", "rep"),
        ("withdrawn", "sato", "rep"),
    ]
    assert told(before, withdraw(before, given.withdrawn(), given.now)) == [("withdrawn", "sato", "rep")]


def test_a_lead_that_field_sales_gives_back_is_told_to_inside_sales_who_passed_it_on(given):
    inside = route(None, given.routed(leg="is"), given.sla, given.now).opportunity
    taken = accept(inside, "sato", given.now).opportunity
    passed = qualify(taken, "sato", given.now)
    assert told(taken, passed) == []
    field = route(passed.opportunity, given.routed(2, rep="tanaka"), given.sla, given.now).opportunity
    assert told(field, decline(field, "tanaka", BACK, given.now, note_given=False)) == [("sent_back", "sato", "rep")]
    never_passed = given.offered()
    assert told(never_passed, decline(never_passed, "sato", BACK, given.now, note_given=False)) == []
