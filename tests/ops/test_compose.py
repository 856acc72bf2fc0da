"""docker-compose.yml: read by Compose where it is installed, and by a strict model of the part that we use everywhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings

from baton.home import INGEST_NAMES

Duration = Field(pattern=r"^(\d+(ms|s|m|h))+$")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Build(Strict):
    context: str
    dockerfile: str
    target: str


class Healthcheck(Strict):
    test: list[str] = Field(min_length=2)
    interval: str = Duration
    timeout: str = Duration
    start_period: str = Duration
    retries: int


class Condition(Strict):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]


class Service(Strict):
    """A service of the Compose specification, with the attributes that this project uses. Names and types as there."""

    image: str
    build: Build | None = None
    command: list[str] | None = None
    environment: dict[str, str | None] = Field(default_factory=dict)
    volumes: list[str] = Field(default_factory=list)
    ports: list[str] = Field(default_factory=list)
    healthcheck: Healthcheck | None = None
    depends_on: dict[str, Condition] = Field(default_factory=dict)
    restart: str = Field(pattern=r"^(no|always|unless-stopped|on-failure(:\d+)?)$")
    init: bool = False
    read_only: bool = False
    tmpfs: list[str] = Field(default_factory=list)
    cap_drop: list[str] = Field(default_factory=list)
    security_opt: list[str] = Field(default_factory=list)
    stop_grace_period: str = Field(default="10s", pattern=r"^\d+s$")


class ComposeFile(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)  # x-… fragments

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    services: dict[str, Service]
    volumes: dict[str, None]


@pytest.fixture(scope="module")
def model(compose: dict[str, Any]) -> ComposeFile:
    return ComposeFile.model_validate(compose)


def test_docker_compose_accepts_the_file(root: Path, sample_environment: dict[str, str]) -> None:
    """Read by `docker compose config`; the tests below read the file with a pydantic model of the same attributes."""
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed: the compose file was checked by the pydantic model alone")
    command = [docker, "compose", "--env-file", "/dev/null", "config", "--quiet"]
    good = subprocess.run(command, cwd=root, env=sample_environment, capture_output=True, text=True)
    assert good.returncode == 0, good.stderr
    for name in sample_environment:
        rest = {key: value for key, value in sample_environment.items() if key != name}
        refused = subprocess.run(command, cwd=root, env=rest, capture_output=True, text=True)
        assert refused.returncode != 0
        assert f"set {name} in .env" in refused.stderr


def test_only_attributes_of_the_specification_are_used(compose: dict[str, Any], model: ComposeFile) -> None:
    assert {key for key in compose if not key.startswith("x-")} == {"name", "services", "volumes"}
    assert model.services.keys() >= {"kafka", "postgres", "redis", "migrate", "prometheus"}


def test_every_service_of_baton_is_built_from_its_stage(
    model: ComposeFile, services: dict[str, int], stages: dict[str, Any], root: Path
) -> None:
    built = {name: service.build.target for name, service in model.services.items() if service.build}
    assert built == {"migrate": "baton", **{name: name for name in services}}
    assert set(built.values()) <= stages.keys()
    assert all((root / s.build.context / s.build.dockerfile).is_file() for s in model.services.values() if s.build)


def test_servers_are_the_versions_we_promise(model: ComposeFile) -> None:
    images = {model.services[name].image for name in ("kafka", "postgres", "redis")}
    assert images == {"apache/kafka:4.1.0", "postgres:17", "redis:7"}


def test_ports_are_published_on_this_host_alone(
    model: ComposeFile, services: dict[str, int], filled_in: Callable[[str], str]
) -> None:
    published = {name: [filled_in(port) for port in s.ports] for name, s in model.services.items() if s.ports}
    assert published == {
        **{name: [f"127.0.0.1:{port}:{port}"] for name, port in services.items()},
        "prometheus": ["127.0.0.1:9090:9090"],
    }


def test_a_service_starts_with_the_variables_it_is_given(
    compose: dict[str, Any],
    filled_in: Callable[[str], str],
    settings_class: Callable[[str], type[BaseSettings]],
    variables: Callable[[str], dict[str, bool]],
    monkeypatch: pytest.MonkeyPatch,
    default_port: Callable[[str], int],
    service: str,
    services: dict[str, int],
) -> None:
    given = {name: value for name, value in compose["services"][service]["environment"].items() if value is not None}
    known = variables(service)
    assert given.keys() - known.keys() == set()
    assert {name for name, required in known.items() if required} - given.keys() == set()
    for name in known:
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, filled_in(value))
    settings_class(service)()  # raises for a value that it cannot read
    assert default_port(service) == services[service]


def test_the_migration_is_given_every_variable_it_reads(compose: dict[str, Any], migrate_variables: set[str]) -> None:
    """And those of the other commands that runbooks run in its container."""
    assert compose["services"]["migrate"]["environment"].keys() == migrate_variables | {"REDIS_URL", *INGEST_NAMES}


def test_ingest_is_given_the_write_keys_and_handoff_the_channels_that_policies_refer_to(
    compose: dict[str, Any], services: dict[str, int], policy_references: set[str]
) -> None:
    """Without a value in .env the variable stays unset: that source cannot send, and that channel tells nobody."""
    passed_on = {
        name: {variable for variable, value in compose["services"][name]["environment"].items() if value is None}
        for name in services
    }
    channels = {name for name in policy_references if name.endswith("_CHAT_URL")}
    assert channels
    assert channels < policy_references
    given = {"ingest": policy_references - channels, "handoff": channels}
    assert passed_on == {name: given.get(name, set()) for name in services}


def test_secrets_have_no_default_and_say_what_is_missing(
    root: Path, compose: dict[str, Any], sample_environment: dict[str, str]
) -> None:
    text = (root / "docker-compose.yml").read_text()
    used = re.findall(r"\$\{(\w+)([^}]*)\}", text)
    assert {name for name, rest in used if rest.startswith(":?")} == sample_environment.keys()
    assert [name for name, rest in used if name in sample_environment and f"set {name} in .env" not in rest] == []
    assert [name for name, rest in used if not rest.startswith((":?", ":-"))] == []


def test_the_example_names_every_variable_and_holds_no_secret(
    root: Path, sample_environment: dict[str, str], policy_references: set[str]
) -> None:
    lines = (root / "deploy/env.example").read_text().splitlines()
    named = {m[1]: m[2] for line in lines if (m := re.match(r"#?([A-Z_]+)=(.*)$", line))}
    used = set(re.findall(r"\$\{(\w+)", (root / "docker-compose.yml").read_text()))
    assert named.keys() == used | policy_references
    secret = {*sample_environment, *policy_references}
    assert {name: named[name] for name in secret} == dict.fromkeys(secret, "")
    ignored = subprocess.run(["git", "check-ignore", "-q", ".env"], cwd=root)
    assert ignored.returncode == 0, "a filled-in .env could be committed"


def test_what_is_waited_for_exists_and_can_come_true(model: ComposeFile) -> None:
    waits = [
        (name, other, wait.condition)
        for name, service in model.services.items()
        for other, wait in service.depends_on.items()
    ]
    assert waits
    for name, other, condition in waits:
        assert other in model.services, (name, other)
        assert condition != "service_healthy" or model.services[other].healthcheck, (name, other)


def test_services_wait_for_their_servers_and_for_the_migration(model: ComposeFile, services: dict[str, int]) -> None:
    for name in services:
        url = {"REDIS_URL": "redis", "DATABASE_URL": "postgres"}
        needs = {server for variable, server in url.items() if variable in model.services[name].environment}
        waits = model.services[name].depends_on
        assert {other for other, wait in waits.items() if wait.condition == "service_healthy"} == {"kafka", *needs}
        assert waits["migrate"].condition == "service_completed_successfully"


def test_services_count_as_healthy_when_they_are_ready(model: ComposeFile, services: dict[str, int]) -> None:
    for name, port in services.items():
        check = model.services[name].healthcheck
        assert check
        assert check.test == ["CMD", "python", "-I", "deploy/healthcheck.py", str(port), "/readyz"]


def test_services_run_with_the_least_rights(model: ComposeFile, services: dict[str, int]) -> None:
    for name in (*services, "migrate"):
        service = model.services[name]
        assert service.read_only, name
        assert service.cap_drop == ["ALL"], name
        assert service.security_opt == ["no-new-privileges:true"], name


def test_kafka_is_told_everything(model: ComposeFile) -> None:
    """With any KAFKA_ variable set the image takes nothing from its default file."""
    given = {name: value or "" for name, value in model.services["kafka"].environment.items()}
    needed = {
        "CLUSTER_ID",
        "KAFKA_NODE_ID",
        "KAFKA_PROCESS_ROLES",
        "KAFKA_CONTROLLER_QUORUM_VOTERS",
        "KAFKA_CONTROLLER_LISTENER_NAMES",
        "KAFKA_LISTENERS",
        "KAFKA_ADVERTISED_LISTENERS",
        "KAFKA_INTER_BROKER_LISTENER_NAME",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
        "KAFKA_LOG_DIRS",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR",
    }
    assert needed - given.keys() == set()
    listeners = {listener.partition("://")[0] for listener in given["KAFKA_LISTENERS"].split(",")}
    mapped = {pair.partition(":")[0] for pair in given["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")}
    advertised = {listener.partition("://")[0] for listener in given["KAFKA_ADVERTISED_LISTENERS"].split(",")}
    assert listeners == mapped == advertised | {given["KAFKA_CONTROLLER_LISTENER_NAMES"]}
    assert given["KAFKA_INTER_BROKER_LISTENER_NAME"] in advertised
    volume = next(v for v in model.services["kafka"].volumes if v.startswith("kafka-data:"))
    assert volume.partition(":")[2] == given["KAFKA_LOG_DIRS"]


def test_data_is_kept_on_volumes_and_files_that_are_mounted_exist(model: ComposeFile, root: Path) -> None:
    mounted = [volume.split(":") for service in model.services.values() for volume in service.volumes]
    named = {source for source, *_ in mounted if not source.startswith("./")}
    assert named == model.volumes.keys()
    assert [source for source, *_ in mounted if source.startswith("./") and not (root / source).exists()] == []
    assert [parts for parts in mounted if parts[0].startswith("./") and parts[-1] != "ro"] == []


def test_the_spool_is_on_a_volume_whose_folder_the_image_gives_to_its_user(
    model: ComposeFile, stages: dict[str, Any]
) -> None:
    """A new volume takes its owner from the image."""
    ingest = model.services["ingest"]
    (target,) = (volume.split(":")[1] for volume in ingest.volumes)
    assert ingest.environment["INGEST_SPOOL_DIR"] == target
    (made,) = (i.rest for i in stages["runtime"] if i.name == "RUN")
    assert re.search(rf"install -d -o baton -g baton -m 0700 .*{target}\b", made)
