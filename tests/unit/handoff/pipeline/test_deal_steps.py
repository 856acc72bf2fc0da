"""What may be done with a deal: one by one, where a property would seldom come."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from services.handoff.pipeline import steps
from services.handoff.pipeline.deal import Deal, FieldChange, changes, fold
from services.handoff.pipeline.steps import Loss, Moment, RefusedError
from services.handoff.pipeline.totals import Alike, totals
from shared.schemas.policies import Label, PipelinePolicy
from shared.schemas.policies.pipeline import Criterion, DealStage, Item, LossReason, Pipeline

LABEL = Label(en="it", ja="それ")


def stage(name: str, probability: int, yomi=None, **asks) -> DealStage:
    lists = {side: tuple(Criterion(field=field, label=LABEL) for field in fields) for side, fields in asks.items()}
    return DealStage(id=name, label=LABEL, probability=probability, yomi=yomi, **lists)


POLICY = PipelinePolicy(
    types=(
        Pipeline(
            type="new",
            sql="talks",
            stages=(
                stage("accepted", 5, exit=["first_meeting"]),
                stage("talks", 30, "C", entry=["problem"], exit=["amount", "confirmed.it-met"]),
                stage("verbal", 90, "A", exit=["ordered_on"]),
            ),
        ),
        Pipeline(type="renewal", stages=(stage("talks", 60), stage("verbal", 95))),
    ),
    loss_reasons=(
        LossReason(code="price", label=LABEL, recycle_days=180),
        LossReason(code="rival", label=LABEL, rival=True, before_contract_end=6, recycle_days=365),
        LossReason(code="postponed", label=LABEL, back_on="required"),
        LossReason(code="other", label=LABEL, text=10),
    ),
    handover=(Item(id="contract", label=LABEL), Item(id="risks", label=LABEL, required=False)),
    review={"lost": (Item(id="why", label=LABEL),)},
)
TODAY = date(2026, 11, 20)
NOON = Moment(round(datetime(2026, 11, 20, 3, tzinfo=UTC).timestamp() * 1000), "Asia/Tokyo")
FULL = {
    "first_meeting": TODAY,
    "problem": "在庫",
    "amount": Decimal(100),
    "confirmed": {"it-met": True},
}


def deal(at: str = "accepted", **more) -> Deal:
    return steps.begun(POLICY, NOON.now).model_copy(update={"stage": at} | more)


def full(at: str = "accepted") -> Deal:
    return steps.edit(deal(at), FULL, POLICY, NOON)


def refused(code: str):
    return pytest.raises(RefusedError, check=lambda error: error.code == code)


def test_a_stage_on_the_way_keeps_its_word_also_for_who_skips_it():
    with refused("guard") as error:
        steps.move(deal(), "verbal", None, POLICY, NOON)
    assert [one["field"] for one in error.value.told["missing"]] == [
        "first_meeting", "problem", "amount", "confirmed.it-met",
    ]  # fmt: skip
    assert steps.move(full(), "verbal", None, POLICY, NOON).stage == "verbal"


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_a_deal_goes_back_for_a_reason_alone(reason):
    with refused("reason_required"):
        steps.move(full("verbal"), "talks", reason, POLICY, NOON)
    assert steps.move(full("verbal"), "talks", "決裁者が交代", POLICY, NOON).stage == "talks"


def test_what_was_said_of_its_chances_was_of_the_stage_before():
    sure = full("talks").model_copy(update={"probability": 99, "forecast": "commit"})
    assert (sure.chance(POLICY.of("new")), sure.category(POLICY.of("new"))) == (99, "commit")
    back = steps.move(sure, "accepted", "誤り", POLICY, NOON)
    assert (back.chance(POLICY.of("new")), back.category(POLICY.of("new"))) == (5, "omitted")


def test_it_first_was_an_sql_once_and_counts_while_it_is_one():
    sql = steps.move(full(), "talks", None, POLICY, NOON)
    assert (sql.sql_at, sql.counts(POLICY), full().counts(POLICY)) == (NOON.now, True, False)
    later = Moment(NOON.now + 1, NOON.zone)
    back = steps.move(sql, "accepted", "誤り", POLICY, later)
    assert (back.sql_at, back.counts(POLICY)) == (NOON.now, False)
    assert steps.move(back, "talks", None, POLICY, later).sql_at == NOON.now
    assert full().counts(POLICY.model_copy(update={"counts_from": "sal"}))


def test_won_is_what_was_ordered_by_today_where_the_holder_is():
    for ordered_on, code in ((None, "guard"), (date(2026, 11, 21), "in_the_future")):
        with refused(code):
            steps.win(full("verbal"), ordered_on, POLICY, NOON)
    evening = Moment(NOON.now + 12 * 3_600_000, "Asia/Tokyo")
    assert steps.win(full("verbal"), date(2026, 11, 21), POLICY, evening).stage == "won", "it is the 21st in Tokyo"
    with refused("guard") as error:
        steps.win(full("talks").model_copy(update={"amount": None}), TODAY, POLICY, NOON)
    assert [one["field"] for one in error.value.told["missing"]] == ["amount"]


def test_a_policy_that_asks_for_no_order_gets_one_all_the_same():
    with refused("guard") as error:
        steps.win(deal("verbal", type="renewal"), None, POLICY, NOON)
    assert [one["field"] for one in error.value.told["missing"]] == ["ordered_on"]


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ({"code": "price"}, date(2027, 5, 19)),
        ({"code": "price", "back_on": date(2027, 1, 4)}, date(2027, 1, 4)),
        ({"code": "rival", "rival": "他社A", "contract_end": date(2028, 3, 31)}, date(2027, 9, 30)),
        ({"code": "rival", "rival": "他社A", "contract_end": date(2027, 3, 31)}, date(2027, 3, 31)),
        ({"code": "rival", "rival": "他社A", "contract_end": date(2020, 3, 31)}, date(2027, 11, 20)),
        ({"code": "rival", "rival": "他社A"}, date(2027, 11, 20)),
        ({"code": "postponed", "back_on": date(2027, 4, 1)}, date(2027, 4, 1)),
        ({"code": "other", "text": "十文字より長い説明です"}, None),
    ],
)
def test_a_lost_lead_comes_back_on_the_midnight_that_follows_from_its_reason(said, day):
    code = said.pop("code")
    lost = steps.lose(full(), Loss(POLICY.reason(code), **said), NOON)
    assert lost.comes_back_at == (None if day is None else NOON.begins(day))
    assert (lost.stage, lost.closed_reason, lost.closed_at) == ("lost", code, NOON.now)


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({"code": "rival", "rival": " "}, ["rival"]),
        ({"code": "postponed"}, ["back_on"]),
        ({"code": "other", "text": " 短い       "}, ["text"]),
    ],
)
def test_a_loss_says_what_its_reason_asks_for(said, missing):
    with refused("guard") as error:
        steps.lose(full(), Loss(POLICY.reason(said.pop("code")), **said), NOON)
    assert [one["field"] for one in error.value.told["missing"]] == missing


@pytest.mark.parametrize("back_on", [TODAY, date(2019, 1, 1), date(2029, 11, 23)])
def test_nobody_comes_back_today_or_after_more_than_three_years(back_on):
    with refused("not_in_the_future"):
        steps.lose(full(), Loss(POLICY.reason("price"), back_on=back_on), NOON)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"back_on": date(2027, 1, 4)}, {"back_on": date(2027, 4, 1)}),
        ({"back_on": date(2027, 1, 4)}, {}),
        ({}, {"back_on": date(2027, 1, 4)}),
    ],
)
def test_a_loss_that_is_said_again_with_another_day_is_refused_and_the_same_is_done_once(first, then):
    lost = steps.lose(full(), Loss(POLICY.reason("price"), **first), NOON)
    later = Moment(NOON.now + 400 * 86_400_000, NOON.zone)
    assert steps.lose(lost, Loss(POLICY.reason("price"), **first), later) == lost
    with refused("closed"):
        steps.lose(lost, Loss(POLICY.reason("price"), **then), later)


def test_a_deal_is_handed_over_once_with_all_that_the_list_asks_for():
    won = steps.win(full("verbal"), TODAY, POLICY, NOON)
    with refused("guard") as error:
        steps.hand_over(won, None, {"risks": "なし"}, POLICY, NOON.now)
    assert [one["field"] for one in error.value.told["missing"]] == ["account_manager", "handover.contract"]
    filled = steps.edit(won, {"handover": {"contract": "1年"}}, POLICY, NOON)
    handed = steps.hand_over(filled, "kato", {}, POLICY, NOON.now)
    assert (handed.account_manager, handed.handed_over_at) == ("kato", NOON.now)
    assert steps.hand_over(handed, "kato", {"contract": "1年"}, POLICY, NOON.now + 5) == handed
    for items, manager in (({"contract": "2年"}, "kato"), ({}, "sato")):
        with refused("closed"):
            steps.hand_over(handed, manager, items, POLICY, NOON.now)
    with refused("closed"):
        steps.edit(handed, {"handover": {"risks": "あり"}}, POLICY, NOON)
    with refused("not_won"):
        steps.hand_over(full(), "kato", {"contract": "1年"}, POLICY, NOON.now)


def test_a_type_is_another_only_where_it_has_the_stage():
    with refused("stage_not_of_type"):
        steps.edit(full(), {"type": "renewal"}, POLICY, NOON)
    with refused("unknown_type"):
        steps.edit(full("talks"), {"type": "upsell"}, POLICY, NOON)
    assert steps.edit(full("talks"), {"type": "renewal"}, POLICY, NOON).chance(POLICY.of("renewal")) == 60


def test_a_stage_that_the_policy_lost_lies_before_the_first():
    gone = full().model_copy(update={"stage": "demo", "first_meeting": None})
    with refused("guard"):
        steps.move(gone, "talks", None, POLICY, NOON)
    assert steps.move(gone, "accepted", None, POLICY, NOON).stage == "accepted"


@pytest.mark.parametrize(
    ("kind", "at"),
    [("upsell", "pitch"), ("new", "demo")],
    ids=["its type is gone", "its stage is gone"],
)
def test_a_deal_that_the_policy_has_lost_goes_on_in_the_first_stage_of_another_type(kind, at):
    stranded = full(at).model_copy(update={"type": kind, "probability": 70})
    to = POLICY.model_copy(update={"types": (POLICY.of("new"), POLICY.of("renewal"))})
    found = steps.edit(stranded, {"type": "renewal"}, to, NOON)
    assert (found.stage, found.stage_since, found.sql_at) == ("talks", NOON.now, NOON.now)
    assert found.probability is None, "that was said of the stage before"
    assert steps.edit(stranded, {"type": "renewal", "probability": 40}, to, NOON).probability == 40
    assert steps.win(steps.move(found, "verbal", None, to, NOON), TODAY, to, NOON).stage == "won"


@pytest.mark.parametrize("amount", ["-0", "-0.0", "0E+500"])
def test_nothing_is_nothing_with_no_sign(amount):
    edited = steps.edit(deal(), {"amount": Decimal(amount)}, POLICY, NOON)
    assert [change.after for change in changes(deal(), edited) if change.field == "amount"] == ["0"]


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "1.5"), ("EUR", "0.001"), ("KWD", "0.0001")])
def test_an_amount_has_the_decimals_of_its_currency(currency, amount):
    with refused("bad_amount"):
        steps.edit(deal(), {"amount": Decimal(amount), "currency": currency}, POLICY, NOON)


def test_an_amount_is_kept_in_one_form_and_names_its_currency():
    edited = steps.edit(deal(), {"amount": Decimal("1e6")}, POLICY, NOON)
    assert (str(edited.amount), edited.currency) == ("1000000", "JPY")
    assert not changes(edited, steps.edit(edited, {"amount": Decimal("1000000.00")}, POLICY, NOON))


def test_null_empties_what_people_say_is_so():
    said = steps.edit(full(), {"handover": {"contract": "1年"}}, POLICY, NOON)
    emptied = steps.edit(said, {"confirmed": None, "handover": None}, POLICY, NOON)
    assert (said.confirmed, emptied.confirmed, emptied.handover) == (("it-met",), (), {})


def test_deals_in_stages_that_the_policy_has_lost_have_a_sum_of_their_own():
    here, gone = deal("talks"), deal("demo", amount=Decimal(1), probability=50)
    policy = POLICY.model_copy(update={"counts_from": "sal"})
    [yen] = totals([Alike(here, 2, Decimal(1000)), Alike(gone, 1, Decimal(200))], policy).currencies
    assert (yen.amount, [(one.stage, one.amount) for one in yen.stages]) == ("1200", [("talks", "1000")])
    assert (yen.other.deals, yen.other.amount, yen.other.weighted) == (1, "200", "100")


def test_a_history_that_does_not_fit_is_no_history():
    history = list(changes(None, full().model_copy(update={"version": 1})))
    assert fold(history).problem == "在庫"
    with pytest.raises(ValueError, match="was not"):
        fold([*history, FieldChange(2, "problem", "別", "新")])
