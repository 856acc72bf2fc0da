"""Snowplow's tracker protocol: what its trackers send, and answers that never make them send for ever."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from urllib.parse import urlencode

import orjson
import pytest

TP2 = "/com.snowplowanalytics.snowplow/tp2"
NOW = 1_790_000_000_000
UE = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
PAGE = {
    "e": "pv",
    "eid": "e-1",
    "aid": "key",
    "duid": "browser",
    "url": "https://x.example/pricing?a=b",
    "dtm": str(NOW),
}


def body(*events):
    return {"schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4", "data": list(events)}


def demo(data=None, schema="iglu:com.acme/demo_requested/jsonschema/1-0-0"):
    return {"schema": UE, "data": {"schema": schema, "data": data or {}}}


def entities(**named):
    data = [{"schema": f"iglu:com.acme/{name}/jsonschema/1-0-0", "data": value} for name, value in named.items()]
    return {"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0", "data": data}


def packed(tree, *, url_safe=True, padded=True):
    text = (urlsafe_b64encode if url_safe else b64encode)(orjson.dumps(tree)).decode()
    return text if padded else text.rstrip("=")


@pytest.mark.parametrize(
    ("event", "kind", "name"),
    [
        ({"e": "pv"}, "page_viewed", None),
        ({"e": "pp"}, "custom", "page_ping"),
        ({"e": "se", "se_ca": "form", "se_ac": "Demo Requested"}, "demo_requested", "Demo Requested"),
        ({"e": "tr", "tr_id": "o-1", "tr_tt": "100"}, "custom", "transaction"),
        ({"e": "ti", "ti_id": "o-1", "ti_sk": "s"}, "custom", "transaction_item"),
        ({"e": "ue", "ue_pr": orjson.dumps(demo()).decode()}, "demo_requested", "demo_requested"),
        ({"e": "ue", "ue_pr": demo()}, "demo_requested", "demo_requested"),
        ({"e": "ue", "ue_px": packed(demo({"x": "あ?>~~"}))}, "demo_requested", "demo_requested"),
        ({"e": "ue", "ue_px": packed(demo({"x": "あ?>~~"}), padded=False)}, "demo_requested", "demo_requested"),
        ({"e": "ue", "ue_px": packed(demo({"x": "あ?>~~"}), url_safe=False)}, "demo_requested", "demo_requested"),
        ({"e": "ue", "ue_pr": demo({"name": "Home"}, "iglu:a/screen_view/jsonschema/1-0-0")}, "page_viewed", "Home"),
    ],
)
async def test_every_kind_of_event_is_understood(wire, event, kind, name):
    answer = await wire.call(TP2, body({"aid": "key", "duid": "browser"} | event))
    assert (answer.status, answer.body) == (200, b"ok")
    (touch,) = wire.touches
    assert (touch.type, touch.event) == (kind, name)


async def test_people_stand_where_trackers_put_them(wire):
    events = [
        PAGE | {"eid": "1", "uid": "u-1", "nuid": "collector", "sid": "session"},
        PAGE | {"eid": "2", "duid": "", "tnuid": "network", "sid": "session"},
        {"e": "pv", "eid": "3", "sid": "session"},
        {"e": "pv", "eid": "4", "cx": packed(entities(user={"email": "taro@hinode-soft.co.jp", "title": "部長"}))},
    ]
    await wire.call(TP2, body(*events), headers={"X-Write-Key": "key"})
    assert wire.identities(0) == wire.named(user="u-1", anonymous="browser")
    assert wire.identities(1) == wire.named(anonymous="network")
    assert wire.identities(2) == wire.named(anonymous="session")
    assert wire.identities(3) == wire.named(email="taro@hinode-soft.co.jp")
    assert wire.touches[3].attributes["level"] == "head"


async def test_a_form_tells_its_fields(wire):
    fields = [
        {"name": "email", "value": "taro@hinode-soft.co.jp", "nodeName": "INPUT"},
        {"name": "title", "value": "課長"},
    ]
    form = demo({"formId": "f", "elements": fields}, "iglu:com.snowplowanalytics.snowplow/submit_form/jsonschema/1-0-0")
    await wire.call(TP2, body({"e": "ue", "aid": "key", "ue_pr": form}))
    assert wire.identities() == wire.named(email="taro@hinode-soft.co.jp")


@pytest.mark.parametrize(
    ("times", "at", "clock"),
    [
        ({"dtm": str(NOW - 379), "stm": str(NOW - 1000)}, NOW - 379, "kept"),  # the python tracker floors its stm
        ({"dtm": str(NOW - 7_200_000), "stm": str(NOW - 3_600_000)}, NOW - 3_600_000, "shifted"),
        ({"ttm": str(NOW - 9), "dtm": str(NOW - 7_200_000), "stm": str(NOW - 3_600_000)}, NOW - 9, "kept"),
        ({"dtm": None}, NOW, "absent"),
    ],
)
async def test_times_are_the_trackers_unless_its_clock_is_wrong(wire, times, at, clock):
    await wire.call(TP2, body(PAGE | times))
    assert (wire.touches[0].at, wire.touches[0].clock) == (at, clock)


async def test_the_query_counts_more_than_the_body(wire):
    await wire.call(TP2, body(PAGE | {"aid": "no key"}), query="aid=key&uid=u-1")
    assert wire.identities() == wire.named(user="u-1", anonymous="browser")


async def test_the_header_counts_more_than_the_application_id(wire):
    await wire.call(TP2, body(PAGE, PAGE | {"aid": "site", "eid": "e-2"}), headers={"X-Write-Key": "shop-key"})
    assert [touch.source_id for touch in wire.touches] == ["shop", "shop"]


async def test_one_bad_event_costs_no_other(wire):
    bad = {
        "wrong_type": "no object",
        "unknown_type": {"e": "xx"},
        "bad_schema": {"e": "ue", "duid": "b", "ue_pr": "{}"},
        "bad_base64": {"e": "ue", "duid": "b", "ue_px": "!!!"},
        "malformed_json": {"e": "ue", "duid": "b", "ue_px": packed({})[:-1] + "x"},
        "nul_character": {"e": "ue", "duid": "b", "ue_px": packed(demo({"x": "\0"}))},
        "too_deep": {"e": "ue", "duid": "b", "ue_pr": '{"a":' * 70 + "1" + "}" * 70},
        "bad_time": PAGE | {"dtm": "yesterday"},
        "no_identity": {"e": "pv"},
        "another_key": PAGE | {"aid": "shop-key"},
    }
    answer = await wire.call(TP2, body(PAGE, *bad.values(), PAGE | {"eid": "e-2", "page": None, "res": 7}))
    assert answer.status == 200
    assert [event.code for event in wire.rejected] == list(bad)
    assert len(wire.touches) == 2
    assert {event.protocol for event in wire.rejected} == {"snowplow"}


@pytest.mark.parametrize("path", ["/i", "/com.snowplowanalytics.snowplow/tp1"])
async def test_a_view_may_be_told_by_asking_for_a_picture(wire, path):
    query = urlencode(PAGE | {"e": "ue", "ue_px": packed(demo())})
    answer = await wire.call(path, method="GET", query=query)
    assert (answer.status, answer.media, answer.body[:6]) == (200, b"image/gif", b"GIF89a")
    assert (b"cache-control", b"no-store") in answer.headers
    assert [touch.type for touch in wire.touches] == ["demo_requested"]


async def test_the_collectors_cookie_names_a_browser_that_nothing_else_names(wire):
    first = await wire.call("/i", method="GET", query="e=pv&aid=key")
    cookie = dict(first.headers)[b"set-cookie"].decode()
    assert (first.status, wire.touches) == (400, []), "it names nobody yet"
    assert all(part in cookie for part in ("HttpOnly", "Secure", "SameSite=None", "Path=/", "Max-Age="))
    named = cookie.partition(";")[0]
    again = await wire.call("/i", method="GET", query="e=pv&aid=key", headers={"Cookie": f"other=1; {named}"})
    assert dict(again.headers)[b"set-cookie"].decode() == cookie, "it stays the same"
    assert wire.identities() == wire.named(anonymous=named.removeprefix("sp="))


async def test_who_wants_to_be_nobody_gets_no_cookie_and_is_not_known_by_one(wire):
    headers = {"SP-Anonymous": "*", "Cookie": "sp=6b1c6a5e-0000-4000-8000-000000000000"}
    answer = await wire.call(TP2, body({"e": "pv", "aid": "key", "sid": "s"}), headers=headers)
    assert b"set-cookie" not in dict(answer.headers)
    assert wire.identities() == wire.named(anonymous="s")


async def test_browsers_may_send_from_any_site_with_their_cookie(wire):
    origin = {"Origin": "https://www.hinode.example"}
    for method, path in [("OPTIONS", TP2), ("OPTIONS", "/i")]:
        headers = dict((await wire.call(path, method=method, headers=origin)).headers)
        assert headers[b"access-control-allow-origin"] == b"https://www.hinode.example"
        assert headers[b"access-control-allow-credentials"] == b"true"
        assert headers[b"access-control-allow-headers"] == b"Content-Type, SP-Anonymous"
        assert headers[b"access-control-max-age"] == b"3600"
    answer = await wire.call(TP2, body(PAGE), headers=origin)
    assert dict(answer.headers)[b"access-control-allow-origin"] == b"https://www.hinode.example"


@pytest.mark.parametrize(
    ("path", "call", "status", "code"),
    [
        (TP2, {"body": body(PAGE), "too_large": True}, 400, "too_large"),
        (TP2, {"method": "GET"}, 400, "method_not_allowed"),
        ("/i", {"method": "POST"}, 400, "method_not_allowed"),
        ("/i", {"method": "DELETE"}, 400, "method_not_allowed"),
        (TP2, {"body": b"x", "headers": {"Content-Encoding": "br"}}, 400, "unsupported_encoding"),
        (TP2, {"body": b"no JSON"}, 400, "malformed_json"),
        (TP2, {"body": [PAGE]}, 400, "wrong_type"),
        (TP2, {"body": body(*[PAGE] * 2_501)}, 400, "too_many_events"),
        (TP2, {"body": body(PAGE | {"aid": "nobody's"})}, 401, "unknown_write_key"),
        (TP2, {"body": body({"e": "pv"})}, 401, "unknown_write_key"),
    ],
)
async def test_no_refusal_makes_a_tracker_send_for_ever(wire, path, call, status, code):
    answer = await wire.call(path, **call)
    assert answer.status == status
    if answer.media != b"image/gif":
        assert orjson.loads(answer.body)["code"] == code


async def test_what_is_too_large_is_kept_when_it_is_known_whose_it_is(wire):
    answer = await wire.call(TP2, body(PAGE), headers={"X-Write-Key": "key"}, too_large=True)
    assert answer.status == 400
    assert [event.code for event in wire.rejected] == ["too_large"]
