"""What a visitor sees who sent a form that leads nowhere else. Nothing that anybody typed is on it."""

from __future__ import annotations

from html import escape

from services.ingest.answers import Answer, refusal
from services.ingest.domain.refusals import Refused

_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *"),
    (b"referrer-policy", b"no-referrer"),
    (b"vary", b"Accept, Accept-Language"),
    (b"x-content-type-options", b"nosniff"),
)
_STYLE = (
    "body{font-family:system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem;line-height:1.7;color:#222}"
)
_TEXTS = {
    "ja": {
        "thanks": ("送信しました", "ありがとうございます。内容を受け付けました。"),
        "nobody": ("送信できませんでした", "メールアドレスをご確認のうえ、もう一度お送りください。"),
        "later": ("送信できませんでした", "ただいま混み合っています。しばらくしてからもう一度お送りください。"),
        "refused": ("送信できませんでした", "お手数ですが、ほかの方法でご連絡ください。"),
    },
    "en": {
        "thanks": ("Sent", "Thank you. We have received your message."),
        "nobody": ("Not sent", "Please check your e-mail address, and send it again."),
        "later": ("Not sent", "We are busy at the moment. Please send it again in a little while."),
        "refused": ("Not sent", "We are sorry. Please get in touch with us in another way."),
    },
}


def language(accepted: str | None) -> str:
    """Of the pages' languages the one that a browser likes best: `ja` or `en`."""
    best, wanted = "en", 0.0
    for part in (accepted or "").split(",")[:20]:
        tag, _, quality = part.partition(";")
        known = tag.strip().lower()[:2]
        try:
            weight = float(quality.partition("=")[2]) if quality else 1.0
        except ValueError:
            weight = 0.0
        if known in _TEXTS and weight > wanted:
            best, wanted = known, weight
    return best


def thanks(accepted: str | None) -> Answer:
    return _page(200, "thanks", accepted)


def sorry(refused: Refused, accepted: str | None) -> Answer:
    """Status and headers as for programs; the words for people."""
    later = refused.status in (429, 503)
    page = _page(
        refused.status, "later" if later else "nobody" if refused.code == "no_identity" else "refused", accepted
    )
    return page._replace(headers=(*page.headers, *refusal(refused).headers))


def _page(status: int, what: str, accepted: str | None) -> Answer:
    chosen = language(accepted)
    title, words = (escape(text) for text in _TEXTS[chosen][what])
    html = (
        f'<!doctype html><html lang="{chosen}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1><p>{words}</p></html>"
    )
    return Answer(status, html.encode(), _HEADERS, b"text/html; charset=utf-8")
