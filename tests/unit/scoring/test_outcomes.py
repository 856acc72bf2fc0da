"""What sales says of a lead: which events of handoff count, as what, and that nothing of it is taken for what the lead did."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from services.handoff.domain.activities import ACTIVITY_TYPES
from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import Now, decide
from services.scoring.domain.score import Scored, score
from services.scoring.domain.state import LeadState
from shared.schemas.handoff import HandoffEvent
from shared.schemas.ids import lead_id
from shared.schemas.topics import HANDOFF_EVENTS
from shared.schemas.vocabulary import OUTCOME_OF_REASON, OUTCOME_OF_STAGE, TOUCH_TYPES
from tests.unit.scoring.leads import LEAD, NOW, link, outcome, page, rules, scored, state_of, touch

DAY = 86_400_000
BOB = lead_id("bob")
SALES = {"touch.type": {"in": ["sales_rejected_quality", "meeting_booked", "contact_requested"]}}
UNDER = rules([page(), page(-60, id="sales", when=SALES, half_life_days=90, per="cycle", limit=1, group="sales")])


def said(kind: str, **more: Any) -> str | None:
    event = HandoffEvent(
        tenant="acme", kind=kind, event_id="e", lead_id=LEAD, opportunity_id="o", cycle=1, assignment=1, at=NOW, **more
    )  # type: ignore[arg-type]
    record = wire.decode(HANDOFF_EVENTS.name, event.model_dump_json().encode())
    assert record is None or isinstance(record, wire.Touch)
    return record.type if record else None


# --- which count ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("junk", "sales_rejected_quality"),
        ("competitor", "sales_rejected_quality"),
        ("not_target", "sales_rejected_quality"),
        ("wrong_person", "wrong_person"),
        ("not_now", "sales_deferred"),
        ("no_budget_this_fy", "sales_deferred"),
        ("at_capacity", None),
        ("absent", None),
        ("wrong_territory", None),
        ("existing_customer", None),
        ("insufficient_info", None),
        (None, None),
    ],
)
def test_a_decline_says_of_the_lead_what_its_reason_says(reason: str | None, kind: str | None) -> None:
    assert said("offer-declined", reason=reason, stage="accepted") == kind


@pytest.mark.parametrize(
    ("stage", "reason", "kind"),
    [
        ("won", None, "opportunity_won"),
        ("lost", "price", "opportunity_lost"),
        ("lost", "not_now", "opportunity_lost"),
        ("recycled", "not_now", "sales_deferred"),
        ("disqualified", "junk", "sales_rejected_quality"),
        ("offered", "accept", None),
        ("recycled", "recycled", None),
        ("merged", "merged", None),
        ("accepted", None, None),
    ],
)
def test_a_change_of_stage_is_won_or_lost_or_what_its_reason_says(
    stage: str, reason: str | None, kind: str | None
) -> None:
    assert said("stage-changed", stage=stage, reason=reason) == kind


@pytest.mark.parametrize(
    "kind",
    [
        "offer-opened",
        "offer-accepted",
        "offer-expired",
        "offer-withdrawn",
        "routing-refused",
        "clock-met",
        "clock-breached",
    ],
)
def test_what_no_human_says_of_the_lead_says_nothing(kind: str) -> None:
    assert said(kind, reason="junk", stage="won", activity="meeting_held") is None


def test_an_activity_is_what_was_logged() -> None:
    assert {said("activity-logged", activity=activity) for activity in ACTIVITY_TYPES} == ACTIVITY_TYPES
    assert said("activity-logged", activity="no_word_of_ours", reason="junk", stage="won") is None
    assert said("activity-logged") is None


def test_an_activity_that_came_in_as_a_touch_has_scored_as_that() -> None:
    assert said("activity-logged", activity="call_connected", touch="e-1") is None


def test_outcomes_are_touch_types_of_the_vocabulary() -> None:
    assert {*OUTCOME_OF_REASON.values(), *OUTCOME_OF_STAGE.values()} <= TOUCH_TYPES.keys()


def test_a_decline_and_the_change_of_stage_that_follows_are_one_outcome() -> None:
    declined = outcome(1, "offer-declined", reason="junk", stage="accepted")
    closed = outcome(2, "stage-changed", reason="junk", stage="disqualified")
    often = rules([page(-5, id="sales", when=SALES, limit=9, per="1d")])
    assert [part.times for part in scored(often, touch(1), declined, closed, closed).engagement.parts] == [1]
    another = outcome(3, "offer-declined", reason="junk", cycle=2)
    later = outcome(4, "offer-declined", reason="junk", at=NOW + 1)
    assert [part.times for part in scored(often, touch(1), declined, another, later).engagement.parts] == [3]


def test_each_cycle_counts_by_itself() -> None:
    told = [outcome(n, reason="junk", cycle=cycle, at=NOW + n) for n, cycle in enumerate([1, 1, 2])]
    assert [part.times for part in scored(UNDER, touch(1, type="other"), *told).engagement.parts] == [2]


# --- nothing that the lead did --------------------------------------------------------------------------------------------


def lead_of(found: Scored) -> dict[str, Any]:
    """What the lead did, and what it is."""
    return {
        "hand_raise": found.hand_raise,
        "touches": found.touches,
        "sources": (found.first_source, found.last_source),
        "is_test": found.is_test,
        "identities": found.identities,
        "attributes": found.attributes,
        "person": found.person,
        "active": found.active,
    }


@pytest.mark.parametrize("activity", ["contact_requested", "meeting_booked", "phone_inbound"])
def test_what_sales_says_is_no_touch_of_the_lead(activity: str) -> None:
    did = [
        touch(1, is_test=True, attributes={"account": "acme.example"}),
        touch(2, at=NOW - DAY, source_id="mail", is_test=True),
    ]
    logged = outcome(3, "activity-logged", activity=activity, at=NOW + DAY)
    rejected = outcome(4, reason="junk", at=NOW - 9 * DAY)
    before, after = scored(UNDER, *did), scored(UNDER, *did, logged, rejected)
    assert lead_of(after) == lead_of(before)
    assert after.engagement.total < before.engagement.total
    assert after.as_of == NOW + DAY


def test_a_lead_of_whom_only_sales_speaks_is_nobody_yet() -> None:
    decision = decide(Told("acme", LEAD, [(outcome(1, reason="junk"), None)]), LeadState(), UNDER, Now(1))
    assert (decision.outcome, decision.records) == ("silent", [])
    assert isinstance(decision.state, LeadState)
    known = decide(Told("acme", LEAD, [(touch(1), None)]), decision.state, UNDER, Now(2))
    assert known.outcome == "scored"
    assert b'"sales"' in (known.records[0].value or b"")


# --- merges ---------------------------------------------------------------------------------------------------------------


def points(state: LeadState, lead: str) -> int:
    return score(state, lead, UNDER).engagement.total


def test_what_sales_said_goes_where_the_identity_goes_that_the_lead_derives_from() -> None:
    state = state_of(UNDER, touch(1), touch(2, "phone"), outcome(1, reason="junk"))
    assert points(state, LEAD) == -52_000
    other = state_of(UNDER, link("phone", BOB, 1, "anonymous"), base=state)
    assert points(other, LEAD) == -52_000
    assert "outcome/" + LEAD not in other.owned(BOB)
    merged = state_of(UNDER, link("ann", BOB, 2), base=other)
    assert "outcome/" + LEAD in merged.owned(BOB)
    assert points(merged, LEAD) == 0
    undone = state_of(UNDER, link("ann", LEAD, 3), base=merged)
    assert points(undone, LEAD) == -52_000


def test_what_sales_says_of_a_lead_that_is_merged_is_passed_on_at_once() -> None:
    state = state_of(UNDER, touch(1), link("ann", BOB, 2))
    decision = decide(Told("acme", LEAD, [(outcome(1, reason="junk"), None)]), state, UNDER, Now(1))
    transfers = [orjson.loads(record.value or b"") for record in decision.records if record.topic == "score-transfers"]
    assert [(one["lead_id"], one["identity_id"], one["identity_kind"], one["sequence"]) for one in transfers] == [
        (BOB, "outcome/" + LEAD, "outcome", 2)
    ]
