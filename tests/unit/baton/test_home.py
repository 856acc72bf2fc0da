"""The directory of one Baton: keys made once, names read back, and words for what is missing."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from baton.errors import OperatorError
from baton.home import SECRET_NAMES, Home, environment, keys, read_names, token_of, write_key_of, write_names
from baton.run import links


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    return Home(tmp_path)


def test_keys_are_made_once_and_stay(home: Home) -> None:
    first = keys(home)
    assert set(first) == set(SECRET_NAMES)
    assert len(set(first.values())) == len(first)
    assert keys(home) == first


def test_only_the_owner_may_read_the_keys(home: Home) -> None:
    keys(home)
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o600


def test_a_name_that_came_later_is_added_and_the_others_stay(home: Home) -> None:
    first = keys(home)
    write_names(home.secrets, {"IDENTITY_SECRET": first["IDENTITY_SECRET"]}, "an older version knew one name")
    second = keys(home)
    assert second["IDENTITY_SECRET"] == first["IDENTITY_SECRET"]
    assert set(second) == set(SECRET_NAMES)


def test_a_value_may_hold_an_equals_sign(home: Home) -> None:
    write_names(home.env, {"DATABASE_URL": "postgresql://baton@127.0.0.1:1/baton?a=b"}, "a comment")
    assert read_names(home.env) == {"DATABASE_URL": "postgresql://baton@127.0.0.1:1/baton?a=b"}


def test_without_a_running_baton_the_operator_is_told_how_to_start_one(home: Home) -> None:
    with pytest.raises(OperatorError, match="start it with `baton up`"):
        environment(home)


def test_a_name_that_nobody_wrote_is_told_in_a_sentence(home: Home) -> None:
    write_names(home.env, {"REDIS_URL": "redis://x"}, "a comment")
    with pytest.raises(OperatorError, match="INGEST_URL is not known"):
        environment(home)["INGEST_URL"]


def test_an_env_file_that_a_killed_baton_left_is_not_believed(home: Home) -> None:
    write_names(home.env, {"REDIS_URL": "redis://x"}, "a comment")
    (home.path / "state.json").write_text('{"pid": 1, "started": "long ago", "ports": {}}')
    with pytest.raises(OperatorError, match="was killed"):
        environment(home)


def test_each_tenant_has_its_own_keys(home: Home) -> None:
    names = keys(home)
    assert token_of(names, "northstar") == names["DEMO_API_TOKEN"]
    assert write_key_of(names, "hinode", trusted=True) == names["HINODE_SERVER_WRITE_KEY"]
    with pytest.raises(OperatorError, match="known tenants are northstar, hinode, olist"):
        token_of(names, "nobody")


def test_links_that_lead_to_a_port_of_before_are_told(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    assert links.warning(inbox, 8184) is None
    inbox.write_text("リードのご案内 http://127.0.0.1:9999/o/abc?x\nhttp://127.0.0.1:8184/o/def\n")
    assert links.warning(inbox, 8184) is None, "the latest is what counts"
    told = links.warning(inbox, 20554)
    assert told
    assert "lead to port 8184, and handoff listens on 20554 now" in told
    inbox.write_text("https://baton.hinode.example/o/abc\n")
    assert links.warning(inbox, 20554) is None
