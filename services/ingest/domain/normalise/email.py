"""E-mail addresses, and what their domain tells."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

import tldextract

_ADDRESS = re.compile(r"^[^@\s<>,;\"]{1,64}@[^@\s<>,;\"/]+\.[^@\s<>,;\"/.]{2,}$")
_MAILTO = re.compile(r"^mailto:", re.IGNORECASE)

_FREE_MAIL_TEXT = """
gmail.com googlemail.com outlook.com outlook.jp hotmail.com hotmail.co.jp live.com live.jp msn.com icloud.com me.com mac.com
yahoo.com yahoo.co.jp ymail.ne.jp aol.com aol.jp proton.me protonmail.com pm.me gmx.com gmx.de mail.com zoho.com yandex.com
mail.ru qq.com 163.com 126.com naver.com daum.net hanmail.net excite.co.jp goo.jp infoseek.jp livedoor.com nate.com
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
info sales soumu eigyo jimu kaikei contact support admin office mail inquiry toiawase otoiawase hello help kouhou koho jinji
saiyo keiri webmaster postmaster marketing pr recruit reception
"""
_SHARED = frozenset(_SHARED_TEXT.split())
_PUBLIC_BODIES = ("go.jp", "lg.jp", "ac.jp")  # one body has many sites, each of them a customer

_suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)  # the bundled list: never the network


@lru_cache(maxsize=16384)
def _address_of(text: str) -> str | None:
    address = _MAILTO.sub("", unicodedata.normalize("NFKC", text).strip()).casefold()
    return address if len(address) <= 254 and _ADDRESS.match(address) else None


def address(value: Any) -> str | None:
    """An address in the one spelling that identifies: NFKC, trimmed, casefolded; None for what is none."""
    return _address_of(value) if isinstance(value, str) and 3 < len(value) < 500 else None


@lru_cache(maxsize=8192)
def domain(address: str) -> str:
    """The registrable domain of an address; with the site's part where public bodies and universities share one."""
    host = address.rpartition("@")[2]
    found = _suffixes(host)
    if found.suffix in _PUBLIC_BODIES:
        return host
    return found.top_domain_under_public_suffix or host


def is_own(domain: str, free_mail: frozenset[str] = frozenset()) -> bool:
    """Whether a domain is a company's own: neither free mail nor an access provider's."""
    return domain not in FREE_MAIL and domain not in ISP_MAIL and domain not in free_mail


@lru_cache(maxsize=8192)
def is_shared(address: str) -> bool:
    """Whether an address is a desk's (info@, soumu@): several people read it."""
    return address.partition("@")[0] in _SHARED


def warm_up() -> None:
    """Read the bundled suffix list now rather than in the first request."""
    _suffixes("example.co.jp")
