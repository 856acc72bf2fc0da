"""E-mail addresses, and what their domain tells."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

import tldextract

_ADDRESS = re.compile(r"^[^@\s<>,;\"]{1,64}@[^@\s<>,;\"/]+\.[^@\s<>,;\"/.]{2,}$")
_MAILTO = re.compile(r"^(?:mailto:\s*)+")

# Not of the address, though pasted with it: zero-width characters, soft hyphens, byte order marks.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))

_FREE_MAIL_TEXT = """
gmail.com googlemail.com outlook.com outlook.jp hotmail.com hotmail.co.jp live.com live.jp msn.com icloud.com me.com mac.com
yahoo.com yahoo.co.jp ymail.ne.jp ymail.com rocketmail.com aol.com aol.jp proton.me protonmail.com pm.me gmx.com gmx.de gmx.net
mail.com zoho.com yandex.com mail.ru qq.com foxmail.com 163.com 126.com sina.com sohu.com naver.com daum.net hanmail.net
nate.com excite.co.jp goo.jp infoseek.jp livedoor.com yahoo.co.uk yahoo.fr yahoo.de yahoo.com.tw yahoo.com.hk hotmail.co.uk
hotmail.fr outlook.fr outlook.de web.de t-online.de free.fr orange.fr wanadoo.fr laposte.net libero.it rediffmail.com
tutanota.com fastmail.com hey.com duck.com privaterelay.appleid.com appleid.com
"""
FREE_MAIL = frozenset(_FREE_MAIL_TEXT.split())
_ISP_MAIL_TEXT = """
ocn.ne.jp plala.or.jp so-net.ne.jp nifty.com nifty.ne.jp biglobe.ne.jp dion.ne.jp eonet.ne.jp asahi-net.or.jp docomo.ne.jp
ezweb.ne.jp au.com softbank.ne.jp softbank.jp i.softbank.jp vodafone.ne.jp ybb.ne.jp hi-ho.ne.jp odn.ne.jp odn.ad.jp
wakwak.com tcp-ip.or.jp infoweb.ne.jp sannet.ne.jp jcom.home.ne.jp zaq.ne.jp zaq.jp home.ne.jp jcom.ne.jp commufa.jp
tnc.ne.jp bbiq.jp megaegg.ne.jp enjoy.ne.jp mopera.net mopera.ne.jp willcom.com ymobile.ne.jp rakumail.jp uqmobile.jp
disney.ne.jp disneymobile.ne.jp auone-net.jp dti.ne.jp rim.or.jp mesh.ne.jp pdx.ne.jp emnet.ne.jp t-com.ne.jp kcn.ne.jp
"""
ISP_MAIL = frozenset(_ISP_MAIL_TEXT.split())
# A desk, not a person: a lead of its own, never a reason to link.
_SHARED_TEXT = """
info information sales soumu somu eigyo eigyou jimu jimukyoku kaikei keiri contact contactus support customer cs service admin
administrator office mail inquiry toiawase otoiawase hello help helpdesk kouhou koho jinji saiyo saiyou koubai kobai shizai
gyoumu gyomu kikaku honsha webmaster postmaster hostmaster marketing pr press recruit career jobs reception uketsuke order
orders billing accounting hr noreply no-reply donotreply
"""
_SHARED = frozenset(_SHARED_TEXT.split())
_OF_A_DESK = re.compile(r"(?:\+.*|[-_.]?(?:\d+|jp|japan|tokyo|osaka|nagoya|bu|ka))$")  # info2, sales-jp, soumu-bu
# Public bodies and universities share a domain; each site or faculty below it is a customer of its own.
_BODIES = frozenset({"go", "lg", "ac", "gov", "gob", "gouv", "govt", "gub", "edu", "mil"})
_ALONE = frozenset({"gov", "edu", "mil"})  # top-level domains; the others only below a country's
_SERVERS = frozenset({"mail", "smtp", "mx", "mx1", "mx2", "mta", "pop", "imap", "webmail", "www", "ml", "m"})

_suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)  # the bundled list: never the network


@lru_cache(maxsize=16384)
def _address_of(text: str) -> str | None:
    read = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).casefold()
    address = _MAILTO.sub("", unicodedata.normalize("NFKC", read).strip())
    return address if len(address) <= 254 and _ADDRESS.match(address) else None


def address(value: Any) -> str | None:
    """An address in the one spelling that identifies: NFKC, trimmed, casefolded; None for what is none."""
    return _address_of(value) if isinstance(value, str) and 3 < len(value) < 500 else None


def domain(address: str) -> str:
    """The registrable domain of an address; with the part of the site where public bodies and universities share one.

    taro@tokyo.hinode.co.jp: hinode.co.jp; x@city.sapporo.lg.jp: city.sapporo.lg.jp; x@mail.cs.ox.ac.uk: cs.ox.ac.uk
    """
    return _domain_of(address.rpartition("@")[2])


@lru_cache(maxsize=8192)
def _domain_of(host: str) -> str:
    found = _suffixes(host)
    registrable = found.top_domain_under_public_suffix
    if not registrable:
        # Below a top-level domain that the list lacks, the second label is somebody's, by the list's own default rule.
        labels = host.split(".")
        return host if found.suffix or labels[-1].isdigit() else ".".join(labels[-2:])
    first, dot, _ = found.suffix.partition(".")
    if first not in (_BODIES if dot else _ALONE):
        return registrable
    while host != registrable and host.partition(".")[0] in _SERVERS:
        host = host.partition(".")[2]
    return host


def is_own(domain: str, free_mail: frozenset[str] = frozenset()) -> bool:
    """Whether a domain is a company's own: neither free mail nor an access provider's."""
    return domain not in FREE_MAIL and domain not in ISP_MAIL and domain not in free_mail


@lru_cache(maxsize=8192)
def is_shared(address: str) -> bool:
    """Whether an address is a desk's (info@, soumu@, sales-tokyo@): several people read it."""
    name = address.partition("@")[0]
    return name in _SHARED or _OF_A_DESK.sub("", name) in _SHARED


def warm_up() -> None:
    """Read the bundled suffix list now rather than in the first request."""
    _suffixes("example.co.jp")
