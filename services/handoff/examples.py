"""The description of the API with an example of all that is sent and answered, made of the description itself. Pure.

Models that have an example of their own keep it; of the others every field is shown, with what stands here for its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Json = Any
_NOON = "2026-11-24T03:00:00.000Z"
_DAY = "2026-11-24"
_ID = "8b1f2c4e-52d9-5f0e-9a57-0c7a1d7f3b61"
_TYPES: Mapping[str | None, type] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}
NAMED: Mapping[str, Json] = {
    "about": ["yamada"],
    "account_manager": "kato",
    "attributes": {"company": "青空機械", "first_source": "webinar"},
    "body": '{"type":"offer.accepted","timestamp":"2026-11-24T03:00:00.000Z","data":{"rep_id":"sato"}}',
    "by": "sato",
    "campaign": "autumn-webinar",
    "channel": "chat",
    "characters": "😀",
    "closed_reason": "price",
    "code": "decision_maker",
    "competitors": ["他社A"],
    "confirmed": ["users-met", "it-met"],
    "currency": "JPY",
    "amount": "1200000",
    "limit": "5000000",
    "weighted": "120000",
    "cycle": 1,
    "data": {"lead_id": "lead-7", "opportunity_id": _ID, "rep_id": "sato", "stage": "accepted"},
    "department": "情報システム課",
    "department_id": "it",
    "description": "our CRM",
    "direction": "out",
    "disabled_reason": "failing",
    "effect": "reroute",
    "email": "tanabe@aozora-kikai.example",
    "event_types": ["offer.accepted", "clock.breached"],
    "external_id": "006-0042",
    "facts": {"assignment": 1, "leg": "fs", "pool_id": "higashi"},
    "field": "amount",
    "framework": "bant",
    "grade": "B1",
    "handover": {"contract": "1年、4月開始", "promises": "なし"},
    "items": ["…"],
    "label": {"en": "First meeting, problem", "ja": "初回商談・課題確認"},
    "lacking": ["need"],
    "lead_class": "hand_raise",
    "lead_id": "lead-7",
    "left": False,
    "leg": "fs",
    "link": f"/v1/opportunities/{_ID}",
    "logged_by": "sato",
    "memo": "課題は在庫の棚卸。来期に予算あり",
    "mode": "offer",
    "name": "田辺 舞",
    "note": "内容は見積の相談",
    "opportunity_id": _ID,
    "outcome": "appointment",
    "participants": ["田辺様", "情報システム課長"],
    "path": "/o/…",
    "person": {"name": "田辺 舞", "email": "tanabe@aozora-kikai.example", "title": "情報システム課 課長"},
    "phone": "03-0000-0000",
    "pool_id": "higashi",
    "products": ["在庫"],
    "reason": "at_capacity",
    "reasons": [{"code": "rule", "text": {"ja": "ルール「東日本」", "en": "rule east"}, "detail": {}}],
    "rep_id": "sato",
    "rep_name": "佐藤 花子",
    "reports_to": "mori",
    "review": {"why": "導入実績が決め手"},
    "role": "presales",
    "roles": ["decision_maker"],
    "secret": "whsec_…",
    "source": "webinar",
    "stage": "accepted",
    "stage_label": {"en": "First meeting, problem", "ja": "初回商談・課題確認"},
    "state": "open",
    "status": 200,
    "successor": "suzuki",
    "system": "salesforce",
    "team": [{"rep_id": "ito", "role": "presales"}],
    "text": {"en": "Nobody who drafts the request is known", "ja": "起案者が未特定です"},
    "timestamp": _NOON,
    "title": "見積を送る",
    "touches": [{"type": "demo_requested", "at": _NOON, "received_at": _NOON, "campaign": "autumn-webinar"}],
    "evidence": [{"criterion": "T1", "code": "3m", "source_id": "website", "observed_at": _NOON}],
    "url": "https://crm.example.com/hooks/baton",
    "what": "offer-accepted",
    "who": "sato",
    "words": {"ja": "佐藤 花子が受領", "en": "佐藤 花子 accepted"},
    "yomi": "Aヨミ",
    "answer": "busy",
    "as_of": _NOON,
    "cost": 1,
    "counts_from": "sql",
    "created_by": "sato",
    "criterion": "budget",
    "decision_process": "課長起案、役員決裁",
    "due_on": _DAY,
    "ended_by": "sato",
    "from_activity": "call-31",
    "given_back_for": "unreachable",
    "impact": "月40万円",
    "next": "MTc5NjA4NjgwMDAwMA==",
    "next_step": "デモの日程を決める",
    "overlap_until": _NOON,
    "own": ["probability"],
    "part": "approver",
    "paused_by": "sato",
    "paused_until": _NOON,
    "problem": "棚卸に毎月120時間かかっている",
    "question": "B1",
    "recorded_by": "sato",
    "resumed_by": "sato",
    "rival": "他社A",
    "stage_since": _NOON,
    "stakeholder": "yamada",
    "success_criteria": "棚卸を半分の時間で",
    "told_by": "yamada",
    "touches_from": _NOON,
    "type": "offer.accepted",
    "value": "secured",
    "values": ["secured", "requesting", "unknown"],
    # What a name means in one model alone.
    "ActivityItem.type": "call_attempted",
    "ActivityView.type": "call_attempted",
    "ApprovalView.next": ["approved", "returned", "rejected"],
    "ApprovalView.state": "submitted",
    "ChangeView.after": "1500000",
    "ChangeView.before": "1200000",
    "ClockView.kind": "first_touch",
    "ClockView.state": "running",
    "DealView.stage": "discovery",
    "DealView.type": "new",
    "DealView.yomi": "Cヨミ",
    "Detail.type": "new",
    "LogActivity.type": "call_connected",
    "LostCell.text": "髙島屋 😀",
    "LostCell.column": "company",
    "MaterialView.link": "https://example.com/roi.pdf",
    "QuestionView.text": {"en": "Which year's budget?", "ja": "ご予算は今期・来期のどちらでお考えでしょうか"},
    "OfferView.state": "accepted",
    "Owner.name": "佐藤 花子",
    "Owner.state": "accepted",
    "Pause.reason": "waiting_for_customer",
    "PauseView.reason": "waiting_for_customer",
    "PersonView.id": "yamada",
    "PersonView.name": "山田 一郎",
    "PersonView.note": "在庫の棚卸に困っている",
    "PersonView.title": "情報システム部長",
    "StageSum.stage": "discovery",
    "StageSum.type": "new",
    "StepView.title": "情報システム部長",
    "Summary.type": "new",
}


def with_examples(document: dict[str, Json]) -> dict[str, Json]:
    """The same description; what is sent and what is answered has an example."""
    models = document.get("components", {}).get("schemas", {})
    for name in sorted(set(_told(document))):
        models[name].setdefault("examples", [_example(models[name], models, "", name)])
    return document


def _told(document: Mapping[str, Json]) -> Iterator[str]:
    """The models of bodies and of answers."""
    for path in document["paths"].values():
        for operation in path.values():
            for one in (operation.get("requestBody", {}), *operation["responses"].values()):
                for medium in one.get("content", {}).values():
                    schema = medium.get("schema", {})
                    for alternative in (schema, *schema.get("anyOf", ())):
                        if "$ref" in alternative:
                            yield _name(alternative)


def _name(reference: Mapping[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def _example(schema: Mapping[str, Json], models: Mapping[str, Json], named: str, model: str = "") -> Json:
    """named: the field;  model: whose"""
    if "$ref" in schema:
        return _example(models[_name(schema)], models, named)
    value = NAMED.get(f"{model}.{named}", NAMED.get(named))
    if chosen := next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), None):
        return _example({**schema, "anyOf": (), **chosen}, models, named, model)
    if "examples" in schema:
        return schema["examples"][0]
    if "properties" in schema:
        return {name: _example(one, models, name, schema["title"]) for name, one in schema["properties"].items()}
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return value if value in schema["enum"] else schema["enum"][0]
    if _fits(value, schema):
        return value
    return _of_type(schema, models, named)


def _fits(value: Json, schema: Mapping[str, Json]) -> bool:
    if value is None or "$ref" in schema:
        return False
    of = schema.get("items" if schema.get("type") == "array" else "additionalProperties")
    if not isinstance(value, _TYPES.get(schema.get("type"), object)):
        return False
    inner = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return not isinstance(of, dict) or all(_fits(one, of) for one in inner)


def _of_type(schema: Mapping[str, Json], models: Mapping[str, Json], named: str) -> Json:
    kind = schema.get("type")
    if kind == "array":
        return [_example(schema.get("items", {}), models, named.removesuffix("s"))]
    if kind == "object":
        of = schema.get("additionalProperties")
        return {"contract": _example(of, models, named)} if isinstance(of, dict) else {}
    if kind == "boolean":
        return bool(schema.get("default"))
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if schema.get("format") == "date":
        return _DAY
    if schema.get("format") == "date-time" or named.endswith("_at") or named in ("at", "until", "since", "due"):
        return _NOON
    return _ID if named == "id" or named.endswith("_id") or schema.get("format") == "uuid" else "…"
