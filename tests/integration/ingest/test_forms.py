"""Forms posted to a live ingest: by browsers, by scripts, by robots, from sites that may and sites that may not."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import httpx
import pytest

from shared.schemas.touches import RejectedEvent, Touch

pytestmark = pytest.mark.servers

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "ja,en;q=0.5"}
PERSON = {
    "お名前": "山田 太郎",
    "メールアドレス": "taro@hinode-soft.co.jp",
    "会社名": "日の出ソフト株式会社",
    "役職": "部長",
}
SITE = "https://www.hinode.example"
HOUR = 1 / 3600


def policy(**form: Any) -> dict[str, Any]:
    return {"sources": [{"id": "contact", "kind": "form", "form": form}]}


async def post(ingest: Any, fields: Any = PERSON, *, path: str | None = None, **options: Any) -> httpx.Response:
    """As a browser posts a form, unless the options say other."""
    url = f"{ingest.url}/forms/{path or f'{ingest.tenant}/contact'}"
    if not {"content", "json", "files"} & options.keys() or "files" in options:
        options["data"] = fields
    return await ingest.http.post(url, **{"headers": PAGE} | options)


@pytest.fixture
async def form(start, tenant) -> Any:
    return await start(policy(origins=[SITE], redirects=[f"{SITE}/"], honeypot="homepage"))


FROM_SITE = PAGE | {"Origin": SITE}


async def test_a_visitor_is_thanked_and_the_submission_is_a_touch_of_an_inbound_form(start, tenant) -> None:
    ingest = await start(policy())
    answer = await post(ingest)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "ありがとう" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    (touch,) = [Touch.model_validate_json(record["_raw"]) for record in await ingest.touches()]
    assert (touch.type, touch.channel, touch.trusted, touch.identity_kind) == (
        "contact_requested",
        "inbound_form",
        False,
        "email",
    )
    assert touch.person
    assert {"name", "email", "title"} <= set(touch.person.fields)
    assert touch.attributes["domain"] == "hinode-soft.co.jp"


async def test_a_click_that_is_done_twice_is_one_touch(start, tenant) -> None:
    ingest = await start(policy())
    for _ in range(2):
        answer = await post(ingest, headers={})
    assert answer.json() | {"results": None} == {
        "success": True,
        "accepted": 0,
        "duplicate": 1,
        "rejected": 0,
        "results": None,
    }
    for _ in range(2):
        await post(ingest, PERSON | {"_id": "of-the-page", "備考": "x"})
    await post(ingest, PERSON | {"_id": "of-the-page", "備考": "typed more in between"})
    assert len(await ingest.touches()) == 2


@pytest.mark.parametrize("how", ["urlencoded", "multipart", "shift_jis", "json", "json as text"])
async def test_forms_are_understood_however_they_are_sent(start, tenant, how) -> None:
    ingest = await start(policy())
    fields = PERSON | {"ご要望": "①について"}
    attachment = {"図面": ("図面.pdf", b"%PDF" + b"x" * 3_000_000, "application/pdf")}
    options: dict[str, dict[str, Any]] = {
        "multipart": {"files": attachment},
        "shift_jis": {
            "content": "&".join(f"{_sjis(n)}={_sjis(v)}" for n, v in fields.items()),
            "headers": PAGE | {"Content-Type": "application/x-www-form-urlencoded; charset=Shift_JIS"},
        },
        "json": {"json": fields, "headers": {}},
        "json as text": {"content": httpx.Request("POST", "http://x", json=fields).content, "headers": {}},
    }
    answer = await post(ingest, fields, **options.get(how, {}))
    assert answer.status_code == 200, answer.text
    (touch,) = await ingest.touches()
    assert {"name", "email", "title", "free_text"} <= touch["person"]["fields"].keys()
    assert touch["attributes"]["company"].startswith("日の出ソフト")


def _sjis(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("cp932"))


async def test_attachments_are_counted_and_not_taken(start, tenant) -> None:
    ingest = await start(policy())

    async def files() -> float:
        lines = (await ingest.http.get(f"{ingest.url}/metrics")).text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("baton_ingest_form_files_total"))

    before = await files()
    await post(ingest, files=[("a", ("a.txt", b"a")), ("b", ("b.txt", b"b")), ("c", ("", b""))])
    assert await files() - before == 2


async def test_only_pages_of_listed_sites_may_post(form) -> None:
    refused = [
        await post(form, headers=PAGE | headers)
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Referer": "https://evil.example/x"},
            {},
        )
    ]
    assert [answer.status_code for answer in refused] == [403] * 4
    assert all("access-control-allow-origin" not in answer.headers for answer in refused)
    assert (await post(form, headers={"Origin": "null"})).json()["code"] == "origin_not_allowed"
    admitted = [
        await post(form, PERSON | {"_id": name}, headers={name: value})
        for name, value in {"Origin": SITE, "Referer": f"{SITE}/contact?x=1"}.items()
    ]
    assert [answer.status_code for answer in admitted] == [200] * 2
    assert admitted[0].headers["access-control-allow-origin"] == SITE
    assert len(await form.touches()) == 2


async def test_a_script_of_a_listed_site_is_told_that_it_may_send(form) -> None:
    async def ask(origin: str) -> httpx.Response:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return await form.http.options(f"{form.url}/forms/{form.tenant}/contact", headers=headers)

    assert (await ask(SITE)).headers["access-control-allow-origin"] == SITE
    assert (await ask("https://evil.example")).status_code == 403


async def test_the_browser_is_led_on_to_listed_addresses_only(form) -> None:
    async def location(wanted: str) -> str | None:
        answer = await post(form, PERSON | {"_redirect": wanted}, headers=FROM_SITE)
        assert answer.status_code == (303 if "location" in answer.headers else 200)
        return answer.headers.get("location")

    assert await location(f"{SITE}/thanks") == f"{SITE}/thanks"
    for wanted in ("https://evil.example/", f"{SITE}.evil.example/", "//evil.example", "javascript:alert(1)"):
        assert await location(wanted) is None


async def test_a_robot_that_fills_what_nobody_sees_is_thanked_and_dropped(form) -> None:
    fields = PERSON | {"homepage": "https://spam.example", "_redirect": f"{SITE}/thanks"}
    answer = await post(form, fields, headers=FROM_SITE)
    genuine = await post(form, PERSON | {"homepage": "", "_redirect": f"{SITE}/thanks"}, headers=FROM_SITE)
    assert (answer.status_code, answer.headers["location"]) == (genuine.status_code, genuine.headers["location"])
    assert len(await form.touches()) == 1
    (kept,) = [RejectedEvent.model_validate_json(record["_raw"]) for record in await form.written("ingest-rejected")]
    assert (kept.code, kept.protocol) == ("honeypot", "form")
    assert b"spam.example" in b64decode(kept.raw)


async def test_hidden_fields_and_cookies_say_who_and_where(start, tenant) -> None:
    ingest = await start(policy())
    hidden = {"_url": f"{SITE}/lp/fair?x=secret", "utm_campaign": "fair-2026", "_event": "Catalog Downloaded"}
    cookie = {"Cookie": "a=b; ajs_anonymous_id=%22anon-7%22"}
    await post(ingest, PERSON | hidden, headers=PAGE | cookie)
    (touch,) = await ingest.touches()
    assert (touch["type"], touch["path"], touch["campaign"]) == ("catalog_downloaded", "/lp/fair", "fair-2026")
    assert {link["identity_kind"] for link in await ingest.links()} >= {"anonymous"}
    assert b"secret" not in touch["_raw"]


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"fields": {"お名前": "nobody"}}, 400, "no_identity"),
        ({"content": b"&".join([b"a=b"] * 1001)}, 400, "too_many_fields"),
        ({"content": b"a=" + b"x" * 70_000}, 413, "too_large"),
        ({"content": b"a[b][c][d][e][f][g]=x"}, 400, "too_deep"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "malformed_json"),
        ({"content": b"[1]", "headers": {"Content-Type": "application/json"}}, 400, "wrong_type"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, "bad_multipart"),
        ({"files": {"a": (None, b"x" * 70_000)}}, 413, "too_large"),
        ({"path": "nothing"}, 404, "unknown_source"),
    ],
)
async def test_what_cannot_be_taken_is_refused_with_a_code_and_kept(start, tenant, options, status, code) -> None:
    ingest = await start(policy())
    answer = await post(ingest, options.pop("fields", PERSON), **{"headers": {}} | options)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    kept = [record["code"] for record in await ingest.written("ingest-rejected")]
    assert kept == ([] if code == "unknown_source" else [code])


async def test_a_visitor_sees_a_page_when_it_fails(start, tenant) -> None:
    ingest = await start(policy())
    answer = await post(ingest, {"お名前": "<script>alert(1)</script>"})
    assert answer.status_code == 400
    assert "メールアドレス" in answer.text
    assert "script" not in answer.text


async def test_other_kinds_of_sources_take_no_forms_and_forms_want_a_post(start, tenant) -> None:
    ingest = await start(
        {"sources": [{"id": "web", "write_keys": [f"{tenant}-web"]}, {"id": "contact", "kind": "form"}]}
    )
    assert (await post(ingest, path=f"{tenant}/web", headers={})).json()["code"] == "unknown_source"
    answer = await ingest.http.get(f"{ingest.url}/forms/{tenant}/contact")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


async def test_a_form_that_is_flooded_says_when_to_come_again(start, tenant) -> None:
    source = {"id": "contact", "kind": "form", "rate": {"per_second": HOUR, "burst": 1}}
    ingest = await start({"sources": [source]})
    answers = [await post(ingest, PERSON | {"備考": str(number)}) for number in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert 3500 < int(answers[1].headers["retry-after"]) <= 3600
    assert "もう一度" in answers[1].text
    assert await ingest.written("ingest-rejected") == []


async def test_a_form_with_an_endless_attachment_takes_no_memory(start, tenant) -> None:
    ingest = await start(policy())

    async def endless():
        yield b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
        for _ in range(600):
            yield b"x" * 65_536

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await post(ingest, content=endless(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
