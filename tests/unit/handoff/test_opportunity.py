"""What each thing that can happen does to an opportunity."""

from __future__ import annotations

import pytest

from services.handoff.domain.activities import ACTIVITY_TYPES
from services.handoff.domain.ending import fire
from services.handoff.domain.rep import NotTheHolderError, OfferNotOpenError, accept, attributed, decline, log_touch
from services.handoff.domain.routed import route, withdraw
from shared.schemas.vocabulary import TOUCH_TYPES

SECOND = 1000


def accepted(given):
    return accept(given.offered(), "sato", given.now + SECOND).opportunity


def declined(given):
    return decline(given.offered(), "sato", given.reason(), given.now + SECOND, note_given=False).opportunity


def expired(given):
    return fire(given.offered(), given.now + 60 * SECOND).opportunity


def touched(given):
    return log_touch(given.offered(), given.touch(), given.now + SECOND).opportunity


def closed(given):
    return withdraw(given.offered(), given.withdrawn(), given.now + SECOND).opportunity


STATES = {
    "offered": lambda given: given.offered(),
    "accepted": accepted,
    "touched": touched,
    "declined": declined,
    "expired": expired,
    "closed": closed,
}
LATER = 2 * SECOND  # after the offer, before anything more is due
WHAT = {
    "accepted by the holder": lambda g, o: accept(o, "sato", g.now + LATER),
    "declined for capacity": lambda g, o: decline(o, "sato", g.reason(), g.now + LATER, note_given=True),
    "declined as junk": lambda g, o: decline(
        o, "sato", g.reason("junk", "disqualify"), g.now + LATER, note_given=False
    ),
    "declined as too early": lambda g, o: decline(
        o, "sato", g.reason("not_now", "on_hold"), g.now + LATER, note_given=False
    ),
    "touched by the holder": lambda g, o: log_touch(o, g.touch(activity_id="a-2"), g.now + LATER),
    "touched by a colleague": lambda g, o: log_touch(o, g.touch("tanaka", activity_id="a-2"), g.now + LATER),
    "noted by the holder": lambda g, o: log_touch(o, g.touch(human=False, activity_id="a-2"), g.now + LATER),
    "routed to another": lambda g, o: route(o, g.routed(2, "tanaka"), g.sla, g.now + LATER),
    "routed past who has left": lambda g, o: route(o, g.routed(2, "tanaka", relieves="sato"), g.sla, g.now + LATER),
    "routed past somebody else": lambda g, o: route(o, g.routed(2, "tanaka", relieves="mori"), g.sla, g.now + LATER),
    "routed again": lambda g, o: route(o, g.routed(1), g.sla, g.now + LATER),
    "taken back": lambda g, o: withdraw(o, g.withdrawn(), g.now + LATER),
    "due to be accepted": lambda g, o: fire(o, g.now + 60 * SECOND),
    "due to be touched": lambda g, o: fire(o, g.now + 600 * SECOND),
}
OPENED, MOVED = "offer-opened", "stage-changed"
EXPIRED = ["clock-breached", "offer-expired"]
TAKEN = ["offer-accepted", "clock-met", MOVED]

