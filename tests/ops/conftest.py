"""What the checks of the deployment share: the files as data, and what the code says about itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from baton.home import SERVER_NAMES
from shared.kit.settings import ServiceSettings

SERVICES = {"ingest": 8181, "scoring": 8182, "router": 8183, "handoff": 8184}
SAMPLE = {  # values for the variables that have no default, as an operator would fill in `.env`
    "IDENTITY_SECRET": "0123456789abcdef0123456789abcdef",
    "INGEST_ADMIN_TOKEN": "sample",
    "POSTGRES_PASSWORD": "sample",
    "BATON_DATABASE_PASSWORD": "sample",
}


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile, its continuation lines joined."""

    name: str
    rest: str


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(scope="session", params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def services() -> dict[str, int]:
    """Each service and its port."""
    return SERVICES


@pytest.fixture(scope="session")
def settings_class() -> Callable[[str], type[BaseSettings]]:
    """The settings of a service, as its code declares them."""

    def find(name: str) -> type[BaseSettings]:
        module = import_module(f"services.{name}.settings")
        (found,) = (
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, ServiceSettings) and value is not ServiceSettings
        )
        return found

    return find


@pytest.fixture(scope="session")
def declared_settings(settings_class: Callable[[str], type[BaseSettings]]) -> Callable[[str], dict[str, FieldInfo]]:
    """Environment variables that a service reads -> their declaration."""

    def read(name: str) -> dict[str, FieldInfo]:
        model = settings_class(name)
        prefix = str(model.model_config.get("env_prefix") or "")
        return {str(f.validation_alias or prefix + own_name).upper(): f for own_name, f in model.model_fields.items()}

    return read


@pytest.fixture(scope="session")
def variables(declared_settings: Callable[[str], dict[str, FieldInfo]]) -> Callable[[str], dict[str, bool]]:
    """Environment variables that a service reads -> whether it cannot start without."""

    def read(name: str) -> dict[str, bool]:
        return {variable: declaration.is_required() for variable, declaration in declared_settings(name).items()}

    return read


@pytest.fixture(scope="session")
def default_port(declared_settings: Callable[[str], dict[str, FieldInfo]]) -> Callable[[str], int]:
    """Where a service listens unless told otherwise."""

    def read(name: str) -> int:
        return int(declared_settings(name)[f"{name.upper()}_PORT"].default)

    return read


@pytest.fixture(scope="session")
def migrate_variables() -> set[str]:
    """Environment variables that `baton migrate` reads."""
    from baton.cli import app

    command = typer.main.get_command(app).commands["migrate"]  # type: ignore[attr-defined]
    return {*SERVER_NAMES, *(str(option.envvar) for option in command.params if option.envvar)} - {"REDIS_URL"}


@pytest.fixture(scope="session")
def policy_references(root: Path) -> set[str]:
    """Environment variables that the policies of the repository refer to: write keys, URLs of channels."""
    texts = (path.read_text() for path in (root / "policies").rglob("*.yaml"))
    return {name for text in texts for name in re.findall(r"\benv:([A-Z0-9_]+)", text)}


@pytest.fixture(scope="session")
def compose(root: Path) -> dict[str, Any]:
    """docker-compose.yml, merged but not interpolated."""
    loaded: dict[str, Any] = yaml.safe_load((root / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="session")
def filled_in() -> Callable[[str], str]:
    """A compose value with its variables replaced by their defaults, or by the sample's."""

    def interpolate(text: str) -> str:
        return re.sub(r"\$\{(\w+)(?::?[-?]([^}]*))?\}", lambda m: SAMPLE.get(m[1], m[2] or ""), text)

    return interpolate


@pytest.fixture(scope="session")
def sample_environment() -> dict[str, str]:
    return dict(SAMPLE)


@pytest.fixture(scope="session")
def stages(root: Path) -> dict[str, list[Instruction]]:
    """Each stage of the Dockerfile with its instructions; a stage begins with its FROM."""
    text = re.sub(r"^\s*#.*\n", "", (root / "deploy/Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    found: dict[str, list[Instruction]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            current = found.setdefault(rest.split(" AS ")[1], [])
        current.append(Instruction(name, rest.strip()))
    return found


@pytest.fixture(scope="session")
def manifests(root: Path) -> dict[Path, list[dict[str, Any]]]:
    """Every YAML file below deploy/k8s with its documents."""
    return {
        path: [document for document in yaml.safe_load_all(path.read_text()) if document]
        for path in sorted((root / "deploy/k8s").rglob("*.yaml"))
    }


@pytest.fixture(scope="session")
def base(manifests: dict[Path, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The objects of deploy/k8s/base."""
    return [
        document
        for path, documents in manifests.items()
        if path.parent.name == "base" and path.name != "kustomization.yaml"
        for document in documents
    ]


@pytest.fixture(scope="session")
def rules(root: Path) -> dict[str, dict[str, Any]]:
    """Alert name -> rule."""
    groups = yaml.safe_load((root / "deploy/prometheus/rules.yml").read_text())["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert len({rule["alert"] for rule in alerts}) == len(alerts)
    return {rule["alert"]: rule for rule in alerts}


@pytest.fixture(scope="session")
def runbooks(root: Path) -> dict[str, str]:
    """Alert name -> runbook."""
    return {path.stem: path.read_text() for path in sorted((root / "docs/runbooks").glob("*.md"))}


@pytest.fixture(scope="session")
def commands() -> Callable[[str], Iterator[str]]:
    """The lines of a runbook's fenced blocks, continuation lines joined."""

    def read(text: str) -> Iterator[str]:
        for block in re.findall(r"^```\w*\n(.*?)^```", text, flags=re.M | re.S):
            yield from filter(None, map(str.strip, block.replace("\\\n", " ").splitlines()))

    return read
