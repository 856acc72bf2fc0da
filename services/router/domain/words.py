"""A decision in words, English and Japanese: why Sato, why not Tanaka, what it waits for and what would free it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from services.router.domain.account import Known
from services.router.domain.account_words import TARGET, account_steps, check_reason
from services.router.domain.assignment import BY_PERSON, CAPPED, TIMED, Candidate, Exclusion, Stuck, Tried, peers
from services.router.domain.cause_words import cause_reason
from services.router.domain.decision import Decision, Outcome, Trace
from services.router.domain.fairness import Balance, is_even
from services.router.domain.lead import PARKED, Cause, Lead
from services.router.domain.lifecycle_words import again_reason
from services.router.domain.manager_words import manager_reason
from services.router.domain.orders import Order
from services.router.domain.person_words import in_queue, not_chosen, order_reason, queue_reason
from services.router.domain.playbook import Playbook
from services.router.domain.qualification_words import (
    evidence_reason,
    gate_reason,
    holding_reason,
    nurture_reason,
)
from shared.schemas.policies.base import Label
from shared.schemas.routing import Reason
from shared.schemas.vocabulary import Word


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a lead has no owner: whose problem that is, and what frees the lead."""

    owner: str
    why: dict[str, str]
    trigger: dict[str, str]


def _wait(owner: str, en: str, ja: str, trigger_en: str, trigger_ja: str) -> Wait:
    return Wait(owner, {"en": en, "ja": ja}, {"en": trigger_en, "ja": trigger_ja})


_NEW_SIGNAL = (
    "a new hand-raise starts another cycle, or its cool-off ends",
    "新たな手挙げ、または冷却期間の終了で次のサイクルを開始",
)
WAITS: dict[str, Wait] = {
    "unscored": _wait("marketing", "not scored yet", "未採点", "its first score", "最初のスコア"),
    "below_gate": _wait(
        "marketing",
        "below the gate",
        "基準未達",
        "a grade that passes the gate, a hand-raise, or a new qualification policy",
        "基準を満たすグレード、手挙げ、または基準の変更",
    ),
    "parked:no_policy": _wait(
        "marketing operations",
        "policies are missing",
        "ポリシー未設定",
        "the missing policies are applied",
        "不足しているポリシーの適用",
    ),
    "parked:enriching": _wait(
        "marketing operations",
        "ripe, and waits for fields of it that are not known yet",
        "対象だが、未判明の項目を待っている",
        "the fields arrive, or it has waited as long as it may",
        "項目の判明、または待機時間の上限",
    ),
    "parked:no_rule": _wait(
        "marketing operations",
        "no routing rule holds",
        "該当する振り分けルールなし",
        "a new routing policy, or a new score",
        "振り分けルールの変更、または新しいスコア",
    ),
    "parked:no_pool": _wait(
        "marketing operations",
        "the rule names a pool that does not exist",
        "ルールのプールが存在しない",
        "a new routing or teams policy",
        "ルールまたはチームの変更",
    ),
    "parked:at_capacity": _wait(
        "sales manager",
        "everybody who could take it is at capacity",
        "担当可能者が全員手一杯",
        "one of them gives a lead up, or gets more capacity",
        "担当者の空き、または上限の引き上げ",
    ),
    "parked:cap_reached": _wait(
        "sales manager",
        "everybody who could take it has had their leads of the day or week",
        "担当可能者が全員、本日または今週の割当上限に到達",
        "the first of them begins another day or week, or gets a higher cap",
        "担当可能者の翌日または翌週の開始、または上限の引き上げ",
    ),
    "parked:not_at_work": _wait(
        "sales manager",
        "nobody who could take it is at work",
        "担当可能者が全員時間外または不在",
        "the first of them is at work again",
        "担当可能者の営業開始または復帰",
    ),
    "parked:inactive": _wait(
        "sales manager",
        "nobody who could take it is active",
        "担当可能者が全員不在",
        "a member of the pool becomes active",
        "メンバーの復帰",
    ),
    "parked:language": _wait(
        "sales manager",
        "nobody in the pool speaks the lead's language",
        "対応言語の担当者なし",
        "a member who speaks it joins",
        "対応言語のメンバー追加",
    ),
    "parked:skill": _wait(
        "sales manager",
        "nobody in the pool has the skills that it asks for",
        "必要なスキルを持つ担当者なし",
        "a member who has them joins, or the pool asks for less",
        "スキルを持つメンバーの追加、または条件の変更",
    ),
    "parked:all_declined": _wait(
        "sales manager",
        "everybody in the pool has had it",
        "全員が辞退または期限切れ",
        "somebody joins the pool, the rules change, or a new hand-raise starts another cycle",
        "メンバー追加、ルール変更、または新たな手挙げ(次のサイクル)",
    ),
    "parked:no_eligible_member": _wait(
        "sales manager",
        "nobody in the pool can take it",
        "担当可能者なし",
        "a new teams policy, freed capacity, or a new hand-raise",
        "チームの変更、空き、または新たな手挙げ",
    ),
    "parked:owner_absent": _wait(
        "sales manager",
        "the rep whose account it is is absent",
        "取引先の担当者が不在",
        "the rep is back, or the account gets another owner",
        "担当者の復帰、または担当の変更",
    ),
    "parked:partner_protected": _wait(
        "partner manager",
        "a partner has registered this deal",
        "代理店案件として保護中",
        "the protection ends, the partner's account gets an owner who can take it, or a person decides",
        "保護期間の終了、代理店担当の登録、または人の判断",
    ),
    "parked:partner_conflict": _wait(
        "partner manager",
        "several partners have registered this deal",
        "複数の代理店が登録済み",
        "one registration stands, or a person decides",
        "登録の一本化、または人の判断",
    ),
    "parked:dispatch": _wait(
        "sales manager",
        "waits for a manager to give it out",
        "マネージャーの割り当て待ち",
        "a manager gives it to somebody, or its time in the queue is over",
        "マネージャーによる割り当て、または待機期限",
    ),
    "parked:claim": _wait(
        "reps of the pool",
        "waits for somebody of the pool to take it",
        "プールの担当者の引き取り待ち",
        "somebody takes it, or its time in the queue is over",
        "担当者による引き取り、または待機期限",
    ),
    "recycled": _wait("marketing", "recycled", "リサイクル", *_NEW_SIGNAL),
    "nurture": _wait(
        "marketing",
        "nurture, after sales gave it back",
        "継続接点(差し戻し)",
        "a new hand-raise, something it does that lifts its grade past the gate, or its cool-off ends",
        "新たな手挙げ、行動により基準を満たすグレード上昇、または冷却期間の終了",
    ),
    "on_hold": _wait(
        "marketing",
        "on hold",
        "時期待ち",
        "the day that was agreed on, or a new hand-raise",
        "約束の日、または新たな手挙げ",
    ),
    "lost": _wait("marketing", "lost", "失注", *_NEW_SIGNAL),
    "won": _wait("account manager", "won", "受注", *_NEW_SIGNAL),
    "disqualified": _wait("marketing", "disqualified", "対象外", "only a person brings it back", "人の判断のみ"),
    "to_owner": _wait(
        "sales manager",
        "belongs to the owner of a deal that exists",
        "既存商談の担当者へ",
        "the owner takes it up; a new hand-raise starts another cycle",
        "担当者の引き取り、または新たな手挙げ",
    ),
    "merged": _wait("none", "merged into another lead", "他のリードに統合", "the merge is undone", "統合の取り消し"),
}

