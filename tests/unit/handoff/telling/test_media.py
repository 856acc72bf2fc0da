"""What strangers have typed stays text, whatever it is written for."""

from __future__ import annotations

import html
import re

import pytest
from apprise.conversion import markdown_to_html
from hypothesis import example, given
from hypothesis import strategies as st

from services.handoff.telling.media import LONGEST, Link, Message, as_markdown, as_text, harmless

LINK = Link("受け取る", "https://baton.example.jp/o/abc_-def")
SIGNS = st.text(alphabet="ab1 \\`*_{}[]()<>#+-.!|&~@:/'\"\n\r\t%\u202e\u2028\u200b株、", max_size=60)


@given(SIGNS | st.text(max_size=100))
@example("<b>&amp;</b>")
@example("https&#58;//evil.example")
@example("![x](y)")
@example("a_b_c *d* `e`")
@example("<https://evil.example>")
@example("[x]: https://evil.example")
def test_a_strangers_text_has_one_line_and_looks_in_html_as_it_looks_in_plain_text(text):
    told = harmless(text)
    assert len(told) <= 3 * LONGEST
    assert told == "" or told.splitlines() == [told]
    shown = markdown_to_html(as_markdown(Message("", (f"会社名: {told}", LINK))))
    assert set(re.findall(r"<(/?\w+)", shown)) <= {"p", "/p", "br", "a", "/a"}
    assert re.findall(r'href="([^"]*)"', shown) == [LINK.url]
    bare = html.unescape(re.sub(r"<[^>]*>", "", shown)).splitlines()
    assert " ".join(bare[0].split()) == f"会社名: {told}".strip()


@given(SIGNS | st.text(max_size=100))
def test_nothing_in_a_strangers_text_calls_anybody_or_is_an_address(text):
    told = harmless(text)
    assert not re.search(r"@\w|\w://|(?i:www\.)|[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]", told)


@pytest.mark.parametrize(
    "text", ["https://evil.example/x", "www.evil.example", "evil.example", "a@evil.example", "mailto:a"]
)
def test_addresses_are_parted_by_a_sign_that_takes_no_room(text):
    told = harmless(text)
    assert told != text
    assert told.replace("\u2060", "") == text


@pytest.mark.parametrize("text", ["[Click](evil.example/x)", "![x](//16843009/p.png)", "[a][b]", "a [x](/y) b", "A\\"])
def test_in_plain_text_that_a_medium_reads_as_markdown_a_stranger_has_no_links_no_pictures_and_escapes_nothing(text):
    told = harmless(text)
    assert not re.search(r"\]\(|\]\[|!\[|\\(?!\u2060)", told)
    assert told.replace("\u2060", "") == text


@pytest.mark.parametrize(
    "text", ["株式会社青葉", "Aoba Co., Ltd.", "O'Brien & Söhne GmbH", "(有)ヤマダ・カンパニー No.1"]
)
def test_honest_names_stay_as_they_are(text):
    assert harmless(text) == text


def test_in_plain_text_a_link_stands_in_full():
    assert as_text(Message("t", ("a", "", LINK))) == "a\n\n受け取る: https://baton.example.jp/o/abc_-def"


def test_where_marks_may_be_lost_the_address_is_shown():
    assert as_markdown(Message("t", (LINK,)), bare_links=True) == (
        "受け取る: [https://baton.example.jp/o/abc\\_-def](https://baton.example.jp/o/abc_-def)  "
    )
