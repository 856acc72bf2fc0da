"""The demo's inbox shows what people are told, keeps it for its owner alone, and is all of this machine that handoff may reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from baton.demo import inbox as inboxes
from baton.demo.inbox import ALLOW, HOST, MOST_BYTES, NAME, USUAL, Inbox
from services.handoff.outbound.addresses import Allowed


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def inbox(tmp_path: Path, said: list[str]) -> Iterator[Inbox]:
    made = Inbox(tmp_path / "inbox", said.append)
    yield made
    made.close()


def url(inbox: Inbox, to: str) -> str:
    return inbox.environment({})[NAME].replace("json://", "http://").replace("{to}", to)


def test_what_comes_is_said_in_a_line_and_kept_whole_for_its_owner(
    inbox: Inbox, said: list[str], tmp_path: Path
) -> None:
    told = {"title": "リードのご案内\n: 青空機械", "message": "佐藤さん\nhttp://127.0.0.1:8184/o/x", "version": "1.0"}
    assert httpx.post(url(inbox, "sato%40hinode.example"), json=told).status_code == 200
    assert said == ["✉ sato@hinode.example: リードのご案内 : 青空機械"]
    file = tmp_path / "inbox"
    assert file.read_text().startswith(
        "To: sato@hinode.example\nリードのご案内\n: 青空機械\n\n佐藤さん\nhttp://127.0.0.1:8184/o/x\n"
    )
    assert file.stat().st_mode & 0o077 == 0


LONE = b'{"title": "\\ud800", "message": "x"}'  # half a character, which no file can hold
NESTED = b"[" * MOST_BYTES


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"title": "x"}', b"\xff", LONE, NESTED, b"x" * (MOST_BYTES + 1)])
def test_what_is_no_message_is_refused(inbox: Inbox, said: list[str], body: bytes) -> None:
    assert httpx.post(url(inbox, "sato"), content=body).status_code in (400, 413)
    assert said == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [("", HOST), ("127.0.0.1", f"127.0.0.1,{HOST}"), (f"{HOST}, crm.internal", f"{HOST},crm.internal")],
)
def test_handoff_may_reach_it_beside_what_the_operator_allows_and_nothing_else_of_this_machine(
    inbox: Inbox, given: str, expected: str
) -> None:
    assert inbox.environment({ALLOW: given})[ALLOW] == expected
    assert not Allowed.parse(inbox.environment({})[ALLOW]).may_be("127.0.0.1")


def test_where_the_loopback_network_has_one_address_alone_it_listens_there(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inboxes, "HOST", "192.0.2.1")  # nobody's
    made = Inbox(tmp_path / "inbox", said.append)
    try:
        assert made.environment({})[ALLOW] == USUAL
        assert httpx.post(url(made, "sato"), json={"title": "a", "message": "b"}).status_code == 200
    finally:
        made.close()
