"""What leads tell the accounts that they were ever said to belong to, and what the accounts say then."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from aiokafka.errors import KafkaError

from services.scoring import wire
from services.scoring.batch import Told, ToldAccount
from services.scoring.decide import Decision, Now, decide, decide_account
from services.scoring.domain.codec import decode_memory, decode_state
from services.scoring.domain.companies import accounts_of
from services.scoring.domain.memory import MOST_ACCOUNTS
from services.scoring.domain.people import People, Person
from services.scoring.domain.rules import Rules
from services.scoring.domain.state import LeadState
from services.scoring.subjects import account_key, lead_key
from shared.schemas.ids import lead_id
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import AccountScored, AccountSignal, Cause, PolicyRef, Version
from shared.schemas.topics import ACCOUNT_SCORED, ACCOUNT_SIGNALS, SCORE_TRANSFERS, TOUCHPOINTS

DAY = 86_400_000
NOW = 1_790_000_000_000
ANN, BOB = lead_id("ann"), lead_id("bob")
A = {"account": "a.example", "domain": "a.example", "own_domain": True}
B = {"account": "b.example", "domain": "b.example", "own_domain": True}


def rule(touch_type: str, points: float = 3, **more: Any) -> dict[str, Any]:
    when = {"touch.type": {"eq": touch_type}}
    return {"id": touch_type, "when": when, "points": points, "half_life_days": 14, "limit": 2, "group": "web"} | more


BODY: dict[str, Any] = {
    "kind": "scoring",
    "hand_raises": [],
    "internal": {"lead.kind": {"eq": "group"}},
    "engagement": {
        "groups": {"web": 30},
        "rules": [
            rule("page_viewed"),
            rule("whitepaper_downloaded", 10, per="7d", limit=1),
            rule("email_unsubscribed", -5),
            rule("intent_surged", 5),
        ],
    },
    "fit": {"rules": []},
}
RULES = Rules(ScoringPolicy.model_validate(BODY), PolicyRef(sequence=1, hash="h"))


class World:
    """Leads whose records are handled at once, transfers included."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.states: dict[str, LeadState] = {}
        self.signals: list[wire.AccountSignal] = []
        self.number = 0

    def touch(self, identity: str = "ann", lead: str | None = None, **more: Any) -> list[wire.AccountSignal]:
        self.number += 1
        body = {"identity_kind": "email", "source_id": "site", "type": "page_viewed", "at": NOW + self.number} | more
        body = {"event_id": f"event-{self.number}", "received_at": body["at"]} | body
        lead = lead or lead_id(identity)
        return self._tell(wire.Touch(tenant="acme", lead_id=lead, identity_id=identity, **body))

    def link(
        self, identity: str, owner: str, kind: str = "email", leads: tuple[str, ...] = ()
    ) -> list[wire.AccountSignal]:
        self.number += 1
        said: list[wire.AccountSignal] = []
        for lead in dict.fromkeys([lead_id(identity), owner, *leads]):
            said += self._tell(wire.LinkChanged("acme", lead, identity, kind, owner, self.number, NOW + self.number))
        return said

    def _tell(self, record: wire.Input) -> list[wire.AccountSignal]:
        decision = self._decide(record)
        said = signals(decision)
        for one in decision.records:
            if one.topic == SCORE_TRANSFERS.name:
                said += self._tell(wire.decode(one.topic, one.value))  # type: ignore[arg-type]
        return said

    def _decide(self, record: wire.Input) -> Decision:
        self.number += 1
        memory = decode_memory(record.memory) if isinstance(record, wire.ScoreTransfer) else None
        told = Told("acme", record.lead_id, [(record, memory)])
        decision = decide(told, self.states.get(record.lead_id, LeadState()), self.rules, Now(self.number))
        assert isinstance(decision.state, LeadState)
        self.states[record.lead_id] = decision.state
        return decision


def signals(decision: Decision) -> list[wire.AccountSignal]:
    return [wire.decode(r.topic, r.value) for r in decision.records if r.topic == ACCOUNT_SIGNALS.name]  # type: ignore[misc]


