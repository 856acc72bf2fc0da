"""Where webhooks may go, and where they never do."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from services.handoff.outbound.addresses import Allowed, check_url, is_public

NOBODY = Allowed()


@pytest.mark.parametrize("address", ["8.8.8.8", "203.0.114.9", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_out_there_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.0.9", "0.0.0.0", "10.0.0.1", "172.16.5.4", "172.31.255.255", "192.168.1.1",
        "169.254.169.254",      # metadata of most clouds
        "100.100.100.200",      # of Alibaba, in the range of carriers
        "168.63.129.16",        # Azure's host, which looks public
        "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "fe80::1", "fc00::1", "fd00:ec2::254",
        "fec0::1", "ff02::1", "2001:db8::1", "2002:7f00:1::", "2001:0:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
    ],
)  # fmt: skip
def test_an_address_of_ours_or_of_nobody_is_not(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not NOBODY.may_reach("hooks.example.com", address)


def test_what_the_operator_has_allowed_is_reached() -> None:
    allowed = Allowed.parse("crm.internal, 10.1.0.0/16,127.0.0.1, fd00::/8")
    assert allowed.may_reach("crm.internal", "192.168.7.7")
    assert allowed.may_reach("whatever.example.com", "10.1.2.3")
    assert allowed.may_reach("whatever.example.com", "fd12::1")
    assert not allowed.may_reach("whatever.example.com", "10.2.0.1")
    assert not allowed.may_reach("crm.internal.example.com", "192.168.7.7")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/99"])
def test_a_network_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Allowed.parse(text)


@pytest.mark.parametrize(
    "url", ["https://crm.example.com/hooks?key=1", "https://crm.example.com:8443", "https://[2606:4700::1111]/"]
)
def test_a_url_out_there_may_be_given(url: str) -> None:
    check_url(url, NOBODY)


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example.com/", "ftp://crm.example.com/", "file:///etc/passwd", "crm.example.com", "https://", "https:///x",
        "https://user:pw@crm.example.com/", "https://crm.example.com@127.0.0.1/", "https://crm.example.com/#x",
        "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/",
        "https://crm.example.com:0/", "https://crm.example.com:99999/", "https://crm.example.com/a b", "https://会社.example/",
        "https://crm.example.com\\@127.0.0.1/", "https://crm.example.com/\n", "https://crm.example.com/" + "x" * 2000,
    ],
)  # fmt: skip
def test_a_url_that_leads_astray_is_refused_when_it_is_given(url: str) -> None:
    with pytest.raises(ValueError):
        check_url(url, NOBODY)


def test_without_tls_only_hosts_that_the_operator_has_named() -> None:
    allowed = Allowed.parse("crm.internal,127.0.0.1")
    check_url("http://crm.internal:8080/hooks", allowed)
    check_url("http://127.0.0.1:9000/hooks", allowed)
    with pytest.raises(ValueError):
        check_url("http://crm.example.com/hooks", allowed)
