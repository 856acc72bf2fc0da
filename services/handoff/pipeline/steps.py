"""What may be done with a deal, and what has to be so before. Pure: a deal in, the deal after it out, or why not."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.handoff.pipeline.deal import Deal, Outcome
from shared.schemas.currencies import exact
from shared.schemas.policies.base import Label
from shared.schemas.policies.pipeline import CONFIRMED, Criterion, Item, LossReason, Pipeline, PipelinePolicy


class RefusedError(Exception):
    """It cannot be done. code: stable;  told: what is missing, or what would be valid"""

    def __init__(self, code: str, detail: str, **told: Any) -> None:
        super().__init__(detail)
        self.code, self.detail, self.told = code, detail, told


@dataclass(frozen=True, slots=True)
class Missing:
    """What has to be there. field: as it is given: of the deal, `confirmed.<id>`, `handover.<id>`, or of the request"""

    field: str
    label: Label


@dataclass(frozen=True, slots=True)
class Moment:
    """now: ms;  zone: where the holder is, by whose midnights days begin"""

    now: int
    zone: str

    @property
    def today(self) -> date:
        return datetime.fromtimestamp(self.now / 1000, ZoneInfo(self.zone)).date()

    def begins(self, day: date) -> int:
        """When the day begins there (ms)."""
        return round(datetime.combine(day, time(), ZoneInfo(self.zone)).timestamp() * 1000)


LATEST = timedelta(days=3 * 366)  # as far ahead as a lead that is given back may name its day
ORDERED = Missing("ordered_on", Label(en="Date of the order or contract", ja="注文書・契約書の日付"))


def begun(policy: PipelinePolicy, now: int, source: str | None = None, campaign: str | None = None) -> Deal:
    """The deal as it is before anybody has written to it. now: when field sales accepted (ms)"""
    first = _pipeline(policy, "new").stages[0].id
    deal = Deal(stage=first, stage_since=now, source=source, campaign=campaign)
    return _noted(deal, policy, now)


def edit(deal: Deal, given: Mapping[str, Any], policy: PipelinePolicy, moment: Moment) -> Deal:
    """The deal with what was given. Of `confirmed` and `handover` it names the items that become other; all else is replaced.

    None empties them. A type that has no such stage is refused, unless the policy has lost the deal's own type or stage: then
    the deal goes to the first stage of the new one.
    Of a deal that has ended only the hand-over may be filled in: of one that was won, until it has been handed over.
    Raises RefusedError: closed, unknown_item, bad_amount, unknown_type, stage_not_of_type.
    """
    stages = [stage for pipeline in policy.types for stage in pipeline.stages]
    asked = [CONFIRMED.fullmatch(one.field) for stage in stages for one in (*stage.entry, *stage.exit)]
    _known("confirmed", given.get("confirmed"), [found[1] for found in asked if found])
    _known("handover", given.get("handover"), [item.id for item in policy.handover])
    edited = deal.model_copy(update={name: _merged(deal, name, value) for name, value in given.items()})
    if not deal.is_open:
        open_still = {"handover"} if deal.stage == "won" and deal.handed_over_at is None else set()
        fixed = sorted(
            name for name in given if name not in open_still and getattr(edited, name) != getattr(deal, name)
        )
        if fixed:
            raise RefusedError("closed", f"the deal is {deal.stage}: {', '.join(fixed)} stay as they are", fields=fixed)
        return edited
    if edited.type != deal.type and (pipeline := _pipeline(policy, edited.type)).index(deal.stage) < 0:
        before = policy.of(deal.type)
        if before is not None and before.find(deal.stage):
            valid = [stage.id for stage in pipeline.stages]
            raise RefusedError(
                "stage_not_of_type", f"deals of the type {edited.type} have no stage `{deal.stage}`", valid=valid
            )
        edited = _placed(edited, pipeline.stages[0].id, moment.now, given)
    return _noted(_priced(edited, policy), policy, moment.now)


def must_lie_ahead(deal: Deal, given: Mapping[str, Any], moment: Moment, opened: int) -> None:
    """What a person says of days to come, and the deal does not have already, is no slip; days are those of its holder.

    opened: when the opportunity was (ms)
    Raises RefusedError: in_the_past, for a next step before today, and for an expected close before the opportunity was opened.
    """
    begun = replace(moment, now=opened).today
    for name, first, of in (("next_step_on", moment.today, "today is"), ("expected_close", begun, "it was opened on")):
        day = given.get(name)
        if day is not None and day < first and day != getattr(deal, name):
            raise RefusedError("in_the_past", f"`{name}` lies in the past: {of} {first}")


def move(deal: Deal, to: str, reason: str | None, policy: PipelinePolicy, moment: Moment) -> Deal:
    """The deal in another stage: forward if all is so that the stages on the way ask for, backward for a reason. What was said of
    its chances was of the stage before. Raises RefusedError: closed, unknown_stage, reason_required, guard."""
    if deal.stage == to:
        return deal
    _must_be_open(deal)
    pipeline = _pipeline(policy, deal.type)
    here, place = pipeline.index(deal.stage), pipeline.index(to)
    if place < 0:
        valid = [stage.id for stage in pipeline.stages]
        raise RefusedError("unknown_stage", f"deals of the type {deal.type} have no stage `{to}`", valid=valid)
    if place < here and not (reason or "").strip():
        raise RefusedError("reason_required", "a deal goes back for a reason: give `reason`")
    _guard(missing(deal, pipeline, place))
    return _noted(_placed(deal, to, moment.now, {}), policy, moment.now)


def _placed(deal: Deal, stage: str, now: int, said: Mapping[str, Any]) -> Deal:
    """said: of its chances in that stage, with the move; what had been said of them was of the stage before"""
    chances = {name: said.get(name) for name in ("probability", "forecast")}
    return deal.model_copy(update={"stage": stage, "stage_since": now, **chances})


def missing(deal: Deal, pipeline: Pipeline, to: int) -> tuple[Missing, ...]:
    """What the stages on the way to the one at `to` ask for and is not so; beyond the last: on the way to winning. A stage that
    the policy does not have any more lies before the first."""
    asked: list[Criterion] = []
    for place in range(pipeline.index(deal.stage), to):
        asked += pipeline.stages[place].exit if place >= 0 else ()
        asked += pipeline.stages[place + 1].entry if place + 1 < len(pipeline.stages) else ()
    lacking = {one.field: Missing(one.field, one.label) for one in reversed(asked) if not deal.has(one.field)}
    return tuple(reversed(lacking.values()))


def win(deal: Deal, ordered_on: date | None, policy: PipelinePolicy, moment: Moment) -> Deal:
    """The deal, won: with the date of the order or contract, and all that the stages to the last ask for.

    Raises RefusedError: closed, in_the_future, guard.
    """
    if deal.stage == "won" and ordered_on in (None, deal.ordered_on):
        return deal
    _must_be_open(deal)
    ordered = deal.model_copy(update={"ordered_on": ordered_on or deal.ordered_on})
    if ordered.ordered_on is not None and ordered.ordered_on > moment.today:
        raise RefusedError("in_the_future", "`ordered_on` lies in the future: a deal is won with the order in hand")
    pipeline = _pipeline(policy, deal.type)
    lacking = missing(ordered, pipeline, len(pipeline.stages))
    if ordered.ordered_on is None and all(one.field != ORDERED.field for one in lacking):
        lacking = (*lacking, ORDERED)
    _guard(lacking)
    return ended(ordered, "won", moment.now)


@dataclass(frozen=True, slots=True)
class Loss:
    """What is said of a deal that is lost. back_on: when the lead wants to be called again;  contract_end: of the rival's"""

    reason: LossReason
    text: str | None = None
    rival: str | None = None
    contract_end: date | None = None
    back_on: date | None = None

    def comes_back(self, today: date) -> date | None:
        """The day named, else so long before the rival's contract ends (at its end, where that is past), else after the days that
        policy says."""
        if self.back_on is not None:
            return self.back_on
        if self.contract_end is not None and self.reason.before_contract_end is not None and self.contract_end > today:
            early = _months_before(self.contract_end, self.reason.before_contract_end)
            return early if early > today else self.contract_end
        return None if self.reason.recycle_days is None else today + timedelta(days=self.reason.recycle_days)

    def until(self, moment: Moment) -> int | None:
        """When the lead comes back (ms), of a deal that is lost at that moment."""
        day = self.comes_back(moment.today)
        return None if day is None else moment.begins(day)


