"""Currencies by their codes of ISO 4217, and how many decimals their amounts have."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator

_TWO = """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP
CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT
LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON
RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD
YER ZAR ZMW ZWG"""
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
DECIMALS: Mapping[str, int] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_NONE.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
}


def _known(code: str) -> str:
    if code not in DECIMALS:
        raise ValueError("is no code of ISO 4217 such as JPY or EUR")
    return code


Currency = Annotated[str, AfterValidator(_known)]


def exact(amount: Decimal, currency: str) -> Decimal:
    """The amount with the decimals that its currency has. Raises ValueError for one that has more."""
    unit = Decimal(1).scaleb(-DECIMALS[currency])
    rounded = amount.quantize(unit)
    if rounded != amount:
        raise ValueError(f"{currency} has {DECIMALS[currency]} decimals")
    return rounded or abs(rounded)  # there is no -0
