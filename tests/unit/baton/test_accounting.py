"""An account that adds up, and one that says what does not."""

from __future__ import annotations

from collections import Counter

from baton.replay.accounting import Found, account, place, tell
from baton.segment import Answer, Tally
from shared.schemas import ids


def _event(message_id: str) -> str:
    return ids.derived_id("event", "t", "web", message_id)


def _sent(**statuses: str) -> Tally:
    tally = Tally(Counter(dict.fromkeys(statuses, 1)))
    tally.answers = {
        name: [Answer(status, "bad" if status == "rejected" else None)] for name, status in statuses.items()
    }
    return tally


ROUTED = {"owner_rep": "sato", "waiting_reason": None, "provisional": False}
PARKED = {"owner_rep": None, "waiting_reason": "parked:all_full", "provisional": False}


def test_everything_is_accounted_for() -> None:
    tally = _sent(m1="accepted", m2="duplicate", m3="rejected")
    found = Found(
        touches={_event("m1"): ("lead-1", "email"), _event("m2"): ("lead-2", "user")},
        sources=frozenset({"web"}),
        scored={"lead-1": None, "lead-2": None},
        rows={"lead-1": ROUTED, "lead-2": PARKED},
        opportunities={"lead-1": 1},
    )
    made = account("t", tally, found, seconds=2, units=3)
    assert (made.received, made.accepted, made.rejected, made.duplicate) == (3, 1, 1, 1)
    assert (made.leads_scored, made.routed, made.parked, made.nurtured, made.opportunities) == (2, 1, 1, 0, 1)
    assert made.parked_reasons == {"all_full": 1}
    assert made.unaccounted == []
    assert "received 3 = 1 accepted + 1 rejected + 1 duplicate" in tell(made)
    assert tell(made).endswith("Nothing is unaccounted for.")


def test_what_is_missing_is_named() -> None:
    tally = _sent(m1="accepted", m2="accepted", m3="accepted")
    tally.sent["m4"] += 1
    found = Found(
        touches={_event("m1"): ("lead-1", "email"), _event("m2"): ("lead-2", "email")},
        sources=frozenset({"web"}),
        scored={"lead-1": None},
        rows={"lead-1": ROUTED},
    )
    gaps = account("t", tally, found, seconds=1, units=4).unaccounted
    assert gaps == [
        "1 events have no answer (no reason given)",
        "1 accepted events are not on `touchpoints`",
        "1 leads have no score",
        "1 leads are nowhere in the router",
        "1 routed leads have no opportunity",
    ]


def test_a_merged_lead_has_its_place_with_the_other() -> None:
    found = Found(
        touches={_event("m1"): ("lead-1", "email"), _event("m2"): ("lead-2", "email")},
        sources=frozenset({"web"}),
        scored={"lead-1": "lead-2", "lead-2": None},
        rows={"lead-2": {**PARKED, "waiting_reason": "below_gate"}},
    )
    made = account("t", _sent(m1="accepted", m2="accepted"), found, seconds=1, units=2)
    assert (made.merged, made.nurtured, made.unaccounted) == (1, 1, [])


def test_touches_of_nobody_make_no_lead() -> None:
    found = Found(touches={_event("m1"): ("x", "anonymous")}, sources=frozenset({"web"}))
    made = account("t", _sent(m1="accepted"), found, seconds=1, units=1)
    assert (made.leads, made.unaccounted) == (0, [])


def test_every_row_of_the_router_is_one_place() -> None:
    assert place(None) == place({**PARKED, "waiting_reason": "unscored"}) == "nowhere"
    assert place(ROUTED) == "routed"
    assert place({**PARKED, "waiting_reason": "recycled"}) == "closed"
