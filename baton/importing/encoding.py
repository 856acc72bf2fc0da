"""Which characters the bytes of a file are, decided by strict decoding and never by statistics."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from baton.errors import OperatorError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAID = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with a byte order mark",
    "utf-16-le": 'UTF-16 (little-endian), as Excel\'s "Unicode text"',
    "utf-16-be": "UTF-16 (big-endian)",
    "cp932": "cp932 (Windows' Shift_JIS)",
    "euc_jp": "EUC-JP",
    "iso2022_jp": "ISO-2022-JP",
}
# "Shift_JIS" in Japan means what Windows writes: ①, ㈱, 髙 and 﨑 are none of the standard's characters.
_MEANT = {
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "shiftjis": "cp932",
    "ms932": "cp932",
    "windows-31j": "cp932",
}
_NEVER_WRITTEN = re.compile("[\x80\xa0\uf8f0-\uf8f3]")
_WORKBOOKS = (
    (b"PK\x03\x04", "an Excel workbook (.xlsx) or a ZIP file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """text: without its byte order mark;  encoding: a codec's name;  mark: the byte order mark that stood before it"""

    text: str
    encoding: str
    mark: bytes = b""

    @property
    def said(self) -> str:
        """The encoding, for people."""
        return _SAID.get(self.encoding, self.encoding)

    def encode(self, text: str) -> bytes:
        """`text` as this file would hold it; what the encoding lacks becomes `?`."""
        codec = "utf-8" if self.encoding == "utf-8-sig" else self.encoding
        return self.mark + text.encode(codec, "replace")


def decode(raw: bytes, named: str | None = None) -> Decoded:
    """The text of a file. By its byte order mark, else UTF-8, else cp932; `named` overrides.

    Raises OperatorError that says why, and where, none of them is it.
    """
    for start, what in _WORKBOOKS:
        if raw.startswith(start):
            raise OperatorError(f'this is {what}, not CSV: in Excel choose "Save as", "CSV UTF-8"')
    if named:
        return _as_named(raw, named)
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return Decoded(_strictly(raw[len(mark) :], encoding.removesuffix("-sig")), encoding, mark)
    if wide := _without_mark(raw):
        return Decoded(_strictly(raw, wide), wide)
    if b"\x1b$" in raw:
        return Decoded(_strictly(raw, "iso2022_jp"), "iso2022_jp")
    try:
        return Decoded(raw.decode("utf-8"), "utf-8")
    except UnicodeDecodeError as error:
        utf8 = error
    text, wrong = _cp932(raw)
    if wrong is not None:
        where, other = _line(raw, utf8.start), _line(raw, wrong)
        raise OperatorError(
            f"this is neither UTF-8 (line {where}) nor cp932 (line {other}): save it as UTF-8, or name its encoding with --encoding"
        )
    if _mostly_half_width(text) and _decodes(raw, "euc_jp"):
        raise OperatorError("this may be EUC-JP or cp932: say which with --encoding euc_jp or --encoding cp932")
    return Decoded(text, "cp932")


def _cp932(raw: bytes) -> tuple[str, int | None]:
    """The text, and the first byte at which it is none. The codec lets bytes pass that Windows never writes."""
    try:
        text = raw.decode("cp932")
    except UnicodeDecodeError as error:
        return "", error.start
    found = _NEVER_WRITTEN.search(text)
    return text, len(text[: found.start()].encode("cp932")) if found else None


def _as_named(raw: bytes, named: str) -> Decoded:
    wanted = _MEANT.get(named.strip().casefold().replace(" ", ""), named.strip())
    try:
        encoding = codecs.lookup(wanted).name
        "".encode(encoding)  # codecs such as `hex` are known, and are no characters
    except (LookupError, ValueError, UnicodeError):
        raise OperatorError(f"there is no encoding `{named}`: utf-8, cp932, utf-16, euc_jp are some") from None
    if encoding == "utf-16":
        encoding = "utf-16-be" if raw.startswith(codecs.BOM_UTF16_BE) else "utf-16-le"
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    mark = next((m for m, of in _MARKS if raw.startswith(m) and of.removesuffix("-sig") == encoding), b"")
    text = _strictly(raw[len(mark) :], encoding)
    return Decoded(text, "utf-8-sig" if mark and encoding == "utf-8" else encoding, mark)


def _strictly(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeError as error:
        where = f" (line {_line(raw, error.start)})" if isinstance(error, UnicodeDecodeError) else ""
        raise OperatorError(
            f"this is not {_SAID.get(encoding, encoding)}{where}, although it looks so or was named so"
        ) from None


def _without_mark(raw: bytes) -> str | None:
    """UTF-16 without its mark: most of its line feeds have a zero byte, on the side that says which end comes first."""
    feeds, little, big = raw.count(b"\n"), raw.count(b"\n\x00"), raw.count(b"\x00\n")
    if len(raw) % 2 or max(little, big) * 2 <= feeds:
        return None
    return "utf-16-be" if big > little or raw[:1] == b"\x00" else "utf-16-le"


def _line(raw: bytes, offset: int) -> int:
    return raw.count(b"\n", 0, offset) + 1


def _mostly_half_width(text: str) -> bool:
    """EUC-JP read as cp932 becomes half-width kana nearly throughout."""
    foreign = [char for char in text[:20_000] if ord(char) > 0x7F]
    return len(foreign) > 8 and sum("\uff61" <= char <= "\uff9f" for char in foreign) * 10 > len(foreign) * 6


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
