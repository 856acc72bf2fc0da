"""Salesforce outbound messages."""

from __future__ import annotations

import pytest
from defusedxml.ElementTree import fromstring

from services.ingest.answers import Outcome
from services.ingest.domain.refusals import Refused
from services.ingest.senders.salesforce_outbound import answer, failure, redact

SECRET = "salesforce-secret"
SESSION = "00D000000000xyz!AQEAQHMmj3YskCh"
LEAD = """<sf:Id>00Q5000000AbCdEFGH</sf:Id><sf:Email>taro@minato-seisakusho.co.jp</sf:Email>
<sf:FirstName>太郎</sf:FirstName><sf:LastName>山田</sf:LastName><sf:Company>株式会社ミナト製作所</sf:Company>
<sf:Title>情報システム部長</sf:Title><sf:Phone xsi:nil="true"/><sf:Budget__c>300万円</sf:Budget__c><sf:Street>西区1-2</sf:Street>
<sf:LastModifiedDate>2026-09-21T12:00:00.000Z</sf:LastModifiedDate>"""


def notification(fields: str = LEAD, *, kind: str = "Lead", number: str = "04l50000000AbCdAAE") -> str:
    record = f'<sObject xsi:type="sf:{kind}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{fields}</sObject>'
    return f"<Notification><Id>{number}</Id>{record}</Notification>"


