"""Write keys."""

from __future__ import annotations

from base64 import b64encode

import pytest

from services.ingest.domain.envelope import Envelope
from services.ingest.reading import read_body
from services.ingest.request import Request
from services.ingest.sources import Sources, header_key
from shared.schemas import ids
from shared.schemas.policies import SourcesPolicy

SECRET = b"a master secret of 32 bytes or more"


def policy(*keys: str) -> SourcesPolicy:
    return SourcesPolicy.model_validate({"sources": [{"id": "web", "write_keys": list(keys)}]})


def test_a_key_admits_the_source_that_has_it_literally_in_the_environment_or_in_a_file(tmp_path):
    (tmp_path / "key").write_text("from-file\n")
    sources = Sources(SECRET, {"WEB_KEY": "from-environment"})
    sources.load("hinode", policy("literal", "env:WEB_KEY", f"file:{tmp_path}/key", "env:MISSING", "file:/nowhere"))
    assert all(sources.find(key).sender.tenant == "hinode" for key in ("literal", "from-environment", "from-file"))
    assert sources.find("env:WEB_KEY") is None
    assert sources.find("") is None


def test_a_key_that_is_taken_out_of_the_policy_admits_no_more():
    sources = Sources(SECRET, {})
    sources.load("hinode", policy("old"))
    sources.load("hinode", policy("new"))
    assert sources.find("old") is None
    assert sources.find("new")


def test_a_key_of_two_tenants_admits_to_neither():
    sources = Sources(SECRET, {})
    sources.load("hinode", policy("mine", "both"))
    sources.load("northstar", policy("both"))
    assert sources.find("both") is None
    assert sources.find("mine").sender.tenant == "hinode"


def test_what_a_reference_leads_to_never_keeps_the_others_from_being_loaded(tmp_path):
    (tmp_path / "key").write_bytes(b"\xff")
    secrets = [{"id": "odd", "value": "env:ODD"}, {"id": "nul", "value": "file:/a\0b"}]
    hook = {"id": "hook", "kind": "hmac", "secrets": secrets, "signature": {"header": "X-Signature"}}
    web = {"id": "web", "write_keys": ["file:/a\0b", f"file:{tmp_path}/key", "good"]}
    sources = Sources(SECRET, {"ODD": b"not UTF-8: \xff".decode("utf-8", "surrogateescape")})
    sources.load("hinode", SourcesPolicy.model_validate({"sources": [hook, web]}))
    assert sources.find("good")
    assert [secret.value for secret in sources.named("hook").keys.secrets] == [b"not UTF-8: \xff"]
    assert sources.refresh() == []


def test_two_tenants_hash_persons_with_different_secrets():
    sources = Sources(SECRET, {})
    sources.load("hinode", policy("a"))
    sources.load("northstar", policy("b"))
    assert sources.find("a").sender.secret != sources.find("b").sender.secret
    assert "secret" not in repr(sources.find("a").sender)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({b"authorization": b"Basic " + b64encode(b"key:")}, "key"),
        ({b"authorization": b"basic " + b64encode(b"key")}, "key"),
        ({b"authorization": b"Basic " + b64encode(b"other:"), b"x-write-key": b"key"}, "key"),
        ({b"authorization": b"Basic !!!"}, None),
        ({b"authorization": b"Bearer token"}, None),
        ({}, None),
    ],
)
def test_the_key_stands_in_a_header(headers, expected):
    assert header_key(Request("POST", "/v1/track", b"", list(headers.items()), b"")) == expected


def test_a_name_that_a_file_gives_comes_before_the_environment_and_is_exchanged_without_a_new_policy(tmp_path):
    names = tmp_path / "secrets"
    names.write_text("# keys\nWEB_KEY=from-file\n")
    sources = Sources(SECRET, {"WEB_KEY": "old", "OTHER_KEY": "other"}, names=names)
    sources.load("hinode", policy("env:WEB_KEY", "env:OTHER_KEY", "env:LATER_KEY"))
    assert (sources.find("old"), sources.named("web").missing) == (None, ("env:LATER_KEY",))
    assert sources.find("from-file")
    assert sources.find("other")
    names.write_text("WEB_KEY=corrected\nLATER_KEY=later\n")
    assert sources.refresh() == ["hinode"]
    assert (sources.find("from-file"), sources.named("web").missing, sources.refresh()) == (None, (), [])
    assert sources.find("corrected")
    assert sources.find("later")


def test_a_key_in_a_file_is_exchanged_without_a_new_policy(tmp_path):
    file = tmp_path / "key"
    file.write_text("old")
    sources = Sources(SECRET, {})
    sources.load("hinode", policy(f"file:{file}"))
    sources.load("northstar", policy("another"))
    assert sources.refresh() == []
    file.write_text("new\n")
    assert sources.refresh() == ["hinode"]
    assert (sources.find("old"), sources.refresh()) == (None, [])
    assert sources.find("new")


def test_the_event_id_of_a_card_cannot_be_made_by_who_guesses_its_address():
    body = {"sources": [{"id": "files", "kind": "import", "write_keys": ["key"]}, {"id": "web", "write_keys": ["w"]}]}
    sources = Sources(SECRET, {})
    sources.load("hinode", SourcesPolicy.model_validate(body))
    items = [{"type": "track", "event": "x", "userId": "u", "messageId": "hash-of-an-address"}]

    def event_id(key: str) -> str:
        return read_body(Envelope(items), sources.find(key).sender, 1, suspect=False).drafts[0].event_id

    assert event_id("w") == ids.derived_id("event", "hinode", "web", "hash-of-an-address")
    assert event_id("key") != ids.derived_id("event", "hinode", "files", "hash-of-an-address")
    assert event_id("key") == event_id("key")
