"""Signatures that the library of Standard Webhooks accepts, and secrets that stay secret."""

from __future__ import annotations

import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.handoff.outbound.signing import Seals, headers, new_secret, read, written

BODY = '{"type":"offer.opened","data":{"会社":"日の出"}}'.encode()


def now() -> int:
    return round(time.time() * 1000)


def test_the_library_verifies_what_we_sign() -> None:
    secret = new_secret()
    signed = headers([secret], "5f6c1a3e-0000-4000-8000-000000000001", now(), BODY)
    assert Webhook(written(secret)).verify(BODY, signed)["type"] == "offer.opened"
    with pytest.raises(WebhookVerificationError):
        Webhook(written(new_secret())).verify(BODY, signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(written(secret)).verify(BODY + b" ", signed)


def test_while_two_secrets_overlap_either_verifies() -> None:
    new, old = new_secret(), new_secret()
    signed = headers([new, old], "m", now(), BODY)
    for secret in (new, old):
        Webhook(written(secret)).verify(BODY, signed)


def test_a_secret_that_was_brought_along_is_read_and_a_wrong_one_refused() -> None:
    secret = new_secret()
    assert read(written(secret)) == secret
    for wrong in ("whsec_", "whsec_c2hvcnQ=", written(secret).removeprefix("whsec_"), "whsec_!!!!", written(b"x" * 65)):
        with pytest.raises(ValueError) as refused:
            read(wrong)
        assert wrong == "whsec_" or wrong not in str(refused.value)


def test_a_seal_opens_for_its_endpoint_alone() -> None:
    seals, secret = Seals(b"m" * 32), new_secret()
    sealed = seals.seal("hinode", "e1", secret)
    assert secret not in sealed
    assert seals.open("hinode", "e1", sealed) == secret
    for other in (lambda: seals.open("hinode", "e2", sealed), lambda: seals.open("northstar", "e1", sealed),
                  lambda: Seals(b"n" * 32).open("hinode", "e1", sealed)):  # fmt: skip
        with pytest.raises(ValueError):
            other()
