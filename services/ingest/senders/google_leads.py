"""Lead form assets of Google Ads. `google_key` in the body is all that proves where a lead comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import items, present, text
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders import credentials
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

TYPES = {"lead_form_submitted": "ad_form_submitted"}
_COLUMNS = {
    "FULL_NAME": "name",
    "FIRST_NAME": "firstName",
    "LAST_NAME": "lastName",
    "WORK_EMAIL": "email",
    "EMAIL": "email",
    "WORK_PHONE": "phone",
    "PHONE_NUMBER": "phone",
    "COMPANY_NAME": "company",
    "JOB_TITLE": "title",
    "REGION": "state",
    "COUNTRY": "country",
}
_PREFERRED = ("WORK_EMAIL", "WORK_PHONE")  # over the private ones
_UNKEPT = frozenset({"STREET_ADDRESS", "CITY", "POSTAL_CODE"})


def prove(request: Request, keys: Keys, now: int) -> None:
    """By `google_key`, which the advertiser chose."""
    key = text(credentials.unverified(request.body), "google_key") or ""
    credentials.check([key.encode("utf-8", "surrogatepass")], keys.active(now))


def read(request: Request, keys: Keys) -> Opened:
    parsed = parse(request.body)
    envelope = Envelope([parsed.tree], translate=translate, types=TYPES, channel="paid_search", protocol="google_leads")
    return Opened(envelope, suspect=parsed.suspect, single=True)


def translate(lead: Any) -> dict[str, Any]:
    """One lead. Questions of the advertiser's own are properties, by their names."""
    if not isinstance(lead, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    number = text(lead, "lead_id")
    traits, answers = _columns(lead)
    return present(
        type="track",
        event="lead_form_submitted",
        messageId=f"lead:{number}" if number else None,
        timestamp=text(lead, "lead_submit_time"),
        externalId=f"google_lead:{number}" if number else None,
        context=present(campaign={"source": "google", "medium": "cpc"}),
        traits=traits,
        properties=answers
        | present(
            campaign=text(lead, "campaign_id"),
            form_id=text(lead, "form_id"),
            adgroup_id=text(lead, "adgroup_id"),
            creative_id=text(lead, "creative_id"),
            asset_group_id=text(lead, "asset_group_id"),
            gclid=text(lead, "gcl_id"),
            is_test=lead.get("is_test") is True,
        ),
    )


def _columns(lead: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    traits: dict[str, str] = {}
    answers: dict[str, str] = {}
    for column in items(lead, "user_column_data"):
        name, value = text(column, "column_id"), text(column, "string_value")
        if not value or name in _UNKEPT:
            continue
        if known := _COLUMNS.get(name or ""):
            if name in _PREFERRED or known not in traits:
                traits[known] = value
        elif asked := text(column, "column_name") or name:
            answers[asked] = value
    return traits, answers


GOOGLE_LEADS = Webhook(kind="google_leads", verify=prove, read=read)
