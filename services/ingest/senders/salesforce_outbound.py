"""Salesforce outbound messages (SOAP 1.1). They are not signed: a secret stands in their address.

Each brings the key of a live session, `SessionId`, which is taken out before anything else is done with the body. What is
answered without an `Ack` that is true comes again, for a day.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from html import escape
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from services.ingest.answers import Answer, Outcome, refusal
from services.ingest.domain.envelope import MOST_EVENTS, Envelope
from services.ingest.domain.fields import mapping, present, text
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders import credentials
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

TYPES = {"Lead": "identify", "Contact": "identify"}
MEDIA = b"text/xml; charset=utf-8"
_SESSION = re.compile(
    rb"(<(?:[\w.-]{1,64}:)?SessionId(?:\s[^<>]*)?>).*?(?=</(?:[\w.-]{1,64}:)?SessionId\s*>|\Z)", re.DOTALL
)
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_OUTBOUND = "http://soap.sforce.com/2005/09/outbound"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_ID = 15  # characters of a Salesforce id that count; three more check them
_PEOPLE = ("Lead", "Contact")
_TRAITS = {
    "Email": "email",
    "FirstName": "firstName",
    "LastName": "lastName",
    "Name": "name",
    "Title": "title",
    "Department": "department",
    "Company": "company",
    "Phone": "phone",
    "MobilePhone": "phone",
    "Industry": "industry",
    "NumberOfEmployees": "employees",
    "Country": "country",
    "State": "state",
    "Description": "message",
}
_TIMES = ("SystemModstamp", "LastModifiedDate", "CreatedDate")
_ADDRESSES = frozenset({"Street", "City", "PostalCode", "Fax", "HomePhone", "OtherPhone", "MailingStreet"})
_by_secret = credentials.by(credentials.in_query, credentials.in_header)


def redact(body: bytes) -> bytes:
    """The body without the session's key. Nothing of it is left where it cannot be told where that stands."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return b""
    return b"" if b"\0" in body else _SESSION.sub(rb"\1***", body)


def prove(request: Request, keys: Keys, now: int) -> None:
    """By the secret; and, where the source has `verify_token`s, by the organisation's id, which has to be one of them."""
    _by_secret(request, keys, now)
    known = [token.value for token in keys.in_force(now).verify_tokens]
    if not known:
        return
    try:
        said = (_child(_notifications(request.body), "OrganizationId") or "").encode()
    except Refused as refused:
        raise Refused(refused.code, refused.message, 401) from None
    if True not in [len(said) >= _ID and hmac.compare_digest(said[:_ID], value[:_ID]) for value in known]:
        raise Refused("wrong_organization", "the message is of another organisation", 401)


def read(request: Request, keys: Keys) -> Opened:
    if request.body[:1] == b"{":  # what was refused and is replayed: one notification as it is kept
        kept = parse(request.body)
        return Opened(_envelope([kept.tree]), suspect=kept.suspect)
    message = _notifications(request.body)
    sandbox = ".sandbox." in (_child(message, "EnterpriseUrl") or "")
    found = [
        {**_notification(element), "ActionId": _child(message, "ActionId"), "sandbox": sandbox}
        for element in _named(message, "Notification")
    ]
    if not found:
        raise Refused("no_notifications", "the message carries no Notification")
    if len(found) > MOST_EVENTS:
        raise Refused("too_many_events", f"a message may carry {MOST_EVENTS} notifications")
    return Opened(_envelope(found))


def _envelope(found: list[Any]) -> Envelope:
    return Envelope(found, translate=translate, types=TYPES, protocol="salesforce_outbound")


def translate(item: Any) -> dict[str, Any]:
    """One record as it was when the message was made, named by its type. Of a record that is no person, the person is the one
    it belongs to."""
    record, kind = mapping(item, "record"), text(item, "type")
    if not kind or not record:
        raise Refused("wrong_type", "a notification carries an sObject of a type")
    own = text(record, "Id") if kind in _PEOPLE else None
    person = own or text(record, "ContactId") or text(record, "LeadId") or text(record, "WhoId")
    at = next((moment for name in _TIMES if (moment := text(record, name))), None)
    unsaid = {"Id", *_TRAITS, *_TIMES, *_ADDRESSES}
    return present(
        type="track",
        event=kind,
        messageId=text(item, "id"),
        timestamp=at,
        externalId=f"salesforce:{person[:_ID]}" if person else None,
        traits={
            trait: value
            for name, trait in _TRAITS.items()
            if (value := text(record, name)) and (kind in _PEOPLE or name == "Email")
        },
        properties={name: value for name, value in record.items() if name not in unsaid}
        | present(
            campaign=text(record, "CampaignId"), action_id=text(item, "ActionId"), is_test=item.get("sandbox") is True
        ),
    )


def answer(request: Request, outcome: Outcome) -> Answer:
    """All that came is kept."""
    return _soap(200, f'<notificationsResponse xmlns="{_OUTBOUND}"><Ack>true</Ack></notificationsResponse>', ())


def failure(request: Request, refused: Refused) -> Answer:
    """A fault, whose text Salesforce shows beside the message that it will send again."""
    fault = escape(f"{refused.code}: {refused.message}")
    return _soap(
        refused.status,
        f"<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>{fault}</faultstring></soapenv:Fault>",
        refusal(refused).headers,
    )


def _soap(status: int, content: str, headers: tuple[tuple[bytes, bytes], ...]) -> Answer:
    whole = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_SOAP}">'
        f"<soapenv:Body>{content}</soapenv:Body></soapenv:Envelope>"
    )
    return Answer(status, whole.encode(), headers, MEDIA)


def _notifications(body: bytes) -> Element:
    """The element `notifications`. A document type is refused unread: bombs and foreign files come by it."""
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        raise Refused("forbidden_xml", "the XML declares a document type or entities") from None
    except (ParseError, ValueError, LookupError):
        raise Refused("malformed_xml", "the body is not XML in UTF-8") from None
    if _local(root) == "notifications":
        return root
    for part in _named(root, "Body"):
        for found in _named(part, "notifications"):
            return found
    raise Refused("malformed_xml", "the body is not an outbound message of Salesforce")


def _notification(element: Element) -> dict[str, Any]:
    """Id, type and fields of a Notification's sObject; of fields that come again, the last. Empty ones are left out."""
    for record in _named(element, "sObject"):
        fields = {_local(child): child.text.strip() for child in record if child.text and child.text.strip()}
        return {
            "id": _child(element, "Id"),
            "type": (record.get(_TYPE) or "").rpartition(":")[2],
            "record": fields,
        }
    return {"id": _child(element, "Id")}


def _named(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if _local(child) == name)


def _child(element: Element, name: str) -> str | None:
    return next((child.text.strip() for child in _named(element, name) if child.text), None) or None


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


SALESFORCE_OUTBOUND = Webhook(
    kind="salesforce_outbound", verify=prove, read=read, answer=answer, failure=failure, redact=redact
)
