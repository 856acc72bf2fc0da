"""The signatures of webhooks. Everything is bytes as it came, and all that does not hold is Refused 401, never another exception.

Codes: no_secret, no_signature, many_signatures, bad_signature_format, bad_signature, no_public_url, bad_timestamp,
stale_timestamp, future_timestamp.
"""

from __future__ import annotations

import hmac
import re
from binascii import Error as DecodingError
from binascii import a2b_base64, unhexlify
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import new as new_hash
from typing import Literal, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from services.ingest.domain.refusals import Refused

Digest = Literal["sha1", "sha256", "sha512"]
Encoding = Literal["hex", "base64"]
MOST_SIGNATURES = 8  # in one header: two or three are there while secrets are exchanged
_MOST_DIGITS = 16  # of a time, in milliseconds until the year 300,000
_MOST_TOKEN = 128
_NAMED = re.compile(rb"\{(secret|body|t|method|url|id)\}")
_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{1,{_MOST_TOKEN}}}")
_BLANK = b" \t"

_Key = bytes | EllipticCurvePublicKey | Ed25519PublicKey


class Signed(NamedTuple):
    """What of a call may be signed. headers: names in lower case;  url: the address that the sender used, if known"""

    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    method: bytes = b"POST"
    url: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How a kind of webhook is signed; header names in lower case.

    header:    where the signature stands;  prefix: what precedes it there
    separator: where the header is a list, what parts its items;  pair: what parts an item's name from its value;
               field: the name of items that are signatures. Items of other names are passed over
    method:    a hash is plain: `{secret}` then stands in `signed`;  ecdsa is P-256, and ed25519, with public keys as secrets
    signed:    what is signed; of {secret} {body} {t} {method} {url} {id}
    timestamp: header that holds {t}, or the name of the item in `header` that does;  unit: of {t}
    event_id:  header that holds {id}
    """

    header: bytes
    prefix: bytes = b""
    separator: bytes | None = None
    pair: bytes = b"="
    field: bytes | None = None
    method: Literal["hmac", "hash", "ecdsa", "ed25519"] = "hmac"
    digest: Digest = "sha256"
    encoding: Encoding = "hex"
    signed: bytes = b"{body}"
    timestamp: bytes | None = None
    unit: Literal["s", "ms"] = "s"
    event_id: bytes | None = None

    def __post_init__(self) -> None:
        if (b"{t}" in self.signed and self.timestamp is None) or (b"{id}" in self.signed and self.event_id is None):
            raise ValueError("`signed` names {t} or {id}, and nothing says where it stands")


def verify(scheme: Scheme, call: Signed, secrets: Sequence[bytes], now: int, tolerance_ms: int) -> None:
    """Raises Refused unless one of `secrets` signed this call, at a time no more than `tolerance_ms` from `now` (ms)."""
    keys = _keys(scheme, secrets)
    header = _only(call, scheme.header, "no_signature", "many_signatures")
    items = _items(scheme, header)
    candidates = _candidates(scheme, header, items)
    facts = {b"body": call.body, b"method": call.method}
    if scheme.timestamp is not None:
        facts[b"t"] = _time(scheme, call, items)
        check_time(facts[b"t"], scheme.unit, now, tolerance_ms)
    if scheme.event_id is not None:
        facts[b"id"] = _only(call, scheme.event_id, "bad_signature_format", "bad_signature_format")
    if b"{url}" in scheme.signed:
        if call.url is None:
            raise Refused("no_public_url", "what is signed names our address: say it in the source's `public_url`", 401)
        facts[b"url"] = call.url
    held = [_holds(scheme, facts, key, candidates) for key in keys]  # all of them: no early exit
    if True not in held:
        raise Refused("bad_signature", "the signature does not hold for any secret of this source", 401)


def verify_message(
    message: bytes,
    signature: bytes,
    secrets: Sequence[bytes],
    *,
    digest: Digest = "sha256",
    encoding: Encoding = "hex",
) -> None:
    """For signatures that stand in the body: raises Refused unless `signature` is the HMAC of `message` under one of `secrets`."""
    verify(_IN_BODY[digest, encoding], Signed([(b"signature", signature)], message), secrets, 0, 0)


def check_time(text: bytes, unit: Literal["s", "ms"], now: int, tolerance_ms: int) -> None:
    """Raises Refused unless `text` is a whole number in ASCII digits, and that time lies within `tolerance_ms` of `now` (ms)."""
    if not text.isdigit() or len(text) > _MOST_DIGITS:
        raise Refused("bad_timestamp", "the signed time must be one whole number", 401)
    age = now - int(text) * (1000 if unit == "s" else 1)
    if age > tolerance_ms:
        raise Refused("stale_timestamp", "the signed time lies too far back", 401)
    if age < -tolerance_ms:
        raise Refused("future_timestamp", "the signed time lies in the future", 401)


def is_token_like(text: str) -> bool:
    """Whether a challenge may be signed for whoever asks.

    Who has any text signed with a secret can forge what that secret proves: LinkedIn signs `hmacsha256=<body>`, Zoom
    `v0:<time>:<body>`. So a challenge may hold letters, digits, `-` and `_` alone, which no such message does: none begins
    with a prefix of theirs, and none is a JSON object or array.
    """
    return _TOKEN.fullmatch(text) is not None


def sign_token(secret: bytes, token: str) -> str:
    """The answer to a challenge: hex HMAC-SHA256. Raises Refused `bad_challenge` for what is not token-like."""
    if not is_token_like(token):
        raise Refused("bad_challenge", "a challenge is short, of letters, digits, - and _", 400)
    return hmac.digest(secret, token.encode(), "sha256").hex()


def _only(call: Signed, name: bytes, missing: str, many: str) -> bytes:
    """The one value of a header. Of two, proxies and programs would each choose another."""
    values = [value for known, value in call.headers if known == name]
    shown = name.decode("ascii", "replace")
    if len(values) > 1:
        raise Refused(many, f"`{shown}` is there more than once", 401)
    value = values[0].strip(_BLANK) if values else b""
    if not value:
        raise Refused(missing, f"`{shown}` is missing", 401)
    return value


def _items(scheme: Scheme, header: bytes) -> list[tuple[bytes, bytes]]:
    """Name and value of each item of a header that is a list."""
    if scheme.separator is None:
        return []
    parts = (item.strip(_BLANK).partition(scheme.pair) for item in header.split(scheme.separator))
    return [(name.strip(_BLANK), value.strip(_BLANK)) for name, mark, value in parts if mark]


def _candidates(scheme: Scheme, header: bytes, items: list[tuple[bytes, bytes]]) -> list[bytes]:
    """The signatures of a header, decoded. What cannot be decoded among others that can is passed over."""
    texts = [header] if scheme.separator is None else [value for name, value in items if name == scheme.field]
    if len(texts) > MOST_SIGNATURES:
        raise Refused("many_signatures", f"up to {MOST_SIGNATURES} signatures are looked at", 401)
    decode = unhexlify if scheme.encoding == "hex" else _base64
    found = []
    for text in texts:
        if text.startswith(scheme.prefix):
            try:
                found.append(decode(text[len(scheme.prefix) :]))
            except DecodingError:
                continue
    if not any(found):
        raise Refused("bad_signature_format", f"no signature that is `{scheme.encoding}` stands in the header", 401)
    return found


def _base64(text: bytes) -> bytes:
    return a2b_base64(text, strict_mode=True)


def _time(scheme: Scheme, call: Signed, items: list[tuple[bytes, bytes]]) -> bytes:
    inside = [value for name, value in items if name == scheme.timestamp]
    if len(inside) > 1:
        raise Refused("bad_timestamp", "the signed time is there more than once", 401)
    return inside[0] if inside else _only(call, (scheme.timestamp or b"").lower(), "bad_timestamp", "bad_timestamp")


def _keys(scheme: Scheme, secrets: Sequence[bytes]) -> list[_Key]:
    """The secrets that are fit for the scheme; raises Refused `no_secret` where none is. An empty one signs for everybody."""
    read = {"ecdsa": _p256, "ed25519": _ed25519}.get(scheme.method)
    keys = [key for secret in secrets if (key := read(secret) if read else secret)]
    if not keys:
        raise Refused("no_secret", f"no secret of this source that serves as {scheme.method} key is in force", 401)
    return keys


def _holds(scheme: Scheme, facts: dict[bytes, bytes], key: _Key, candidates: list[bytes]) -> bool:
    if isinstance(key, bytes):
        maker = new_hash(scheme.digest) if scheme.method == "hash" else hmac.new(key, None, scheme.digest)
        for part in _parts(scheme.signed, facts | {b"secret": key}):
            maker.update(part)
        expected = maker.digest()
        return sum(hmac.compare_digest(expected, candidate) for candidate in candidates) > 0
    message = b"".join(_parts(scheme.signed, facts))
    return any(_signed_by(key, candidate, message) for candidate in candidates)


def _signed_by(key: EllipticCurvePublicKey | Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        else:
            key.verify(signature, message, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _parts(template: bytes, facts: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """A template with its names replaced, all at once: a body may itself hold `{t}`."""
    for index, piece in enumerate(_pieces(template)):
        yield facts[piece] if index % 2 else piece


@lru_cache(maxsize=256)
def _pieces(template: bytes) -> tuple[bytes, ...]:
    """Text and names by turns."""
    return tuple(_NAMED.split(template))


@lru_cache(maxsize=256)
def _p256(key: bytes) -> EllipticCurvePublicKey | None:
    """A public key: DER (SubjectPublicKeyInfo) in base64, with or without the lines that make it PEM."""
    lines = [line.strip() for line in key.splitlines() if not line.startswith(b"-----")]
    try:
        public = load_der_public_key(_base64(b"".join(lines)))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return public if isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP256R1) else None


@lru_cache(maxsize=256)
def _ed25519(key: bytes) -> Ed25519PublicKey | None:
    """A public key: its 32 bytes."""
    try:
        return Ed25519PublicKey.from_public_bytes(key)
    except (ValueError, UnsupportedAlgorithm):
        return None


_DIGESTS: tuple[Digest, ...] = ("sha1", "sha256", "sha512")
_ENCODINGS: tuple[Encoding, ...] = ("hex", "base64")
_IN_BODY = {
    (digest, encoding): Scheme(header=b"signature", digest=digest, encoding=encoding)
    for digest in _DIGESTS
    for encoding in _ENCODINGS
}
