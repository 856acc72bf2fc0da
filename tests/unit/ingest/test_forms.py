"""Forms as browsers, form builders and robots send them: charsets, brackets, files, hidden fields."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_from_bytes

import pytest

from services.ingest.domain import form_fields
from services.ingest.domain.form_fields import Multipart, texts, tree, urlencoded
from services.ingest.domain.forms import Surroundings, check, envelope, redirect
from services.ingest.domain.refusals import Refused
from services.ingest.forms_pages import language, sorry, thanks

BOUNDARY = b"----x"


def encoded(fields: dict[str, str], codec: str = "utf-8") -> bytes:
    """As a browser encodes a form on a page in this charset."""

    def part(text: str) -> str:
        return quote_from_bytes(text.encode(codec, "xmlcharrefreplace"), safe="").replace("%20", "+")

    return "&".join(f"{part(name)}={part(value)}" for name, value in fields.items()).encode()


def read(body: bytes, charset: str | None = None) -> dict[str, Any]:
    return tree(texts(urlencoded(body), charset))


def part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (BOUNDARY, name, more, value)


def file(name: bytes = b"cv", filename: bytes = b"cv.pdf", content: bytes = b"%PDF") -> bytes:
    return part(name, content, b'; filename="%s"\r\nContent-Type: application/pdf' % filename)


END = b"--" + BOUNDARY + b"--\r\n"
JAPANESE = {"お名前": "髙橋 ①郎㈱", "メールアドレス": "taro@hinode.example", "備考": "一行目\r\n二行目 100%&=+"}


@pytest.mark.parametrize("codec", ["utf-8", "cp932"])
@pytest.mark.parametrize("declared", ["field", "header", "nowhere"])
def test_japanese_arrives_whole_from_pages_in_either_charset(codec: str, declared: str) -> None:
    name = {"utf-8": "UTF-8", "cp932": "Shift_JIS"}[codec]
    fields = JAPANESE | ({"_charset_": name} if declared == "field" else {})
    found = read(encoded(fields, codec), name if declared == "header" else None)
    assert {key: value for key, value in found.items() if key != "_charset_"} == JAPANESE


def test_what_a_pages_charset_lacks_comes_as_references_and_is_read() -> None:
    assert read(encoded({"name": "𠮷野 😀"}, "cp932"), "shift_jis") == {"name": "𠮷野 😀"}
    assert read(encoded({"note": "&#20010;"})) == {"note": "&#20010;"}, "on a page that has all characters it is typed"


def test_a_wrong_declaration_does_not_spoil_the_text() -> None:
    assert read(encoded(JAPANESE, "cp932"), "UTF-8") == JAPANESE
    assert read(b"name=%FF%FE%00x", "no-such-charset")["name"].endswith("x")


def test_names_that_come_again_are_lists_and_brackets_are_objects() -> None:
    assert read(b"a=1&a=2&b[]=3&c[d][e]=4&c[d][f]=5&g[0]=x&g[1]=y&h[][i]=6") == {
        "a": ["1", "2"],
        "b": ["3"],
        "c": {"d": {"e": "4", "f": "5"}},
        "g": ["x", "y"],
        "h": [{"i": "6"}],
    }


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"a=1&a[b]=2", {"a": "1", "a[b]": "2"}),
        (b"a[b]=2&a=1", {"a": {"b": "2", "": "1"}}),
        (b"a[b=1&[c]=2&d]=3&e[f]g=4", {"a[b": "1", "[c]": "2", "d]": "3", "e[f]g": "4"}),
        (b"&&=x&y&z=", {"": "x", "y": "", "z": ""}),
        (b"a=1=2", {"a": "1=2"}),
        (b"%=x&a=%zz", {"%": "x", "a": "%zz"}),
        (b"a=x%00y", {"a": "xy"}),
    ],
)
def test_odd_names_lose_nothing(body: bytes, found: dict[str, Any]) -> None:
    assert read(body) == found


def test_a_form_is_bounded_in_fields_and_depth() -> None:
    assert len(read(b"&".join(b"f%d=x" % number for number in range(1000)))) == 1000
    for body, code in ((b"&".join([b"a=x"] * 1001), "too_many_fields"), (b"a[b][c][d][e][f][g]=x", "too_deep")):
        with pytest.raises(Refused) as refused:
            read(body)
        assert refused.value.code == code
    assert read(b"a[b][c][d][e][f]=x")


def multipart(body: bytes, step: int = 1 << 20) -> Multipart:
    found = Multipart(BOUNDARY)
    for start in range(0, len(body), step):
        found.feed(body[start : start + step])
    return found


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_of_a_form_with_files_the_fields_are_held_alone(step: int) -> None:
    body = (
        part(b"name", "山田".encode()) + file(content=b"x" * 5000) + file(filename=b"", content=b"") + part(b"a", b"")
    )
    found = multipart(body + END, step)
    assert (found.whole(), found.files) == ([(b"name", "山田".encode()), (b"a", b"")], 1)
    again = multipart(found.close())
    assert (again.whole(), again.files) == (found.whole(), found.files)
    assert len(found.close()) < 500


def test_names_in_shift_jis_that_end_in_a_backslash_survive() -> None:
    name = "表".encode("cp932")
    assert name.endswith(b"\\")
    found = multipart(multipart(part(name, b"x") + END).close())
    assert texts(found.whole(), "shift_jis") == [("表", "x")]


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", part(b"a", b"x"), END[:-6], part(b"a", b"x") + b"--other--\r\n", file()],
    ids=["nothing", "no multipart", "no end", "half an end", "another boundary", "only a file, no end"],
)
def test_what_is_damaged_or_cut_off_is_refused_and_stays_so_through_the_sieve(body: bytes) -> None:
    for found in (multipart(body), multipart(multipart(body).close())):
        with pytest.raises(Refused) as refused:
            found.whole()
        assert refused.value.code == "bad_multipart"


def test_many_parts_are_refused_and_not_held() -> None:
    found = multipart(part(b"a", b"x") * 5000 + END)
    assert len(found.pairs) <= 1001
    with pytest.raises(Refused) as refused:
        found.whole()
    assert refused.value.code == "too_many_fields"


def test_the_boundary_is_read_as_clients_write_it() -> None:
    assert form_fields.boundary_of(b'multipart/form-data; boundary="a b"') == b"a b"
    assert form_fields.boundary_of(b"Multipart/Form-Data; charset=utf-8; boundary=x") == b"x"
    assert form_fields.boundary_of(b"application/x-www-form-urlencoded") is None
    assert form_fields.boundary_of(b"multipart/form-data") is None


AROUND = Surroundings(
    "https://www.hinode.example/contact?utm_source=google&utm_campaign=autumn", "anon-1", "Mozilla", "ja"
)


def message(fields: dict[str, Any], event: str = "contact_requested") -> dict[str, Any]:
    made = envelope(fields, event, AROUND)
    assert made.translate
    return made.translate(fields)


def test_a_submission_is_one_event_with_its_answers_and_surroundings() -> None:
    fields = {
        "email": "a@b.example",
        "topics": ["x", "y"],
        "_id": "f-1",
        "_title": "お問い合わせ",
        "g-recaptcha-response": "t",
    }
    assert message(fields) == {
        "type": "track",
        "event": "contact_requested",
        "messageId": "f-1",
        "anonymousId": "anon-1",
        "context": {
            "page": {"url": AROUND.referer, "title": "お問い合わせ"},
            "campaign": {"name": "autumn", "source": "google"},
            "userAgent": "Mozilla",
            "locale": "ja",
        },
        "properties": {"email": "a@b.example", "topics": ["x", "y"]},
        "traits": {"email": "a@b.example", "topics": "x"},
    }


def test_hidden_fields_say_more_than_the_browser() -> None:
    made = message({"_url": "https://a.example/x", "_anonymous_id": "anon-2", "utm_campaign": "fair", "_referrer": "r"})
    assert made["context"]["page"] == {"url": "https://a.example/x", "referrer": "r"}
    assert made["context"]["campaign"] == {"name": "fair"}
    assert made["anonymousId"] == "anon-2"


@pytest.mark.parametrize(
    ("fields", "person"),
    [
        ({"contact": {"email": "e", "name": "n"}}, {"email": "e", "name": "n"}),
        ({"your-email": "e", "your-name": "n"}, {"email": "e", "name": "n"}),
        ({"company": {"name": "c"}, "lead": {"company": "d"}}, {"company": {"name": "c"}}),
        ({"email": "top", "lead": {"email": "inner"}}, {"email": "top"}),
        ({"email": ["first", "second"]}, {"email": "first"}),
    ],
)
def test_what_form_builders_wrap_around_a_field_is_taken_off(fields: dict[str, Any], person: dict[str, Any]) -> None:
    assert message(fields)["traits"] == person


def test_a_companys_web_site_is_not_where_it_happened() -> None:
    made = message({"url": "https://their-site.example/"})
    assert "url" not in made.get("properties", {})
    assert made["context"]["page"]["url"] == AROUND.referer


@pytest.mark.parametrize(
    ("said", "usual", "event", "meant"),
    [
        (None, "contact_requested", "contact_requested", "contact_requested"),
        ("Demo Requested", "contact_requested", "Demo Requested", "demo_requested"),
        ("資料請求", "contact_requested", "資料請求", "custom"),
        ("deal_registered", "contact_requested", "deal_registered", "custom"),
        (None, "deal_registered", "deal_registered", "deal_registered"),
    ],
)
def test_a_page_may_name_its_event_but_not_forge_one(said: str | None, usual: str, event: str, meant: str) -> None:
    made = envelope({"_event": said} if said else {}, usual, AROUND)
    assert made.types == {event: meant}


ALLOWED = ("https://www.hinode.example/", "https://b.example/thanks/")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("https://www.hinode.example/", "https://www.hinode.example/"),
        (
            "https://www.hinode.example/ありがとう?a=1#x",
            "https://www.hinode.example/%E3%81%82%E3%82%8A%E3%81%8C%E3%81%A8%E3%81%86?a=1#x",
        ),
        ("https://b.example/thanks/1", "https://b.example/thanks/1"),
        ("https://b.example/other", None),
        ("https://www.hinode.example.evil.example/", None),
        ("https://www.hinode.example@evil.example/", None),
        ("//evil.example/", None),
        ("javascript:alert(1)", None),
        ("https://www.hinode.example/\r\nSet-Cookie: a=b", None),
        ("https://www.hinode.example/\\evil", None),
        ("https://www.hinode.example/\ud800", None),
        ("https://www.hinode.example/" + "x" * 3000, None),
        ("", None),
        (None, None),
    ],
)
def test_a_form_leads_on_only_where_the_policy_lets_it(wanted: str | None, found: str | None) -> None:
    assert redirect(wanted, ALLOWED) == found
    assert redirect(wanted, ()) is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "wrong_type"),
        ("x", "wrong_type"),
        ({"a": [1] * 1001}, "too_many_fields"),
        ({"a": [[[[[[[1]]]]]]]}, "too_deep"),
    ],
)
def test_json_is_held_to_the_bounds_of_forms(body: Any, code: str) -> None:
    with pytest.raises(Refused) as refused:
        check(body)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("ja,en-US;q=0.9,en;q=0.8", "ja"),
        ("en-GB,en;q=0.9,ja;q=0.8", "en"),
        ("fr,ja;q=0.1", "ja"),
        ("en;q=0.1,ja;q=0.2", "ja"),
        ("de", "en"),
        ("ja;q=x", "en"),
        (None, "en"),
    ],
)
def test_the_page_speaks_the_visitors_language(accepted: str | None, chosen: str) -> None:
    assert language(accepted) == chosen
    assert f'lang="{chosen}"' in thanks(accepted).body.decode()


def test_nothing_that_was_typed_is_on_a_page() -> None:
    page = sorry(Refused("x", "<script>", 400), "<script>")
    assert b"<script" not in page.body
    assert dict(sorry(Refused("busy", "", 503), None).headers)[b"retry-after"]
