"""What the signature engine accepts and refuses, whoever signed."""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha256

import pytest

from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import (
    MOST_SIGNATURES,
    Scheme,
    Signed,
    check_time,
    is_token_like,
    sign_token,
    verify,
    verify_message,
)

NOW = 1_790_000_000_000
TOLERANCE = 300_000
SECRET, OTHER = b"a secret", b"another secret"
BODY = '{"名前":"田邊 芽衣","{t}":"{body}"}'.encode()
PLAIN = Scheme(header=b"x-signature")
PREFIXED = Scheme(header=b"x-hub-signature-256", prefix=b"sha256=")
PAIRS = Scheme(header=b"stripe-signature", separator=b",", field=b"v1", signed=b"{t}.{body}", timestamp=b"t")
APART = Scheme(header=b"x-signature", signed=b"v0:{t}:{body}", timestamp=b"x-time", unit="ms")


def sign(message: bytes, secret: bytes = SECRET, digest: str = "sha256") -> bytes:
    return hmac.digest(secret, message, digest).hex().encode()


def code(scheme: Scheme, call: Signed, secrets: list[bytes] | None = None, now: int = NOW) -> str | None:
    """Why a call is refused; None where it is not."""
    try:
        verify(scheme, call, [SECRET] if secrets is None else secrets, now, TOLERANCE)
    except Refused as refused:
        return refused.code if refused.status == 401 else f"{refused.code} with status {refused.status}"
    return None


def pairs(text: bytes, body: bytes = BODY) -> Signed:
    return Signed([(b"stripe-signature", text)], body)


def stamped(seconds: int, secret: bytes = SECRET) -> bytes:
    return sign(b"%d.%b" % (seconds, BODY), secret)


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_every_digest_and_encoding_is_verified(digest, encoding):
    scheme = Scheme(header=b"x-signature", digest=digest, encoding=encoding)
    mac = hmac.digest(SECRET, BODY, digest)
    text = mac.hex().encode() if encoding == "hex" else b64encode(mac)
    assert code(scheme, Signed([(b"x-signature", text)], BODY)) is None
    assert code(scheme, Signed([(b"x-signature", text)], BODY + b" ")) == "bad_signature"
    verify_message(BODY, text, [SECRET], digest=digest, encoding=encoding)


def test_hex_may_be_in_capitals_and_blanks_around_a_value_do_not_matter():
    assert code(PLAIN, Signed([(b"x-signature", b" " + sign(BODY).upper() + b"\t")], BODY)) is None


def test_a_prefix_has_to_be_there():
    assert code(PREFIXED, Signed([(b"x-hub-signature-256", b"sha256=" + sign(BODY))], BODY)) is None
    assert code(PREFIXED, Signed([(b"x-hub-signature-256", sign(BODY))], BODY)) == "bad_signature_format"
    assert code(PREFIXED, Signed([(b"x-hub-signature-256", b"sha512=" + sign(BODY))], BODY)) == "bad_signature_format"


@pytest.mark.parametrize(
    "change", [lambda text: text[:9] + b"!" + text[9:], lambda text: text.rstrip(b"="), lambda text: text + b"="]
)
def test_base_64_is_taken_to_the_letter(change):
    scheme = Scheme(header=b"x-signature", encoding="base64")
    text = b64encode(hmac.digest(SECRET, BODY, "sha256"))
    assert code(scheme, Signed([(b"x-signature", text)], BODY)) is None
    assert code(scheme, Signed([(b"x-signature", change(text))], BODY)) == "bad_signature_format"


def test_what_is_signed_is_put_together_once_so_a_body_may_hold_names_itself():
    body = b'{"x":"{t}{body}{secret}{id}{url}"}'
    scheme = Scheme(
        header=b"x-signature", signed=b"{method}{url}{id}.{t}.{body}{", timestamp=b"x-time", event_id=b"x-id"
    )
    call = Signed(
        [
            (b"x-signature", sign(b"PUThttps://a.example/h?x=1id-1.1790000000." + body + b"{")),
            (b"x-time", b"1790000000"),
            (b"x-id", b"id-1"),
        ],
        body,
        b"PUT",
        b"https://a.example/h?x=1",
    )
    assert code(scheme, call) is None
    assert code(scheme, call._replace(url=None)) == "no_public_url"
    assert code(scheme, call._replace(headers=call.headers[:2])) == "bad_signature_format"


