"""What scores and handoff events do to a lead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.router.domain.facts import Scored, Touched
from services.router.domain.lead import Held, Lead
from services.router.domain.lifecycle import Arrival, cooled, happened
from services.router.domain.lifecycle import scored as arrive
from shared.schemas.handoff import HandoffEvent
from shared.schemas.scores import LeadScored, PartialScore, PolicyRef, RecentTouch, Version

DAY = 86_400_000
VIEWED = Touched("pricing_viewed", 601, "view")

OFFERED = Lead(
    "lead-1",
    version=(1, 1, 5, 5),
    digest="old",
    grade="A1",
    stage="mql",
    disposition="active",
    leg="fs",
    verdict="mql",
    lead_class="score",
    qualifying_at=5,
    owner_rep="sato",
    pool_id="field",
    provisional=True,
    assignment=1,
    held_assignment=1,
    waiting_reason=None,
)
ACCEPTED = replace(OFFERED, accepted=True, provisional=False, stage="sal")


def event(kind, *, assignment=1, at=50, **more):
    fields = {"tenant": "t", "lead_id": "lead-1", "opportunity_id": "o", "cycle": 1, "rep_id": "sato"} | more
    return HandoffEvent(kind=kind, event_id=f"{kind}-{assignment}", assignment=assignment, at=at, **fields)


@pytest.fixture
def arrival(scored):
    def make(grade="A1", *, version=(1, 1, 9, 9), merged_into=None, **more):
        score = scored(grade, **more)
        return Arrival(version, score, score.digest(), merged_into)

    return make


@pytest.mark.parametrize("version", [(1, 1, 5, 5), (1, 1, 4, 99), (0, 9, 9, 9)])
def test_a_score_that_is_not_newer_changes_nothing(arrival, playbook, version):
    step = arrive(OFFERED, arrival(version=version), playbook, 10)
    assert (step.lead, step.cause, step.decide) == (OFFERED, None, False)


def test_a_new_lead_is_decided_on_and_an_owned_one_keeps_its_owner(arrival, playbook):
    assert arrive(Lead("lead-1"), arrival("D4"), playbook, 10).decide
    step = arrive(OFFERED, arrival("D4"), playbook, 10)
    assert (step.decide, step.lead.owner_rep, step.lead.version, step.lead.grade) == (False, "sato", (1, 1, 9, 9), "D4")


def test_a_score_that_looks_the_same_to_the_gate_is_no_cause(arrival, playbook):
    same = arrival("D4")
    waiting = replace(Lead("lead-1"), version=(1, 1, 5, 5), digest=same.digest, waiting_reason="below_gate")
    assert not arrive(waiting, same, playbook, 10).decide
    assert arrive(waiting, arrival("D3"), playbook, 10).decide
    assert arrive(replace(waiting, waiting_reason="parked:no_rule"), same, playbook, 10).decide


def test_points_alone_do_not_change_the_digest_and_an_answer_does(scored):
    assert scored(engagement=40_000).digest() == scored(engagement=44_000).digest()
    assert scored().digest() != scored(answers=[("T1", "now", 1)]).digest()
    assert scored().digest() != scored(attributes={"level": "head"}).digest()
    assert scored().digest() != scored(raised="demo_requested").digest()


def test_an_offer_that_was_opened_is_provisional_no_more():
    assert not happened(OFFERED, event("offer-opened"), None).lead.provisional


@pytest.mark.parametrize(("leg", "stage"), [("fs", "sal"), ("is", "tal")])
def test_a_lead_that_was_accepted_moves_on(leg, stage):
    step = happened(replace(OFFERED, leg=leg), event("offer-accepted"), None)
    assert (step.lead.stage, step.lead.accepted, step.lead.owner_rep) == (stage, True, "sato")
    assert happened(step.lead, event("offer-accepted"), None).cause is None, "said twice is said once"


@pytest.mark.parametrize("lead", [OFFERED, ACCEPTED])
def test_an_expired_offer_is_routed_anew_without_the_rep_who_let_it_run_out(playbook, lead):
    step = happened(lead, event("offer-expired", effect="reroute"), playbook)
    assert (step.decide, step.lead.excluded, step.credit) == (True, ("sato",), None)
    assert step.lead.replaced == (Held(1, "sato", "field"),)


@pytest.mark.parametrize(
    ("reason", "effect", "disposition", "waiting", "credit"),
    [
        ("junk", "disqualify", "disqualified", "disqualified", ("field", "sato")),
        ("not_now", "recycle", "recycled", "recycled", None),
        ("no_need", "nurture", "nurture", "nurture", None),
        ("not_now", "on_hold", "on_hold", "on_hold", None),
        ("existing_deal", "to_owner", "active", "to_owner", ("field", "sato")),
    ],
)
def test_a_decline_has_the_effect_of_its_reason(playbook, reason, effect, disposition, waiting, credit):
    step = happened(OFFERED, event("offer-declined", reason=reason, effect=effect), playbook)
    assert (step.lead.disposition, step.lead.waiting_reason, step.lead.owner_rep) == (disposition, waiting, None)
    assert (step.credit, step.decide, step.lead.closed_at) == (credit, False, 50)


def test_a_lead_that_is_returned_goes_to_inside_sales(playbook):
    step = happened(OFFERED, event("offer-declined", reason="wrong_person", effect="return_to_is"), playbook)
    assert step.decide
    assert step.lead.returned_to_is


@pytest.mark.parametrize(
    "kind", ["offer-opened", "offer-accepted", "offer-declined", "offer-expired", "routing-refused"]
)
def test_what_concerns_an_earlier_assignment_is_stale(playbook, kind):
    later = replace(OFFERED, assignment=2, held_assignment=2)
    assert happened(later, event(kind, assignment=1), playbook).lead is later


def test_a_decline_said_twice_is_said_once(playbook):
    parked = replace(OFFERED.waits("parked:all_declined", 50), excluded=("sato",))
    step = happened(parked, event("offer-declined", effect="reroute"), playbook)
    assert (step.lead, step.decide, step.credit) == (parked, False, None)


def test_a_routing_that_is_refused_leaves_the_lead_with_its_holder_and_gives_the_turn_back(playbook):
    rerouted = replace(
        OFFERED,
        owner_rep="tanaka",
        assignment=2,
        held_assignment=2,
        excluded=("sato",),
        replaced=(Held(1, "sato", "field"),),
    )
    step = happened(
        rerouted, event("routing-refused", assignment=2, rep_id="tanaka", reason="accepted", holder="sato"), playbook
    )
    lead = step.lead
    assert (lead.owner_rep, lead.accepted, lead.stage, lead.held_assignment) == ("sato", True, "sal", 1)
    assert (lead.assignment, lead.excluded, step.credit) == (2, (), ("field", "tanaka"))
    assert happened(lead, event("offer-expired", assignment=1), playbook).decide, "the holder's clock still counts"


@pytest.mark.parametrize("stage", ["recycled", "disqualified"])
def test_a_routing_that_met_a_closed_opportunity_closes_the_lead(playbook, stage):
    step = happened(OFFERED, event("routing-refused", reason="closed", stage=stage), playbook)
    assert (step.lead.waiting_reason, step.lead.owner_rep, step.credit) == (stage, None, ("field", "sato"))
    assert not step.decide


def test_a_routing_that_met_a_withdrawn_opportunity_starts_another_cycle(playbook):
    step = happened(OFFERED, event("routing-refused", reason="closed", stage="merged"), playbook)
    assert (step.decide, step.lead.cycle, step.credit) == (True, 2, ("field", "sato"))


def test_a_merged_lead_is_withdrawn_unless_it_was_accepted(arrival, playbook):
    offered = arrive(OFFERED, arrival(merged_into="lead-2"), playbook, 10)
    assert (offered.withdraw, offered.lead.waiting_reason, offered.lead.stage) == (True, "merged", "merged")
    kept = arrive(ACCEPTED, arrival(merged_into="lead-2"), playbook, 10)
    assert (kept.withdraw, kept.lead.owner_rep, kept.lead.merged_into) == (False, "sato", "lead-2")
    nobody = arrive(Lead("lead-1"), arrival(merged_into="lead-2"), playbook, 10)
    assert (nobody.withdraw, nobody.lead.waiting_reason) == (False, "merged")


def test_who_accepted_while_it_was_withdrawn_keeps_it_until_giving_it_up(arrival, playbook):
    gone = arrive(OFFERED, arrival(merged_into="lead-2"), playbook, 10).lead
    kept = happened(gone, event("offer-accepted"), playbook).lead
    assert (kept.owner_rep, kept.accepted, kept.waiting_reason) == ("sato", True, None)
    given_up = happened(kept, event("offer-expired", effect="reroute"), playbook)
    assert (given_up.decide, given_up.lead.waiting_reason) == (False, "merged"), "a merged lead is routed no more"
    assert given_up.withdraw, "and what handoff has left open of it ends"


def test_a_merge_that_is_undone_goes_on_in_its_cycle_and_handoff_says_who_has_it(arrival, playbook):
    gone = arrive(OFFERED, arrival(merged_into="lead-2"), playbook, 10).lead
    back = arrive(gone, arrival(version=(1, 1, 10, 10)), playbook, 20)
    assert (back.decide, back.lead.cycle, back.lead.merged_into, back.lead.stage) == (True, 1, None, "inquiry")
    assert back.lead.replaced == (Held(1, "sato", "field"),)


@pytest.fixture
def closed(playbook):
    def make(effect, reason="not_now"):
        return happened(OFFERED, event("offer-declined", reason=reason, effect=effect, at=600), playbook).lead

    return make


def test_a_closed_lead_comes_back_by_a_hand_raise_that_is_newer(arrival, playbook, closed):
    lead = closed("recycle")
    assert not arrive(lead, arrival(raised="demo_requested", raised_at=600), playbook, 10).decide
    back = arrive(lead, arrival(raised="demo_requested", raised_at=601), playbook, 10)
    assert (back.decide, back.lead.cycle, back.lead.excluded) == (True, 2, ())


def test_who_was_disqualified_stays_out(arrival, playbook, closed):
    assert not arrive(closed("disqualify"), arrival(raised="demo_requested", raised_at=999), playbook, 10).decide


def test_a_nurtured_lead_comes_back_when_its_grade_has_risen_and_passes_the_gate(arrival, playbook, closed):
    lead = closed("nurture")
    assert not arrive(lead, arrival("A1"), playbook, 10).decide, "as good as when it was given back is not better"
    cooled = arrive(lead, arrival("B3", version=(1, 1, 9, 9)), playbook, 10).lead
    assert cooled.floor_grade == "B3"
    still = arrive(cooled, arrival("B3", version=(1, 1, 10, 9)), playbook, 10)
    assert not still.decide
    back = arrive(still.lead, arrival("A2", version=(1, 1, 11, 9), own=VIEWED), playbook, 10)
    assert (back.decide, back.lead.cycle) == (True, 2)
    assert (back.cause.kind, back.cause.ref, back.cause.reason) == ("better_grade", "view", "better-grade")


@pytest.mark.parametrize(
    "score",
    [
        {"own": VIEWED, "cause": "time"},
        {"own": VIEWED, "cause": "policy"},
        {"own": Touched("pricing_viewed", 600, "view")},
        {},
    ],
    ids=["time alone", "a new policy", "what it did before it was given back", "nothing of its own"],
)
def test_a_grade_that_rises_without_the_lead_having_done_anything_opens_no_cycle(arrival, playbook, closed, score):
    cooled = arrive(closed("nurture"), arrival("B3", version=(1, 1, 9, 9)), playbook, 10).lead
    assert not arrive(cooled, arrival("A1", version=(1, 1, 11, 9), **score), playbook, 10).decide


@pytest.mark.parametrize("touch", ["call_attempted", "email_sent_by_rep", "sales_deferred", "identify"])
def test_what_we_do_to_a_lead_is_not_what_it_did(touch):
    touches = [
        RecentTouch(event_id="own", type="pricing_viewed", at=1, received_at=1),
        RecentTouch(event_id="ours", type=touch, at=9, received_at=9),
    ]
    zero, policy = PartialScore(total=0), PolicyRef(sequence=1, hash="h")
    score = LeadScored(
        tenant="t",
        lead_id="l",
        version=Version(1, 1, 1, 1),
        as_of=9,
        policy=policy,
        grade="A1",
        fit=zero,
        engagement=zero,
        touches=touches,
    )
    assert Scored.of(score).own == Touched("pricing_viewed", 1, "own")


def test_only_the_signals_that_the_lifecycle_names_bring_a_lead_back(arrival, playbook_with, closed, lifecycle):
    again = [{"id": "demo", "after": ["recycled"], "signal": "hand_raise", "types": ["demo_requested"]}]
    strict = playbook_with(lifecycle=lifecycle(again=again))
    raised = {"raised_at": 700}
    assert arrive(closed("recycle"), arrival(raised="demo_requested", **raised), strict, 10).decide
    assert not arrive(closed("recycle"), arrival(raised="phone_inbound", **raised), strict, 10).decide
    assert not arrive(closed("nurture"), arrival(raised="demo_requested", **raised), strict, 10).decide


@pytest.mark.parametrize(
    ("effect", "reason", "told", "until"),
    [
        ("recycle", "not_now", None, 600 + 60 * DAY),
        ("recycle", "not_now", 777, 777),
        ("recycle", "unheard-of", None, 600 + 90 * DAY),
        ("nurture", "no_need", None, None),
        ("on_hold", "no_need", 5_000, 5_000),
        ("disqualify", "junk", 5_000, None),
    ],
    ids=["as the reason says", "as the rep was told", "as the lifecycle says", "never", "on hold", "disqualified"],
)
def test_a_lead_that_was_given_back_has_its_day_to_come_again(
    playbook_with, bodies, lifecycle, effect, reason, told, until
):
    reasons = [
        one | ({"cool_off_days": 60} if one["code"] == "not_now" else {})
        for one in bodies["routing"]["decline_reasons"]
    ]
    strict = playbook_with(
        routing=bodies["routing"] | {"decline_reasons": reasons}, lifecycle=lifecycle(cool_off_days={"recycled": 90})
    )
    declined = event("offer-declined", reason=reason, effect=effect, at=600, until=told)
    assert happened(OFFERED, declined, strict).lead.waiting_until == until


def test_a_day_that_was_agreed_on_brings_the_lead_back_to_sales_as_of_that_day(closed):
    lead = replace(closed("on_hold"), waiting_until=5_000)
    assert not cooled(lead, 4_999).decide
    back = cooled(lead, 9_000)
    assert (back.decide, back.cause.kind, back.cause.at) == (True, "call_later", 5_000)
    assert (back.lead.cycle, back.lead.verdict, back.lead.excluded) == (2, "mql", ())


def test_a_cool_off_that_has_ended_lets_the_gate_judge_anew(closed):
    back = cooled(replace(closed("recycle"), waiting_until=5_000), 5_000)
    assert (back.decide, back.cause.kind, back.lead.cycle, back.lead.verdict) == (True, "cooled_off", 2, None)
    assert not cooled(replace(closed("disqualify"), waiting_until=5_000), 9_000).decide
    assert not cooled(closed("recycle"), 9_000_000).decide, "no day, no end"


def test_what_inside_sales_has_qualified_is_routed_to_field_sales_and_nobody_is_passed_over(playbook):
    taken = replace(ACCEPTED, leg="is", pool_id="inside", stage="tal", verdict="inside_sales_check")
    step = happened(taken, event("lead-qualified"), playbook)
    assert (step.decide, step.lead.passed_on, step.lead.excluded, step.credit) == (True, True, (), None)
    assert step.lead.replaced == (Held(1, "sato", "inside"),)
    assert not happened(OFFERED, event("lead-qualified"), playbook).decide, "nobody has accepted it"
    assert not happened(step.lead, event("lead-qualified"), playbook).decide, "said twice is said once"


def test_an_opportunity_moves_its_lead_and_ends_its_cycle(playbook_with, lifecycle):
    playbook = playbook_with(lifecycle=lifecycle(cool_off_days={"lost": 180}))
    found = happened(ACCEPTED, event("stage-changed", stage="discovery"), playbook)
    assert (found.lead.stage, found.lead.owner_rep, found.cause.kind) == ("sql", "sato", "stage-changed")
    lost = happened(found.lead, event("stage-changed", stage="lost", reason="price", at=600), playbook).lead
    assert (lost.stage, lost.disposition, lost.waiting_reason, lost.owner_rep) == ("lost", "recycled", "lost", None)
    assert lost.waiting_until == 600 + 180 * DAY
    won = happened(found.lead, event("stage-changed", stage="won", at=600), playbook).lead
    assert (won.stage, won.disposition, won.waiting_reason, won.waiting_until) == ("won", "active", "won", None)
    assert happened(OFFERED, event("stage-changed", stage="offered"), playbook).cause is None


def test_a_deal_that_goes_back_takes_its_lead_back_and_a_stage_of_ones_own_is_news(playbook_with, lifecycle):
    playbook = playbook_with(lifecycle=lifecycle())
    sal = happened(ACCEPTED, event("stage-changed", stage="accepted"), playbook)
    assert sal.cause is None, "the acceptance has been heard of"
    sql = happened(ACCEPTED, event("stage-changed", stage="discovery"), playbook).lead
    back = happened(sql, event("stage-changed", stage="accepted"), playbook)
    assert (back.lead.stage, back.lead.owner_rep, back.cause.kind) == ("sal", "sato", "stage-changed")
    own = happened(ACCEPTED, event("stage-changed", stage="pilot"), playbook)
    assert (own.lead.owner_rep, own.cause.kind) == ("sato", "stage-changed")
    assert happened(ACCEPTED, event("deal-changed", stage="discovery"), playbook).cause is None


def test_who_wins_or_loses_the_deal_of_a_merged_lead_has_room_again(playbook):
    merged = replace(ACCEPTED, merged_into="lead-9", stage="merged")
    assert happened(merged, event("stage-changed", stage="discovery"), playbook).lead == merged
    for ended in ("won", "lost"):
        step = happened(merged, event("stage-changed", stage=ended, at=600), playbook)
        assert (step.lead.owner_rep, step.lead.waiting_reason, step.lead.stage) == (None, "merged", "merged")
        assert not step.decide


def test_a_recycled_lead_does_not_come_back_by_its_grade(arrival, playbook, closed):
    cooled = arrive(closed("recycle"), arrival("B3", version=(1, 1, 9, 9)), playbook, 10).lead
    assert not arrive(cooled, arrival("A1", version=(1, 1, 10, 9)), playbook, 10).decide