EXCLUSIONS: dict[Exclusion, dict[str, str]] = {
    "unknown_rep": {"en": "the teams policy does not know this rep", "ja": "チームに登録なし"},
    "not_in_pool": {"en": "not in the pool", "ja": "プール外"},
    "left": {"en": "has left", "ja": "退職・異動済み"},
    "inactive": {"en": "takes no leads now", "ja": "受付停止中"},
    "language": {"en": "does not speak the lead's language", "ja": "対応言語外"},
    "skill": {"en": "does not have the skills", "ja": "スキル不足"},
    "earlier_holder": {"en": "had this lead before", "ja": "このリードを以前担当"},
    "at_capacity": {"en": "at capacity", "ja": "手一杯"},
    "daily_cap": {"en": "has had the leads of the day", "ja": "本日の割当上限に到達"},
    "weekly_cap": {"en": "has had the leads of the week", "ja": "今週の割当上限に到達"},
    "closed": {"en": "closed", "ja": "営業時間外"},
    "absent": {"en": "absent", "ja": "不在"},
    "away": {"en": "away", "ja": "離席中"},
}


EXPLORED = Reason(
    code="explored",
    text={
        "en": "below the gate: one of the share that inside sales looks at on purpose, to see what the gate overlooks",
        "ja": "基準未達だが、基準の見落としを確かめるため、一定割合としてインサイドセールスが確認",
    },
)


def reasons(decision: Decision, playbook: Playbook | None) -> tuple[Reason, ...]:
    """Why it was decided so, step by step."""
    inputs, first = decision.inputs, before(decision, playbook)
    steps = _steps(decision.trace, decision.outcome, playbook, inputs.account, inputs.order)
    return (*((first,) if first else ()), *steps)


