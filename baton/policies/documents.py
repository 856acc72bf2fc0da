"""One YAML file as plain data, with the line of everything in it.

A small, safe part of YAML 1.2: one document of mappings, lists and scalars. Anchors, aliases and tags are refused, so that a file
of a few lines cannot unfold into gigabytes, and what stands on a line is what holds there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode

from baton.policies.problems import Problem

MOST_BYTES = 512 * 1024
MOST_DEPTH = 32

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """file: as it is named in problems;  lines: path into `content` -> line, from 1"""

    file: str
    content: Any
    lines: dict[Place, int] = field(repr=False)

    def line(self, place: Place) -> int | None:
        """The line of `place`, or of the nearest thing around it."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place)


class _RefusedError(Exception):
    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


def load(path: Path, name: str) -> tuple[Document | None, list[Problem]]:
    """The document at `path`, called `name` in problems. With a problem of its grammar there is no document."""
    try:
        text = _text(path)
        builder = _Builder(text)
        content = builder.build()
    except _RefusedError as refused:
        return None, [Problem(name, refused.line, refused.message, "not-yaml")]
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        return None, [Problem(name, line, f"this is not YAML: {_words(error)}", "not-yaml")]
    except YAMLError as error:
        return None, [Problem(name, None, f"this is not YAML: {str(error).splitlines()[0]}", "not-yaml")]
    problems = [Problem(name, line, message, "not-yaml") for line, message in builder.faults]
    return (None, problems) if problems else (Document(name, content, builder.lines), [])


def _words(error: MarkedYAMLError) -> str:
    return " ".join(part for part in (error.context, error.problem) if part)


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise _RefusedError(None, f"the file has {size} bytes, and a policy has {MOST_BYTES} at most")
        raw = path.read_bytes()
    except OSError as error:
        raise _RefusedError(None, f"cannot be read: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _RefusedError(raw.count(b"\n", 0, error.start) + 1, "this is not UTF-8; save the file as UTF-8") from None
    for number, line in enumerate(text.split("\n"), 1):
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent:
            raise _RefusedError(number, "indented by a tab; YAML wants spaces")
        if any(ord(char) < 32 and char not in "\t\r" for char in line):
            raise _RefusedError(number, "holds a control character")
    return text


class _Builder:
    """Builds plain data from the events of the parser, remembering lines on the way."""

    def __init__(self, text: str) -> None:
        self._yaml = YAML(typ="safe", pure=True)
        self._events: Iterator[Any] = iter(self._yaml.parse(text))
        self.lines: dict[Place, int] = {}
        self.faults: list[tuple[int, str]] = []

    def build(self) -> Any:
        content, documents = None, 0
        for event in self._events:
            kind = _kind(event)
            if kind == "DocumentStart":
                documents += 1
                if event.version or event.tags:
                    raise _RefusedError(_line(event), "directives such as `%YAML` are not used in policies")
                if documents > 1:
                    raise _RefusedError(_line(event), "a second document starts here; a policy file has one")
            elif kind not in ("StreamStart", "StreamEnd", "DocumentEnd"):
                content = self._value(event, ())
        if not documents:
            raise _RefusedError(None, "the file is empty")
        return content

    def _value(self, event: Any, place: Place) -> Any:
        kind, line = _kind(event), _line(event)
        if kind == "Alias" or getattr(event, "anchor", None):
            raise _RefusedError(line, "anchors and aliases (`&name`, `*name`) are not used in policies; write it out")
        if getattr(event, "tag", None):
            raise _RefusedError(line, f"tags such as `{event.tag}` are not used in policies")
        if len(place) > MOST_DEPTH:
            raise _RefusedError(line, f"nested more than {MOST_DEPTH} levels deep")
        self.lines.setdefault(place, line)
        if kind == "MappingStart":
            return self._mapping(place)
        if kind == "SequenceStart":
            return self._sequence(place)
        return self._scalar(event)

    def _mapping(self, place: Place) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while _kind(key := next(self._events)) != "MappingEnd":
            if _kind(key) != "Scalar":
                raise _RefusedError(_line(key), "a field's name is text")
            name, line = str(key.value), _line(key)
            if name in mapping:
                first = self.lines[(*place, name)]
                self.faults.append((line, f"`{name}` is given twice here, first on line {first}"))
            self.lines[(*place, name)] = line
            mapping[name] = self._value(next(self._events), (*place, name))
        return mapping

    def _sequence(self, place: Place) -> list[Any]:
        items: list[Any] = []
        while _kind(event := next(self._events)) != "SequenceEnd":
            items.append(self._value(event, (*place, len(items))))
        return items

    def _scalar(self, event: Any) -> str | int | float | bool | None:
        text, line = str(event.value), _line(event)
        if any(0xD800 <= ord(char) <= 0xDFFF or char == "\0" for char in text):
            raise _RefusedError(line, "holds a character that is none (NUL or half of a pair)")
        tag = str(self._yaml.resolver.resolve(ScalarNode, text, event.implicit)).rpartition(":")[2]
        if tag not in ("int", "float", "bool", "null"):
            return text  # a date is text as well: models read it
        if len(text) > 40:
            raise _RefusedError(line, f"the number {text[:40]}… is too long")
        value = self._yaml.constructor.construct_object(ScalarNode(f"tag:yaml.org,2002:{tag}", text))
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise _RefusedError(line, f"the number {text} is too large")
        if isinstance(value, float) and not math.isfinite(value):
            raise _RefusedError(line, f"`{text}` is not a number that can be counted with")
        return value  # type: ignore[no-any-return]


def _kind(event: Any) -> str:
    return type(event).__name__.removesuffix("Event")


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
