"""The page behind a link, in Japanese or English. Everything that comes from elsewhere is escaped; nothing personal is on it,
because what scans links reads it, too."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

Words = Mapping[str, str]

_EN = {
    "lang": "en",
    "title": "A lead for {rep}",
    "company": "Company",
    "unknown": "not known",
    "due": "Answer by",
    "accept": "Take this lead",
    "decline": "Give it back",
    "reason": "Why",
    "accepted": "You have this lead.",
    "declined": "You gave this lead back.",
    "gone": "It is too late: this offer has been answered, or somebody else has the lead.",
    "expired": "This link has expired.",
    "bad": "This is not a link of ours, or it was cut short.",
    "choose": "Nothing was changed: choose a reason for giving the lead back.",
    "undecided": "Nothing was changed: take the lead, or give it back, with one of the two buttons.",
    "accepted before": "Nothing was changed: you took this lead before, and this link works once.",
    "declined before": "Nothing was changed: you gave this lead back before, and this link works once.",
}
_JA = {
    "lang": "ja",
    "title": "{rep}さんへのリードのご案内",
    "company": "会社名",
    "unknown": "不明",
    "due": "回答期限",
    "accept": "このリードを受け取る",
    "decline": "差し戻す",
    "reason": "理由",
    "accepted": "このリードはあなたが担当です。",
    "declined": "このリードを差し戻しました。",
    "gone": "このご案内は回答済みか、ほかの担当者に移っています。",
    "expired": "このリンクの有効期限が切れています。",
    "bad": "リンクが正しくないか、途中で切れています。",
    "choose": "変更はありません。差し戻す理由を選んでください。",
    "undecided": "変更はありません。受け取るか差し戻すかを、ボタンで選んでください。",
    "accepted before": "変更はありません。このリードはすでに受け取り済みです。このリンクで回答できるのは一度だけです。",
    "declined before": "変更はありません。このリードはすでに差し戻し済みです。このリンクで回答できるのは一度だけです。",
}
# Scripts, pictures and frames: none. A form goes back to us alone, and the link is told to nobody.
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}


def words(accept_language: str, otherwise: str = "en") -> Words:
    """Of the language that a browser asks for first, as far as it is one of ours; else of the other one."""
    for part in accept_language.lower().split(","):
        language = part.partition(";")[0].strip().partition("-")[0]
        if language in ("ja", "en"):
            return _JA if language == "ja" else _EN
    return _JA if otherwise == "ja" else _EN


def question(said: Words, *, rep: str, company: str | None, due: str | None, reasons: Mapping[str, str]) -> str:
    """Both answers as buttons. reasons: of giving it back, code: label"""
    options = "".join(f'<option value="{escape(code)}">{escape(label)}</option>' for code, label in reasons.items())
    facts = f"<p>{said['company']}: <b>{escape(company or said['unknown'])}</b></p>"
    if due:
        facts += f"<p>{said['due']}: <b>{escape(due)}</b></p>"
    decline = (
        '<form method="post"><input type="hidden" name="do" value="decline">'
        f'<label>{said["reason"]} <select name="reason" required><option value=""></option>{options}</select></label> '
        f"<button>{said['decline']}</button></form>"
    )
    accept = (
        f'<form method="post"><input type="hidden" name="do" value="accept"><button>{said["accept"]}</button></form>'
    )
    return _page(said, said["title"].format(rep=rep), facts + accept + (decline if options else ""))


def message(said: Words, what: str) -> str:
    return _page(said, said[what], "")


def _page(said: Words, title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="{said["lang"]}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Baton</title>'
        "<style>body{font:16px sans-serif;max-width:32em;margin:2em auto;padding:0 1em}button{font:inherit;padding:.5em 1em}"
        f"</style><h1>{escape(title)}</h1>{body}</html>"
    )
