"""The pages of senders say what the code does: their policies can be applied, and their tables name every default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from services.ingest.senders import (
    calendly,
    customerio,
    google_leads,
    hubspot,
    intercom,
    linkedin_leads,
    mailchimp,
    mailgun,
    marketo,
    meta_leads,
    salesforce_outbound,
    sendgrid,
    typeform,
    unbounce,
    zoom,
)
from shared.schemas.policies import SourcesPolicy

PAGES = Path(__file__).parents[4] / "docs" / "senders"
TYPES = {
    "standard_webhooks": {},
    "hmac": {},
    "hubspot": hubspot.TYPES,
    "sendgrid": sendgrid.TYPES,
    "typeform": typeform.TYPES,
    "calendly": calendly.TYPES,
    "intercom": intercom.TYPES,
    "customerio": customerio.TYPES,
    "zoom": zoom.TYPES,
    "meta_leads": meta_leads.TYPES,
    "linkedin_leads": linkedin_leads.TYPES,
    "google_leads": google_leads.TYPES,
    "mailgun": mailgun.TYPES,
    "mailchimp": mailchimp.TYPES,
    "segment_webhook": {},
    "unbounce": unbounce.TYPES,
    "marketo": marketo.TYPES,
    "salesforce_outbound": salesforce_outbound.TYPES,
}


@pytest.mark.parametrize("kind", TYPES)
def test_what_a_page_says_to_paste_is_a_policy_of_its_kind(kind):
    page = (PAGES / f"{kind}.md").read_text()
    snippets = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert snippets
    for snippet in snippets:
        policy = SourcesPolicy.model_validate(yaml.safe_load(snippet))
        assert {source.kind for source in policy.sources} == {kind}


@pytest.mark.parametrize("kind", TYPES)
def test_a_page_names_every_default_in_the_row_of_its_touch_type(kind):
    rows = [line for line in (PAGES / f"{kind}.md").read_text().splitlines() if line.startswith("|")]
    for event, touch_type in TYPES[kind].items():
        assert any(f"`{event}`" in row and f"`{touch_type}`" in row.split("|")[2] for row in rows), event


@pytest.mark.parametrize("kind", TYPES)
def test_a_page_is_short(kind):
    assert len((PAGES / f"{kind}.md").read_text().splitlines()) <= 40