def here(said: list[wire.AccountSignal]) -> dict[tuple[str, str], bool]:
    """By account and lead, whether it says to be there."""
    return {(one.account, one.lead_id): not one.gone for one in said}


def test_a_lead_tells_its_account_what_it_is() -> None:
    world = World()
    world.touch(attributes={"level": "head", "department": "it"})
    (said,) = world.touch(attributes=A)
    assert (said.account, said.lead_id, said.gone) == ("a.example", ANN, False)
    assert (said.engagement, said.fit, said.role, said.department) == (6_000, "D", "decision_maker", "it")
    assert said.active == (NOW + world.number - 1,)


@pytest.mark.parametrize(
    "touch",
    [
        {"type": "email_sent_by_rep"},
        {"type": "email_delivered"},
        {"type": "intent_surged"},
        {"type": "email_unsubscribed"},
        {"type": "page_viewed", "automated": True},
        {"type": "identify"},
    ],
)
def test_what_others_do_does_not_make_a_person_active(touch: dict[str, Any]) -> None:
    (said,) = World().touch(attributes=A, **touch)
    assert said.active == ()


def test_what_turned_out_to_be_a_machine_s_made_nobody_active() -> None:
    world = World()
    world.touch(attributes=A)
    (said,) = world.touch(type="custom", condemns=("event-1",), attributes=A)
    assert said.active == ()


def test_a_meeting_that_sales_tells_of_makes_a_person_active_and_a_refusal_does_not() -> None:
    rules = [rule("meeting_held", 20), rule("sales_rejected_quality", -60, per="cycle")]
    body = BODY | {"engagement": {"groups": {"web": 30}, "rules": rules}}
    world = World(Rules(ScoringPolicy.model_validate(body), RULES.ref))
    sales = {"identity": f"outcome/{ANN}", "lead": ANN, "identity_kind": "outcome", "campaign": "cycle/1"}
    world.touch(type="identify", attributes=A)
    (said,) = world.touch(type="sales_rejected_quality", **sales)
    assert said.active == ()
    (said,) = world.touch(type="meeting_held", **sales)
    assert said.active == (NOW + world.number - 1,)


def test_one_moment_of_each_day_is_told_the_latest_first() -> None:
    world = World()
    for days, hours in ((3, 1), (3, 2), (1, 5), (40, 0), (90, 0)):
        world.touch(at=NOW - days * DAY + hours * 3_600_000)
    (said,) = world.touch(type="identify", attributes=A)
    wanted = tuple(NOW - days * DAY + hours * 3_600_000 for days, hours in ((1, 5), (3, 2)))
    assert said.active == wanted, "what lies further back than a surge looks is left out"


def test_who_was_last_active_long_ago_still_says_when() -> None:
    world = World()
    world.touch(at=NOW - 80 * DAY)
    (said,) = world.touch(type="identify", attributes=A)
    assert said.active == (NOW - 80 * DAY,)


def test_a_busy_person_s_past_is_remembered_by_marks_and_a_limited_rule_s_last_touch_by_the_touches() -> None:
    world = World()
    for day in range(30):
        for n in range(5):
            world.touch(at=NOW - (30 - day) * DAY + n * 1000)
    for n in range(3):
        world.touch(type="whitepaper_downloaded", at=NOW + n * DAY)
    (said,) = world.touch(type="identify", attributes=A, at=NOW + 2 * DAY)
    assert len(said.active) == 33
    assert said.active[0] == NOW + 2 * DAY


def test_marks_tell_of_days_that_the_latest_touches_no_longer_do() -> None:
    """Of a bucket of a week each day that it has a mark of; of what lies far back the last."""
    week = NOW - NOW % (7 * DAY)
    body = BODY | {"engagement": {"groups": {"web": 30}, "rules": [rule("page_viewed", per="7d", limit=3)]}}
    for days, wanted in (([0, 1, 2], [2, 1, 0]), ([-70, -80, -63], [-63])):
        world = World(Rules(ScoringPolicy.model_validate(body), RULES.ref))
        for day in days:
            world.touch(at=week + day * DAY)
        for _ in range(20):
            (said,) = world.touch(type="identify", attributes=A, at=week + 5 * DAY)
        assert said.active == tuple(week + day * DAY for day in wanted)