def before(decision: Decision, playbook: Playbook | None) -> Reason | None:
    """Why the lead comes again, where it does: how the assignment before ended, or what brought it back."""
    cause = decision.inputs.cause
    return cause_reason(cause, playbook) or again_reason(cause, playbook)


def ended_reasons(lead: Lead, cause: Cause, playbook: Playbook | None) -> tuple[Reason, ...]:
    """Why a cycle ended, and what marketing automation goes on with."""
    wait = WAITS[lead.waiting_reason or ""]
    ended = Reason(code=str(lead.waiting_reason), text=wait.why, detail={"owner": wait.owner, "reason": cause.reason})
    if lead.scenario is None:
        return (ended,)
    return (ended, nurture_reason(lead.scenario, playbook, may_email=lead.may_email))


def _steps(
    trace: Trace, outcome: Outcome, playbook: Playbook | None, account: Known | None, order: Order | None
) -> Iterator[Reason]:
    if trace.gate:
        yield gate_reason(trace.gate, playbook)
    if trace.evidence and outcome.kind != "below_gate":
        yield evidence_reason(trace.evidence, outcome.leg, playbook)
    if trace.target:
        yield TARGET
    if trace.explored:
        yield EXPLORED
    if trace.checks:
        yield from account_steps(account, trace.checks, playbook)
    matched = next((tried for tried in trace.rules if tried.result == "matched"), None)
    if matched:
        yield _rule(matched, playbook)
    if trace.queue:
        yield queue_reason(trace.queue, trace.manager, trace.pool_id, playbook)
    if order and (given := _candidate(trace, trace.chosen)):
        yield order_reason(order, given)
    elif chosen := chosen_reason(trace):
        yield chosen
    if trace.manager and not trace.queue:
        yield manager_reason(trace.manager, trace.pool_id, playbook)
    if trace.nurture and trace.nurture.scenario:
        yield nurture_reason(trace.nurture.scenario, playbook, may_email=trace.nurture.may_email)
    if trace.holding:
        zone = playbook.framework.fiscal.zone if playbook else "UTC"
        time = f"{clock_time(trace.holding.until, zone)} ({zone})"
        yield holding_reason(trace.holding, Word(time, time))
    elif outcome.waiting_reason and not trace.queue:
        yield _waits(WAITS[outcome.waiting_reason], outcome, trace)


def _waits(wait: Wait, outcome: Outcome, trace: Trace) -> Reason:
    detail: dict[str, object] = {"owner": wait.owner}
    if trace.missing:
        detail["missing"] = list(trace.missing)
    zone = _zone_of(trace, outcome.waiting_until)
    if zone is None or outcome.waiting_until is None:
        return Reason(code=str(outcome.waiting_reason).removeprefix(PARKED), text=wait.why, detail=detail)
    time = clock_time(outcome.waiting_until, zone)
    again = (
        "another day or week begins" if outcome.waiting_reason == "parked:cap_reached" else "somebody is at work again"
    )
    return Reason(
        code=str(outcome.waiting_reason).removeprefix(PARKED),
        text={
            "en": f"{wait.why['en']}; {again} at {time} ({zone})",
            "ja": f"{wait.why['ja']}({time} {zone} から対応可能)",
        },
        detail=detail | {"until": outcome.waiting_until},
    )


def _zone_of(trace: Trace, until: int | None) -> str | None:
    """The zone of the member whose hours, day or week begin at `until`."""
    for one in trace.candidates:
        if one.not_at_work and one.not_at_work.until == until:
            return one.not_at_work.zone
        if one.taken and until in (one.taken.day_ends, one.taken.week_ends):
            return one.taken.zone
    return None


def clock_time(at: int, zone: str) -> str:
    """A moment (ms) as the clocks of `zone` show it."""
    return f"{datetime.fromtimestamp(at / 1000, ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def _excluded(why: Exclusion, candidate: Candidate) -> dict[str, str]:
    """Why a member was left out; who is not at work until when, and how many leads they have had of how many."""
    word, out = EXCLUSIONS[why], candidate.not_at_work
    if why == "skill" and candidate.lacks:
        lacks = ", ".join(candidate.lacks)
        return {"en": f"does not have the skills: {lacks}", "ja": f"スキル不足: {lacks}"}
    if why in CAPPED and candidate.taken:
        had, cap = (
            (candidate.taken.day, candidate.per_day)
            if why == "daily_cap"
            else (candidate.taken.week, candidate.per_week)
        )
        return {"en": f"{word['en']}: {had} of {cap}", "ja": f"{word['ja']}({cap} 件中 {had} 件)"}
    if why not in TIMED or out is None:
        return word
    if out.until is None:
        return {"en": f"{word['en']}, nobody knows until when", "ja": f"{word['ja']}(再開は未定)"}
    time = clock_time(out.until, out.zone)
    return {"en": f"{word['en']} until {time} ({out.zone})", "ja": f"{time} まで{word['ja']}({out.zone})"}