def test_a_plain_hash_covers_the_secret():
    scheme = Scheme(header=b"x-signature", method="hash", signed=b"{secret}{body}")
    call = Signed([(b"x-signature", sha256(OTHER + BODY).hexdigest().encode())], BODY)
    assert code(scheme, call, [SECRET, OTHER]) is None
    assert code(scheme, call, [SECRET]) == "bad_signature"


def test_a_prefix_may_stand_in_what_is_signed_instead_of_the_header():
    scheme = Scheme(header=b"x-li-signature", signed=b"hmacsha256={body}")
    assert code(scheme, Signed([(b"x-li-signature", sign(b"hmacsha256=" + BODY))], BODY)) is None
    assert code(scheme, Signed([(b"x-li-signature", sign(BODY))], BODY)) == "bad_signature"


def test_any_signature_of_a_list_may_hold_and_others_are_passed_over():
    now = NOW // 1000
    good = stamped(now)
    assert code(PAIRS, pairs(b"t=%d,v1=%b,v0=00" % (now, good))) is None
    assert code(PAIRS, pairs(b"v1=nothex, v1=00ff , nonsense, v1=%b, t=%d" % (good, now))) is None
    assert code(PAIRS, pairs(b"t=%d,v0=%b" % (now, good))) == "bad_signature_format"
    assert code(PAIRS, pairs(b"t=%d,v1=%b" % (now, good[:-2] + b"00"))) == "bad_signature"


def test_the_name_of_an_item_and_its_value_may_be_parted_otherwise():
    scheme = Scheme(header=b"x-signature", separator=b" ", pair=b",", field=b"v1", encoding="base64")
    good = b64encode(hmac.digest(SECRET, BODY, "sha256"))
    assert code(scheme, Signed([(b"x-signature", b"v1a,AAAA v1,%b" % good)], BODY)) is None


def test_while_secrets_are_exchanged_each_of_them_holds():
    for secret in (SECRET, OTHER):
        call = Signed([(b"x-signature", sign(BODY, secret))], BODY)
        assert code(PLAIN, call, [SECRET, OTHER]) is None
    assert code(PLAIN, Signed([(b"x-signature", sign(BODY, b"a third"))], BODY), [SECRET, OTHER]) == "bad_signature"


def test_an_empty_secret_signs_nothing():
    call = Signed([(b"x-signature", sign(BODY, b""))], BODY)
    assert code(PLAIN, call, [b""]) == "no_secret"
    assert code(PLAIN, call, []) == "no_secret"
    assert code(PLAIN, call, [b"", SECRET]) == "bad_signature"


def test_without_a_signature_nothing_is_verified():
    assert code(PLAIN, Signed([], BODY)) == "no_signature"
    assert code(PLAIN, Signed([(b"x-signature", b"  ")], BODY)) == "no_signature"
    assert code(PREFIXED, Signed([(b"x-hub-signature-256", b"sha256=")], BODY)) == "bad_signature_format"


def test_two_headers_of_a_name_are_refused_even_where_both_hold():
    header = (b"x-signature", sign(BODY))
    assert code(PLAIN, Signed([header, header], BODY)) == "many_signatures"
    now = str(NOW).encode()
    signature = (b"x-signature", sign(b"v0:%b:%b" % (now, BODY)))
    assert code(APART, Signed([signature, (b"x-time", now)], BODY)) is None
    assert code(APART, Signed([signature, (b"x-time", now), (b"x-time", now)], BODY)) == "bad_timestamp"
    seconds = NOW // 1000
    assert code(PAIRS, pairs(b"t=%d,t=%d,v1=%b" % (seconds, seconds, stamped(seconds)))) == "bad_timestamp"


def test_so_many_signatures_are_not_looked_at():
    seconds = NOW // 1000
    text = b"t=%d" % seconds + b",v1=00" * MOST_SIGNATURES + b",v1=" + stamped(seconds)
    assert code(PAIRS, pairs(text)) == "many_signatures"


