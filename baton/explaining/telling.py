"""One lead in words: its score, the decision on it, and its clock. Pure: from what APIs answer to lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from shared.schemas.vocabulary import Word
from shared.words.scores import CAUSES, TEMPERATURES, TRENDS

if TYPE_CHECKING:
    from baton.explaining.past import Answer, Question

Body = Mapping[str, Any]

WORDS: Mapping[str, Mapping[str, Any]] = {
    "en": {
        "score": "Score {grade} · {temperature} · {trend}, as of {at}: fit {fit}, engagement {engagement}",
        "parts": {"fit": "Fit", "engagement": "Engagement"},
        "none": "nothing yet",
        "times": "{n} times",
        "to": " to ",
        "raise": "What would raise it",
        "verdicts": {"mql": "MQL", "inside_sales_check": "inside sales checks", "nurture": "nurture"},
        "facts": {"cause": "changed by {value}", "account": "company {value}", "region": "rules of region {value}"},
        "decision": "Decision of {at}",
        "no_decision": "No decision yet",
        "chosen": "✓ {name}",
        "not": "  {name}: {why}",
        "others": "Why not the others",
        "accounts": "Why not another account",
        "states": {
            "met": "met",
            "unmet": "answered, not met",
            "expired": "expired",
            "missing": "not known",
            "conflicting": "contradictory",
        },
        "comma": ", ",
        "sides": {"marketing": "marketing", "sales": "sales"},
        "signed": "What is called ripe was agreed by {names}",
        "half_signed": "What is called ripe was agreed by one side only: {names}",
        "known": "Known by now",
        "ask": "Cheapest missing question: {text}",
        "owner": "With {name}: {state}",
        "accepted": "accepted",
        "offered": "offered, not accepted yet",
        "waiting": "With nobody: {why}",
        "trigger": "Goes on when: {trigger}",
        "merged": "This lead became part of {lead}",
        "accept": "accept by {at}, {left}",
        "first_touch": "first touch by {at}, {left}",
        "qualify": "qualify by {at}, {left}",
        "next_step": "next step by {at}, {left}",
        "stage_rot": "deal to be moved on by {at}, {left}",
        "left": "{time} left",
        "late": "{time} overdue",
        "met_clock": "{kind}: met at {at}",
        "breached_clock": "{kind}: breached at {at}",
        "kinds": {
            "accept": "accept clock",
            "first_touch": "first-touch clock",
            "qualify": "qualifying clock",
            "next_step": "clock of the next step",
            "stage_rot": "clock of a deal that stands still",
        },
        "no_clock": "no clock is running",
        "units": ("{n} seconds", "{n} minutes", "{n} hours", "{n} days"),
        "unit": ("1 second", "1 minute", "1 hour", "1 day"),
        "as_of": "As of {at}, by all that was received {until}",
        "until": {"now": "until now", "then": "by then", "other": "by {at}"},
        "future": "That has not come yet: it is the score if nothing more happens.",
        "policy": "Scoring policy {sequence}, in force since {since}",
        "asked_policy": "Scoring policy {sequence} of {since}, as asked for",
        "log_begins": "The log begins at {at}: what was told of the lead before is no longer kept, and missing here.",
        "unknown": "By then it was an anonymous visitor, of whom scoring says nothing.",
        "unheard": "By then nothing was known of this lead.",
        "read": "Read {records:,} records in {seconds:.1f} s.",
        "reading": "Reading the topics: {read:,} of {total:,} records",
    },
    "ja": {
        "score": "スコア {grade}・{temperature}・{trend}({at} 時点): 適合度 {fit}、関心度 {engagement}",
        "parts": {"fit": "適合度", "engagement": "関心度"},
        "none": "まだ何もありません",
        "times": "{n}回",
        "to": "〜",
        "raise": "評価が上がる条件",
        "verdicts": {"mql": "MQL", "inside_sales_check": "インサイドセールスが確認", "nurture": "育成継続"},
        "facts": {"cause": "更新のきっかけ: {value}", "account": "取引先: {value}", "region": "地域ルール: {value}"},
        "decision": "{at} の判断",
        "no_decision": "まだ判断はありません",
        "chosen": "✓ {name}",
        "not": "  {name}: {why}",
        "others": "他の担当者が選ばれなかった理由",
        "accounts": "他の取引先と判断しなかった理由",
        "states": {
            "met": "確認済み",
            "unmet": "回答あり・条件未達",
            "expired": "期限切れ",
            "missing": "不明",
            "conflicting": "回答が矛盾",
        },
        "comma": "、",
        "sides": {"marketing": "マーケティング", "sales": "営業"},
        "signed": "見込み客の定義の合意: {names}",
        "half_signed": "見込み客の定義の合意は片方の部門のみ: {names}",
        "known": "現在わかっていること",
        "ask": "次に聞くとよい質問: {text}",
        "owner": "担当 {name}: {state}",
        "accepted": "受領済み",
        "offered": "打診中(未受領)",
        "waiting": "担当なし: {why}",
        "trigger": "次に動く条件: {trigger}",
        "merged": "このリードは {lead} に統合されました",
        "accept": "受領期限 {at}({left})",
        "first_touch": "初回接触期限 {at}({left})",
        "qualify": "見極め期限 {at}({left})",
        "next_step": "次回行動の期日 {at}({left})",
        "stage_rot": "商談更新の期日 {at}({left})",
        "left": "残り {time}",
        "late": "{time}超過",
        "met_clock": "{kind}: {at} に達成",
        "breached_clock": "{kind}: {at} に期限超過",
        "kinds": {
            "accept": "受領 SLA",
            "first_touch": "初回接触 SLA",
            "qualify": "見極め SLA",
            "next_step": "次回行動の期日",
            "stage_rot": "商談更新の期日",
        },
        "no_clock": "計測中の SLA はありません",
        "units": ("{n}秒", "{n}分", "{n}時間", "{n}日"),
        "unit": ("1秒", "1分", "1時間", "1日"),
        "as_of": "{at} 時点の評価({until}に受信した情報による)",
        "until": {"now": "現在まで", "then": "その時点まで", "other": "{at} まで"},
        "future": "まだ来ていない時点のため、以後何も起きなかった場合の評価です。",
        "policy": "スコアリングポリシー 第{sequence}版({since} から適用)",
        "asked_policy": "スコアリングポリシー 第{sequence}版({since} 登録、指定による)",
        "log_begins": "{at} より前の記録は保存期間を過ぎているため、この評価には含まれていません。",
        "unknown": "この時点では匿名の訪問者のため、スコアはありません。",
        "unheard": "この時点では、このリードの情報はまだありません。",
        "read": "{records:,} 件の記録を {seconds:.1f} 秒で確認しました。",
        "reading": "記録を確認しています: {total:,} 件中 {read:,} 件",
    },
}


def words(lead: Body, opportunity: Body | None, *, lang: str, zone: str, now: datetime) -> str:
    """The lead (as the router answers it) and its opportunity (as handoff does, None without one) in words of `lang`, en or ja."""
    teller = _Teller(lang, ZoneInfo(zone), now)
    told = [teller.head(lead), teller.score(lead), teller.decision(lead), teller.known(lead)]
    if lead.get("merged_into"):  # its score and its decision went with it
        told = told[:1]
    sections = ("\n".join(lines) for lines in (*told, teller.standing(lead, opportunity)))
    return "\n\n".join(section for section in sections if section)


def past_words(question: Question, answer: Answer, *, lang: str, zone: str, now: int) -> str:
    """A lead as it was at the moment asked for; its decisions and its clocks are not part of that. now: ms"""
    teller = _Teller(lang, ZoneInfo(zone), datetime.fromtimestamp(now / 1000, UTC))
    sections = ["\n".join(teller.asked(question, answer, now))]
    for lead in answer.leads:
        sections += ["\n".join(teller.head(lead)), "\n".join(teller.was(lead))]
    return "\n\n".join(sections)


class _Teller:
    def __init__(self, lang: str, zone: ZoneInfo, now: datetime) -> None:
        self._lang, self._zone, self._now = lang, zone, now
        self._w: Mapping[str, Any] = WORDS[lang]

    def head(self, lead: Body) -> Iterator[str]:
        person, company = lead.get("person") or {}, lead.get("attributes", {}).get("company")
        named = " / ".join(
            part for part in (person.get("name") or person.get("email"), person.get("title"), company) if part
        )
        yield f"{named}  [{lead['lead_id']}]" if named else str(lead["lead_id"])

    def asked(self, question: Question, answer: Answer, now: int) -> Iterator[str]:
        """What is answered, and what has to be known about it."""
        same = question.known_at == question.as_of
        until = self._w["until"]["now" if question.known_at == now else "then" if same else "other"]
        known_at = until.format(at=self._exactly(question.known_at))
        yield self._w["as_of"].format(at=self._exactly(question.as_of), until=known_at)
        if question.as_of > now:
            yield self._w["future"]
        policy = self._w["policy" if question.policy is None else "asked_policy"]
        yield policy.format(sequence=answer.sequence, since=self._exactly(answer.since))
        if answer.log_begins is not None:
            yield self._w["log_begins"].format(at=self._exactly(answer.log_begins))

    def was(self, lead: Body) -> Iterator[str]:
        if lead["merged_into"]:
            yield self._w["merged"].format(lead=lead["merged_into"])
        elif not lead["heard"]:
            yield self._w["unheard"]
        elif not lead["score"]:
            yield self._w["unknown"]
        else:
            yield from self.score(lead)

    def score(self, lead: Body) -> Iterator[str]:
        score = lead.get("score")
        if not score:
            yield self._w["none"]
            return
        yield self._w["score"].format(
            grade=score["grade"],
            temperature=self._word(TEMPERATURES[lead["temperature"]]),
            trend=self._word(TRENDS[lead["trend"]]),
            at=self._time(score["as_of"]),
            fit=_points(score["fit"]),
            engagement=_points(score["engagement"]),
        )
        if summary := lead.get("summary"):
            yield f"  {self._text(summary['sentence'])}"
            yield from (f"    · {self._text(reason)}" for reason in summary["reasons"])
        yield from self._facts(lead, score)
        for side in ("fit", "engagement"):
            yield f"  {self._w['parts'][side]}"
            for part in sorted(score["parts"][side], key=lambda part: -abs(part["points"])):
                yield f"    {_signed(part['points']):>7}  {self._part(part)}"
            if not score["parts"][side]:
                yield f"        {self._w['none']}"
        if lead.get("better"):
            yield f"  {self._w['raise']}"
            for one in lead["better"]:
                verdict = one.get("verdict")
                yield f"    {self._text(one['text'])}" + (f" → {self._w['verdicts'][verdict]}" if verdict else "")

    def _facts(self, lead: Body, score: Body) -> Iterator[str]:
        """What explains where the score comes from; that it came of news goes without saying."""
        cause = score["cause"] if score["cause"] != "input" else None
        known = {
            "cause": self._word(CAUSES[cause]) if cause else None,
            "account": lead.get("account"),
            "region": score["region"],
        }
        told = [self._w["facts"][name].format(value=value) for name, value in known.items() if value]
        if told:
            yield f"  {self._w['comma'].join(told)}"

    def _part(self, part: Body) -> str:
        notes = [self._w["times"].format(n=part["times"])] if part["times"] > 1 else []
        if part["first_at"]:
            notes.append(self._w["to"].join(dict.fromkeys(map(self._day, (part["first_at"], part["last_at"])))))
        if part["why_cut"]:
            notes.append(self._text(part["why_cut"]))
        label = self._text(part["label"]) or part["rule_id"]
        return f"{label} ({self._w['comma'].join(notes)})" if notes else label

    def decision(self, lead: Body) -> Iterator[str]:
        decision = lead.get("decision")
        if not decision:
            yield self._w["no_decision"]
            return
        yield self._w["decision"].format(at=self._time(decision["at"]))
        yield from (f"  {text}" for reason in decision["reasons"] if (text := self._text(reason["text"])))
        others = [one for one in decision["candidates"] if not one["chosen"] and one["why_not"]]
        if others:
            yield f"  {self._w['others']}"
            for one in others:
                yield "  " + self._w["not"].format(name=one["name"], why=self._text(one["why_not"]["text"]))
        looked_at = [one for one in (decision.get("account") or {}).get("candidates", ()) if one["why_not"]]
        if looked_at:
            yield f"  {self._w['accounts']}"
            for one in looked_at:
                name = f"{one['name']} ({one['account_id']})"
                yield "  " + self._w["not"].format(name=name, why=self._text(one["why_not"]["text"]))

    def known(self, lead: Body) -> Iterator[str]:
        """What is known of it now: answers may have come since the decision. And who agreed to what is called ripe."""
        if found := lead.get("qualification"):
            yield self._w["known"]
            states = (
                f"{self._text(one.get('label', {})) or name}: {self._w['states'].get(one['state'], one['state'])}"
                for name, one in found["criteria"].items()
            )
            yield f"  {found['framework'].upper()}: {self._w['comma'].join(states)}"
        if question := lead.get("cheapest_missing_question"):
            yield "  " + self._w["ask"].format(text=self._text(question["text"]))
        definition = lead.get("definition") or {}
        if signed := definition.get("signed_off"):
            sides = self._w["sides"]
            names = self._w["comma"].join(f"{sides[one['role']]} {one['by']} {one['on']}" for one in signed)
            yield "  " + self._w["signed" if definition["by_both"] else "half_signed"].format(names=names)

    def standing(self, lead: Body, opportunity: Body | None) -> Iterator[str]:
        """Who has it, and until when."""
        if lead.get("merged_into"):
            yield self._w["merged"].format(lead=lead["merged_into"])
            return
        owner = (opportunity or {}).get("owner") or lead.get("owner")
        if owner:
            accepted = owner.get("state") == "accepted" or lead["accepted"]
            yield self._w["owner"].format(name=owner["name"], state=self._w["accepted" if accepted else "offered"])
            yield from self._clocks(opportunity)
        elif waiting := lead.get("waiting"):
            yield self._w["waiting"].format(why=self._text(waiting["why"]))
            if trigger := self._text(waiting["trigger"]):
                yield self._w["trigger"].format(trigger=trigger)

    def _clocks(self, opportunity: Body | None) -> Iterator[str]:
        clocks = (opportunity or {}).get("clocks", ())
        latest = max((clock["assignment"] for clock in clocks), default=0)
        running = [clock for clock in clocks if clock["state"] == "running"]
        for clock in sorted(running, key=lambda clock: clock["due_at"]):
            due = datetime.fromisoformat(clock["due_at"])
            seconds = (due - self._now).total_seconds()
            left = self._w["left" if seconds >= 0 else "late"].format(time=self._span(abs(seconds)))
            yield "  " + self._w[clock["kind"]].format(at=self._time(clock["due_at"]), left=left)
        for clock in clocks:
            if clock["assignment"] == latest and clock["state"] in ("met", "breached"):
                told = self._w[f"{clock['state']}_clock"]
                yield "  " + told.format(kind=self._w["kinds"][clock["kind"]], at=self._time(clock["ended_at"]))
        if not running:
            yield f"  {self._w['no_clock']}"

    def _time(self, rfc3339: str) -> str:
        """The time of day in the tenant's zone, with the day unless it is today."""
        at = datetime.fromisoformat(rfc3339).astimezone(self._zone)
        today = at.date() == self._now.astimezone(self._zone).date()
        return f"{at:%H:%M %Z}" if today else f"{at:%Y-%m-%d %H:%M %Z}"

    def _exactly(self, millis: int) -> str:
        at = datetime.fromtimestamp(millis / 1000, UTC).astimezone(self._zone)
        return f"{at:%Y-%m-%d %H:%M:%S}{f'.{millis % 1000:03}' if millis % 1000 else ''} {at:%Z}"

    def _day(self, rfc3339: str) -> str:
        return f"{datetime.fromisoformat(rfc3339).astimezone(self._zone):%Y-%m-%d}"

    def _word(self, word: Word) -> str:
        return word.ja if self._lang == "ja" else word.en

    def _span(self, seconds: float) -> str:
        for size, index in ((86_400, 3), (3_600, 2), (60, 1)):
            if seconds >= size:
                return self._count(int(seconds // size), index)
        return self._count(int(seconds), 0)

    def _count(self, number: int, index: int) -> str:
        return str(self._w["unit"][index] if number == 1 else self._w["units"][index].format(n=number))

    def _text(self, texts: Mapping[str, str] | None) -> str:
        """In the language asked for, else in the other."""
        return (texts or {}).get(self._lang) or next(iter((texts or {}).values()), "")


def _points(points: float) -> str:
    """As people read them: to a tenth; what is less than that keeps its sign of life."""
    shown = f"{points:.1f}" if abs(points) >= 0.05 or points == 0 else f"{points:.3f}"
    return shown.rstrip("0").rstrip(".").replace("-", "−") or "0"


def _signed(points: float) -> str:
    return ("+" if points >= 0 else "−") + _points(abs(points))