def lose(deal: Deal, loss: Loss, moment: Moment) -> Deal:
    """The deal, lost, with all that its reason asks for. Raises RefusedError: closed, not_in_the_future, guard."""
    said: dict[str, Any] = {
        "closed_reason": loss.reason.code,
        "closed_note": loss.text,
        "rival": loss.rival,
        "contract_end": loss.contract_end,
    }
    if deal.stage == "lost" and all(getattr(deal, name) == value for name, value in said.items()):
        then = replace(moment, now=deal.closed_at or moment.now)
        if loss.until(then) == deal.comes_back_at:
            return deal
    _must_be_open(deal)
    if loss.back_on is not None and not moment.today < loss.back_on <= moment.today + LATEST:
        raise RefusedError("not_in_the_future", "`back_on` does not lie in the future, or more than three years ahead")
    least = loss.reason.text
    lacking = []
    if loss.reason.rival and not (loss.rival or "").strip():
        lacking.append(Missing("rival", Label(en="Who has won", ja="競合名")))
    if len((loss.text or "").strip()) < least:
        told = Label(en=f"What happened, in {least} characters or more", ja=f"経緯({least}文字以上)")
        lacking.append(Missing("text", told))
    if loss.reason.back_on == "required" and loss.comes_back(moment.today) is None:
        lacking.append(Missing("back_on", Label(en="The day to come back", ja="再開予定日")))
    _guard(lacking)
    return ended(deal.model_copy(update=said), "lost", moment.now, until=loss.until(moment))


