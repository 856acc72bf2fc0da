"""Where webhooks may go: to the public internet, and to what the operator has allowed; never into our own network (SSRF)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpcore

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL = 2000
_UNICAST = IPv6Network("2000::/3")
_TRANSLATED = IPv6Network("64:ff9b::/96")  # NAT64: the last 32 bits are an IPv4 address
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))  # 6to4 and Teredo hold IPv4 addresses, too
# Not of the public, though they look so, or do to some versions of Python: special purposes (Oracle's metadata among them),
# relays of 6to4, and Azure's host of a machine.
_NOT_PUBLIC = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"), IPv4Network("168.63.129.16/32"))


class ForbiddenAddressError(Exception):
    """A name that leads to no address to which webhooks may go."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be reached although it is not public. hosts: names, wherever they lead;  networks: addresses"""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Allowed:
        """Of host names, addresses and networks, comma-separated. Raises ValueError for a network that is none."""
        hosts, networks = set[str](), list[Network]()
        for word in filter(None, (part.strip().lower() for part in text.split(","))):
            if "/" in word or _literal(word):
                networks.append(ip_network(word))
            else:
                hosts.add(word)
        return cls(frozenset(hosts), tuple(networks))

    def names(self, host: str) -> bool:
        """Whether the operator has named this host, or the address that it is."""
        address = _literal(host)
        return host.lower() in self.hosts or (address is not None and self._holds(address))

    def may_reach(self, host: str, address: str) -> bool:
        """Whether a connection to `address` may be made for `host`."""
        found = _literal(address)
        return found is not None and (host.lower() in self.hosts or self._holds(found) or is_public(found))

    def may_be(self, host: str) -> bool:
        """Whether a URL may name this host, as far as that is known without looking its name up."""
        literal = _literal(host)
        if literal is not None:
            return self.may_reach(host, str(literal))
        name = host.lower().rstrip(".")
        return host.lower() in self.hosts or not (name == "localhost" or name.endswith(".localhost"))

    def _holds(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def is_public(address: Address) -> bool:
    """Whether `address` belongs to somebody out there, in whatever form it is written."""
    if isinstance(address, IPv4Address):
        listed = address.is_multicast or address.is_reserved or any(address in network for network in _NOT_PUBLIC)
        return address.is_global and not listed
    if address.ipv4_mapped:
        return is_public(address.ipv4_mapped)
    if address in _TRANSLATED:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _UNICAST and address.is_global and not any(address in tunnel for tunnel in _TUNNELS)


def check_url(url: str, allowed: Allowed) -> None:
    """Raises ValueError, in words for people, for a URL that no webhook may be sent to whatever its name leads to."""
    if len(url) > LONGEST_URL or not url.isascii() or any(character <= " " for character in url) or "\\" in url:
        raise ValueError(f"must be an ASCII URL of at most {LONGEST_URL} characters, without spaces")
    try:
        parsed = httpcore.URL(url)
        host = parsed.host.decode()
        port = parsed.port
    except (ValueError, LookupError):
        raise ValueError("is not a URL") from None
    if parsed.scheme not in (b"https", b"http") or not host:
        raise ValueError("must begin with https:// and name a host")
    authority = url.split("//", 1)[1].split("/", 1)[0].split("?", 1)[0]
    if "@" in authority or "#" in url:
        raise ValueError("must hold no user, password or fragment")
    if port == 0:
        raise ValueError("has no port of a server")
    if parsed.scheme == b"http" and not allowed.names(host):
        raise ValueError("must begin with https://")
    literal = _literal(host)
    if literal is not None and not allowed.may_reach(host, str(literal)):
        raise ValueError("leads to an address that is not public")


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
