"""What people are told, in Japanese and English; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.handoff.telling.happenings import Kind
from services.handoff.telling.media import Line, Link, Message, harmless
from services.handoff.telling.recipients import Language
from shared.normalise.names import person_name
from shared.schemas.vocabulary import Word

MOST = 20  # things that one message tells
WHOLE = 3  # up to so many are told with all that is known of them
MOST_REASONS = 3
LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Facts:
    """One thing to tell, with what holds of it now.

    concerns: the name of the rep whose lead it is;  company, person, grade: of the lead, where they may be told
    reasons:  of the router, by language;  due_at: of the clock, ms;  link: by which the rep answers
    elsewhere: somebody else has the lead by now
    """

    kind: Kind
    concerns: str
    company: str | None = None
    person: str | None = None
    grade: str | None = None
    reasons: tuple[Mapping[str, str], ...] = ()
    clock: str | None = None
    due_at: int | None = None
    share: int | None = None
    reason: Mapping[str, str] = field(default_factory=dict)
    link: str | None = None
    elsewhere: bool = False


_KINDS: Mapping[Kind, Word] = {
    "offer": Word("A lead for you", "リードのご案内"),
    "assigned": Word("A lead is yours", "担当リードのお知らせ"),
    "reminder": Word("Reminder", "期限のリマインド"),
    "taken_back": Word("A lead is no longer yours", "期限切れによる担当解除"),
    "withdrawn": Word("A lead is no longer yours", "ご案内の取り下げ"),
    "sent_back": Word("A lead came back from field sales", "リードの差し戻し"),
    "late": Word("A lead is late", "対応遅れのお知らせ"),
    "overdue": Word("A deal waits for you", "商談の確認のお願い"),
    "handed_over": Word("A customer is yours", "受注案件の引き継ぎ"),
}
_SAID: Mapping[Kind, Word] = {
    "offer": Word("There is a lead for you.", "新しいリードのご案内です。"),
    "assigned": Word(
        "This lead is yours. Your first contact counts as taking it.",
        "あなたが担当するリードです。最初の接触をもって受領となります。",
    ),
    "reminder": Word("{share}% of the time {clock} have passed.", "{clock}期限までの時間の{share}%が経過しました。"),
    "taken_back": Word(
        "The time {clock} is over: the lead is no longer yours.",
        "{clock}期限を過ぎたため、担当から外れました。",
    ),
    "withdrawn": Word(
        "This lead was taken elsewhere: there is nothing left to do.",
        "ほかで対応することになりました。対応は不要です。",
    ),
    "sent_back": Word(
        "Field sales gave back the lead that you had passed on.",
        "引き渡したリードが、営業から差し戻されました。",
    ),
    "late": Word(
        "The time {clock} is over, and {concerns} has the lead.",
        "{clock}期限を過ぎましたが、まだ対応がありません。担当は{concerns}さんです。",
    ),
    "overdue": Word(
        "The time {clock} is over: say what comes next, and when.",
        "{clock}期限を過ぎました。次回行動と期日をご入力ください。",
    ),
    "handed_over": Word(
        "{concerns} won this customer, who is yours from now on: read what was promised in the hand-over.",
        "{concerns}さんが受注し、本日よりご担当となるお客様です。引継ぎ内容(約束事項など)をご確認ください。",
    ),
}
_ELSEWHERE = Word(
    "The time {clock} is over, and the lead went on to somebody else.",
    "{clock}期限を過ぎたため、ほかの担当者に移りました。",
)
_SOON_LATE = Word(
    "{share}% of the time {clock} have passed, and {concerns} has the lead.",
    "{clock}期限までの時間の{share}%が経過しましたが、まだ対応がありません。担当は{concerns}さんです。",
)
_CLOCKS: Mapping[str, Word] = {
    "accept": Word("to accept it", "受領"),
    "first_touch": Word("for the first contact", "初回接触"),
    "qualify": Word("to qualify it", "見極め"),
    "next_step": Word("for the next step", "次回行動の"),
    "stage_rot": Word("in which the deal should have moved", "商談更新の"),
}
_DUE: Mapping[str, Word] = {
    "accept": Word("Accept by", "受領期限"),
    "first_touch": Word("First contact by", "初回接触期限"),
    "qualify": Word("Qualify by", "見極め期限"),
    "next_step": Word("Next step by", "次回行動の期日"),
    "stage_rot": Word("Move it by", "商談更新の期日"),
}
_OF = {
    "company": Word("Company", "会社名"),
    "person": Word("Name", "お名前"),
    "grade": Word("Grade", "評価"),
    "why": Word("Why", "理由"),
    "link": Word("Take it, or give it back", "受け取る・差し戻す"),
    "reason": Word("Reason", "理由"),
    "due": Word("Due", "期限"),
}
_WEEKDAYS = Word("Mon Tue Wed Thu Fri Sat Sun", "月 火 水 木 金 土 日")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def message(rep_name: str, found: Sequence[Facts], language: Language, zone: str) -> Message:
    """One message of all of `found`, for one rep. zone: by whose clock on the wall times are told"""
    name = harmless(rep_name)
    if len(found) == 1:
        title = _title(found[0], language)
        hello: list[Line] = [
            f"{name}さん、{_said(found[0], language)}" if language == "ja" else f"{name}: {_said(found[0], language)}"
        ]
        return Message(title, (*hello, *_details(found[0], language, zone, whole=True)))
    count = len(found)
    title = f"【Baton】お知らせ {count}件" if language == "ja" else f"[Baton] {count} things for you"
    lines: list[Line] = [
        f"{name}さん、お知らせが{count}件あります。" if language == "ja" else f"{name}: {count} things for you."
    ]
    for number, facts in enumerate(found, start=1):
        details = _details(facts, language, zone, whole=count <= WHOLE)
        lines += ["", f"({number}) {_word(_KINDS[facts.kind], language)}", _said(facts, language), *details]
    return Message(title, tuple(lines))


def _title(facts: Facts, language: Language) -> str:
    of = f": {harmless(facts.company)}" if facts.company else ""
    return f"{'【Baton】' if language == 'ja' else '[Baton] '}{_word(_KINDS[facts.kind], language)}{of}"


def _said(facts: Facts, language: Language) -> str:
    clock = _CLOCKS.get(facts.clock or "", Word("", ""))
    said = _SAID[facts.kind]
    if facts.kind == "late" and (facts.share or 100) < 100:
        said = _SOON_LATE
    elif facts.kind == "taken_back" and facts.elsewhere:
        said = _ELSEWHERE
    return _word(said, language).format(
        share=facts.share or 0, clock=_word(clock, language), concerns=harmless(facts.concerns)
    )


def _details(facts: Facts, language: Language, zone: str, *, whole: bool) -> list[Line]:
    told: list[Line] = []

    def tell(word: Word, text: str | None) -> None:
        if text:
            told.append(f"{_word(word, language)}: {text}")

    tell(_OF["company"], harmless(facts.company) if facts.company else None)
    bare = person_name(facts.person) if facts.person else None
    tell(_OF["person"], (harmless(bare) + (" 様" if language == "ja" else "")) if bare else None)
    if whole:
        tell(_OF["grade"], facts.grade)
        why = [text for reason in facts.reasons if (text := _text(reason, language))][:MOST_REASONS]
        if why:
            told.append(f"{_word(_OF['why'], language)}:")
            told += [f"・{text}" if language == "ja" else f"• {text}" for text in why]
    tell(_OF["reason"], _text(facts.reason, language))
    if facts.due_at is not None and facts.clock is not None:
        tell(_DUE.get(facts.clock, _OF["due"]), when(facts.due_at, language, zone))
    if facts.link:
        told.append(Link(_word(_OF["link"], language), facts.link))
    return told


def when(at: int, language: Language, zone: str) -> str:
    """A moment (ms) by the clock on the wall in `zone`: 11月24日(火) 12:00, or Tue 24 Nov 12:00, with the name of the zone.

    The moment at which a day ends is that day, and not the first of the next.
    """
    local = datetime.fromtimestamp(at / 1000, ZoneInfo(zone))
    before = datetime.fromtimestamp((at - 1) / 1000, ZoneInfo(zone))
    whole = before.date() != local.date()
    shown = before if whole else local
    day = _word(_WEEKDAYS, language).split()[shown.weekday()]
    if language == "ja":
        return f"{shown.month}月{shown.day}日({day}){'中' if whole else f' {local:%H:%M}'} ({shown.tzname()})"
    hour = f"(end of day, {shown.tzname()})" if whole else f"{local:%H:%M} {local.tzname()}"
    return f"{day} {shown.day} {_MONTHS[shown.month - 1]} {hour}"


def once(reasons: Sequence[Mapping[str, Any]]) -> list[Mapping[str, str]]:
    """Texts of reasons, without what the sentence that sums them up says already. reasons: of the router, in its order"""
    said: Mapping[str, str] = next((one["text"] for one in reasons if one.get("code") == "sentence"), {})
    if not said:
        return [one["text"] for one in reasons]
    turn = reasons[-1] if reasons[-1].get("code") == "fair_turn" else None  # a sentence ends with it, without the sums
    return [
        one["text"]
        for one in reasons
        if one.get("code") == "sentence"
        or (one is not turn and not all(text in said.get(language, "") for language, text in one["text"].items()))
    ]


def without_names(reasons: Sequence[Mapping[str, Any]], company: str | None) -> list[Mapping[str, Any]]:
    """Reasons that name no company: neither the lead's, nor the account that the router found. reasons: of the router"""
    account: Mapping[str, str] = next((one["text"] for one in reasons if one.get("code") == "account"), {})
    quoted = {
        name for text in account.values() for name in re.findall(r"“(.+?)”|「(.+?)」", text) for name in name if name
    }
    names = {name.casefold() for name in (*quoted, company or "") if name}
    return [
        one
        for one in reasons
        if one.get("code") != "account"
        and not any(name in text.casefold() for name in names for text in one["text"].values())
    ]


def _text(texts: Mapping[str, str], language: Language) -> str | None:
    text = texts.get(language) or next(iter(texts.values()), None)
    return harmless(text, LONGEST_REASON) if text else None


def _word(word: Word, language: Language) -> str:
    return word.ja if language == "ja" else word.en