def ended(deal: Deal, outcome: Outcome, now: int, reason: str | None = None, until: int | None = None) -> Deal:
    """The deal, ended; one that has ended already stays as it is."""
    if not deal.is_open:
        return deal
    told: dict[str, Any] = {"stage": outcome, "stage_since": now, "closed_at": now}
    told |= {"closed_reason": reason} if reason else {}
    told |= {"comes_back_at": until} if until else {}
    return deal.model_copy(update=told)


def hand_over(deal: Deal, manager: str | None, items: Mapping[str, str], policy: PipelinePolicy, now: int) -> Deal:
    """The won deal, in the account manager's hands. items: of the checklist, as of now. Raises RefusedError: not_won, guard."""
    if deal.stage != "won":
        raise RefusedError("not_won", f"the deal is {deal.stage}: a deal is handed over once it is won")
    _known("handover", items, [item.id for item in policy.handover])
    filled = deal.model_copy(
        update={"handover": {**deal.handover, **items}, "account_manager": manager or deal.account_manager}
    )
    if deal.handed_over_at is not None:
        if filled != deal:
            raise RefusedError("closed", "the deal has been handed over: what was told stays as it is")
        return deal
    lacking = list(undone(filled, policy))
    if filled.account_manager is None:
        lacking.insert(0, Missing("account_manager", Label(en="Account manager", ja="アカウント担当")))
    _guard(lacking)
    return filled.model_copy(update={"handed_over_at": now})


def undone(deal: Deal, policy: PipelinePolicy) -> tuple[Missing, ...]:
    """What the account manager has still to be told before the deal is handed over."""
    items = (item for item in policy.handover if item.required and not deal.handover.get(item.id, "").strip())
    return tuple(Missing(f"handover.{item.id}", item.label) for item in items)


def review(deal: Deal, answers: Mapping[str, str], policy: PipelinePolicy, now: int) -> Deal:
    """The deal that was won or lost, with what was learned of it; it may be said better later. Raises RefusedError: not_ended,
    unknown_item, guard."""
    if deal.stage not in ("won", "lost"):
        raise RefusedError("not_ended", f"the deal is {deal.stage}: what was won or lost is reviewed")
    questions = policy.review.get(deal.stage, ())  # type: ignore[call-overload]
    _known("review", answers, [item.id for item in questions])
    told = {**deal.review, **answers}
    _guard(_unsaid("review", questions, told))
    if told == deal.review:
        return deal
    return deal.model_copy(update={"review": told, "reviewed_at": deal.reviewed_at or now})


def _unsaid(of: str, items: Iterable[Item], said: Mapping[str, str]) -> list[Missing]:
    return [
        Missing(f"{of}.{item.id}", item.label) for item in items if item.required and not said.get(item.id, "").strip()
    ]


def _merged(deal: Deal, name: str, value: Any) -> Any:
    if name == "confirmed":
        said = {} if value is None else {**dict.fromkeys(deal.confirmed, True), **value}
        return tuple(sorted(one for one, so in said.items() if so))
    if name == "handover":
        said = {} if value is None else {**deal.handover, **value}
        return {one: text for one, text in said.items() if text}
    return value


def _priced(deal: Deal, policy: PipelinePolicy) -> Deal:
    if deal.amount is None:
        return deal
    currency = deal.currency or policy.currency
    try:
        return deal.model_copy(update={"amount": exact(deal.amount, currency), "currency": currency})
    except ValueError as error:
        raise RefusedError("bad_amount", f"`amount`: {error}") from None


def _noted(deal: Deal, policy: PipelinePolicy, now: int) -> Deal:
    """The deal that remembers when it first was an SQL."""
    first = deal.sql_at is None and policy.is_sql(deal.type, deal.stage)
    return deal.model_copy(update={"sql_at": now}) if first else deal


def _pipeline(policy: PipelinePolicy, deal_type: str) -> Pipeline:
    found = policy.of(deal_type)
    if found is None:
        valid = [pipeline.type for pipeline in policy.types]
        raise RefusedError("unknown_type", f"the pipeline policy has no deals of the type `{deal_type}`", valid=valid)
    return found


def _must_be_open(deal: Deal) -> None:
    if not deal.is_open:
        raise RefusedError("closed", f"the deal is {deal.stage}, and stays so: a new cycle begins another")


def _known(of: str, given: Mapping[str, Any] | None, valid: Iterable[str]) -> None:
    known = sorted(set(valid))
    for item in given or {}:
        if item not in known:
            raise RefusedError("unknown_item", f"`{of}` has no `{item}`", valid=known, wrong=item)


def _guard(lacking: Iterable[Missing]) -> None:
    told = [{"field": one.field, "label": one.label.texts()} for one in lacking]
    if told:
        names = ", ".join(f"`{one['field']}`" for one in told)
        raise RefusedError("guard", f"not before these are there: {names}", missing=told)


def _months_before(day: date, months: int) -> date:
    """The same day so many months before; the last one of a month that is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
