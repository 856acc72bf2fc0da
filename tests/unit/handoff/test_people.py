"""People of a deal and their gaps, and which answers stand: pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.handoff.answers.answer import AGAIN, Recorded, of_the_post, recording, standing, told, void
from services.handoff.domain.opportunity import Offer, Opportunity
from services.handoff.people.risks import DAY, SILENT, gaps
from services.handoff.people.stakeholder import PREPARED, ROLES, STANCES, Stakeholder, circle
from services.handoff.people.words import NEMAWASHI_WORDS, RISKS, ROLE_WORDS, STANCE_WORDS
from services.scoring.domain.score import score
from services.scoring.wire import decode
from shared.schemas.handoff import HandoffEvent
from shared.schemas.scores import Evidence
from shared.schemas.topics import HANDOFF_EVENTS
from shared.schemas.vocabulary import BUYING_ROLES
from tests.unit.scoring.leads import LEAD, rules, state_of

NOW = 1_790_000_000_000
OFFER = Offer(1, "sato", "佐藤", "offer", "fs", "tokyo", NOW)
DEAL = Opportunity("acme", "o", "lead", 1, "accepted", 1, offers=(OFFER,))
IDS = ("a", "b", "c", "d")


def person(name: str = "a", *roles: str, **more: object) -> Stakeholder:
    fields: dict[str, object] = {"person": {"name": name, "department": more.pop("department", "総務部")}}
    return Stakeholder(name, **{**fields, "roles": roles, **more})  # type: ignore[arg-type]


def codes(*people: Stakeholder, contact: int = NOW) -> list[str]:
    return [risk.code for risk in gaps(people, contact, NOW)]


def test_a_deal_without_people_lacks_who_decides_and_who_drafts() -> None:
    assert codes() == ["no_decision_maker", "no_drafter"]


def test_people_of_one_department_are_a_risk_until_there_is_another_or_one_is_not_known() -> None:
    both = ("decision_maker", "drafter")
    assert codes(person("a", *both), person("b")) == ["one_department"]
    assert codes(person("a", *both), person("b", department="情報システム部")) == []
    assert codes(person("a", *both), person("b", department="第二グループ")) == []


def test_it_was_met_and_the_users_were_not() -> None:
    it = person("a", "decision_maker", "drafter", department="情シス", met_on=date(2026, 9, 1))
    user = person("b", "user")
    assert codes(it, user) == ["users_not_met"]
    assert codes(it, replace(user, met_on=date(2026, 9, 2))) == []
    assert codes(replace(it, met_on=None), user) == []


def test_who_has_moved_counts_no_more_and_is_to_be_verified() -> None:
    both = ("decision_maker", "drafter", "champion")
    gone = person("a", *both, moved_at=NOW)
    assert codes(gone) == ["no_decision_maker", "no_drafter", "champion_moved", "verify_move"]
    after = person("b", *both, department="営業部")
    assert codes(replace(gone, verified_at=NOW), after) == ["one_department"]


def test_silence_begins_after_thirty_days() -> None:
    both = person("a", "decision_maker", "drafter"), person("b", department="営業部")
    assert codes(*both, contact=NOW - SILENT * DAY + 1) == []
    assert codes(*both, contact=NOW - SILENT * DAY) == ["no_contact"]


people = st.lists(
    st.builds(
        Stakeholder,
        st.sampled_from(IDS),
        st.just({"name": "n"}),
        roles=st.sets(st.sampled_from(ROLES)).map(tuple),
        moved_at=st.sampled_from([None, 1]),
    ),
    unique_by=lambda one: one.stakeholder_id,
)


@given(people, st.permutations(IDS))
def test_gaps_depend_on_no_order_and_have_words(everybody: list[Stakeholder], order: list[str]) -> None:
    found = gaps(everybody, 0, NOW)
    mixed = sorted(everybody, key=lambda one: order.index(one.stakeholder_id))
    assert gaps(mixed, 0, NOW) == found
    assert {risk.code for risk in found} <= RISKS.keys()


@given(st.dictionaries(st.sampled_from(IDS), st.sampled_from(IDS)))
def test_reports_checked_one_by_one_never_make_a_circle(wanted: dict[str, str]) -> None:
    everybody = {name: person(name) for name in IDS}
    for one, above in wanted.items():
        if circle(one, above, everybody.values()) is None:
            everybody[one] = replace(everybody[one], reports_to=above)
    for name in IDS:
        way: list[str | None] = [name]
        while way[-1] is not None:
            way.append(everybody[way[-1]].reports_to)
            assert way.count(way[-1]) == 1


def test_every_code_has_words_and_every_buying_role_is_one() -> None:
    assert set(ROLE_WORDS) == set(ROLES) >= set(BUYING_ROLES)
    assert set(STANCE_WORDS) == set(STANCES)
    assert set(NEMAWASHI_WORDS) == set(PREPARED)


# --- answers --------------------------------------------------------------------------------------------------------------


def answer(number: int = 1, code: str = "decision", at: int = NOW, **more: object) -> Recorded:
    fields: dict[str, object] = {"answer_id": f"a{number}", "question": "A1", "source_id": "handoff/meeting"} | more
    return Recorded(
        code=code,
        observed_at=at,
        recorded_at=NOW,
        recorded_by="sato",
        rep_id="sato",
        event_id=f"e{number}",
        **fields,
    )  # type: ignore[arg-type]


def stand(*answers: Recorded, evidence: tuple[Evidence, ...] = ()) -> list[tuple[str, str]]:
    return [(one.source_id, one.code) for one in standing(answers, evidence)]


def test_where_one_answer_is_void_the_latest_of_those_that_hold_stands() -> None:
    earlier, held = answer(1, "drafting", at=NOW - 5), answer(2)
    gone, event = void(DEAL, held, "moved", NOW + 9)
    assert stand(gone) == []
    assert stand(earlier, gone) == [("handoff/meeting", "drafting")], "what others said"
    assert stand(earlier, gone, answer(3, "selection", NOW + 1)) == [("handoff/meeting", "selection")]
    assert (event.kind, event.at, event.observed_at, event.reason) == ("answer-voided", NOW + 9, NOW, "moved")
    assert event.voids == "e2"


def test_of_what_was_learnt_at_one_moment_stands_what_was_recorded_last() -> None:
    first, second = answer(9, "drafting"), replace(answer(1, "decision"), recorded_at=NOW + 1)
    assert stand(first, second) == stand(second, first) == [("handoff/meeting", "decision")]


def test_scoring_and_handoff_let_the_same_answer_stand() -> None:
    deal = replace(DEAL, lead_id=LEAD)
    for number in range(200):
        random = Random(number)
        kept: list[Recorded] = []
        said: list[HandoffEvent] = []
        for one in range(random.randint(1, 6)):
            at, code = NOW + random.randint(0, 2), random.choice(("decision", "drafting"))
            fresh = replace(answer(one, code, at), recorded_at=NOW + random.randint(3, 5))
            event = told(deal, fresh)
            fresh, events = replace(fresh, event_id=event.event_id), [event]
            if random.random() < 0.4:
                fresh, gone = void(deal, fresh, "moved", NOW + 9)
                events.append(gone)
            kept.append(fresh)
            said += events
        random.shuffle(said)
        records = [decode(HANDOFF_EVENTS.name, event.model_dump_json(exclude_none=True).encode()) for event in said]
        under = rules()
        found = score(state_of(under, *records), LEAD, under).evidence  # type: ignore[arg-type]
        assert [(one.source_id, one.told.value) for one in found] == stand(*kept)


def test_each_correction_is_another_answer_and_the_last_one_stands() -> None:
    kept: list[Recorded] = []
    for code in ("applied", "secured", "applied", "none"):
        found = recording(answer(0, code, answer_id=""), kept, NOW, NOW)
        assert not found.known
        event = told(DEAL, found.answer)
        kept.append(replace(found.answer, event_id=event.event_id))
        assert stand(*kept) == [("handoff/meeting", code)]
        assert recording(answer(0, code, answer_id=""), kept, NOW, NOW + 5).known, "sent again it is the same"
    assert len({one.answer_id for one in kept}) == len({one.event_id for one in kept}) == 4


def test_the_same_without_a_moment_is_sent_again_within_a_day_and_learnt_anew_after() -> None:
    kept = [answer()]
    again = answer(0, answer_id="", at=NOW + AGAIN - 1)
    assert recording(again, kept, None, again.observed_at).known
    later = answer(0, answer_id="", at=NOW + AGAIN)
    assert not recording(later, kept, None, later.observed_at).known


@pytest.mark.parametrize("more", [{"confidence": 0.4}, {"told_by": "b"}, {"at": NOW - 1}, {"question": "E1"}])
def test_who_gives_no_id_is_never_told_that_it_is_taken(more: dict[str, Any]) -> None:
    kept = [recording(answer(0, answer_id=""), [], NOW, NOW).answer]
    other = answer(0, answer_id="", **more)
    found = recording(other, kept, other.observed_at, NOW)
    assert not found.known
    assert found.answer.answer_id not in {one.answer_id for one in kept}


def test_only_answers_of_the_post_by_that_person_rest_on_it() -> None:
    theirs = answer(1, told_by="a")
    others = (
        answer(2, told_by="b"),
        answer(3),
        answer(4, told_by="a", question="B1"),
        answer(5, told_by="a", voided_at=NOW),
    )
    assert of_the_post((theirs, *others), "a") == [theirs]


def test_what_the_router_told_stands_beside_what_was_recorded_and_is_not_counted_twice() -> None:
    form = Evidence(criterion="A1", code="selection", source_id="web", observed_at=NOW)
    known = Evidence(criterion="A1", code="decision", source_id="handoff/meeting", observed_at=NOW, trusted=True)
    assert stand(answer(), evidence=(form, known)) == [("handoff/meeting", "decision"), ("web", "selection")]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=5), st.randoms(use_true_random=False))
def test_what_stands_depends_on_no_order(given_: list[tuple[int, bool]], random: object) -> None:
    answers = [answer(n, at=NOW + 10 * at, voided_at=NOW if dead else None) for n, (at, dead) in enumerate(given_)]
    mixed = list(answers)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert standing(mixed, ()) == standing(answers, ())
