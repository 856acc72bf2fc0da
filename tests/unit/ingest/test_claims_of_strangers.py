"""What strangers say of themselves: it merges nobody, and no address of theirs leaves `person`."""

from __future__ import annotations

import orjson
import pytest

from services.ingest.domain.consents import Consents
from services.ingest.domain.envelope import Envelope, read_event
from services.ingest.domain.mapping import MOST_ANSWERS, Evidence
from services.ingest.sources import Sources
from shared.schemas.policies import SourcesPolicy
from shared.schemas.policies.sources import ConsentRule, EvidenceRule

ADDRESS = "taro.yamada@hinode.example"
ENCODED = ADDRESS.replace("@", "%40")


@pytest.mark.parametrize(
    "event",
    [
        {"event": f"Invited {ADDRESS}"},
        {"properties": {"path": f"/unsubscribe/{ADDRESS}/done"}},
        {"properties": {"url": f"https://hinode.example/u/{ENCODED}?x=1"}},
        {"properties": {"topic": f"mail to {ADDRESS}"}},
        {"properties": {"campaign": f"invite:{ADDRESS}"}},
        {"context": {"campaign": {"name": ADDRESS, "source": ADDRESS, "medium": ADDRESS}}},
        {
            "context": {
                "page": {"url": f"https://a.example/?utm_campaign={ENCODED}", "referrer": f"https://{ADDRESS}/x"}
            }
        },
        {"traits": {"landing_page": f"https://a.example/lp?mail={ENCODED}&x=1"}},
        {"traits": {"origin": ADDRESS, "company": f"Hinode ({ADDRESS})", "industry": ADDRESS, "state": ADDRESS}},
    ],
)
def test_an_address_is_in_person_alone(read, event):
    [draft] = read("track", {"event": "Seen", "userId": "u-1", "messageId": "m"} | event).drafts
    wire = orjson.loads(draft.body)
    wire.pop("person", None)
    assert "taro" not in orjson.dumps(wire).decode()


def test_only_the_address_is_taken_out(touch):
    made = touch("track", {"event": "Mail @ noon", "properties": {"path": f"/u/{ADDRESS}/done", "campaign": "a@b, c"}})
    assert (made.event, made.path, made.campaign) == ("Mail @ noon", "/u/*/done", "*, c")


def test_a_desk_that_is_a_user_id_links_nobody_either(read):
    body = {"event": "Seen", "userId": "info@hinode.example", "anonymousId": "a-1", "messageId": "m"}
    [draft] = read("track", body).drafts
    assert [known.kind for known in draft.identities.strong] == ["email"]
    assert draft.identities.anonymous is None
    [draft] = read("track", body | {"properties": {"email": ADDRESS}}).drafts
    assert [known.kind for known in draft.identities.strong] == ["email"]
    assert draft.identities.anonymous


TRUSTED = {
    "typeform": False,
    "calendly": False,
    "zoom": False,
    "google_leads": False,
    "unbounce": False,
    "mailgun": False,
    "hubspot": True,
    "salesforce_outbound": True,
    "standard_webhooks": True,
}


@pytest.mark.parametrize(("kind", "trusted"), TRUSTED.items())
def test_forms_of_strangers_merge_nobody_unless_the_policy_says_so(kind, trusted):
    source = {"id": "s", "kind": kind, "secrets": [{"id": "a", "value": "env:A"}]}
    assert SourcesPolicy.model_validate({"sources": [source]}).sources[0].is_trusted is trusted
    assert SourcesPolicy.model_validate({"sources": [source | {"trusted": True}]}).sources[0].is_trusted


@pytest.mark.parametrize("value", ["", " ", "\n", "\t \n"])
def test_a_secret_of_blanks_is_none(value):
    sources = Sources(b"a master secret of 32 bytes or more", {"A": value})
    source = {"id": "hook", "kind": "typeform", "secrets": [{"id": "a", "value": "env:A"}]}
    keyed = {"id": "web", "write_keys": ["env:A"]}
    sources.load("hinode", SourcesPolicy.model_validate({"sources": [source, keyed]}))
    hook = sources.named("hook")
    assert hook
    assert hook.keys.active(0) == []
    assert sources.find(value) is None


def test_of_a_list_of_answers_the_first_hundred_are_read():
    rule = EvidenceRule(criterion="B1", fields=("b",), values={"secured": ("yes",)}, otherwise="named")
    consent = Consents([ConsentRule(fields=("b",), channel="phone")])
    for position, answer, told in ((MOST_ANSWERS - 1, "secured", 1), (MOST_ANSWERS, "named", 0)):
        said = ["?"] * position + ["yes"]
        sent = {"type": "track", "event": "x", "userId": "u", "properties": {"b": said}}
        event = read_event(Envelope([sent]), 0)
        assert Evidence([rule]).answers(event) == {"B1": answer}
        assert len(consent.told(event, "custom")) == told
