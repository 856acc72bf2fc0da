"""From plain data to policy models, every fault told in the author's terms."""

from __future__ import annotations

from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from baton.policies.documents import Document, Place
from baton.policies.problems import FIELDS_PAGE, Problem, suggest
from shared.schemas.conditions import OPERATORS

M = TypeVar("M", bound=BaseModel)


def validate(document: Document, model: type[M]) -> tuple[M | None, list[Problem]]:
    """The policy (or whatever else `model` is) that `document` says, or everything that keeps it from being one."""
    if not isinstance(document.content, dict):
        return None, [Problem(document.file, 1, "a policy is a mapping of fields, such as `kind: routing`")]
    try:
        return model.model_validate(document.content), []
    except ValidationError as error:
        return None, [_problem(document, model, fault) for fault in error.errors(include_url=False)]


def _problem(document: Document, model: type[BaseModel], fault: Any) -> Problem:
    place: Place = tuple(fault["loc"])
    context = fault.get("ctx", {})
    kind, code = fault["type"], "wrong-value"
    if kind == "condition":
        code = _code(context)
        place += tuple(context["at"])
        message = context["message"]
        if context["wrong"] is not None:
            page = None if context["valid"] == list(OPERATORS) else FIELDS_PAGE
            message += "." + suggest(context["wrong"], context["valid"], page=page)
    elif kind == "extra_forbidden":
        code = "unknown-field"
        message = f"there is no field `{place[-1]}` here." + suggest(str(place[-1]), _fields(model, place[:-1]))
    elif kind == "missing":
        code, message = "missing-field", f"the field `{place[-1]}` is missing"
    else:
        message = f"{_name(place)}: {_told(fault)}"
        if kind == "literal_error":
            message += "." + suggest(str(fault["input"]), _literals(context["expected"]))
    return Problem(document.file, document.line(place), message, code)


def _code(context: Any) -> str:
    if context["wrong"] is None or context["valid"] == list(OPERATORS):
        return "bad-condition"
    return "unknown-field" if context["at"] else "wrong-value"


def _name(place: Place) -> str:
    """The innermost field of `place`, with its index if it is an item: `rules[3]` of `('engagement', 'rules', 3)`."""
    if not place:
        return "the policy"
    if isinstance(place[-1], int) and len(place) > 1:
        return f"`{place[-2]}[{place[-1]}]`"
    return f"`{place[-1]}`"


_WORDS = {
    "string_type": "is to be text",
    "int_type": "is to be a whole number",
    "int_parsing": "is to be a whole number",
    "int_from_float": "is to be a whole number",
    "float_type": "is to be a number",
    "float_parsing": "is to be a number",
    "bool_type": "is to be true or false",
    "bool_parsing": "is to be true or false",
    "tuple_type": "is to be a list",
    "dict_type": "is to be a mapping",
    "model_type": "is to be a mapping of fields",
    "date_type": "is to be a day such as `2026-11-21`",
    "date_from_datetime_parsing": "is to be a day such as `2026-11-21`",
    "date_from_datetime_inexact": "is to be a day such as `2026-11-21`, without a time",
    "model_attributes_type": "is to be a mapping of fields",
}
_PATTERNS = {
    r"^[a-z0-9][a-z0-9._-]{0,63}$": "an id has up to 64 of a-z, 0-9, `.`, `_` and `-`, and starts with a letter or digit",
    r"^([1-9][0-9]{0,2}d|once|campaign|cycle)$": "is to be a number of days such as `1d` or `30d`, `once`, `campaign` or `cycle`",
    r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$": "a time of day is such as `09:00`; the end of the day is `24:00`",
    r"^([0-9]{4}-)?[0-9]{2}-[0-9]{2}$": "is to be a day of one year such as `2026-12-29`, or of every year such as `12-29`",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2})?$": "is to be a day such as `2026-08-10`, or a time: `2026-08-10T13:30`",
    r"^[A-D][1-4]$": "a grade is a letter A to D and a band 1 to 4, such as `B1`",
}


def _told(fault: Any) -> str:
    kind, given = fault["type"], fault["input"]
    if kind == "string_pattern_mismatch":
        words = _PATTERNS.get(fault["ctx"]["pattern"], f"does not match {fault['ctx']['pattern']}")
        return f"`{given}`: {words}"
    words = _WORDS.get(kind) or str(fault["msg"])[:1].lower() + str(fault["msg"])[1:]
    return f"{words}, not `{given}`" if isinstance(given, str | int | float | bool) else words


def _literals(expected: str) -> list[str]:
    return [part for part in expected.replace(" or ", ", ").replace("'", "").split(", ") if part]


def _fields(model: type[BaseModel], place: Place) -> Sequence[str]:
    """Names of the fields that stand at `place` below `model`."""
    kind: Any = model
    for step in place:
        kind = _below(_model(kind), kind, step)
    found = _model(kind)
    return tuple(found.model_fields) if found else ()


def _below(model: type[BaseModel] | None, kind: Any, step: str | int) -> Any:
    if model:
        field = model.model_fields.get(str(step))
        return field.annotation if field else None
    arguments = get_args(_bare(kind))
    if not arguments:
        return None
    return arguments[-1] if arguments[-1] is not Ellipsis else arguments[0]


def _model(kind: Any) -> type[BaseModel] | None:
    kind = _bare(kind)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _bare(kind: Any) -> Any:
    """Without `Annotated` and `None`."""
    while get_origin(kind) in (Annotated, Union, UnionType):
        kind = next(argument for argument in get_args(kind) if argument is not type(None))
    return kind