def _rule(matched: Tried, playbook: Playbook | None) -> Reason:
    rule = next((rule for rule in playbook.routing.all_rules if rule.id == matched.rule_id), None) if playbook else None
    pool = playbook.pools.get(matched.pool) if playbook else None
    rule_label, pool_label = rule.label if rule else Label(), pool.label if pool else Label()
    text = {
        "en": f"rule “{rule_label.en or matched.rule_id}” leads to pool “{pool_label.en or matched.pool}”",
        "ja": f"ルール「{rule_label.ja or rule_label.en or matched.rule_id}」により"
        f"プール「{pool_label.ja or pool_label.en or matched.pool}」へ",
    }
    return Reason(code="rule", text=text, detail={"rule": matched.rule_id, "pool": matched.pool})


def chosen_reason(trace: Trace) -> Reason | None:
    """Why the member who was chosen of a pool; None where nobody was."""
    chosen = _candidate(trace, trace.chosen)
    return _chosen(chosen, trace) if chosen else None


def _candidate(trace: Trace, rep_id: str | None) -> Candidate | None:
    return next((one for one in trace.candidates if one.rep_id == rep_id), None)


def _chosen(chosen: Candidate, trace: Trace) -> Reason:
    eligible = [one for one in trace.candidates if not one.excluded]
    if trace.way == "sticky":
        return _sticks(chosen, trace.stuck)
    if trace.way == "least_loaded":
        return _least_loaded(chosen, trace)
    if trace.way == "best_fit":
        return _best_fit(chosen, trace)
    due, share = Fraction(chosen.due), Fraction(chosen.share)
    even = [one.name for one in eligible if one is not chosen and _even(trace, one)]
    text = {
        "en": f"{chosen.name} is next of {len(eligible)} eligible: owed {float(due):+.2f} leads, share {float(share):.0%}"
        + (f"; a tie with {', '.join(even)}: joined the pool earlier" if even else ""),
        "ja": f"対象 {len(eligible)} 名のうち {chosen.name} の番: これまでの配分は{_owed_ja(due)}、今回の持ち分 {float(share):.0%}"
        + (f"({'、'.join(even)} と同順位、プールへの参加が先)" if even else ""),
    }
    detail = {"rep": chosen.rep_id, "due": chosen.due, "share": chosen.share, "eligible": len(eligible)}
    return Reason(code="fair_turn", text=text, detail=dict(detail))


def _owed_ja(due: Fraction) -> str:
    """A balance as people say it: what somebody has had too little or too much of, against the share."""
    shown = f"{abs(float(due)):.2f}"
    if shown == "0.00":
        return "持ち分どおり"
    return f"持ち分より {shown} 件{'少なめ' if due > 0 else '多め'}"


def _sticks(chosen: Candidate, stuck: Stuck | None) -> Reason:
    text = {
        "en": f"{chosen.name} had this lead before: it counts apart from the fair share",
        "ja": f"{chosen.name} が以前このリードを担当(公平配分とは別に計上)",
    }
    if stuck == "account":
        text = {
            "en": f"{chosen.name} has another lead of this company: it counts apart from the fair share",
            "ja": f"{chosen.name} が同じ企業のリードを担当中(公平配分とは別に計上)",
        }
    return Reason(code="sticky", text=text, detail={"rep": chosen.rep_id, "because": stuck})


def _least_loaded(chosen: Candidate, trace: Trace) -> Reason:
    eligible, (en, ja) = [one for one in trace.candidates if not one.excluded], _of_equals(trace)
    text = {
        "en": f"{chosen.name} has the fewest open leads of {len(eligible)} eligible: {_loaded(chosen)['en']}{en}",
        "ja": f"対象 {len(eligible)} 名のうち {chosen.name} の負荷が最少: {_loaded(chosen)['ja']}{ja}",
    }
    detail = {"rep": chosen.rep_id, "open_leads": chosen.open_leads, "weight": chosen.weight, "eligible": len(eligible)}
    return Reason(code="least_loaded", text=text, detail=dict(detail))


