"""One example or more of a call to every path: what OpenAPI shows, and what a test sends to a live ingest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
GIF = "image/gif"
TEXT = "text/plain"
TAKEN = {"success": True, "accepted": 1, "duplicate": 0, "rejected": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A call, with a write key beside it unless it carries its own, and its answer.

    body: JSON, or the fields of a form;  answer: body of the answer in `answers`
    path: what stands in the place of the path's parameter
    """

    body: Any = None
    media: str = JSON
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str | None = None
    status: int = 200
    answer: Any = None
    answers: str = JSON


_PERSON = {
    "email": "taro.yamada@hinode-soft.co.jp",
    "name": "山田 太郎",
    "title": "情報システム部 部長",
    "company": "日の出ソフト株式会社",
}
_TRACK = {
    "messageId": "0f3c2f5e-1",
    "userId": "u-4711",
    "event": "Demo Requested",
    "properties": {"form": "demo", "topic": "routing"},
    "timestamp": "2026-10-21T09:30:00.000+09:00",
}
_PAGE = {
    "anonymousId": "anon-1",
    "name": "料金",
    "properties": {"url": "https://www.hinode-soft.co.jp/pricing", "title": "料金"},
}
_NOBODY = Example(
    body={"event": "Demo Requested"},
    status=400,
    answer={
        "code": "no_identity",
        "message": "an event names somebody: userId, anonymousId or an e-mail address in its traits",
    },
)


def _taken(body: Any, **more: Any) -> Example:
    return Example(body=body, answer=TAKEN, **more)


_BATCH = {
    "an event": _taken({"batch": [{"type": "track"} | _TRACK], "sentAt": "2026-10-21T00:30:01Z"}),
    "a good and a bad event": Example(
        body={"batch": [{"type": "identify", "userId": "u-4711", "traits": _PERSON}, {"type": "track", "event": "x"}]},
        answer=TAKEN
        | {
            "rejected": 1,
            "results": [
                {"index": 1, "status": "rejected", "code": "no_identity", "message": _NOBODY.answer["message"]}
            ],
        },
    ),
}
_PIXEL = {"an event": Example(query={"userId": "u-4711", "event": "Email Opened", "name": "x"}, answers=GIF)}
_POSTHOG = {
    "an event": Example(
        body={"event": "Demo Requested", "distinct_id": "u-4711", "properties": {"$current_url": "https://a.example/"}},
        answer={"status": 1, "accepted": 1, "duplicate": 0, "rejected": 0},
    )
}
_MIXPANEL = {
    "event": "Demo Requested",
    "properties": {"distinct_id": "u-4711", "$insert_id": "i-1", "time": 1_792_542_600},
}
_ENGAGE = {"$distinct_id": "u-4711", "$set": {"$email": "taro.yamada@hinode-soft.co.jp", "$name": "山田 太郎"}}
_CLOUDEVENT = {
    "specversion": "1.0",
    "id": "ce-1",
    "source": "/crm",
    "type": "demo_requested",
    "time": "2026-10-21T00:30:00Z",
    "data": {"userId": "u-4711", "email": "taro.yamada@hinode-soft.co.jp"},
}
_SNOWPLOW = {
    "e": "se",
    "p": "web",
    "tv": "js-3.0",
    "eid": "7f0c3d1e-1",
    "se_ca": "form",
    "se_ac": "Demo Requested",
    "uid": "u-4711",
}

