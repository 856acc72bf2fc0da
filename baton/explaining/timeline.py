"""All that happened to a lead, joined: its touches from the topics, the router's decisions, and what handoff knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from baton.explaining.history import History, Progress, historian
from baton.explaining.present import ask, get
from baton.home import token_of
from services.scoring.domain.memory import OUTCOME
from services.scoring.history import Heard
from services.scoring.wire import LinkChanged
from shared.schemas.vocabulary import TOUCH_TYPES

Body = Mapping[str, Any]

KINDS: Mapping[str, tuple[str, str]] = {
    "touch": ("touch", "接点"),
    "link": ("identity", "識別"),
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
_FIRST = ("touch", "link", "decision")  # of what happened in the same moment; then handoff, in its own order
_SAID = {
    "moved": ("{before} → {after}", "{before} → {after}"),
    "linked": ("{kind} {identity}… belongs to lead {owner}", "{kind} {identity}… はリード {owner} に属する"),
    "automated": (" (automated)", "(自動)"),
    "begins": (
        "The log begins at {at}: touches of before are no longer kept, and missing here.",
        "ログの開始は {at} です。それ以前の接点は保存期間を過ぎており、ここにはありません。",
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

    log_begins: when the log begins (ms), where older records were there and are not kept any more
    """

    leads: list[tuple[str, list[Row]]]
    log_begins: int | None = None


async def gather(
    names: Mapping[str, str],
    tenant: str,
    who: str,
    *,
    touches: bool = True,
    progress: Progress = lambda read, total: None,
) -> Told:
    """The timeline of the lead whose id, e-mail address or user id `who` is. touches: read them from the topics, too. Raises
    OperatorError."""
    found, _ = ask(names, tenant, who)
    ids = [str(each["lead_id"]) for each in found]
    headers = {"Authorization": f"Bearer {token_of(names, tenant)}"}
    with httpx.Client(headers=headers, timeout=30) as client:
        of_handoff = anew({lead: _items(client, names, lead) for lead in ids})
        rows = {lead: [*_decided(client, names, lead), *handed(of_handoff[lead])] for lead in ids}
    history = History(tenant)
    if touches:
        async with historian(names["KAFKA_BOOTSTRAP_SERVERS"], progress) as reader:
            for lead in ids:
                await reader.gather(history, lead)
    for lead in ids:
        rows[lead] += heard(history.records.get(lead, ()))
    return Told([(lead, rows[lead]) for lead in ids], history.log_begins)


def _decided(client: httpx.Client, names: Mapping[str, str], lead: str) -> Iterable[Row]:
    path = f"/v1/leads/{lead}/decisions"
    return decided(get(client, names["ROUTER_URL"] + path) or {}, path)


def _items(client: httpx.Client, names: Mapping[str, str], lead: str) -> list[Body]:
    after, items = {"limit": "500"}, list[Body]()
    while page := get(client, f"{names['HANDOFF_URL']}/v1/leads/{lead}/timeline", after):
        items += page["items"]
        if page["next"] is None:
            break
        after = {"limit": "500", "after": page["next"]}
    return items


def heard(records: Iterable[Heard]) -> list[Row]:
    """Touches and links of the topics, each once; what sales says is left to handoff, which told it."""
    rows: dict[str, Row] = {}
    for one in records:
        if isinstance(one, LinkChanged):
            name = f"{one.identity_id}/{one.sequence}"
            texts = _both("linked", kind=one.identity_kind, identity=one.identity_id[:8], owner=one.owner)
            rows[name] = Row(one.received_at, "link", name, texts, "touchpoints")
        elif one.identity_kind != OUTCOME:
            label = TOUCH_TYPES.get(one.type)
            more = f" · {one.source_id}" + "".join(f" · {part}" for part in (one.topic, one.campaign, one.path) if part)
            texts = (label.en if label else one.type, label.ja if label else one.type)
            marks = _SAID["automated"] if one.automated else ("", "")
            en, ja = (text + mark + more for text, mark in zip(texts, marks, strict=True))
            rows[one.event_id] = Row(one.at, "touch", one.event_id, (en, ja), f"touchpoints {one.event_id}")
    return list(rows.values())


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
    """By lead, without the opportunities of those before it: handoff tells of a lead what those merged into it had, too."""
    told, found = set[str](), {}
    for lead, those in items.items():
        found[lead] = [item for item in those if item["opportunity_id"] not in told]
        told |= {str(item["opportunity_id"]) for item in those}
    return found


def handed(items: Sequence[Body]) -> list[Row]:
    """Handoff's timeline, whose latest comes first."""
    return [
        Row(_millis(item["at"]), item["kind"], f"{number:09}", (item["words"]["en"], item["words"]["ja"]), item["link"])
        for number, item in enumerate(reversed(items))
    ]


def words(told: Told, *, lang: str, zone: str) -> str:
    """The whole of it, the earliest first, with the times of `zone`."""
    pick, shown = (1 if lang == "ja" else 0), ZoneInfo(zone)

    def at(millis: int) -> str:
        return f"{datetime.fromtimestamp(millis / 1000, UTC).astimezone(shown):%Y-%m-%d %H:%M:%S}"

    lines = [_SAID["begins"][pick].format(at=at(told.log_begins))] if told.log_begins is not None else []
    for number, (lead, rows) in enumerate(told.leads):
        if number:
            lines += ["", _SAID["merged"][pick].format(lead=lead)]
        if not rows:
            lines.append(_SAID["nothing"][pick].format(lead=lead))
        for row in sorted(rows, key=Row.place):
            lines.append(f"{at(row.at)}  {KINDS[row.kind][pick]:<8}  {row.words[pick]}  [{row.link}]")
    return "\n".join(lines)


def _both(which: str, **values: object) -> tuple[str, str]:
    en, ja = _SAID[which]
    return en.format(**values), ja.format(**values)


def _millis(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