# state, what happens -> stage, what becomes of the latest offer, what is told
TABLE = [
    ("offered", "accepted by the holder", "accepted", "accepted", TAKEN),
    ("offered", "declined for capacity", "offered", "declined", ["offer-declined"]),
    ("offered", "declined as junk", "disqualified", "declined", ["offer-declined", MOVED]),
    ("offered", "declined as too early", "recycled", "declined", ["offer-declined", MOVED]),
    ("offered", "touched by the holder", "accepted", "accepted", ["activity-logged", *TAKEN, "clock-met"]),
    ("offered", "touched by a colleague", "offered", "open", ["activity-logged"]),
    ("offered", "noted by the holder", "offered", "open", ["activity-logged"]),
    ("offered", "routed to another", "offered", "open", [OPENED]),
    ("offered", "routed past who has left", "offered", "open", [OPENED]),
    ("offered", "routed again", "offered", "open", []),
    ("offered", "taken back", "recycled", "withdrawn", ["offer-withdrawn", MOVED]),
    ("offered", "due to be accepted", "offered", "expired", EXPIRED),
    ("offered", "due to be touched", "offered", "expired", EXPIRED),
    ("accepted", "accepted by the holder", "accepted", "accepted", []),
    ("accepted", "declined for capacity", "offered", "declined", ["offer-declined", MOVED]),
    ("accepted", "declined as junk", "disqualified", "declined", ["offer-declined", MOVED]),
    ("accepted", "touched by the holder", "accepted", "accepted", ["activity-logged", "clock-met"]),
    ("accepted", "touched by a colleague", "accepted", "accepted", ["activity-logged"]),
    ("accepted", "routed to another", "accepted", "accepted", ["routing-refused"]),
    ("accepted", "routed past who has left", "offered", "open", [MOVED, OPENED]),
    ("accepted", "routed past somebody else", "accepted", "accepted", ["routing-refused"]),
    ("accepted", "routed again", "accepted", "accepted", []),
    ("accepted", "taken back", "accepted", "accepted", []),
    ("accepted", "due to be accepted", "accepted", "accepted", []),
    ("accepted", "due to be touched", "offered", "expired", [*EXPIRED, MOVED]),
    ("touched", "due to be touched", "accepted", "accepted", []),
    ("touched", "routed past who has left", "offered", "open", [MOVED, OPENED]),
    ("touched", "touched by the holder", "accepted", "accepted", ["activity-logged"]),
    ("declined", "declined for capacity", "offered", "declined", []),
    ("declined", "routed to another", "offered", "open", [OPENED]),
    ("declined", "touched by the holder", "offered", "declined", ["activity-logged"]),
    ("declined", "taken back", "recycled", "declined", [MOVED]),
    ("declined", "due to be touched", "offered", "declined", []),
    ("expired", "routed to another", "offered", "open", [OPENED]),
    ("expired", "taken back", "recycled", "expired", [MOVED]),
    ("expired", "due to be touched", "offered", "expired", []),
    ("closed", "routed past who has left", "recycled", "withdrawn", ["routing-refused"]),
    ("closed", "routed to another", "recycled", "withdrawn", ["routing-refused"]),
    ("closed", "taken back", "recycled", "withdrawn", []),
    ("closed", "touched by the holder", "recycled", "withdrawn", ["activity-logged"]),
    ("closed", "due to be touched", "recycled", "withdrawn", []),
]


@pytest.mark.parametrize(("state", "what", "stage", "offer", "told"), TABLE)
def test_what_happens_to_an_opportunity(given, kinds, state, what, stage, offer, told):
    change = WHAT[what](given, STATES[state](given))
    assert change.opportunity.stage == stage
    assert change.opportunity.offers[-1].state == offer
    assert kinds(change) == told


@pytest.mark.parametrize("state", ["declined", "expired", "closed"])
def test_an_offer_that_is_gone_cannot_be_accepted_and_says_why(given, state):
    with pytest.raises(OfferNotOpenError) as refused:
        accept(STATES[state](given), "sato", given.now + LATER)
    assert refused.value.state == STATES[state](given).offers[-1].state


@pytest.mark.parametrize("state", list(STATES))
def test_who_was_never_asked_can_neither_accept_nor_decline(given, state):
    opportunity = STATES[state](given)
    with pytest.raises(NotTheHolderError):
        accept(opportunity, "tanaka", given.now + LATER)
    with pytest.raises(NotTheHolderError):
        decline(opportunity, "tanaka", given.reason(), given.now + LATER, note_given=False)


def test_who_lost_the_lead_to_another_is_told_that_it_is_too_late(given):
    passed_on = route(expired(given), given.routed(2, "tanaka"), given.sla, given.now + 61 * SECOND).opportunity
    with pytest.raises(OfferNotOpenError, match="expired"):
        accept(passed_on, "sato", given.now + 62 * SECOND)


