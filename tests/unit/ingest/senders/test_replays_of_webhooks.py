"""An event that was refused can be read again from what was kept of it, once it or the policy is mended."""

from __future__ import annotations

from base64 import b64decode
from urllib.parse import urlencode

import orjson
import pytest

from services.ingest.admin.replay import reopen

LEAD = {"type": "LEAD_ACTION", "leadGenFormResponse": "urn:li:x:1", "leadAction": "CREATED", "occurredAt": "1970-01-01"}
OLD = "1970-01-01 00:00:00"
SOAP = b"""<notifications xmlns="http://soap.sforce.com/2005/09/outbound" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<Notification><Id>04l1</Id><sObject xsi:type="sf:Lead"><Id>00Q5000000AbCdEFGH</Id><CreatedDate>1970-01-01T00:00:00Z</CreatedDate>
</sObject></Notification></notifications>"""
REFUSED = {
    "zoom": {"event": "webinar.participant_joined", "event_ts": 5, "payload": {"object": {"registrant": {"id": "r"}}}},
    "meta_leads": {
        "entry": [{"id": 1, "changes": [{"field": "leadgen", "value": {"leadgen_id": 7, "created_time": 1}}]}]
    },
    "linkedin_leads": {"notifications": [LEAD]},
    "google_leads": {"lead_id": "a", "lead_submit_time": OLD},
    "mailgun": {"signature": {"token": "t"}, "event-data": {"event": "opened", "recipient": "a@b.jp", "timestamp": 1}},
    "mailchimp": urlencode({"type": "subscribe", "fired_at": OLD, "data[email]": "a@b.jp"}).encode(),
    "segment_webhook": [{"type": "track", "event": "x", "userId": "u", "timestamp": OLD}],
    "unbounce": urlencode({"page_name": "LP", "data.json": '{"company":["x"]}'}).encode(),
    "marketo": urlencode({"event": "x", "lead_id": "1", "datetime": OLD, "lead[email]": "a@b.jp"}).encode(),
    "salesforce_outbound": SOAP,
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_kept_of_a_refused_event_opens_again_as_the_same_event(hook, kind):
    source = hook(kind, "secret")
    found = source.read(source.request(REFUSED[kind]))
    assert found.drafts == []
    (record,) = found.records
    kept = orjson.loads(record.value)
    assert kept["protocol"] == kind
    raw = b64decode(kept["raw"])
    opened = reopen(raw, kept["protocol"], kept["call"], source.known, whole=False)
    assert opened.envelope.items == [orjson.loads(raw)]
