"""Whatever is posted to a form: it is read or refused, and what a browser encodes comes out as it was typed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote_from_bytes, urlsplit

import orjson
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.envelope import read_event
from services.ingest.domain.form_fields import Multipart, boundary_of, charset_of, texts, tree, urlencoded
from services.ingest.domain.forms import Surroundings, check, envelope, redirect
from services.ingest.domain.refusals import Refused

FORMLIKE = st.text("ab[]&=%+;_.0129\x00\ud800é表", max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
BODIES = st.binary(max_size=300) | FORMLIKE
CHARSETS = st.none() | st.sampled_from(["utf-8", "Shift_JIS", "euc-jp", "iso-2022-jp", "x", ""]) | st.text(max_size=10)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
NAMES = st.binary(min_size=1, max_size=10).filter(lambda name: not {b"\r", b"\n"} & {bytes([byte]) for byte in name})
PARTS = st.lists(st.tuples(NAMES, st.binary(max_size=30), st.booleans()), max_size=6)


@given(BODIES, CHARSETS)
def test_any_body_becomes_an_event_or_is_refused(body: bytes, charset: str | None) -> None:
    with suppress(Refused):
        fields = tree(texts(urlencoded(body), charset))
        orjson.dumps(fields)  # so that it can be kept
        read_event(envelope(fields, "contact_requested", Surroundings()), 0)


@given(st.dictionaries(TEXTS.filter(lambda name: "[" not in name), TEXTS), st.sampled_from(["utf-8", "cp932"]))
def test_what_is_typed_arrives_as_it_was_typed(fields: dict[str, str], codec: str) -> None:
    def encoded(text: str) -> str:
        return quote_from_bytes(text.encode(codec, "xmlcharrefreplace"), safe="")

    typed = {name: value for name, value in fields.items() if not any("&#" in text for text in (name, value))}
    typed.pop("_charset_", None)
    typed = {n: v for n, v in typed.items() if all(roundtrips(text, codec) for text in (n, v))}
    body = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in typed.items())
    assert tree(texts(urlencoded(body.encode()), codec)) == typed


def roundtrips(text: str, codec: str) -> bool:
    """Some bytes of cp932 mean one character and are written for two."""
    return all(
        character.encode(codec, "xmlcharrefreplace").startswith(b"&#")
        or character.encode(codec).decode(codec) == character
        for character in text
    )


@given(PARTS, st.lists(st.integers(1, 50), min_size=1), st.binary(max_size=10))
def test_however_a_body_is_cut_its_fields_are_the_same(
    parts: list[tuple[bytes, bytes, bool]], cuts: list[int], noise: bytes
) -> None:
    whole = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        % (name, b'; filename="f"' if is_file else b"", value)
        for name, value, is_file in parts
    )
    for body in (whole + b"--b--\r\n", whole + noise):
        at_once, in_pieces = Multipart(b"b"), Multipart(b"b")
        at_once.feed(body)
        start, turn = 0, 0
        while start < len(body):
            in_pieces.feed(body[start : start + cuts[turn % len(cuts)]])
            start, turn = start + cuts[turn % len(cuts)], turn + 1
        sieved = Multipart(b"b")
        sieved.feed(at_once.close())
        assert read(at_once) == read(in_pieces) == read(sieved)


def read(multipart: Multipart) -> Any:
    try:
        return multipart.whole(), multipart.files
    except Refused as refused:
        return refused.code


@given(st.binary(max_size=200))
def test_any_content_type_is_read_or_overlooked(value: bytes) -> None:
    charset_of(value)
    boundary = boundary_of(b"multipart/form-data; " + value)
    if boundary is not None:
        with suppress(Refused):
            Multipart(boundary).feed(b"--x\r\n")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=40,
)


@given(JSON)
def test_any_json_becomes_an_event_or_is_refused(body: Any) -> None:
    with suppress(Refused):
        read_event(envelope(check(body), "contact_requested", Surroundings("https://x.example/?utm_source=%FF")), 0)


@given(st.text() | st.text(max_size=40).map(lambda rest: "https://ok.example/" + rest))
def test_a_redirect_never_leaves_the_allowed_host(wanted: str) -> None:
    found = redirect(wanted, ("https://ok.example/",))
    if found is not None:
        assert found.isascii()
        assert found.isprintable()
        assert (urlsplit(found).scheme, urlsplit(found).netloc) == ("https", "ok.example")
