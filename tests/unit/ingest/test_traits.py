"""Facts about a lead that rules of routing ask for: where it is, and what it asked about."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("traits", "attributes"),
    [
        ({"postcode": "100-0001"}, {"postcode": "100-0001"}),
        ({"郵便番号": "〒530ー0001"}, {"postcode": "530-0001"}),
        ({"zip": "sw1a 1aa"}, {"postcode": "SW1A1AA"}),
        ({"postalCode": "unknown"}, {}),
        ({"product": " 見積管理 "}, {"product": "見積管理"}),
    ],
)
def test_postcode_and_product_are_read_in_whatever_way_they_are_written(touch, traits, attributes):
    assert touch("identify", {"traits": traits}).attributes == attributes
