"""Rows of a timeline in words, Japanese and English. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.handoff.timeline.fields import in_words
from shared.schemas.vocabulary import TOUCH_TYPES

Facts = Mapping[str, Any]

_CLOCKS = {
    "accept": ("the accept clock", "受領期限"),
    "first_touch": ("the first-touch clock", "初回接触期限"),
    "qualify": ("the qualifying clock", "見極め期限"),
    "next_step": ("the clock of the next step", "次回アクション期限"),
    "stage_rot": ("the clock of the stage", "案件停滞の期限"),
}
_OUTCOMES = {
    "no_answer": ("nobody answered", "不在"),
    "call_back": ("will be called back", "折返し"),
    "appointment": ("an appointment was made", "アポ獲得"),
    "connected": ("connected", "通話"),
    "send_back": ("sent back", "差し戻し"),
}
_STAGES = {
    "offered": ("offered", "打診"),
    "accepted": ("accepted", "受領"),
    "discovery": ("discovery", "初回商談・課題確認"),
    "solution": ("solution", "課題合意・解決策"),
    "proposal": ("proposal", "提案・見積"),
    "negotiation": ("negotiation", "条件調整"),
    "ringi": ("ringi", "稟議・社内決裁"),
    "verbal": ("verbal", "内示・契約手続"),
    "won": ("won", "受注"),
    "lost": ("lost", "失注"),
    "recycled": ("recycled", "リサイクル"),
    "disqualified": ("disqualified", "対象外"),
    "merged": ("merged", "統合"),
}
_TASKS = {
    "todo": ("a task", "タスク"),
    "call": ("a call", "架電"),
    "meeting": ("a meeting", "面談"),
    "verify": ("the verifying of a move", "在籍確認"),
}
_SAID = {
    "offer-opened": ("Offered to {who}", "{who}に打診"),
    "offer-accepted": ("{who} accepted", "{who}が受領"),
    "offer-declined": ("{who} gave it back{reason}", "{who}が差し戻し{reason}"),
    "offer-expired": ("Taken back from {who}: time was over{reason}", "期限超過により{who}から引き上げ{reason}"),
    "offer-superseded": ("{who} no longer has it{reason}", "{who}の担当を終了{reason}"),
    "offer-withdrawn": ("The offer to {who} was withdrawn{reason}", "{who}への打診を取り下げ{reason}"),
    "stage-changed": ("Stage: {stage}{reason}", "ステージ: {stage}{reason}"),
    "clock-started": ("{clock} began for {who}", "{clock}の計測開始({who})"),
    "clock-met": ("{clock} was met by {who}", "{clock}を達成({who})"),
    "clock-met-late": ("{clock}: done late by {who}", "{clock}: 期限後に対応({who})"),
    "clock-breached": ("{clock} was breached", "{clock}を超過"),
    "clock-reminder": ("{who} was reminded of {clock}: {share} % had passed", "{who}へリマインド({clock}の{share} %経過)"),
    "clock-escalated": ("{clock} was escalated: {share} % had passed", "{clock}をエスカレーション({share} %経過)"),
    "clocks-paused": ("{who} paused the clocks{reason}", "{who}が期限を一時停止{reason}"),
    "clocks-resumed": ("{who} resumed the clocks", "{who}が期限の計測を再開"),
    "task-created": ("{who} is to do {task}{due}", "{who}の予定: {task}{due}"),
    "task-done": ("{who} did {task}", "{who}が{task}を完了"),
    "task-cancelled": ("{who} cancelled {task}", "{who}が{task}を取消"),
    "lead-qualified": ("{who} qualified it and passed it on", "{who}が見極め、営業へ引き渡し"),
    "deal-handed-over": ("{who} handed the deal over to the account manager", "{who}がアカウント担当へ引き継ぎ"),
    "stakeholder-entered": ("A person of the customer's was entered: {stakeholder}", "関係者を登録: {stakeholder}"),
    "stakeholder-moved": ("A person of the customer's has moved: {stakeholder}", "関係者の異動: {stakeholder}"),
    "stakeholder-changed": ("{who} changed what is known of {stakeholder}: {fields}", "{who}が関係者{stakeholder}を更新: {fields}"),
    "stakeholder-removed": ("{who} removed a person of the customer's: {stakeholder}", "{who}が関係者を削除: {stakeholder}"),
    "approval-changed": ("{who} drew up the approval, or changed it: {fields}", "{who}が稟議ルート・資料を更新: {fields}"),
    "approval-draft": ("The approval is drafted anew ({who})", "稟議を起案前に戻す({who})"),
    "approval-submitted": ("The approval was submitted ({who})", "稟議を申請({who})"),
    "approval-returned": ("The approval was returned ({who})", "稟議の差し戻し({who})"),
    "approval-approved": ("It was approved ({who})", "稟議の決裁完了({who})"),
    "approval-rejected": ("It was not approved ({who})", "稟議の否決({who})"),
    "deal-changed": ("{who} changed the deal: {fields}", "{who}が案件を更新: {fields}"),
    "answer-recorded": ("{who} recorded an answer to {question}", "{who}が{question}の回答を記録"),
    "lead-routed": ("{said}", "{said}"),
    "lead-nurtured": ("Left to marketing{said}", "マーケティングへ{said}"),
    "lead-withdrawn": ("The router took it back{said}", "ルーターが引き上げ{said}"),
    "identity-linked": ("{kind} {identity}… belongs to lead {owner}", "{kind} {identity}… はリード {owner} に属する"),
    "answer-voided": ("The answer to {question} no longer counts", "{question}の回答を無効化"),
}  # fmt: skip


def say(what: str, who: str | None, facts: Facts, reasons: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """who: the name of whoever did it, or whom it concerns;  reasons: labels of the policy's reasons, by code and language"""
    return {lang: _say(what, who, facts, reasons, lang) for lang in ("ja", "en")}


