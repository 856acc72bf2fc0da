"""What becomes of the leads of a rep who has left, in words."""

from __future__ import annotations

from collections import Counter
from typing import Any

Body = dict[str, Any]
SHOWN = 20  # leads that are named
WORDS = {
    "en": {
        "nothing": "{name} ({rep}) has no open lead.",
        "head": "{name} ({rep}) has {open} open leads:",
        "first": "of the first {n}:",
        "to": "  {n:>5}  to {name}",
        "stay": "  {n:>5}  stay for now: {why}",
        "lead": "    {lead} → {name}: {why}",
        "more": "    … and {n} more",
        "question": "{name} ({rep}) gets no leads any more, and the open ones ({open}) move on. Go on?",
        "progress": "moved {moved}, {open} to go",
        "left": "{name} ({rep}) has left: {moved} leads moved on, {open} still to go.",
        "there": "{name} ({rep}) has not left, and gets leads as the teams policy says.",
        "goes_on": "The router tries what stays again every minute, and whenever policies change.",
    },
    "ja": {
        "nothing": "{name}({rep})の対応中リードはありません。",
        "head": "{name}({rep})の対応中リード {open} 件:",
        "first": "うち先頭 {n} 件:",
        "to": "  {n:>5} 件  {name} へ",
        "stay": "  {n:>5} 件  当面そのまま: {why}",
        "lead": "    {lead} → {name}: {why}",
        "more": "    … ほか {n} 件",
        "question": "{name}({rep})への配分を止め、対応中の {open} 件を引き継ぎます。実行しますか?",
        "progress": "{moved} 件を引き継ぎ、残り {open} 件",
        "left": "{name}({rep})の退職・異動: {moved} 件を引き継ぎ済み、残り {open} 件。",
        "there": "{name}({rep})は在籍中です。チームの設定どおりにリードを受け取ります。",
        "goes_on": "残りは1分ごと、および設定変更時に自動で再試行されます。",
    },
}


def preview(told: Body, lang: str) -> str:
    """What a dry run answered."""
    words, found = WORDS[lang], told["preview"]
    if not told["open"]:
        return words["nothing"].format(name=told["name"], rep=told["rep_id"])
    names = {one["rep_id"]: one["name"] for one in found["moves"]}
    lines = [words["head"].format(name=told["name"], rep=told["rep_id"], open=told["open"])]
    if found["looked_at"] < told["open"]:
        lines.append(words["first"].format(n=found["looked_at"]))
    for rep_id, n in sorted(found["to"].items(), key=lambda one: (-one[1], one[0])):
        lines.append(words["to"].format(n=n, name=names.get(rep_id, rep_id)))
    stays = Counter(one["why"][lang] for one in found["stays"])
    lines += [words["stay"].format(n=n, why=why) for why, n in stays.most_common()]
    for one in found["moves"][:SHOWN]:
        lines.append(words["lead"].format(lead=one["lead_id"], name=one["name"], why=one["why"].get(lang, "")))
    more = sum(found["to"].values()) - SHOWN
    return "\n".join([*lines, *([words["more"].format(n=more)] if more > 0 else [])])


def question(told: Body, lang: str) -> str:
    return WORDS[lang]["question"].format(name=told["name"], rep=told["rep_id"], open=told["open"])


def progress(told: Body, lang: str) -> str:
    return WORDS[lang]["progress"].format(moved=told["moved"], open=told["open"])


def standing(told: Body, lang: str) -> str:
    """How far it is."""
    words = WORDS[lang]
    line = words["left" if told["left"] else "there"]
    shown = line.format(name=told["name"], rep=told["rep_id"], moved=told["moved"], open=told["open"])
    return f"{shown}\n{words['goes_on']}" if told["left"] and told["open"] else shown
