"""What an HTML form sends: names and values, in whatever charset its page is written."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.ingest.domain.refusals import Refused

MOST_FIELDS = 1_000
MOST_DEPTH = 5  # of brackets

Pair = tuple[bytes, bytes]
# Shift_JIS means cp932 on the web: ①, ㈱ and 髙 are in no other.
_CODECS = {
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j", "cp932", "ms932", "ms_kanji"), "cp932"),
    **dict.fromkeys(("euc-jp", "eucjp", "x-euc-jp"), "euc_jp"),
    "iso-2022-jp": "iso2022_jp_ext",
    **dict.fromkeys(("utf-8", "utf8"), "utf-8"),
}
_REFERENCE = re.compile(r"&#(\d{2,7});")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


def urlencoded(body: bytes) -> list[Pair]:
    """Raises Refused `too_many_fields`."""
    if body.count(b"&") >= MOST_FIELDS:
        raise _too_many()
    parts = [part.replace(b"+", b" ").partition(b"=") for part in body.split(b"&") if part]
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in parts]


class Multipart:
    """multipart/form-data as it comes. Of files nothing is held but that they were there.

    pairs: the fields so far;  files: how many files so far
    """

    def __init__(self, boundary: bytes) -> None:
        """Raises Refused `bad_multipart` for what no boundary can be."""
        self._boundary = boundary
        self.pairs: list[tuple[bytes, bytearray]] = []
        self.files = 0
        self._kept = 0
        self._ended = self._broken = False
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._part: bytearray | None = None
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._header_ended,
                    "on_headers_finished": self._headers_ended,
                    "on_part_data": self._content,
                    "on_end": self._end,
                },
            )
        except FormParserError:
            raise _bad_multipart() from None

    def feed(self, data: bytes) -> int:
        """Take the next bytes; the bytes of the fields held so far."""
        if not (self._broken or self._ended):
            try:
                self._parser.write(data)
            except FormParserError:
                self._broken = True
        return self._kept

    def close(self) -> bytes:
        """The same body, with its files empty; it ends in the middle where the body did."""
        line = b"--" + self._boundary
        parts = [
            b'%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (line, _quoted(name), value)
            for name, value in self.pairs
        ]
        parts += [b'%s\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n\r\n' % line] * self.files
        return b"".join(parts) + (line + b"--\r\n" if self._ended and not self._broken else b"")

    def whole(self) -> list[Pair]:
        """All fields. Raises Refused `bad_multipart` for what is damaged or cut off, `too_many_fields`."""
        if self._broken or not self._ended:
            raise _bad_multipart()
        if len(self.pairs) > MOST_FIELDS:
            raise _too_many()
        return [(name, bytes(value)) for name, value in self.pairs]

    def _begin(self) -> None:
        self._part, self._disposition = None, b""

    def _header_ended(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_ended(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name")
        if b"filename" in options:
            self.files += bool(options[b"filename"]) and self.files < MOST_FIELDS  # a file input left empty has none
        elif name and len(self.pairs) <= MOST_FIELDS:
            self._part = bytearray()
            self.pairs.append((name, self._part))
            self._kept += len(name)

    def _content(self, data: bytes, start: int, end: int) -> None:
        if self._part is not None:
            self._part += data[start:end]
            self._kept += end - start

    def _end(self) -> None:
        self._ended = True


def boundary_of(content_type: bytes) -> bytes | None:
    """The boundary where `content_type` is multipart, and says one."""
    kind, options = parse_options_header(content_type)
    return options.get(b"boundary") or None if kind == b"multipart/form-data" else None


def charset_of(content_type: bytes) -> str | None:
    charset = parse_options_header(content_type)[1].get(b"charset")
    return charset.decode("latin-1") if charset else None


def texts(pairs: list[Pair], charset: str | None) -> list[tuple[str, str]]:
    """The same as text. `charset` is what Content-Type declares; the field `_charset_` knows better.

    What is not in that charset is in UTF-8 or, as on old pages that declare nothing, in cp932; failing that, what cannot be
    read is replaced: a lead with a blot is better than none. Characters that a page's charset lacks come as `&#…;`.
    """
    said = next((value.decode("latin-1") for name, value in pairs if name == b"_charset_"), None)
    declared = _CODECS.get((said or "").strip().lower()) or _CODECS.get((charset or "").strip().lower())
    everything = b"\n".join([part for pair in pairs for part in pair])
    codec = next((codec for codec in (declared, "utf-8", "cp932") if codec and _reads(everything, codec)), None)

    def text(raw: bytes) -> str:
        found = raw.decode(codec or "utf-8", "replace").replace("\0", "")
        return found if codec in (None, "utf-8") else _REFERENCE.sub(_character, found)

    return [(text(name), text(value)) for name, value in pairs]


def _reads(raw: bytes, codec: str) -> bool:
    try:
        raw.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _character(reference: re.Match[str]) -> str:
    number = int(reference[1])
    return reference[0] if number > 0x10FFFF or 0xD800 <= number < 0xE000 else chr(number)


def tree(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Fields by name: a name that comes again is a list, `a[]` too, and `a[b]` is an object. Raises Refused `too_deep`."""
    whole: dict[str, Any] = {}
    for name, value in pairs:
        path = _path(name)
        if len(path) > MOST_DEPTH + 1:
            raise Refused("too_deep", f"the name of a field may have {MOST_DEPTH} pairs of brackets")
        _put(whole, path, value)
    return {name: _listed(value) for name, value in whole.items()}


def _path(name: str) -> list[str]:
    first, bracket, rest = name.partition("[")
    inner = _BRACKETS.findall(bracket + rest)
    if not first or not inner or sum(len(part) + 2 for part in inner) != len(bracket + rest):
        return [name]
    return [first, *inner]


def _put(whole: dict[str, Any], path: list[str], value: str) -> None:
    inner = whole
    for part in path[:-1]:
        found = inner.setdefault(part, {})
        if not isinstance(found, dict):  # `a` is a text elsewhere
            inner, path = whole, [_name(path)]
            break
        inner = found
    last = path[-1]
    known = inner.get(last)
    if isinstance(known, dict):
        inner, last, known = known, "", known.get("")
    if known is None:
        inner[last] = value
    elif isinstance(known, list):
        known.append(value)
    else:
        inner[last] = [known, value]


def _name(path: list[str]) -> str:
    return path[0] + "".join(f"[{part}]" for part in path[1:])


def _listed(value: Any) -> Any:
    """Objects of nothing but `[]` or numbers are lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(item) for name, item in value.items()}
    if list(inner) == [""]:
        return inner[""] if isinstance(inner[""], list) else [inner[""]]
    return list(inner.values()) if all(name.isdecimal() for name in inner) else inner


def _quoted(name: bytes) -> bytes:
    return name.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\r", b" ").replace(b"\n", b" ")


def _too_many() -> Refused:
    return Refused("too_many_fields", f"a form may have {MOST_FIELDS} fields")


def _bad_multipart() -> Refused:
    return Refused(
        "bad_multipart", "the body is not multipart/form-data with the boundary that Content-Type says, or is cut off"
    )