def test_a_lead_that_is_due_cannot_be_accepted_even_before_its_clock_was_fired(given):
    with pytest.raises(OfferNotOpenError, match="expired"):
        accept(given.offered(), "sato", given.now + 60 * SECOND)


def test_an_offer_can_be_accepted_until_the_last_millisecond(given):
    assert accept(given.offered(), "sato", given.now + 60 * SECOND - 1).opportunity.stage == "accepted"


def test_routing_is_refused_with_the_name_of_the_holder(given):
    change = route(accepted(given), given.routed(2, "tanaka"), given.sla, given.now + LATER)
    [refused] = change.events
    assert (refused.assignment, refused.rep_id, refused.holder, refused.reason) == (2, "tanaka", "sato", "accepted")


def test_a_refused_assignment_is_not_applied_when_it_is_read_again_after_the_holder_lost_the_lead(given):
    refused = route(accepted(given), given.routed(2, "tanaka"), given.sla, given.now + LATER).opportunity
    lost = fire(refused, given.now + 600 * SECOND).opportunity
    again = route(lost, given.routed(2, "tanaka"), given.sla, given.now + 601 * SECOND)
    assert again.events == ()
    assert again.opportunity.current() is None


def test_a_lead_taken_back_while_accepted_closes_when_its_holder_gives_it_up(given):
    kept = withdraw(accepted(given), given.withdrawn(merged_into="lead-2"), given.now + LATER).opportunity
    assert kept.stage == "accepted"
    assert fire(kept, given.now + 600 * SECOND).opportunity.stage == "merged"


def test_a_late_withdrawal_of_an_earlier_assignment_does_not_touch_the_present_offer(given):
    passed_on = route(given.offered(), given.routed(2, "tanaka"), given.sla, given.now + LATER).opportunity
    assert withdraw(passed_on, given.withdrawn(1), given.now + LATER).opportunity.current()


def test_a_pool_that_assigns_has_no_accept_clock_and_the_first_touch_accepts(given, kinds, clocks):
    assigned = given.offered(mode="assign")
    assert [clock.kind for clock in assigned.clocks] == ["first_touch"]
    change = log_touch(assigned, given.touch(), given.now + SECOND)
    assert kinds(change) == ["activity-logged", "offer-accepted", MOVED, "clock-met"]
    assert clocks(change) == {(1, "first_touch"): "met"}


def test_a_touch_without_a_name_is_the_holders(given):
    opportunity = given.offered()
    assert attributed(opportunity, given.touch(None)).rep_id == "sato"
    assert attributed(declined(given), given.touch(None)).rep_id is None


def test_each_re_offer_has_clocks_of_its_own(given, clocks):
    change = route(expired(given), given.routed(2, "tanaka"), given.sla, given.now + 61 * SECOND)
    assert clocks(change) == {
        (1, "accept"): "breached",
        (1, "first_touch"): "cancelled",
        (2, "accept"): "running",
        (2, "first_touch"): "running",
    }


def test_the_events_of_a_decline_carry_reason_and_effect_but_never_the_note(given):
    change = decline(given.offered(), "sato", given.reason("junk", "disqualify"), given.now + LATER, note_given=True)
    told = change.events[0]
    assert (told.reason, told.effect, told.note_given, told.rep_id) == ("junk", "disqualify", True, "sato")


def test_every_activity_is_a_touch_type_of_the_vocabulary():
    assert not ACTIVITY_TYPES - TOUCH_TYPES.keys()


def test_a_lead_that_is_taken_from_one_rep_after_the_other_tells_each_of_it_once(given):
    change = accept(given.offered(), "sato", given.now)
    for number, rep, earlier in ((2, "tanaka", "sato"), (3, "mori", "tanaka")):
        routed = given.routed(number, rep, relieves=earlier)
        change = change.then(route(change.opportunity, routed, given.sla, given.now))
        change = change.then(accept(change.opportunity, rep, given.now))
    change = change.then(fire(change.opportunity, given.now + 600 * SECOND))
    told = [event.event_id for event in change.events]
    assert len(told) == len(set(told)), [(event.kind, event.assignment, event.stage) for event in change.events]
