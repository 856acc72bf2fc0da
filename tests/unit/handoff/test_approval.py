"""The approval route of a deal: where it may go, and what speaks against it; pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.handoff.people.approval.route import (
    ITEMS,
    NEXT,
    STATES,
    Approval,
    Material,
    NotFromHereError,
    Price,
    RouteIncompleteError,
    State,
    Step,
    TooEarlyError,
    hindrances,
    went_on,
)
from services.handoff.people.stakeholder import Nemawashi, Stakeholder
from services.handoff.people.words import MATERIAL_WORDS, PART_WORDS, RISKS, STATE_WORDS

TODAY = date(2026, 12, 1)
ROUTE = Approval(
    (Step("drafter", "a"), Step("circulator", "b"), Step("approver", title="部長")), limit=Decimal(500), currency="JPY"
)
WHOLE = dict.fromkeys(ITEMS, Material())
PEOPLE = (
    Stakeholder("a", {"department": "総務部"}),
    Stakeholder("b", {"department": "営業部"}, nemawashi=Nemawashi("explained")),
)


def codes(approval: Approval = ROUTE, people: tuple[Stakeholder, ...] = PEOPLE, amount: int | None = None) -> list[str]:
    price = Price(Decimal(amount), "JPY") if amount is not None else Price()
    return [risk.code for risk in hindrances(approval, WHOLE, people, price, TODAY)]


def submitted(approval: Approval = ROUTE) -> Approval:
    return went_on(approval, "submitted", TODAY)


@given(st.lists(st.sampled_from(STATES), max_size=12))
def test_it_only_goes_where_it_may_and_says_where_that_is(wanted: list[State]) -> None:
    approval = ROUTE
    for state in wanted:
        before = approval
        if state not in NEXT[before.state]:
            with pytest.raises(NotFromHereError) as refused:
                went_on(approval, state, TODAY)
            assert refused.value.valid == list(NEXT[before.state])
            continue
        approval = went_on(approval, state, TODAY)
        assert (approval.state, approval.steps) == (state, before.steps)
        assert (approval.submitted_on is None) == (state == "draft")
        assert (approval.decided_on is not None) == (state in ("approved", "rejected"))


def test_nothing_is_submitted_without_who_drafts_and_who_approves() -> None:
    with pytest.raises(RouteIncompleteError) as refused:
        went_on(Approval((Step("circulator", "b"),)), "submitted", TODAY)
    assert refused.value.missing == ["drafter", "approver"]
    with pytest.raises(RouteIncompleteError):
        went_on(replace(submitted(), steps=()), "approved", TODAY)


@pytest.mark.parametrize("state", ["returned", "approved", "rejected"])
def test_nothing_is_decided_before_it_was_submitted(state: State) -> None:
    with pytest.raises(TooEarlyError) as refused:
        went_on(submitted(), state, TODAY - timedelta(days=1))
    assert refused.value.since == TODAY
    assert went_on(submitted(), state, TODAY).state == state
    if state == "rejected":
        later = went_on(submitted(), state, TODAY + timedelta(days=2))
        with pytest.raises(TooEarlyError):
            went_on(later, "draft", TODAY + timedelta(days=1))


def test_what_was_returned_is_late_by_when_it_is_to_be_decided_alone() -> None:
    returned = went_on(submitted(replace(ROUTE, submit_on=date(2026, 11, 30))), "returned", TODAY)
    assert codes(returned) == []
    assert codes(replace(returned, decide_on=date(2026, 11, 30))) == ["approval_late"]


def test_what_was_rejected_begins_anew_without_its_seals() -> None:
    sealed = replace(ROUTE, steps=(replace(ROUTE.steps[0], done=TODAY), *ROUTE.steps[1:]))
    again = went_on(went_on(submitted(sealed), "rejected", TODAY), "draft", TODAY)
    assert (again.steps, again.submitted_on, again.decided_on) == (ROUTE.steps, None, None)


@pytest.mark.parametrize(("amount", "beyond"), [(None, False), (500, False), (501, True)])
def test_an_amount_beyond_the_approvers_limit_is_a_risk(amount: int | None, beyond: bool) -> None:
    assert ("limit_below_amount" in codes(amount=amount)) is beyond
    assert "limit_below_amount" not in codes(replace(ROUTE, currency="USD"), amount=501)


def test_a_draft_that_went_out_without_nemawashi_is_a_risk() -> None:
    untouched = replace(PEOPLE[1], nemawashi=Nemawashi())
    legal = Stakeholder("c", {"department": "法務部"})
    assert codes(people=(PEOPLE[0], untouched, legal)) == []
    [risk] = hindrances(submitted(), WHOLE, (PEOPLE[0], untouched, legal), Price(), TODAY)
    assert (risk.code, risk.about) == ("unprepared", ("b", "c"))


def test_material_that_is_missing_when_it_is_submitted_is_a_risk() -> None:
    lacking = WHOLE | {"roi": Material(present=False)}
    assert [risk.code for risk in hindrances(submitted(), lacking, PEOPLE, Price(), TODAY)] == ["pack_incomplete"]
    assert hindrances(ROUTE, lacking, PEOPLE, Price(), TODAY) == []


def test_who_still_has_to_put_the_seal_and_is_gone_is_a_risk() -> None:
    gone = replace(PEOPLE[1], moved_at=1)
    assert codes(people=(PEOPLE[0], gone)) == ["step_moved"]
    sealed = replace(ROUTE, steps=(ROUTE.steps[0], replace(ROUTE.steps[1], done=TODAY), ROUTE.steps[2]))
    assert codes(sealed, people=(PEOPLE[0], gone)) == []


def test_it_is_late_from_the_day_after_the_planned_one() -> None:
    planned = replace(ROUTE, submit_on=TODAY, decide_on=date(2026, 12, 9))
    assert codes(planned) == []
    assert codes(replace(planned, submit_on=date(2026, 11, 30))) == ["approval_late"]
    assert codes(submitted(replace(planned, submit_on=date(2026, 11, 30)))) == []
    assert codes(submitted(replace(planned, decide_on=date(2026, 11, 30)))) == ["approval_late"]


def test_what_is_approved_has_no_risks_any_more() -> None:
    assert codes(went_on(submitted(), "approved", TODAY), people=(), amount=900) == []


def test_every_code_has_words() -> None:
    assert set(STATE_WORDS) == set(STATES)
    assert set(MATERIAL_WORDS) == set(ITEMS)
    assert set(PART_WORDS) == {"drafter", "circulator", "approver"}
    assert {"no_approver", "limit_below_amount", "step_moved", "unprepared", "pack_incomplete", "approval_late"} <= set(
        RISKS
    )
