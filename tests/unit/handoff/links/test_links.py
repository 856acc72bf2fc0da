"""Links that only we can write, and pages on which nothing foreign comes alive."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.handoff.links import page
from services.handoff.links.signing import BadLinkError, OfferLink, Signer

LINK = OfferLink("hinode", "0d8e68a4-7a95-5bde-b902-714a70fa7a16", 3, "sato", 1_700_000_000_000)
SIGNER = Signer(b"m" * 32)


def test_a_link_says_what_was_written_and_nobody_else_can_write_one() -> None:
    text = SIGNER.write(LINK)
    assert SIGNER.read(text) == LINK
    assert "=" not in text
    body = SIGNER.write(replace(LINK, rep_id="mori"))[43:]
    for forged in (
        text[:43] + body,
        text[:-4],
        text + "AAAA",
        "",
        "é",
        "A" * 100,
        "A" * 2000,
        Signer(b"n" * 32).write(LINK),
    ):
        with pytest.raises(BadLinkError):
            SIGNER.read(forged)


@pytest.mark.parametrize(
    ("asked", "language"),
    [("ja", "ja"), ("ja-JP,en;q=0.9", "ja"), ("en-US,ja;q=0.9", "en"), ("fr,ja;q=0.5", "ja"), ("fr", "en"), ("", "en")],
)
def test_the_page_speaks_the_language_that_is_asked_for_first(asked: str, language: str) -> None:
    assert page.words(asked)["lang"] == language


def test_both_languages_say_the_same_things() -> None:
    assert page.words("ja").keys() == page.words("en").keys()


def test_what_comes_from_elsewhere_is_text_on_the_page() -> None:
    evil = '"><script>alert(1)</script>{rep}'
    shown = page.question(page.words("en"), rep=evil, company=evil, due=None, reasons={evil: evil})
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") == 4
