"""Undoing Content-Encoding, without ever holding more than is allowed."""

from __future__ import annotations

import zlib

from services.ingest.domain.refusals import Refused

_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}
MOST_RATIO = 100  # beyond the first megabyte a body that grows more than this was made to hurt
_RATIO_FROM = 1_048_576


def inflate(body: bytes, encodings: list[bytes], most: int) -> bytes:
    """The body as its sender meant it, `most` bytes at most. `encodings` are the values of Content-Encoding.

    Raises Refused: 415 `unsupported_encoding` for what is not gzip or deflate, 400 `many_encodings` for more than one,
    413 `too_large`, 400 `bad_encoding` for what is truncated, damaged, followed by something, or a bomb.
    """
    if not encodings:
        return body
    values = ",".join(value.decode("latin-1") for value in encodings).lower()
    names = [name for part in values.split(",") if (name := part.strip()) not in ("", "identity")]
    if not names:
        return body
    if len(names) > 1:
        raise Refused("many_encodings", "a body may be encoded once")
    if names[0] not in _WINDOW:
        raise Refused("unsupported_encoding", "Content-Encoding may be gzip or deflate", 415)
    try:
        return _bounded(body, _WINDOW[names[0]], most)
    except zlib.error:
        pass
    if names[0] == "deflate":  # half the world means raw deflate (RFC 1951) by it
        try:
            return _bounded(body, -15, most)
        except zlib.error:
            pass
    raise Refused("bad_encoding", f"the body is not {names[0]}, whatever its Content-Encoding says")


def _bounded(body: bytes, window: int, most: int) -> bytes:
    stream = zlib.decompressobj(window)
    whole = stream.decompress(body, min(most, max(_RATIO_FROM, len(body) * MOST_RATIO)) + 1)
    if len(whole) > most:
        raise Refused("too_large", f"a body may inflate to {most} bytes", 413)
    if len(whole) > _RATIO_FROM and len(whole) > len(body) * MOST_RATIO:
        raise Refused("bad_encoding", "the body inflates far more than events do")
    if not stream.eof:
        raise Refused("bad_encoding", "the encoded body is cut off")
    if stream.unused_data:
        raise Refused("bad_encoding", "something follows the encoded body")
    return whole
