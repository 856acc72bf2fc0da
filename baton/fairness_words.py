"""A pool's fairness in words and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from unicodedata import east_asian_width
from zoneinfo import ZoneInfo

Body = dict[str, Any]
WORDS = {
    "en": {
        "head": "{pool} ({strategy}), {since} – {until} ({zone}): {leads} leads shared;"
        " the furthest from the share: {furthest:.2f}",
        "over": "  A lead or more off. Absences, skills and leads given back may do that:"
        " each lead's decision says who could take it.",
        "columns": (
            "rep",
            "weight",
            "share",
            "received",
            "due",
            "sticky",
            "chosen",
            "named",
            "given back",
            "accepted",
            "declined",
            "expired",
            "balance now",
        ),
        "next": "Next for a lead that asks for nothing more: {why}",
        "nobody": "Nobody would get a lead now: {why}",
        "not": "  not {name}: {why}",
        "left": "left",
        "explored": "Below the gate and looked at on purpose: {given}; accepted {accepted}, passed on to field sales {passed_on},"
        " declined {declined}",
    },
    "ja": {
        "head": "{pool}({strategy})、{since} – {until}({zone}): 配分 {leads} 件、持ち分との最大差 {furthest:.2f} 件",
        "over": "  差が1件を超えています。不在、スキル、差し戻しで起こり得ます。各リードの判断に対象者が記録されています。",
        "columns": (
            "担当者",
            "重み",
            "持ち分",
            "受領",
            "不足",
            "継続担当",
            "手動",
            "指名",
            "無効",
            "承諾",
            "辞退",
            "期限切れ",
            "現在の不足",
        ),
        "next": "次の担当(条件のないリードの場合): {why}",
        "nobody": "いま担当できる人がいません: {why}",
        "not": "  {name} ではない理由: {why}",
        "left": "離脱",
        "explored": "基準未達の探索分: {given} 件(承諾 {accepted}、フィールドセールスへ {passed_on}、辞退 {declined})",
    },
}


def told(found: Body, *, lang: str, zone: str) -> str:
    """What `GET /v1/pools/{id}/fairness` answered."""
    words: dict[str, Any] = WORDS[lang]
    lines = [
        words["head"].format(
            pool=found["pool_id"],
            strategy=found["strategy"],
            since=_time(found["since"], zone),
            until=_time(found["until"], zone),
            zone=zone,
            leads=found["leads"],
            furthest=found["furthest"],
        )
    ]
    if found["promised"] and found["furthest"] >= 1:
        lines.append(words["over"])
    lines += _table([words["columns"], *(_row(one, words["left"]) for one in found["members"])])
    if found["explored"]["given"]:
        lines.append(words["explored"].format(**found["explored"]))
    following = found["next"]
    lines.append(words["next" if following["rep_id"] else "nobody"].format(why=following["why"][lang]))
    lines += [
        words["not"].format(name=one["name"], why=one["why_not"]["text"][lang])
        for one in following["members"]
        if one["why_not"]
    ]
    return "\n".join(lines)


def _row(one: Body, left: str) -> tuple[str, ...]:
    counts = (str(one[name]) for name in ("sticky", "chosen", "named", "given_back", "accepted", "declined", "expired"))
    return (
        one["name"],
        left if one["weight"] is None else str(one["weight"]),
        f"{one['share']:.2f}",
        str(one["received"]),
        f"{one['due']:+.2f}",
        *counts,
        "" if one["balance"] is None else f"{one['balance']:+.2f}",
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns under each other: names to the left, numbers to the right."""
    widths = [max(_width(row[n]) for row in rows) for n in range(len(rows[0]))]
    return ["  " + "  ".join(_pad(cell, widths[n], n > 0) for n, cell in enumerate(row)).rstrip() for row in rows]


def _pad(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if right else text + blanks


def _width(text: str) -> int:
    """Columns of a terminal: full-width characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _time(text: str, zone: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
