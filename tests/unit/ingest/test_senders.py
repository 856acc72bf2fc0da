"""Write keys."""

from __future__ import annotations

from base64 import b64encode

import pytest

from services.ingest.senders import Senders, header_key
from shared.schemas.policies import SourcesPolicy

SECRET = b"a master secret of 32 bytes or more"


def policy(*keys: str) -> SourcesPolicy:
    return SourcesPolicy.model_validate({"sources": [{"id": "web", "write_keys": list(keys)}]})


def test_a_key_admits_the_source_that_has_it_literally_in_the_environment_or_in_a_file(tmp_path):
    (tmp_path / "key").write_text("from-file\n")
    senders = Senders(SECRET, {"WEB_KEY": "from-environment"})
    senders.load("hinode", policy("literal", "env:WEB_KEY", f"file:{tmp_path}/key", "env:MISSING", "file:/nowhere"))
    assert all(senders.find(key).tenant == "hinode" for key in ("literal", "from-environment", "from-file"))
    assert senders.find("env:WEB_KEY") is None
    assert senders.find("") is None


def test_a_key_that_is_taken_out_of_the_policy_admits_no_more():
    senders = Senders(SECRET, {})
    senders.load("hinode", policy("old"))
    senders.load("hinode", policy("new"))
    assert senders.find("old") is None
    assert senders.find("new")


def test_a_key_of_two_tenants_admits_to_neither():
    senders = Senders(SECRET, {})
    senders.load("hinode", policy("mine", "both"))
    senders.load("northstar", policy("both"))
    assert senders.find("both") is None
    assert senders.find("mine").tenant == "hinode"


def test_two_tenants_hash_persons_with_different_secrets():
    senders = Senders(SECRET, {})
    senders.load("hinode", policy("a"))
    senders.load("northstar", policy("b"))
    assert senders.find("a").secret != senders.find("b").secret
    assert "secret" not in repr(senders.find("a"))


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
    assert header_key(headers) == expected
