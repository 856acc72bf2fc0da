"""Executes a page of documentation: its requests are sent in their order, and what is answered is compared with what it shows.

A fenced block `http` is a request, or, beginning with `HTTP/1.1`, the answer to the one before it; `sh` is a request of curl;
`sql` is for the owner of the database. `<!-- what: who -->` is something that happens meanwhile. `…` stands for whatever is not
shown, and `$NAME` for what an earlier answer, or the test, has said; in an answer a new name takes what it finds.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

Kind = Literal["http", "sh", "sql", "meanwhile"]
Names = dict[str, str]
REST = "…"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$|^<!-- (\w+: .*?) -->$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"\$([A-Z][A-Z_]*)")


class PageError(Exception):
    """The page says what is not so."""


@dataclass(frozen=True, slots=True)
class Step:
    """line: of the page, where it begins"""

    line: int
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


def steps(page: str) -> Iterator[Step]:
    """What is to be done, in the order of the page. Raises PageError for a block that nothing would execute."""
    for found in _BLOCK.finditer(page):
        line = page.count("\n", 0, found.start()) + 1
        if found[3]:
            yield Step(line, "meanwhile", found[3])
        elif found[1] in ("http", "sh", "sql"):
            yield Step(line, found[1], found[2])
        else:
            raise PageError(f"line {line}: nothing executes a block of {found[1] or 'no language'}")


def filled(text: str, names: Mapping[str, str]) -> str:
    """Raises PageError for a name that nothing has said yet."""
    missing = [name for name in _NAME.findall(text) if name not in names]
    if missing:
        raise PageError(f"nobody has said what ${missing[0]} is")
    return _NAME.sub(lambda found: names[found[1]], text)


def request(step: Step, names: Mapping[str, str]) -> Request:
    text = filled(step.text, names)
    if step.kind == "sh":
        return _of_curl(text)
    first, headers, body = _parts(text)
    method, path = first.split(" ")
    return Request(method, path, headers, body)


def is_answer(step: Step) -> bool:
    return step.kind == "http" and step.text.startswith("HTTP/1.1 ")


def answer(step: Step) -> Answer:
    first, headers, body = _parts(step.text)
    return Answer(int(first.split(" ")[1]), headers, body)


def compared(shown: Answer, got: httpx.Response, names: Names) -> Names:
    """The names, with those that the answer says anew. Raises PageError where it is another than the page shows."""
    found = names if shown.status == got.status_code else None
    for name, value in shown.headers.items():
        found = found and alike(value, got.headers.get(name), found)
    if found and shown.body:
        found = _body(shown.body, got, found)
    if found is None:
        told = {name: got.headers.get(name) for name in shown.headers}
        raise PageError(f"answered was {got.status_code} {told}\n{got.text}")
    return found


def _body(shown: str, got: httpx.Response, names: Names) -> Names | None:
    if "json" in got.headers.get("content-type", ""):
        return alike(loads(shown), got.json(), names)
    lines = [line for line in got.content.decode("utf-8-sig").splitlines() if line]
    return alike([line for line in shown.splitlines() if line], lines, names)


def alike(shown: Any, got: Any, names: Names) -> Names | None:
    """The names, with those that are said anew; None where `got` is not as shown."""
    if shown == REST:
        return names
    if isinstance(shown, str):
        return _text(shown, got, names) if isinstance(got, str) else None
    if isinstance(shown, dict):
        return _mapping(shown, got, names) if isinstance(got, dict) else None
    if isinstance(shown, list):
        return _list(shown, got, names) if isinstance(got, list) else None
    return names if type(shown) is type(got) and shown == got else None


def _mapping(shown: dict[str, Any], got: dict[str, Any], names: Names) -> Names | None:
    wanted = {name: value for name, value in shown.items() if name != REST}
    if REST not in shown and wanted.keys() != got.keys():
        return None
    found: Names | None = names
    for name, value in wanted.items():
        found = alike(value, got[name], found) if found is not None and name in got else None
    return found


def _list(shown: list[Any], got: list[Any], names: Names) -> Names | None:
    if not shown:
        return None if got else names
    if shown[0] == REST:
        rests = (_list(shown[1:], got[skipped:], names) for skipped in range(len(got) + 1))
        return next((found for found in rests if found is not None), None)
    first = alike(shown[0], got[0], names) if got else None
    return None if first is None else _list(shown[1:], got[1:], first)


def _text(shown: str, got: str, names: Names) -> Names | None:
    """`…` in it is any text, `$NAME` what it was before, or what stands there."""
    pattern, new = "", []
    for part in re.split(r"(…|\$[A-Z][A-Z_]*)", shown):
        name = part[1:] if part.startswith("$") else ""
        if part == REST:
            pattern += ".*"
        elif not name:
            pattern += re.escape(part)
        elif name in names:
            pattern += re.escape(names[name])
        else:
            pattern += "(.+)"
            new.append(name)
    found = re.fullmatch(pattern, got, re.DOTALL)
    return names | dict(zip(new, found.groups(), strict=True)) if found else None


def loads(text: str) -> Any:
    """JSON in which a bare `…` stands for a value, for the other members of an object, or for more of a list."""
    made, within, inside, before = "", "", False, ""
    for index, character in enumerate(text):
        if character == '"' and text[index - 1 : index] != "\\":
            inside = not inside
        if inside or character != REST:
            made += character
        else:
            made += f'"{REST}": 0' if within.endswith("{") and before != ":" else f'"{REST}"'
        if not inside:
            within = within + character if character in "{[" else within[:-1] if character in "}]" else within
            before = before if character.isspace() else character
    return json.loads(made)


def _parts(text: str) -> tuple[str, dict[str, str], str]:
    head, _, body = text.strip().partition("\n\n")
    first, *lines = head.splitlines()
    return first, {name: value for name, _, value in (line.partition(": ") for line in lines)}, body


def _of_curl(text: str) -> Request:
    command, *words = shlex.split(text.replace("\\\n", " "))
    if command != "curl":
        raise PageError(f"nothing executes {command}")
    method, body, headers, url = "", "", {}, ""
    rest = iter(words)
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word in ("-d", "--json"):
            body = next(rest)
            headers |= {"content-type": "application/json"} if word == "--json" else {}
        else:
            url = word
    path = url.partition("://")[2]
    return Request(method or ("POST" if body else "GET"), "/" + path.partition("/")[2], headers, body)