Examples = Mapping[str, Example]
# By the path of a route as its sender declares it.
OF_TRACKERS: dict[str, Examples] = {
    "/v1/identify": {"a person": _taken({"userId": "u-4711", "traits": _PERSON})},
    "/v1/track": {"an event": _taken(_TRACK), "of nobody": _NOBODY},
    "/v1/page": {"a page": _taken(_PAGE)},
    "/v1/screen": {"a screen": _taken({"userId": "u-4711", "name": "Home"})},
    "/v1/group": {
        "a company": _taken(
            {"userId": "u-4711", "groupId": "g-1", "traits": {"name": "日の出ソフト", "employees": 400}}
        )
    },
    "/v1/alias": {"two ids": _taken({"previousId": "anon-1", "userId": "u-4711"})},
    "/v1/merge": {
        "two ids": Example(
            body={"mergeProperties": []},
            status=400,
            answer={
                "code": "not_supported",
                "message": "merge is not supported: link two ids with alias (previousId, userId)",
            },
        )
    },
    "/v1/batch": _BATCH,
    "/v1/import": _BATCH,
    "/beacon/v1/batch": _BATCH,
    "/pixel/v1/identify": _PIXEL,
    "/pixel/v1/track": _PIXEL,
    "/pixel/v1/page": _PIXEL,
    "/com.snowplowanalytics.snowplow/tp2": {
        "an event": Example(
            body={"schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4", "data": [_SNOWPLOW]},
            answer="ok",
            answers=TEXT,
        )
    },
    "/i": {"an event": Example(query=_SNOWPLOW, answers=GIF)},
    "/batch": {
        "PostHog": Example(
            body={"batch": [_POSTHOG["an event"].body]},
            answer={"status": 1, "accepted": 1, "duplicate": 0, "rejected": 0},
        ),
        "Amplitude": Example(
            body={"events": [{"event_type": "Demo Requested", "user_id": "u-4711", "insert_id": "i-1"}]},
            answer={"code": 200, "events_ingested": 1, "payload_size_bytes": 90, "results": []},
        ),
    },
    "/capture": _POSTHOG,
    "/e": _POSTHOG,
    "/i/v0/e": _POSTHOG,
    "/events": {
        "structured": _taken(_CLOUDEVENT, media="application/cloudevents+json"),
        "a batch": _taken([_CLOUDEVENT], media="application/cloudevents-batch+json"),
        "binary": _taken(
            _CLOUDEVENT["data"],
            headers={"ce-specversion": "1.0", "ce-id": "ce-1", "ce-source": "/crm", "ce-type": "demo_requested"},
        ),
    },
    "/api/s/": {
        "an event": Example(body=_TRACK, path="track", answer={"ok": True, "accepted": 1, "duplicate": 0}),
        "from a server": Example(body=_TRACK, path="s2s/track", answer={"ok": True, "accepted": 1, "duplicate": 0}),
    },
    "/track": {
        "by address": Example(
            query={"data": '{"event":"Demo Requested","properties":{"distinct_id":"u-4711"}}'}, answer="1", answers=TEXT
        ),
        "events": Example(body=[_MIXPANEL], answer="1", answers=TEXT),
        "a form": Example(
            body={"data": '{"event":"Demo Requested","properties":{"distinct_id":"u-4711"}}'},
            media=FORM,
            answer="1",
            answers=TEXT,
        ),
        "in verbose": Example(body=[_MIXPANEL], query={"verbose": "1"}, answer={"status": 1, "error": None}),
    },
    "/engage": {
        "by address": Example(
            query={"data": '{"$distinct_id":"u-4711","$set":{"$name":"山田"}}'}, answer="1", answers=TEXT
        ),
        "a person": Example(body=[_ENGAGE], answer="1", answers=TEXT),
    },
    "/import": {
        "events": Example(
            body=[_MIXPANEL], answer={"code": 200, "status": "OK", "num_records_imported": 1, "results": []}
        )
    },
    "/2/httpapi": {
        "events": Example(
            body={"events": [{"event_type": "Demo Requested", "user_id": "u-4711", "insert_id": "i-1"}]},
            answer={"code": 200, "events_ingested": 1, "payload_size_bytes": 90, "results": []},
        )
    },
}
# The same under another path.
_ALSO = {
    **{f"/v1/{call[0]}": f"/v1/{call}" for call in ("identify", "track", "page", "screen", "group", "alias")},
    "/v1/b": "/v1/batch",
    **{f"/v1/pixel/{call}": f"/pixel/v1/{call}" for call in ("identify", "track", "page")},
    "/com.snowplowanalytics.snowplow/tp1": "/i",
    **{f"{path}/": path for path in ("/batch", "/capture", "/e", "/i/v0/e", "/track", "/engage")},
}
_FORM = {
    "お名前": "山田 太郎",
    "メールアドレス": "taro.yamada@hinode-soft.co.jp",
    "会社名": "日の出ソフト株式会社",
    "_title": "お問い合わせ",
}
OF_FORMS: Examples = {
    "a form": Example(body=_FORM, media=FORM, answer=TAKEN),
    "from a script": _taken(
        {"name": "山田 太郎", "email": "taro.yamada@hinode-soft.co.jp", "_event": "Catalog Downloaded"}
    ),
    "without an address": Example(body={"お名前": "山田"}, media=FORM, status=400, answer=_NOBODY.answer),
}
OF_WEBHOOKS: Examples = {
    "not signed": Example(
        body={"type": "contact.created", "data": {"email": "taro.yamada@hinode-soft.co.jp"}},
        status=401,
        answer={"code": "no_signature", "message": "the request carries no signature"},
    )
}


def examples_of(path: str) -> Examples:
    """Of a route of a tracker; none where nobody has written one, which a test finds."""
    return OF_TRACKERS.get(_ALSO.get(path, path), {})
