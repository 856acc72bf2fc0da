"""Reading points: half-life, caps, fit groups, bounds of identities."""

from __future__ import annotations

from typing import Any

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import join
from services.scoring.domain.engagement import engagement
from services.scoring.domain.ledger import DAY
from services.scoring.domain.memory import Memory
from services.scoring.domain.parts import Part, Partial, cap_group
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import grade, score
from services.scoring.domain.state import MOST_IDENTITIES, LeadState
from shared.schemas.ids import lead_id
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef

NOW = 1_790_000_000_000


def rules(
    behaviour: list[dict[str, Any]] | None = None, fits: list[dict[str, Any]] | None = None, **more: Any
) -> Rules:
    policy = {
        "kind": "scoring",
        "hand_raises": ["contact_requested"],
        "engagement": {"groups": {"web": 20}, "rules": behaviour or []} | more,
        "fit": {"rules": fits or []},
    }
    return Rules(ScoringPolicy.model_validate(policy), PolicyRef(sequence=1, hash="h"))


def page(points: float = 8, **more: Any) -> dict[str, Any]:
    when = {"touch.type": {"eq": "page_viewed"}}
    return {"id": "page", "when": when, "points": points, "half_life_days": 7, "group": "web", "limit": 3} | more


def touch(number: int, identity: str = "ann", **more: Any) -> wire.Touch:
    fields = {"tenant": "acme", "lead_id": lead_id(identity), "identity_id": identity, "identity_kind": "email"}
    told = {"event_id": f"event-{number}", "source_id": "site", "type": "page_viewed", "at": NOW, "received_at": NOW}
    return wire.Touch(**(fields | told | more))


def state_of(under: Rules, *touches: wire.Touch) -> LeadState:
    told = Told("acme", touches[0].lead_id, [(one, None) for one in touches])
    return join(told, LeadState(), under).finish()


def worth(under: Rules, at: int, as_of: int) -> int:
    state = state_of(under, touch(1, at=at))
    return engagement(list(state.memories.values()), under.base, as_of).total


def test_half_of_the_points_are_left_after_a_half_life_and_none_past_seven() -> None:
    under = rules([page()])
    assert worth(under, NOW, NOW + 7 * DAY) == 4_000
    assert worth(under, NOW, NOW + 49 * DAY) == 62
    assert worth(under, NOW, NOW + 49 * DAY + 1) == 0


def test_a_window_ends_what_a_half_life_would_keep() -> None:
    under = rules([page(window_days=7)])
    assert worth(under, NOW, NOW + 7 * DAY) == 4_000
    assert worth(under, NOW, NOW + 7 * DAY + 1) == 0


def test_a_half_life_or_a_window_of_less_than_a_millisecond_is_one_and_stops_nobody() -> None:
    for short in ({"half_life_days": 1e-12}, {"window_days": 1e-12}):
        under = rules([page(**short)])
        assert worth(under, NOW, NOW) == 8_000
        assert worth(under, NOW, NOW + 60_000) == 0


def test_a_touch_from_after_the_moment_asked_for_is_worth_its_full_points() -> None:
    assert worth(rules([page()]), NOW + DAY, NOW) == 8_000


def test_the_excess_is_cut_from_the_largest_part_so_that_small_signals_stay_visible() -> None:
    parts = [Part("big", 30, 30), Part("small", 5, 5), Part("bad", -3, -3)]
    assert cap_group(parts, 20) == 20
    assert [(part.rule_id, part.kept) for part in parts] == [("big", 18), ("small", 5), ("bad", -3)]


def test_a_cap_below_nothing_takes_no_more_than_was_given() -> None:
    only = [Part("only", 5, 5)]
    assert cap_group(only, -10) == 0
    assert only[0].kept == 0


def test_the_cap_of_all_groups_is_cut_from_the_parts_too() -> None:
    under = rules([page(15), page(12, id="again", group="mail")], cap=20, groups={"web": 15, "mail": 15})
    scored = score(state_of(under, touch(1)), lead_id("ann"), under)
    assert scored.engagement.total == 20_000
    assert [(part.rule_id, part.given, part.kept) for part in scored.engagement.parts] == [
        ("page", 15_000, 8_000),
        ("again", 12_000, 12_000),
    ]


def fit_of(under: Rules, **attributes: str) -> Partial:
    return score(state_of(under, touch(1, attributes=attributes)), lead_id("ann"), under).fit


