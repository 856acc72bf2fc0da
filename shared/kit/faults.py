"""What pydantic found wrong with a request, in the caller's words: where it is in what they sent, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from shared.kit.near import nearest

Body = dict[str, Any]
_UNKNOWN = "unknown_word"


def unknown_word(what: str, wrong: str, valid: Iterable[str]) -> PydanticCustomError:
    """For validators: `wrong` is none of the valid ones."""
    told = {"what": what, "wrong": wrong, "valid": list(valid)}
    return PydanticCustomError(_UNKNOWN, "There is no {what} `{wrong}`.", told)


def told(errors: Sequence[Any], route: Any) -> list[Body]:
    """Each fault with `at`, its place, and `message`; with `valid` and `suggestion` where a name or a word is not known.

    route: what has the types of its parameters and its body; None where that is not known
    """
    faults: dict[str, Body] = {}
    for error in errors:
        where, types = _place(error["loc"], route)
        fault = _fault(error, types)
        known = faults.setdefault(".".join(where), {"at": ".".join(where)} | fault)
        # One that may be this or that has a fault of each.
        if fault["message"] not in known["message"].split("; or: "):
            known["message"] += f"; or: {fault['message']}"
            known.update({name: fault[name] for name in ("valid", "suggestion") if name in fault})
    return list(faults.values())


def _fault(error: Mapping[str, Any], types: Sequence[Any]) -> Body:
    kind, given, message = error["type"], error.get("input"), str(error["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        fields = (one.alias or name for type_ in types for name, one in _fields(type_).items())
        return _hinted("There is no such field.", str(error["loc"][-1]), sorted(set(fields)))
    if kind == _UNKNOWN:
        return _hinted(message, error["ctx"]["wrong"], error["ctx"]["valid"])
    if kind in ("literal_error", "enum"):
        valid = [str(word) for type_ in types if get_origin(type_) is Literal for word in get_args(type_)]
        return _hinted(message, given if isinstance(given, str) else "", valid) if valid else {"message": message}
    if kind == "json_invalid":
        message = f"{message}: {error.get('ctx', {}).get('error', '')}"
    return {"message": message}


def _hinted(message: str, wrong: str, valid: list[str]) -> Body:
    near = nearest(wrong[:200], valid)
    return {
        "message": f"{message}{'' if message.endswith('.') else '.'} Did you mean `{near}`?" if near else message,
        "valid": valid,
        "suggestion": near,
    }


def _place(loc: Sequence[Any], route: Any) -> tuple[list[str], list[Any]]:
    """The place without what pydantic names of its own, such as the member of a union, and the types that may stand there: of an
    unknown field, those that lack it."""
    types = list(_root(loc, route))
    if not types:
        return [str(one) for one in loc], []
    where = [str(one) for one in (loc[:1] if loc[0] == "body" else loc[:2])]
    for part in loc[1:] if loc[0] == "body" else loc[2:]:
        if len(types) > 1 and not any(_below(type_, part) for type_ in types):
            continue  # the member of a union
        below = [one for type_ in types for one in _below(type_, part)]
        if below:
            types = below
        elif part != loc[-1] or not any(_fields(type_) for type_ in types) or isinstance(part, int):
            continue
        # Names are theirs: half of a surrogate pair cannot be answered, and they may be long.
        where.append(str(part)[:100].encode(errors="replace").decode())
    return where, types


def _root(loc: Sequence[Any], route: Any) -> Iterator[Any]:
    if loc[0] == "body":
        field = getattr(route, "body_field", None)
        yield from _members(field.field_info.annotation) if field else ()
    else:
        dependants = [route.dependant] if hasattr(route, "dependant") else []
        while dependants:
            one = dependants.pop()
            dependants += one.dependencies
            for found in getattr(one, f"{loc[0]}_params", ()):
                if len(loc) > 1 and found.alias == loc[1]:
                    yield from _members(found.field_info.annotation)


def _members(type_: Any) -> Iterator[Any]:
    """What it may be, without None and what only narrows it."""
    origin = get_origin(type_)
    if origin is Annotated:
        yield from _members(get_args(type_)[0])
    elif origin in (Union, UnionType):
        for one in get_args(type_):
            yield from _members(one)
    elif type_ is not type(None):
        yield type_


def _below(type_: Any, part: Any) -> list[Any]:
    """What may stand at `part` of it; nothing where it has no such part."""
    arguments = get_args(type_)
    if field := _fields(type_).get(part):
        return list(_members(field.annotation))
    origin = get_origin(type_) or type_
    if not isinstance(origin, type):
        return []
    if issubclass(origin, Mapping):
        return list(_members(arguments[1] if len(arguments) == 2 else Any)) if part != "[key]" else []
    if issubclass(origin, (list, tuple, set, frozenset)) and isinstance(part, int):
        return list(_members(arguments[0] if arguments else Any))
    return []


def _fields(type_: Any) -> Mapping[Any, Any]:
    if not (isinstance(type_, type) and issubclass(type_, BaseModel)):
        return {}
    return {one.alias or name: one for name, one in type_.model_fields.items()}