def message(*notifications: str, url: str = "https://minato.my.salesforce.com/services/Soap/c/61.0") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>
<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>00D000000000xyzEAA</OrganizationId>
<ActionId>04k5000000000abAAA</ActionId><SessionId>{SESSION}</SessionId><EnterpriseUrl>{url}</EnterpriseUrl>
{"".join(notifications)}</notifications></soapenv:Body></soapenv:Envelope>""".encode()


def test_the_secret_in_the_address_or_a_header_is_what_counts(hook):
    salesforce, body = hook("salesforce_outbound", SECRET), message(notification())
    assert salesforce.refused(salesforce.request(body, query=b"secret=salesforce-secret")) is None
    assert salesforce.refused(salesforce.request(body, {"X-Baton-Secret": SECRET})) is None
    assert salesforce.refused(salesforce.request(body, query=b"secret=other")) == "wrong_credential"
    assert salesforce.refused(salesforce.request(body)) == "no_credential"


@pytest.mark.parametrize(
    ("organisation", "body", "code"),
    [
        ("00D000000000xyzEAA", message(notification()), None),
        ("00D000000000xyz", message(notification()), None),
        ("00D000000000abcEAA", message(notification()), "wrong_organization"),
        ("00D000000000xyz", message(notification()).replace(b"00D000000000xyzEAA", b""), "wrong_organization"),
        ("00D000000000xyz", b"<a/>", "malformed_xml"),
        ("00D000000000xyz", b"<!DOCTYPE a><a/>", "forbidden_xml"),
    ],
)
def test_the_organisation_has_to_be_the_one_that_the_source_names(hook, tmp_path, organisation, body, code):
    (tmp_path / "organisation").write_text(organisation)
    (tmp_path / "secret").write_text(SECRET)
    secrets = [
        {"id": "address", "value": f"file:{tmp_path}/secret"},
        {"id": "organisation", "value": f"file:{tmp_path}/organisation", "use": "verify_token"},
    ]
    salesforce = hook("salesforce_outbound", secrets=secrets)
    assert salesforce.refused(salesforce.request(body, query=b"secret=salesforce-secret")) == code


def test_a_lead_is_a_person_with_properties(hook):
    policy = {"evidence": [{"criterion": "B1", "fields": ["Budget__c"], "otherwise": "named"}]}
    salesforce = hook("salesforce_outbound", SECRET, policy=policy)
    touch = salesforce.touch(message(notification()))
    assert (touch.type, touch.event, touch.at, touch.is_test) == ("identify", "Lead", 1_789_992_000_000, False)
    assert touch.person.fields["last_name"] == "山田"
    assert touch.attributes["company"] == "株式会社ミナト製作所"
    assert touch.evidence == {"B1": "named"}
    assert salesforce.kinds(message(notification())) == [{"external", "email"}]
    assert "西区" not in touch.model_dump_json()


def test_a_campaign_member_is_the_lead_or_contact_that_it_names(hook):
    member = (
        "<sf:Id>00v1</sf:Id><sf:LeadId>00Q5000000AbCdEFGH</sf:LeadId>"
        "<sf:CampaignId>701x</sf:CampaignId><sf:Status>Attended</sf:Status>"
    )
    rule = {"id": "came", "when": {"event.properties.Status": {"eq": "Attended"}}, "type": "seminar_attended"}
    salesforce = hook("salesforce_outbound", SECRET, policy={"mapping": [rule]})
    touch = salesforce.touch(message(notification(member, kind="CampaignMember")))
    assert (touch.type, touch.campaign) == ("seminar_attended", "701x")
    found = salesforce.read(salesforce.request(message(notification()))).drafts[0].identities
    assert touch.identity_id == found.strong[0].id


def test_a_record_without_a_person_is_refused_and_costs_no_other(hook):
    salesforce = hook("salesforce_outbound", SECRET)
    body = message(notification("<sf:Id>006x</sf:Id>", kind="Opportunity"), notification(), "<Notification/>")
    found = salesforce.read(salesforce.request(body))
    assert [made.position for made in found.drafts] == [1]
    assert {index: refused.code for index, refused in found.refused.items()} == {0: "no_identity", 2: "wrong_type"}


def test_a_sandbox_sends_tests(hook):
    url = "https://minato--uat.sandbox.my.salesforce.com/services/Soap"
    assert hook("salesforce_outbound", SECRET).touch(message(notification(), url=url)).is_test


def test_a_message_is_known_by_the_id_of_its_notification(hook):
    salesforce = hook("salesforce_outbound", SECRET)
    first = salesforce.touch(message(notification())).event_id
    assert salesforce.touch(message(notification(LEAD.replace("太郎", "花子")))).event_id == first
    assert salesforce.touch(message(notification(number="04l50000000AbCeAAE"))).event_id != first


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_xml"),
        (b"[]", "malformed_xml"),
        (b"<a>" * 100, "malformed_xml"),
        (b"<a/>", "malformed_xml"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "malformed_xml"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "malformed_xml"),
        (b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>', "forbidden_xml"),
        (b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><x/>', "forbidden_xml"),
        (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>', "forbidden_xml"),
        (message(), "no_notifications"),
        (message(*[notification()] * 2_501), "too_many_events"),
    ],
)
def test_what_is_no_message_is_refused_as_a_whole(hook, body, code):
    salesforce = hook("salesforce_outbound", SECRET)
    with pytest.raises(Refused) as refused:
        salesforce.read(salesforce.request(body))
    assert (refused.value.code, refused.value.status) == (code, 400)


def test_deep_nesting_is_borne(hook):
    salesforce = hook("salesforce_outbound", SECRET)
    with pytest.raises(Refused):
        salesforce.read(salesforce.request(b"<a>" * 100_000 + b"</a>" * 100_000))


@pytest.mark.parametrize(
    "body",
    [
        message(notification()),
        message(notification()).replace(b"SessionId>", b"out:SessionId>"),
        message(notification()).replace(b"<SessionId>", b'<SessionId xmlns="x">'),
        message(notification()).replace(SESSION.encode(), b"<![CDATA[" + SESSION.encode() + b"]]>"),
        message(notification()).replace(SESSION.encode(), b"<!-- </ -->" + SESSION.encode()),
        message(notification()).partition(b"</SessionId>")[0],
        message(notification()).decode().encode("utf-16"),
        message(notification()).decode().encode("utf-16-le"),
        message(notification()).replace(b"UTF-8", b"IBM037").decode().encode("cp037", "replace"),
        b"<SessionId>\xff" + SESSION.encode(),
    ],
)
def test_the_key_of_the_session_is_gone_before_anything_is_done(body):
    left = redact(body)
    for written in (left, left.replace(b"\0", b"")):
        assert SESSION.encode() not in written
        assert SESSION.encode("cp037") not in written


def test_redacting_leaves_the_message_readable(hook):
    salesforce = hook("salesforce_outbound", SECRET)
    assert salesforce.touch(redact(message(notification()))) == salesforce.touch(message(notification()))


def test_redacting_is_quick_whatever_comes():
    for piece in (b"<SessionId", b"<SessionId>", b"<SessionId ", b"<a:SessionId>", b"</"):
        redact(piece * 100_000)


def test_what_is_kept_is_acknowledged_and_nothing_else_is(hook):
    request = hook("salesforce_outbound", SECRET).request()
    kept = answer(request, Outcome(False, 1, 2, 3))
    assert (kept.status, kept.media) == (200, b"text/xml; charset=utf-8")
    (ack,) = [element for element in fromstring(kept.body).iter() if element.tag.endswith("}Ack")]
    assert (ack.tag, ack.text) == ("{http://soap.sforce.com/2005/09/outbound}Ack", "true")
    failed = failure(request, Refused("unavailable", "kafka is <away>", 503))
    assert (failed.status, failed.headers) == (503, ((b"retry-after", b"2"),))
    assert b"Ack" not in failed.body
    (text,) = [element.text for element in fromstring(failed.body).iter("faultstring")]
    assert text == "unavailable: kafka is <away>"