def _say(what: str, who: str | None, facts: Facts, reasons: Mapping[str, Mapping[str, str]], language: str) -> str:
    lang = int(language == "ja")
    name = who or ("somebody", "担当者")[lang]
    if what == "activity-logged":
        return _activity(name, facts, lang)
    if what == "touch":
        return _touch(facts, lang)
    reason = facts.get("reason")
    if labels := reasons.get(reason or ""):
        reason = labels.get(language) or next(iter(labels.values()))
    said = _SAID[what][lang].format(
        who=name,
        reason=f" ({reason})" if reason and not lang else f"({reason})" if reason else "",
        stage=_pick(_STAGES, facts.get("stage"), lang),
        clock=_pick(_CLOCKS, facts.get("clock"), lang),
        task=_pick(_TASKS, facts.get("task"), lang),
        share=facts.get("share"),
        due=(f" by {facts['due_on']}", f"(期日 {facts['due_on']})")[lang] if facts.get("due_on") else "",
        fields=in_words(facts.get("fields") or (), lang),
        question=facts.get("question"),
        stakeholder=facts.get("stakeholder"),
        said=_decided(what, name, facts, lang),
        kind=facts.get("type"),
        identity=str(facts.get("identity"))[:8],
        owner=facts.get("owner"),
    )
    return said[:1].upper() + said[1:]


def _activity(who: str, facts: Facts, lang: int) -> str:
    label = TOUCH_TYPES.get(facts["type"])
    touch = (label.ja if lang else label.en) if label else facts["type"]
    outcome = facts.get("outcome")
    plain = (facts["type"], outcome) == ("call_connected", "connected")  # which says the same twice
    how = _pick(_OUTCOMES, outcome, lang) if outcome and not plain else ""
    if lang:
        return f"{who}: {touch}" + (f"({how})" if how else "")
    return f"{who}: {touch[:1].lower()}{touch[1:]}" + (f" ({how})" if how else "")


def _touch(facts: Facts, lang: int) -> str:
    label = TOUCH_TYPES.get(facts["type"])
    mark = (" (automated)", "(自動)")[lang] if facts.get("automated") else ""
    more = [part for name in ("source_id", "topic", "campaign", "path") if (part := facts.get(name))]
    return " · ".join([((label.ja if lang else label.en) if label else facts["type"]) + mark, *more])


def _decided(what: str, who: str, facts: Facts, lang: int) -> str:
    """What the router says of it; of a lead that was routed, that is the whole."""
    said = (facts.get("said") or {}).get("ja" if lang else "en", "")
    if what == "lead-routed":
        return said or (f"The router chose {who}", f"ルーターが{who}を選定")[lang]
    scenario = facts.get("scenario")
    where = f" ({scenario})" if scenario and not lang else f"({scenario})" if scenario else ""
    return where + (f": {said}" if said else "")


def _pick(words: Mapping[str, tuple[str, str]], key: str | None, lang: int) -> str:
    return words[key][lang] if key is not None and key in words else str(key)