@pytest.mark.parametrize("off", [-300, 0, 300])
def test_a_time_within_the_tolerance_is_taken_on_both_sides(off):
    seconds = NOW // 1000 + off
    assert code(PAIRS, pairs(b"t=%d,v1=%b" % (seconds, stamped(seconds)))) is None


@pytest.mark.parametrize(
    ("off", "expected"), [(-301, "stale_timestamp"), (301, "future_timestamp"), (10**9, "future_timestamp")]
)
def test_a_time_outside_of_it_is_not(off, expected):
    seconds = NOW // 1000 + off
    assert code(PAIRS, pairs(b"t=%d,v1=%b" % (seconds, stamped(seconds)))) == expected


def test_milliseconds_where_seconds_are_agreed_lie_in_the_future():
    assert code(PAIRS, pairs(b"t=%d,v1=%b" % (NOW, stamped(NOW)))) == "future_timestamp"


@pytest.mark.parametrize(
    "text",
    [
        b"nan",
        b"inf",
        b"1790000000.0",
        b"+1790000000",
        b"-1790000000",
        b"1_790_000_000",
        b"0x6ab13b80",
        b"1790000000 1",
        "１７９００００００００".encode(),
        "١٧٩".encode(),
        b"\xff\xfe",
        b"9" * 17,
        b"9" * 20_000,
    ],
)
def test_only_ascii_digits_are_a_time(text):
    with pytest.raises(Refused) as refused:
        check_time(text, "s", NOW, TOLERANCE)
    assert (refused.value.status, refused.value.code) == (401, "bad_timestamp")
    assert code(PAIRS, pairs(b"t=%b,v1=%b" % (text, sign(text + b"." + BODY)))) == "bad_timestamp"


def test_a_signed_time_has_to_be_there():
    assert code(PAIRS, pairs(b"v1=" + stamped(NOW // 1000))) == "bad_timestamp"
    assert code(APART, Signed([(b"x-signature", sign(BODY))], BODY)) == "bad_timestamp"


@pytest.mark.parametrize(
    "text", ["é".encode(), b"\xff" * 64, "ａｂ".encode(), b"zz", b"abc", b"\0" * 64, b"==", b"%41"]
)
def test_what_is_no_hex_and_no_base64_is_refused(text):
    for encoding in ("hex", "base64"):
        scheme = Scheme(header=b"x-signature", encoding=encoding)
        assert code(scheme, Signed([(b"x-signature", text)], BODY)) in ("bad_signature_format", "bad_signature")


@pytest.mark.parametrize("method", ["ecdsa", "ed25519"])
@pytest.mark.parametrize("key", [b"", b"not a key", b"MFkwEwYHKoZIzj0CAQ", b"\xff" * 31, b"AAAA" * 1000])
def test_what_is_no_public_key_proves_nothing(method, key):
    scheme = Scheme(header=b"x-signature", method=method, encoding="base64")
    assert code(scheme, Signed([(b"x-signature", b"AAAA")], BODY), [key]) == "no_secret"


def test_a_template_that_names_what_is_nowhere_cannot_be_made():
    with pytest.raises(ValueError, match="says where it stands"):
        Scheme(header=b"x-signature", signed=b"{t}.{body}")
    with pytest.raises(ValueError, match="says where it stands"):
        Scheme(header=b"x-signature", signed=b"{id}.{body}")


@pytest.mark.parametrize("token", ["qgg8vlvZRS6UYooatFL8Aw", "890e4665-4dfe-4ab1-b689-ed553bceeed0", "a", "0" * 128])
def test_a_challenge_of_the_documented_shape_is_answered(token):
    assert is_token_like(token)
    assert sign_token(SECRET, token) == sign(token.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        'hmacsha256={"type":"LEAD_ACTION"}',
        "hmacsha256=",
        'v0:1790000000:{"event":"webinar.registration_created"}',
        '{"a":1}',
        "[]",
        "a.b",
        "a b",
        "abc\n",
        "abc\0",
        "ａｂｃ",
        "",
        "0" * 129,
    ],
)
def test_a_challenge_that_would_forge_a_message_is_not_signed(text):
    assert not is_token_like(text)
    with pytest.raises(Refused, match="bad_challenge"):
        sign_token(SECRET, text)
