"""Calls that browsers make by asking for a picture."""

from __future__ import annotations

from services.ingest.answers import Answer

_GIF = (  # 1x1, transparent
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
_UNKEPT = (b"cache-control", b"no-store")


def picture(status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """A picture of one pixel, which no cache keeps: the next view shall be told too.

    A failure shows a pixel too, only its status says so. It never asks for a password: browsers would ask the visitor.
    """
    return Answer(
        status, _GIF, (*(header for header in headers if header[0] != b"www-authenticate"), _UNKEPT), b"image/gif"
    )
