"""The Kubernetes manifests: valid for the newest version that the validator ships, and in step with code and images."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from shared.kit.kafka import PRODUCTION_PARTITIONS

Manifest = dict[str, Any]
WORKLOADS = {"Deployment", "StatefulSet", "Job"}
# Kinds of other makers: kubernetes-validate knows none of them, so what we use of them is checked here by hand.
FOREIGN = {"Kustomization", "Component", "ServiceMonitor"}


def named(objects: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {o["metadata"]["name"]: o for o in objects if o["kind"] == kind}


def pod_of(workload: Manifest) -> Manifest:
    pod: Manifest = workload["spec"]["template"]["spec"]
    return pod


@pytest.fixture(scope="module")
def version() -> str:
    """The newest Kubernetes that kubernetes-validate has schemas of."""
    return str(kubernetes_validate.latest_version())


@pytest.fixture(scope="module")
def workloads(base: list[Manifest]) -> dict[str, Manifest]:
    return {o["metadata"]["name"]: o for o in base if o["kind"] in WORKLOADS}


@pytest.fixture(scope="module")
def folders(manifests: dict[Path, list[Manifest]]) -> list[Path]:
    return [path.parent for path in manifests if path.name == "kustomization.yaml"]


def built_by(command: list[str], folder: Path) -> list[Manifest]:
    run = subprocess.run([*command, str(folder)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return [document for document in yaml.safe_load_all(run.stdout) if document]


def test_every_object_is_valid(manifests: dict[Path, list[Manifest]], version: str) -> None:
    checked = 0
    for path, documents in manifests.items():
        if path.name == "settings.yaml" and "overlays" in path.parts:
            continue  # a patch, not an object
        for document in documents:
            if document["kind"] in FOREIGN:
                continue
            kubernetes_validate.validate(document, version, strict=True)
            checked += 1
    assert checked >= 20


def test_a_misspelt_field_is_refused(workloads: dict[str, Manifest], version: str) -> None:
    """The validator above does see mistakes."""
    wrong = yaml.safe_load(yaml.safe_dump(workloads["router"]))
    pod_of(wrong)["containers"][0]["redinessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_kustomize_builds_base_and_overlay(root: Path, version: str, services: dict[str, int]) -> None:
    if shutil.which("kustomize"):
        command = ["kustomize", "build"]
    elif shutil.which("kubectl"):
        command = ["kubectl", "kustomize"]
    else:
        pytest.skip("neither kustomize nor kubectl is on PATH: the overlay was not built")
    for folder in ("base", "overlays/example"):
        objects = built_by(command, root / "deploy/k8s" / folder)
        for document in objects:
            if document["kind"] not in FOREIGN:
                kubernetes_validate.validate(document, version, strict=True)
        assert {o["metadata"]["name"] for o in objects if o["kind"] in WORKLOADS} == {*services, "migrate"}
    assert {o["metadata"].get("namespace") for o in objects if o["kind"] != "Namespace"} == {"baton"}
    settings = named(objects, "ConfigMap")["baton-settings"]["data"]
    assert settings["KAFKA_BOOTSTRAP_SERVERS"] != "kafka:9092", "the overlay's patch was not applied"


def test_every_file_is_listed_and_every_listed_file_exists(
    root: Path, manifests: dict[Path, list[Manifest]], folders: list[Path]
) -> None:
    listed = set()
    for folder in folders:
        (kustomization,) = manifests[folder / "kustomization.yaml"]
        entries = [
            *kustomization.get("resources", []),
            *kustomization.get("components", []),
            *(patch["path"] for patch in kustomization.get("patches", [])),
        ]
        listed |= {(folder / entry).resolve() for entry in entries} | {folder / "kustomization.yaml"}
    assert {path for path in listed if not path.exists()} == set()
    assert manifests.keys() - listed == set()


def test_each_service_has_a_workload_a_service_and_a_disruption_budget(
    base: list[Manifest], workloads: dict[str, Manifest], services: dict[str, int]
) -> None:
    assert workloads.keys() == {*services, "migrate"}
    assert {name for name, o in workloads.items() if o["kind"] == "StatefulSet"} == {"ingest"}
    for name in services:
        labels = workloads[name]["spec"]["template"]["metadata"]["labels"]
        assert named(base, "Service")[name]["spec"]["selector"].items() <= labels.items()
        budget = named(base, "PodDisruptionBudget")[name]["spec"]
        assert budget["selector"]["matchLabels"].items() <= labels.items()
        assert workloads[name]["spec"]["replicas"] > budget["maxUnavailable"]
    governed = workloads["ingest"]["spec"]["serviceName"]
    assert named(base, "Service")[governed]["spec"]["clusterIP"] == "None"


def test_services_listen_and_are_probed_where_their_settings_say(
    workloads: dict[str, Manifest], default_port: Callable[[str], int], base: list[Manifest], service: str
) -> None:
    port = default_port(service)
    (container,) = pod_of(workloads[service])["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    paths = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {get["port"] for get in paths.values()} == {"http"}
    assert [get["path"] for get in paths.values()] == ["/livez", "/livez", "/readyz"]
    (published,) = named(base, "Service")[service]["spec"]["ports"]
    assert (published["port"], published["targetPort"]) == (port, "http")


def test_a_service_is_given_every_variable_it_needs_and_none_it_does_not_know(
    workloads: dict[str, Manifest], base: list[Manifest], variables: Callable[[str], dict[str, bool]], service: str
) -> None:
    (container,) = pod_of(workloads[service])["containers"]
    maps = named(base, "ConfigMap")
    shared = {
        name
        for source in container["envFrom"]
        if "configMapRef" in source
        for name in maps[source["configMapRef"]["name"]]["data"]
    }
    own = {entry["name"] for entry in container["env"]}
    known = variables(service)
    assert {name for name, required in known.items() if required} - shared - own == set()
    assert own - known.keys() == set()


def test_the_migration_is_given_every_variable_it_reads(
    workloads: dict[str, Manifest], base: list[Manifest], migrate_variables: set[str]
) -> None:
    (container,) = pod_of(workloads["migrate"])["containers"]
    settings = named(base, "ConfigMap")["baton-settings"]["data"]
    assert migrate_variables - settings.keys() - {entry["name"] for entry in container["env"]} == set()
    assert {entry["name"] for entry in container["env"]} - migrate_variables == set()


def test_topics_are_made_for_production(base: list[Manifest]) -> None:
    settings = named(base, "ConfigMap")["baton-settings"]["data"]
    assert int(settings["BATON_TOPIC_PARTITIONS"]) == PRODUCTION_PARTITIONS
    assert settings["BATON_TOPIC_REPLICATION_FACTOR"] == "3"


def test_every_shared_setting_is_read_by_somebody(
    base: list[Manifest],
    variables: Callable[[str], dict[str, bool]],
    migrate_variables: set[str],
    services: dict[str, int],
) -> None:
    read = {name for service in services for name in variables(service)} | migrate_variables
    assert named(base, "ConfigMap")["baton-settings"]["data"].keys() - read == set()


def test_ingest_is_given_the_write_keys_that_policies_refer_to(workloads: dict[str, Manifest], root: Path) -> None:
    (container,) = pod_of(workloads["ingest"])["containers"]
    (keys,) = (source["secretRef"] for source in container["envFrom"] if "secretRef" in source)
    assert f"create secret generic {keys['name']} " in (root / "deploy/k8s/README.md").read_text()


def test_the_spool_is_on_a_disk_that_is_larger_and_outlives_its_pod(workloads: dict[str, Manifest]) -> None:
    spec = workloads["ingest"]["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    (container,) = pod_of(workloads["ingest"])["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    given = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert given["INGEST_SPOOL_DIR"] == mounts[claim["metadata"]["name"]]
    size = claim["spec"]["resources"]["requests"]["storage"]
    assert int(given["INGEST_SPOOL_BYTES"]) <= int(size.removesuffix("Gi")) * 2**30 * 3 / 4
    assert set(spec["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}


def test_links_to_services_do_not_overwrite_settings(workloads: dict[str, Manifest]) -> None:
    """For a Service `router` Kubernetes would set ROUTER_PORT=tcp://… in every pod."""
    assert {name for name, o in workloads.items() if pod_of(o).get("enableServiceLinks") is not False} == set()


