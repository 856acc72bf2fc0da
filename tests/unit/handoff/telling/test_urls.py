"""What a channel's URL may be."""

from __future__ import annotations

import pytest

from services.handoff.telling import urls

HOOK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
MAIL = "mailtos://user:password@smtp.hinode.example:465?mode=ssl&from=baton@hinode.example&to={to}"


@pytest.mark.parametrize("url", [HOOK, MAIL, "JSONS://notify.hinode.example/{to}", "line://トークン"])
def test_one_url_of_a_service_of_chat_or_mail_is_fine(url):
    assert urls.fault(url) is None


@pytest.mark.parametrize(
    "value",
    [
        f"CHAT_A={HOOK}\nDEMO_KEY=abc",
        f"CHAT_A={HOOK}",
        f"{HOOK}, {MAIL}",
        f"{HOOK},{MAIL}",
        f"{HOOK}\x00X=1",
        f"{HOOK}\u3000{MAIL}",
        "hush",
        "json://",
    ],
)
def test_a_file_of_secrets_or_a_list_is_refused_and_not_told(value):
    assert urls.fault(value) == "is not one URL, alone and without spaces"


@pytest.mark.parametrize(
    "scheme", ["mqtt", "smpp", "irc", "syslog", "dbus", "gnome", "windows", "snmp", "file", "https"]
)
def test_what_speaks_to_this_machine_or_into_its_network_is_refused_with_what_may_be(scheme):
    said = urls.fault(f"{scheme}://hush")
    assert said is not None
    assert said.startswith(f"begins with {scheme}://, and channels may be brevo, ")
    assert "hush" not in said