def test_of_the_fit_rules_of_a_group_the_best_one_counts() -> None:
    under = rules(
        fits=[
            {"id": "any", "when": {"lead.level": {"exists": True}}, "points": 5, "group": "level"},
            {"id": "head", "when": {"lead.level": {"eq": "head"}}, "points": 25, "group": "level"},
            {"id": "student", "when": {"lead.kind": {"eq": "student"}}, "points": -40},
        ]
    )
    assert [part.rule_id for part in fit_of(under, level="head").parts] == ["head"]
    assert fit_of(under, level="head", kind="student").total == -15_000


def test_what_a_trusted_source_says_stands_before_what_is_newer() -> None:
    under = rules()
    state = state_of(
        under,
        touch(1, trusted=True, source_id="crm", attributes={"level": "head"}),
        touch(2, at=NOW + 1, attributes={"level": "student", "department": "it"}),
    )
    assert score(state, lead_id("ann"), under).attributes == {"department": "it", "level": "head"}


def test_an_automated_touch_marks_only_rules_that_judge_it() -> None:
    under = rules([page(), page(-1, id="robot", when={"touch.automated": {"eq": True}}, group="mail")])
    scored = score(state_of(under, touch(1, automated=True)), lead_id("ann"), under)
    assert [part.rule_id for part in scored.engagement.parts] == ["robot"]
    assert scored.touches == []
    assert scored.first_source is None


def test_a_hand_raise_of_an_automated_touch_is_none() -> None:
    under = rules()
    state = state_of(under, touch(1, type="contact_requested", automated=True))
    assert score(state, lead_id("ann"), under).hand_raise is None


def test_a_lead_is_a_test_while_all_its_touches_are() -> None:
    under = rules()
    assert score(state_of(under, touch(1, is_test=True)), lead_id("ann"), under).is_test
    assert not score(state_of(under, touch(1, is_test=True), touch(2)), lead_id("ann"), under).is_test


def test_a_touch_older_than_its_rules_horizon_leaves_no_mark() -> None:
    under = rules([page()])
    horizon = 90 * DAY
    assert state_of(under, touch(1, at=NOW - horizon)).memories["ann"].marks
    assert not state_of(under, touch(1, at=NOW - horizon - 1)).memories["ann"].marks


def test_an_event_received_twice_keeps_its_first_receipt() -> None:
    under = rules()
    first, again = touch(1, type="contact_requested"), touch(1, type="contact_requested", received_at=NOW + 9)
    one, other = state_of(under, first, again), state_of(under, again, first)
    assert one == other
    assert (
        one.memories["ann"].touches[0].received_at == one.memories["ann"].hand_raises["contact_requested"].received_at
    )
    assert one.memories["ann"].touches[0].received_at == NOW


def test_a_change_of_points_or_caps_is_read_from_the_same_marks() -> None:
    before, after = rules([page(8)]), rules([page(3)])
    state = state_of(before, touch(1))
    assert score(state, lead_id("ann"), after).engagement.total == 3_000


def test_more_identities_than_a_lead_may_hold_are_refused_and_counted() -> None:
    under = rules()
    touches = [touch(n, f"device-{n}", lead_id=lead_id("ann")) for n in range(MOST_IDENTITIES + 2)]
    joining = join(Told("acme", lead_id("ann"), [(one, None) for one in touches]), LeadState(), under)
    assert joining.refused_identities == 2
    assert len(joining.finish().memories) == MOST_IDENTITIES


def test_grades_begin_at_their_least_points() -> None:
    under = rules().base
    assert grade(70_000, 60_000, under) == "A1"
    assert grade(69_999, 59_999, under) == "B2"
    assert grade(-1, -1, under) == "D4"


def test_memories_that_are_changed_are_never_shared() -> None:
    memory = Memory()
    memory.remember(touch(1, attributes={"level": "head"}), [("a.1.1.1.0", 1)], {"name": "Ann"}, True)
    copied = memory.copy()
    copied.remember(touch(2, attributes={"level": "staff"}, at=NOW + 1), [("a.1.1.1.0", 2)], {"name": "Anna"}, True)
    assert memory.attributes["level"]["site"].value == "head"
    assert len(memory.marks["a.1.1.1.0"]) == 1
    assert memory.person["name"].value == "Ann"
