"""The description of the API shows of all that is sent and answered an example, which is as it says."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.handoff.app import http_app
from services.handoff.examples import NAMED
from services.handoff.policies import Policies
from shared.kit.clock import FakeClock
from shared.kit.service import Probes


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    pool: Any = None  # nobody is asked
    return http_app(pool, Policies(wait_seconds=0), FakeClock(), Probes(), b"m" * 32).openapi()


def test_whatever_is_sent_or_answered_has_an_example(description: dict[str, Any]) -> None:
    models, shown = description["components"]["schemas"], 0
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            answers = [one for code, one in operation["responses"].items() if code < "300"]
            for one in (operation.get("requestBody", {}), *answers):
                for medium in one.get("content", {}).values():
                    schema = medium.get("schema", {})
                    of = [
                        models[each["$ref"].rpartition("/")[2]]
                        for each in (schema, *schema.get("anyOf", ()))
                        if "$ref" in each
                    ]
                    assert "example" in medium or any("examples" in model for model in of), (method, path, schema)
                    shown += 1
    assert shown > 80


def test_examples_fit_what_they_are_of_and_show_every_field_of_what_is_answered(description: dict[str, Any]) -> None:
    tried = 0
    for name, model in description["components"]["schemas"].items():
        for example in model.get("examples", ()):
            faults = Draft202012Validator({**model, "components": description["components"]}).iter_errors(example)
            assert not [f"{name} {fault.json_path}: {fault.message}" for fault in faults]
            tried += 1
    assert tried > 50


def test_every_name_with_an_example_is_one_of_the_description(description: dict[str, Any]) -> None:
    models = description["components"]["schemas"]
    fields = {name for model in models.values() for name in model.get("properties", ())}
    fields |= {f"{name}.{field}" for name, model in models.items() for field in model.get("properties", ())}
    assert NAMED.keys() <= fields
