"""A second look at a lead's decisions: why not a rep, and whether replaying them gives the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from baton.errors import OperatorError
from baton.explaining.present import ask, get
from baton.home import token_of

Body = dict[str, Any]
WORDS = {
    "en": {
        "now": "As things stand now: {turn}",
        "same": "{at}  the same",
        "differs": "{at}  COMES OUT OTHERWISE: {what}",
        "gone": "{at}  its policies are not stored",
        "all": "{n} decisions, each repeated from what was stored of it.",
    },
    "ja": {
        "now": "現在の状況では: {turn}",
        "same": "{at}  一致",
        "differs": "{at}  不一致: {what}",
        "gone": "{at}  当時のポリシーの記録なし",
        "all": "判断 {n} 件を記録から再計算しました。",
    },
}


def ask_why_not(names: Mapping[str, str], tenant: str, who: str, rep: str) -> Body:
    """Raises OperatorError where there is no such lead."""
    return _ask(names, tenant, who, f"why-not/{rep}")


def ask_replay(names: Mapping[str, str], tenant: str, who: str) -> Body:
    """Raises OperatorError where there is no such lead, or nothing was decided."""
    return _ask(names, tenant, who, "replay")


def _ask(names: Mapping[str, str], tenant: str, who: str, path: str) -> Body:
    found, _ = ask(names, tenant, who)
    with httpx.Client(headers={"Authorization": f"Bearer {token_of(names, tenant)}"}, timeout=30) as client:
        body = get(client, f"{names['ROUTER_URL']}/v1/leads/{found[-1]['lead_id']}/{path}")
    if body is None:
        raise OperatorError(f"nothing was decided of lead {found[-1]['lead_id']} yet, or it is not kept any more")
    return body


def why_not_words(found: Body, lang: str) -> str:
    """One answer: as it was decided, then when their turn comes."""
    lines = [found["why"]["text"][lang]]
    if found["turn"]:
        lines.append(WORDS[lang]["now"].format(turn=found["turn"]["text"][lang]))
    return "\n".join(lines)


def replay_words(found: Body, *, lang: str, zone: str) -> str:
    words, lines = WORDS[lang], []
    for one in found["decisions"]:
        at = f"{datetime.fromisoformat(one['at']).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S %Z}"
        name = {True: "same", False: "differs", None: "gone"}[one["same"]]
        lines.append(words[name].format(at=at, what=", ".join(one["differs"])))
    return "\n".join([*lines, words["all"].format(n=len(found["decisions"]))])