def _best_fit(chosen: Candidate, trace: Trace) -> Reason:
    eligible, (en, ja) = [one for one in trace.candidates if not one.excluded], _of_equals(trace)
    text = {
        "en": f"{chosen.name} fits best of {len(eligible)} eligible: {chosen.points} points{en}",
        "ja": f"対象 {len(eligible)} 名のうち {chosen.name} が最適: {chosen.points} 点{ja}",
    }
    detail = {"rep": chosen.rep_id, "points": chosen.points, "eligible": len(eligible)}
    return Reason(code="best_fit", text=text, detail=dict(detail))


def _loaded(candidate: Candidate) -> dict[str, str]:
    return {
        "en": f"{candidate.open_leads}, weight {candidate.weight}",
        "ja": f"{candidate.open_leads} 件(重み {candidate.weight})",
    }


def _peers(trace: Trace) -> list[Candidate]:
    """Among whom nothing but the fair turn decided."""
    eligible = [one for one in trace.candidates if not one.excluded]
    return (
        [one for one in eligible if one.rep_id == trace.chosen] if trace.way == "sticky" else peers(eligible, trace.way)
    )


def _of_equals(trace: Trace) -> tuple[str, str]:
    names = [one.name for one in _peers(trace) if one.rep_id != trace.chosen]
    if not names:
        return "", ""
    return f"; as {', '.join(names)}, whose turn it was not", f"({'、'.join(names)} と同じ、順番により決定)"


def why_not(trace: Trace, rep_id: str) -> Reason | None:
    """Why `rep_id` was not chosen; None for the one who was."""
    if rep_id == trace.chosen:
        return None
    candidate = _candidate(trace, rep_id)
    if not trace.candidates and (taken := next((one for one in trace.checks if one.said == "takes"), None)):
        return check_reason(taken, None)
    if candidate is None:
        return Reason(code="not_in_pool", text=EXCLUSIONS["not_in_pool"])
    if candidate.excluded:
        return Reason(
            code=candidate.excluded[0],
            text={
                language: "; ".join(_excluded(why, candidate)[language] for why in candidate.excluded)
                for language in ("en", "ja")
            },
            detail={"open_leads": candidate.open_leads, "capacity": candidate.capacity},
        )
    chosen = _candidate(trace, trace.chosen)
    if chosen is None:
        assert trace.queue is not None
        return in_queue(trace.queue)
    if trace.way in BY_PERSON:
        return not_chosen(chosen)
    if candidate not in _peers(trace):
        return _behind(candidate, chosen, trace)
    own, theirs = Fraction(candidate.due), Fraction(chosen.due)
    text = {
        "en": f"it was {chosen.name}'s turn: owed {float(theirs):+.2f} leads against {float(own):+.2f}",
        "ja": f"{chosen.name} の番(これまでの配分: {chosen.name} は{_owed_ja(theirs)}、本人は{_owed_ja(own)})",
    }
    if _even(trace, candidate):
        text = {
            "en": f"a tie with {chosen.name}, who joined the pool earlier",
            "ja": f"{chosen.name} と同順位、プールへの参加が後",
        }
    return Reason(code="not_their_turn", text=text, detail={"due": candidate.due, "chosen_due": chosen.due})


def _behind(candidate: Candidate, chosen: Candidate, trace: Trace) -> Reason:
    """Why an eligible member was not even among those whose turn it could be."""
    if trace.way == "sticky":
        return _sticks(chosen, trace.stuck)
    if trace.way == "best_fit":
        text = {
            "en": f"fits less than {chosen.name}: {candidate.points} points against {chosen.points}",
            "ja": f"{chosen.name} より適合が低い({candidate.points} 点、{chosen.name} は {chosen.points} 点)",
        }
        return Reason(code="fits_less", text=text, detail={"points": candidate.points, "chosen_points": chosen.points})
    theirs, own = _loaded(chosen), _loaded(candidate)
    text = {
        "en": f"more open leads for the weight than {chosen.name}: {own['en']} against {theirs['en']}",
        "ja": f"{chosen.name} より負荷が高い({own['ja']}、{chosen.name} は {theirs['ja']})",
    }
    detail = {"open_leads": candidate.open_leads, "chosen_open_leads": chosen.open_leads}
    return Reason(code="more_loaded", text=text, detail=dict(detail))


def _even(trace: Trace, candidate: Candidate) -> bool:
    """Whether only the order of joining stood between `candidate`, who is eligible, and the chosen one."""
    eligible = _peers(trace)
    balances = tuple(Balance(one.rep_id, 0, one.weight, Fraction(one.due)) for one in eligible)
    return is_even(balances, {one.rep_id for one in eligible}, candidate.rep_id)
