"""All that happened to a lead, joined: what handoff tells of it, touches and all, and the router's decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from rich.cells import cell_len, set_cell_size

from baton.explaining.present import ask, get
from baton.home import token_of

Body = Mapping[str, Any]

KINDS: Mapping[str, tuple[str, str]] = {
    "touch": ("touch", "接点"),
    "identity": ("identity", "識別"),
    "decision": ("decision", "判断"),
    "offer": ("offer", "打診"),
    "stage": ("stage", "ステージ"),
    "clock": ("clock", "期限"),
    "pause": ("pause", "停止"),
    "activity": ("activity", "活動"),
    "task": ("task", "タスク"),
    "deal": ("deal", "案件"),
    "answer": ("answer", "回答"),
    "person": ("person", "関係者"),
    "approval": ("approval", "稟議"),
}
_FIRST = ("identity", "touch", "decision")  # of what happened in the same moment; then the rest, in handoff's order
OF_THE_TOPIC = ("touch", "identity")
_SAID = {
    "moved": ("{before} → {after}", "{before} → {after}"),
    "begins": (
        "Touches of before {at} are no longer kept, and missing here.",
        "{at} より前の接点は保存期間を過ぎており、ここにはありません。",
    ),
    "merged": ("This lead became part of {lead}, whose story follows.", "このリードは {lead} に統合されました。以下に続きます。"),
    "nothing": ("Nothing has happened to lead {lead} yet.", "リード {lead} にはまだ何も起きていません。"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """at: ms;  name: tells rows of one moment apart;  words: in English and Japanese;  link: where there is more of it"""

    at: int
    kind: str
    name: str
    words: tuple[str, str]
    link: str

    def place(self) -> tuple[int, int, str]:
        return self.at, _FIRST.index(self.kind) if self.kind in _FIRST else len(_FIRST), self.name


@dataclass(frozen=True, slots=True)
class Told:
    """What was found: of each lead, the one that was asked for and those that it became part of, its rows.

    begins: from when on (ms) touches are kept, where the story is older than that
    """

    leads: list[tuple[str, list[Row]]]
    begins: int | None = None


def gather(names: Mapping[str, str], tenant: str, who: str, *, touches: bool = True) -> Told:
    """The timeline of the lead whose id, e-mail address or user id `who` is. touches: those as well. Raises OperatorError."""
    found, _ = ask(names, tenant, who)
    ids = [str(each["lead_id"]) for each in found]
    headers = {"Authorization": f"Bearer {token_of(names, tenant)}"}
    kinds = [kind for kind in KINDS if kind != "decision" and (touches or kind not in OF_THE_TOPIC)]
    with httpx.Client(headers=headers, timeout=30) as client:
        pages = {lead: _pages(client, names, lead, kinds) for lead in ids}
        of_handoff = anew({lead: [item for page in pages[lead] for item in page["items"]] for lead in ids})
        rows = {lead: [*_decided(client, names, lead), *handed(of_handoff[lead])] for lead in ids}
    kept = [_millis(page["touches_from"]) for lead in ids for page in pages[lead]]
    older = any(row.at < max(kept, default=0) for lead in ids for row in rows[lead])
    return Told([(lead, rows[lead]) for lead in ids], max(kept) if older and touches else None)


def _decided(client: httpx.Client, names: Mapping[str, str], lead: str) -> Iterable[Row]:
    """By the router itself: it also tells of those by which nobody else heard anything, such as that a lead waits."""
    path = f"/v1/leads/{lead}/decisions"
    return decided(get(client, names["ROUTER_URL"] + path) or {}, path)


def _pages(client: httpx.Client, names: Mapping[str, str], lead: str, kinds: Sequence[str]) -> list[Body]:
    asked: dict[str, Any] = {"limit": "500", "kind": list(kinds)}
    after, pages = dict[str, Any](), list[Body]()
    while page := get(client, f"{names['HANDOFF_URL']}/v1/leads/{lead}/timeline", asked | after):
        pages.append(page)
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    return pages


def decided(body: Body, link: str) -> list[Row]:
    """The router's decisions, and moves whose decision is not kept any more."""
    rows = []
    for one in body.get("decisions", ()):
        texts = (one["sentence"].get("en", ""), one["sentence"].get("ja", ""))
        rows.append(Row(_millis(one["at"]), "decision", one["decision_id"], texts, link))
    known = {row.name for row in rows}
    for one in body.get("history", ()):
        if one["decision_id"] not in known:
            before, after = (" / ".join(filter(None, one[side].values())) for side in ("from", "to"))
            rows.append(
                Row(
                    _millis(one["at"]),
                    "decision",
                    f"{one['seq']:020}",
                    _both("moved", before=before, after=after),
                    link,
                )
            )
    return rows


def anew(items: Mapping[str, Sequence[Body]]) -> dict[str, list[Body]]:
    """By lead, without what was told of those before it: handoff tells of a lead what those merged into it had, too."""
    told, found = set[str](), {}
    for lead, those in items.items():
        found[lead] = [item for item in those if _of(item) not in told]
        told |= {_of(item) for item in those}
    return found


def _of(item: Body) -> str:
    return str(item["opportunity_id"] or item["lead_id"])


def handed(items: Sequence[Body]) -> list[Row]:
    """Handoff's timeline, whose latest comes first."""
    return [
        Row(_millis(item["at"]), item["kind"], f"{number:09}", (item["words"]["en"], item["words"]["ja"]), item["link"])
        for number, item in enumerate(reversed(items))
    ]


def words(told: Told, *, lang: str, zone: str, links: bool = False) -> str:
    """The whole of it, the earliest first, with the times of `zone`. links: in each row where there is more of it"""
    pick, shown = (1 if lang == "ja" else 0), ZoneInfo(zone)
    kinds = max(cell_len(both[pick]) for both in KINDS.values())

    def at(millis: int) -> str:
        return f"{datetime.fromtimestamp(millis / 1000, UTC).astimezone(shown):%Y-%m-%d %H:%M:%S %Z}"

    zones = max((len(at(row.at)) for _, rows in told.leads for row in rows), default=0)  # CET and CEST

    lines = [_SAID["begins"][pick].format(at=at(told.begins))] if told.begins is not None else []
    for number, (lead, rows) in enumerate(told.leads):
        if number:
            lines += ["", _SAID["merged"][pick].format(lead=lead)]
        if not rows:
            lines.append(_SAID["nothing"][pick].format(lead=lead))
        for row in sorted(rows, key=Row.place):
            lines.append(
                f"{at(row.at):<{zones}}  {set_cell_size(KINDS[row.kind][pick], kinds)}  {row.words[pick]}"
                f"{f'  [{row.link}]' if links else ''}"
            )
    return "\n".join(lines)


def _both(which: str, **values: object) -> tuple[str, str]:
    en, ja = _SAID[which]
    return en.format(**values), ja.format(**values)


def _millis(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