def test_days_begin_at_midnight_of_the_tenant_s_zone() -> None:
    midnight = (NOW // DAY) * DAY  # 09:00 in Tokyo
    for zone, days in ((0, 2), (540, 1)):
        world = World(Rules(ScoringPolicy.model_validate(BODY | {"zone_offset_minutes": zone}), RULES.ref))
        world.touch(at=midnight - 3_600_000)
        (said,) = world.touch(at=midnight + 3_600_000, attributes=A)
        assert len(said.active) == days


def test_a_mark_that_counts_no_more_makes_nobody_active() -> None:
    body = BODY | {"engagement": {"groups": {"web": 30}, "rules": [rule("page_viewed", half_life_days=1)]}}
    world = World(Rules(ScoringPolicy.model_validate(body), RULES.ref))
    world.touch(at=NOW - 8 * DAY)
    for _ in range(20):
        (said,) = world.touch(type="identify", attributes=A)
    assert said.active == ()


def test_a_person_who_answered_has_that_role_and_else_the_usual_one_of_the_level() -> None:
    world = World()
    (said,) = world.touch(attributes=A | {"level": "head"})
    assert said.role == "decision_maker"
    (said,) = world.touch(evidence={"A1": "drafting"}, attributes=A, source_id="form")
    assert said.role == "drafter"
    (said,) = world.touch(evidence={"A1": "selection"}, attributes=A, source_id="crm", trusted=True)
    assert said.role == "influencer"
    (said,) = world.touch(evidence={"A1": "drafting"}, attributes=A, source_id="form")
    assert said.role == "influencer", "what a trusted source heard stands before what was typed later"
    (said,) = world.touch(evidence={"A1": "information"}, attributes=A, source_id="crm", trusted=True)
    assert said.role == "decision_maker", "who only gathers information may have any role"


def test_a_department_that_is_not_known_is_none() -> None:
    (said,) = World().touch(attributes=A | {"department": "other"})
    assert said.department is None


def test_touches_of_nobody_tell_no_account_anything() -> None:
    assert World().touch("device", identity_kind="anonymous", attributes=A) == []


def test_a_device_that_becomes_a_person_s_brings_its_company_along() -> None:
    world = World()
    world.touch("device", identity_kind="anonymous", attributes=A)
    world.touch()
    said = world.link("device", ANN, "anonymous")
    assert here(said) == {("a.example", ANN): True}


def test_a_lead_that_changes_company_leaves_word_at_the_old_one_and_only_then() -> None:
    world = World()
    world.touch(attributes=A)
    assert here(world.touch(attributes=B)) == {("a.example", ANN): False, ("b.example", ANN): True}
    assert here(world.touch()) == {("b.example", ANN): True}
    assert here(world.touch(attributes=B)) == {("a.example", ANN): False, ("b.example", ANN): True}


def test_word_that_may_not_have_been_published_is_left_again_when_the_batch_comes_again() -> None:
    world = World()
    world.touch(attributes=A)
    again = {"event_id": "move", "at": NOW + 50, "received_at": NOW + 50, "attributes": B}
    first = world.touch(**again)
    assert here(world.touch(**again)) == here(first)


@pytest.mark.parametrize("what", [{"is_test": True}, {"attributes": A | {"kind": "group"}}])
def test_tests_and_our_own_people_belong_to_no_account(what: dict[str, Any]) -> None:
    world = World()
    assert here(world.touch(**({"attributes": A} | what))) == {("a.example", ANN): False}
    if "is_test" in what:
        assert here(world.touch()) == {("a.example", ANN): True}, "once it is more than a test"


def test_a_merged_lead_hands_its_place_over_and_takes_it_back() -> None:
    world = World()
    world.touch("ann", attributes=A)
    world.touch("bob", attributes=A)
    assert here(world.link("bob", ANN)) == {("a.example", BOB): False, ("a.example", ANN): True}
    assert here(world.link("bob", BOB, leads=(ANN,))) == {("a.example", BOB): True, ("a.example", ANN): True}


def test_a_merged_lead_is_gone_even_where_a_device_is_left_behind() -> None:
    world = World()
    world.touch("bob")
    world.touch("device", identity_kind="anonymous", attributes=A)
    world.link("device", BOB, "anonymous")
    said = world.link("bob", ANN)
    assert here(said)["a.example", BOB] is False


def test_a_lead_that_lost_the_only_identity_it_was_known_by_is_gone() -> None:
    world = World()
    bob = lead_id("bob")
    world.touch("device", identity_kind="anonymous", attributes=A)
    world.link("device", bob, "anonymous")
    assert here(world.link("bob", bob)) == {("a.example", bob): True}, "known by a link, without a touch of its own"
    assert here(world.link("bob", ANN))["a.example", bob] is False


def test_a_new_policy_says_all_again_and_time_only_what_changed() -> None:
    world = World()
    world.touch(attributes=A)
    world.touch(attributes=B)
    state = world.states[ANN]
    said = {}
    for cause in ("policy", "time"):
        decision = decide(Told("acme", ANN), state, RULES, Now(9, cause, NOW + DAY))  # type: ignore[arg-type]
        said[cause] = here(signals(decision))
    assert said["policy"] == {("a.example", ANN): False, ("b.example", ANN): True}
    assert said["time"] == {("b.example", ANN): True}


@pytest.mark.parametrize("later", [-1, 0, 1])
@pytest.mark.parametrize("cause", ["policy", "time"])
def test_what_is_said_again_by_the_same_version_is_said_in_the_same_words(cause: Cause, later: int) -> None:
    """After a loss all are said once more; where something waits to be read, as of a moment at which they were heard of already."""
    world = World()
    world.touch(attributes=A)
    people = People({ANN: Person(Version(1, 1, 4, NOW), engagement=3_000)})

    def lead(now: Now) -> bytes:
        return decide(Told("acme", ANN), world.states[ANN], RULES, now).records[0].value

    def account(now: Now) -> bytes:
        return decide_account(ToldAccount("acme", "a.example"), people, RULES, now).records[0].value

    for said in (lead, account):
        heard = orjson.loads(said(Now(9)))
        again = orjson.loads(said(Now(9, cause, heard["as_of"] + later)))
        assert (again["version"] == heard["version"]) is (later <= 0)
        assert (again == heard) is (later <= 0)


def test_every_field_of_a_signal_is_read_as_it_was_written() -> None:
    world = World()
    world.touch(attributes=A)
    decision = decide(
        Told("acme", ANN, [(touch_of(attributes=A | {"level": "head", "department": "it"}), None)]),
        world.states[ANN],
        RULES,
        Now(7),
    )
    (record,) = [record for record in decision.records if record.topic == ACCOUNT_SIGNALS.name]
    read = wire.decode(record.topic, record.value)
    told = AccountSignal.model_validate_json(record.value or b"")
    assert isinstance(read, wire.AccountSignal)
    assert {name: getattr(read, name) for name in read.__struct_fields__} == {
        name: getattr(told, name) for name in read.__struct_fields__
    }
    assert told.key() == record.key
    person = read.person()
    assert (person.version, person.engagement, person.role, person.department, person.active) == (
        told.version, told.engagement, "decision_maker", "it", told.active,
    )  # fmt: skip


def touch_of(**more: Any) -> wire.Touch:
    body = {"identity_kind": "email", "source_id": "site", "type": "page_viewed", "at": NOW, "received_at": NOW}
    return wire.Touch(**({"tenant": "acme", "lead_id": ANN, "identity_id": "ann", "event_id": "e"} | body | more))


# --- through the handler ------------------------------------------------------------------------------------------------


def told(bench: Any) -> dict[str, AccountScored]:
    """The last that was said of each account, by version."""
    said: dict[str, AccountScored] = {}
    for record in bench.published(ACCOUNT_SCORED.name):
        one = AccountScored.model_validate_json(record.value)
        if one.account not in said or one.version >= said[one.account].version:
            said[one.account] = one
    return said


async def settle(bench: Any) -> None:
    """Feed back what was published, once, and handle it in a new process."""
    for record in bench.published(ACCOUNT_SIGNALS.name)[len(bench.log.topics.get(ACCOUNT_SIGNALS.name, [])) :]:
        bench.log.add(record.topic, record.key, record.value)
    await bench.restart().handle(bench.log.all())


async def test_a_company_that_the_bound_forgets_in_the_batch_of_the_move_is_left_all_the_same(bench: Any) -> None:
    scorer = bench.restart()
    for number in range(MOST_ACCOUNTS + 2):
        name = f"{number}.example"
        bench.touch("ann", number, attributes={"account": name, "domain": name, "own_domain": True})
    for first, end in ((0, 1), (1, MOST_ACCOUNTS + 2)):
        await scorer.handle([bench.log.slice(TOUCHPOINTS.name, first, end)])
    told = [orjson.loads(record.value) for record in bench.published(ACCOUNT_SIGNALS.name)]
    assert [signal.get("gone", False) for signal in told if signal["account"] == "0.example"] == [False, True]


async def test_three_people_of_one_company_are_its_breadth_and_a_move_is_seen_at_both(bench: Any) -> None:
    for number, identity in enumerate(["ann", "bob", "cy"], 1):
        bench.touch(identity, number, attributes=A)
    await bench.restart().handle(bench.log.all())
    await settle(bench)
    assert (told(bench)["a.example"].people, told(bench)["a.example"].active) == (3, 3)
    bench.touch("ann", 4, attributes=B)
    await bench.restart().handle(bench.log.all())
    await settle(bench)
    assert {account: one.people for account, one in told(bench).items()} == {"a.example": 2, "b.example": 1}
    for number, identity in enumerate(["bob", "cy"], 5):
        bench.touch(identity, number, attributes=B)
    await bench.restart().handle(bench.log.all())
    await settle(bench)
    empty = told(bench)["a.example"]
    assert (empty.people, empty.active, empty.score.total, empty.contributors, empty.band) == (0, 0, 0, (), 4)
    assert told(bench)["b.example"].people == 3
    due = bench.states.dues[0]
    assert account_key("acme", "a.example") not in due
    assert account_key("acme", "b.example") in due


async def test_a_crash_between_saving_and_saying_loses_no_move(bench: Any) -> None:
    bench.touch("ann", 1, attributes=A)
    await bench.restart().handle(bench.log.all())
    await settle(bench)
    bench.touch("ann", 2, attributes=B)
    bench.publisher.fail_next = True
    with pytest.raises(KafkaError):
        await bench.restart().handle(bench.log.all())
    saved = decode_state(bench.states.states[0][lead_key("acme", ANN)])
    assert "b.example" in accounts_of(saved.memories.values())
    await bench.restart().handle([bench.log.slice("touchpoints", 1)])
    await settle(bench)
    assert {account: one.people for account, one in told(bench).items()} == {"a.example": 0, "b.example": 1}


async def test_signals_of_a_tenant_without_a_policy_are_dead_letters_and_stop_nobody(bench: Any) -> None:
    signal = {
        "record": "account-signal",
        "tenant": "other",
        "account": "a",
        "lead_id": "x",
        "version": [1, 1, 1, 1],
        "as_of": 1,
    }
    bench.log.add(ACCOUNT_SIGNALS.name, b"other/a", orjson.dumps(signal))
    bench.log.add(ACCOUNT_SIGNALS.name, b"acme/a", orjson.dumps(signal | {"tenant": "acme"}))
    bench.log.add(ACCOUNT_SIGNALS.name, b"acme/a", b"{}")
    await bench.restart().handle(bench.log.all())
    assert set(told(bench)) == {"a"}
    assert len(bench.letters.records) == 2
