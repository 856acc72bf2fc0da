"""From the fields of a form to the event that its submission is.

Names that begin with `_` speak to us, all others are answers:
`_event` `_id` `_anonymous_id` `_url` `_title` `_referrer` `_redirect` `_charset_`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import present, text
from services.ingest.domain.form_fields import MOST_DEPTH, MOST_FIELDS
from services.ingest.domain.refusals import Refused
from services.ingest.domain.touch_types import default_type

CHANNEL = "inbound_form"
# What people do by a form. `_event` comes from the page: nobody shall write `deal_registered` into his browser.
_BY_FORM_TEXT = """
contact_requested demo_requested quote_requested meeting_booked trial_started tool_used catalog_downloaded
whitepaper_downloaded case_study_downloaded price_list_downloaded newsletter_subscribed email_unsubscribed
webinar_registered survey_answered trade_fair_survey_answered nps_answered referral_received support_opened
consent_granted consent_withdrawn
"""
_BY_FORM = frozenset(_BY_FORM_TEXT.split())
_TOKENS = frozenset({"g-recaptcha-response", "h-captcha-response", "cf-turnstile-response", "authenticity_token"})
_OF_THE_PAGE = frozenset({"url", "path"})  # in an event they say where it happened; in a form, a company's web site
_WHOLE = frozenset({"company", "organization", "organisation", "address", "会社", "会社名"})
_TAGS = ("source", "medium", "content", "term")
_MOST_ADDRESS = 2_000


class Surroundings(NamedTuple):
    """What a browser says beside the form. locale: the first of Accept-Language"""

    referer: str | None = None
    anonymous_id: str | None = None
    user_agent: str | None = None
    locale: str | None = None


def envelope(fields: Mapping[str, Any], usual_event: str, around: Surroundings) -> Envelope:
    """The one event of a form.

    usual_event: what its submission is called where the form does not say. A name that the form does say means what the
    tenant's mapping makes of it, else a touch type that forms have, else `custom`.
    """
    said = text(fields, "_event")
    event = said or usual_event
    meant = default_type("track", event[:100])
    if said and said != usual_event and meant not in _BY_FORM:
        meant = "custom"
    return Envelope(
        [fields],
        translate=lambda item: _message(item, event, around),
        types={event: meant},
        channel=CHANNEL,
        protocol="form",
    )


def _message(fields: Mapping[str, Any], event: str, around: Surroundings) -> dict[str, Any]:
    answers = {name: value for name, value in fields.items() if not name.startswith("_") and name not in _TOKENS}
    url = text(fields, "_url") or text(fields, "page_url") or around.referer
    page = present(
        url=url,
        title=text(fields, "_title") or text(fields, "page_title"),
        referrer=text(fields, "_referrer") or text(fields, "referrer"),
    )
    return present(
        type="track",
        event=event,
        messageId=text(fields, "_id"),
        anonymousId=text(fields, "_anonymous_id") or around.anonymous_id,
        context=present(page=page, campaign=_campaign(fields, url), userAgent=around.user_agent, locale=around.locale),
        properties={name: value for name, value in answers.items() if name not in _OF_THE_PAGE},
        traits=_person(answers),
    )


def _campaign(fields: Mapping[str, Any], url: str | None) -> dict[str, Any]:
    """From hidden fields, else from the address of the page."""
    try:
        query = dict(parse_qsl(urlsplit(url[:_MOST_ADDRESS]).query, errors="replace")) if url else {}
    except ValueError:
        query = {}

    def tag(name: str) -> str | None:
        return text(fields, f"utm_{name}") or text(query, f"utm_{name}")

    return present(name=tag("campaign"), **{name: tag(name) for name in _TAGS})


def _person(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers without what form builders wrap them in: `contact[email]` and `your-email` are `email`."""
    told: dict[str, Any] = {}
    for name, value in answers.items():
        if isinstance(value, dict) and name.casefold() not in _WHOLE:
            for inner, item in _person(value).items():
                told.setdefault(inner, item)
        elif isinstance(value, list):
            if value and not isinstance(value[0], dict | list):
                told.setdefault(_bare(name), value[0])
        else:
            told[_bare(name)] = value
    return told


def _bare(name: str) -> str:
    return name[5:] if name[:5].lower() in ("your-", "your_") else name


def check(fields: Any) -> Mapping[str, Any]:
    """A form that came as JSON, held to the bounds of all forms. Raises Refused."""
    if not isinstance(fields, dict):
        raise Refused("wrong_type", "a form in JSON must be an object")
    stack: list[tuple[Any, int]] = [(fields, 0)]
    count = 0
    while stack:
        value, depth = stack.pop()
        if depth > MOST_DEPTH + 1:
            raise Refused("too_deep", f"a form may be nested {MOST_DEPTH} deep")
        if isinstance(value, dict | list):
            count += len(value)
            stack.extend((item, depth + 1) for item in (value.values() if isinstance(value, dict) else value))
    if count > MOST_FIELDS:
        raise Refused("too_many_fields", f"a form may have {MOST_FIELDS} fields")
    return fields


def redirect(wanted: str | None, allowed: tuple[str, ...]) -> str | None:
    """Where to send the browser on: only to what begins with an allowed address, each of which names its host whole."""
    if not wanted or len(wanted) > _MOST_ADDRESS or not wanted.startswith(allowed):
        return None
    if any(ord(character) < 33 or character == "\\" or "\ud800" <= character <= "\udfff" for character in wanted):
        return None
    return quote(wanted, safe="%/:?#[]@!$&'()*+,;=~-._")