def test_a_scoring_worker_is_named_after_its_pod(workloads: dict[str, Manifest]) -> None:
    (container,) = pod_of(workloads["scoring"])["containers"]
    (entry,) = (e for e in container["env"] if e["name"] == "SCORING_INSTANCE_ID")
    assert entry["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_secrets_are_referred_to_and_never_written_down(manifests: dict[Path, list[Manifest]], root: Path) -> None:
    objects = [document for documents in manifests.values() for document in documents]
    assert [o for o in objects if o["kind"] == "Secret"] == []
    entries = [entry for o in objects if o["kind"] in WORKLOADS for c in pod_of(o)["containers"] for entry in c["env"]]
    secret = [entry for entry in entries if entry["name"].endswith(("_SECRET", "_URL", "_PASSWORD", "_TOKEN", "_KEY"))]
    assert len(secret) == 2 * 4 + 2
    assert [entry for entry in secret if "secretKeyRef" not in entry.get("valueFrom", {})] == []
    keys = {entry["valueFrom"]["secretKeyRef"]["key"] for entry in secret}
    text = (root / "deploy/k8s/README.md").read_text()
    assert {key for key in keys if f"--from-literal={key}=" not in text} == set()


def test_containers_have_no_rights_and_no_writable_root(workloads: dict[str, Manifest]) -> None:
    for name, workload in workloads.items():
        pod = pod_of(workload)
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"] is True, name
            assert rights["allowPrivilegeEscalation"] is False, name
            assert rights["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


def test_a_stop_has_time_to_finish(workloads: dict[str, Manifest], services: dict[str, int]) -> None:
    """The frame takes up to 12 seconds for requests under way, then closes clients."""
    assert {n for n in services if pod_of(workloads[n]).get("terminationGracePeriodSeconds", 0) < 30} == set()


def test_images_are_those_of_the_dockerfile_at_the_version_of_the_project(
    root: Path, manifests: dict[Path, list[Manifest]], workloads: dict[str, Manifest], stages: dict[str, Any]
) -> None:
    (kustomization,) = manifests[root / "deploy/k8s/base/kustomization.yaml"]
    tags = {image["name"]: image["newTag"] for image in kustomization["images"]}
    used = {container["image"] for workload in workloads.values() for container in pod_of(workload)["containers"]}
    assert used == tags.keys()
    assert {image.removeprefix("baton/") for image in used} <= stages.keys()
    project = (root / "pyproject.toml").read_text()
    assert {tag for tag in tags.values() if f'version = "{tag}"' not in project} == set()


def test_traffic_is_denied_unless_it_is_named(base: list[Manifest], services: dict[str, int]) -> None:
    policies = named(base, "NetworkPolicy")
    denied = policies["baton-default-deny"]["spec"]
    assert set(denied["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in denied
    assert "egress" not in denied
    allowed = {port["port"] for rule in policies["baton-http"]["spec"]["ingress"] for port in rule["ports"]}
    assert allowed == set(services.values())


def test_the_service_monitor_finds_each_service_once(
    manifests: dict[Path, list[Manifest]], base: list[Manifest], services: dict[str, int]
) -> None:
    (monitor,) = (o for documents in manifests.values() for o in documents if o["kind"] == "ServiceMonitor")
    (match,) = monitor["spec"]["selector"]["matchExpressions"]
    (endpoint,) = monitor["spec"]["endpoints"]
    found = [
        service["metadata"]["name"]
        for service in named(base, "Service").values()
        if service["metadata"]["labels"][match["key"]] in match["values"]
        and endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    ]
    assert sorted(found) == sorted(services)
