"""Alerts: each has a runbook and a test, and names only metrics that the code declares."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
    "gauge": ("",),
}


@pytest.fixture(scope="module")
def declared(services: dict[str, int]) -> dict[str, set[str]]:
    """Names of the series that Baton exports, as Prometheus sees them -> their labels."""
    modules = [
        import_module(name) for name in ("shared.kit.metrics", *(f"services.{name}.metrics" for name in services))
    ]
    found: dict[str, set[str]] = {}
    for module in modules:
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                (family,) = metric.describe()
                for suffix in SUFFIXES[family.type]:
                    labels = {*metric._labelnames, *(["le"] if suffix == "_bucket" else [])}
                    found[family.name + suffix] = labels
    return found


@pytest.fixture(scope="module")
def prometheus(root: Path) -> Path:
    return root / "deploy/prometheus"


@pytest.fixture(scope="module")
def cases(prometheus: Path) -> list[dict[str, Any]]:
    """Every alert_rule_test of every promtool test."""
    return [
        case
        for path in sorted((prometheus / "tests").glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["tests"]
        for case in group["alert_rule_test"]
    ]


def promtool(*arguments: str, folder: Path) -> None:
    tool = shutil.which("promtool")
    if not tool:
        pytest.skip("promtool is not on PATH: the rules were not run")
    run = subprocess.run([tool, *arguments], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_alerts_fire_when_they_should_and_stay_silent_when_not(prometheus: Path) -> None:
    tests = sorted(path.name for path in (prometheus / "tests").glob("*.yml"))
    assert tests
    promtool("test", "rules", *tests, folder=prometheus / "tests")


def test_prometheus_accepts_its_rules(prometheus: Path) -> None:
    promtool("check", "rules", "rules.yml", folder=prometheus)


def test_prometheus_accepts_its_configuration(prometheus: Path) -> None:
    promtool("check", "config", "--syntax-only", "prometheus.yml", folder=prometheus)


def test_every_alert_has_a_runbook_and_every_runbook_an_alert(
    rules: dict[str, dict[str, Any]], runbooks: dict[str, str]
) -> None:
    assert rules
    assert rules.keys() == runbooks.keys()


def test_every_alert_says_how_bad_it_is_what_happens_and_what_to_read(rules: dict[str, dict[str, Any]]) -> None:
    for name, rule in rules.items():
        assert rule["labels"]["severity"] in {"page", "ticket"}, name
        assert rule["annotations"].keys() == {"summary", "runbook"}, name
        assert rule["annotations"]["runbook"] == f"docs/runbooks/{name}.md", name


def test_every_alert_is_tested_both_ways(rules: dict[str, dict[str, Any]], cases: list[dict[str, Any]]) -> None:
    fires = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert fires == rules.keys()
    assert silent == rules.keys()


@pytest.mark.parametrize("folder", ["deploy", "docs/runbooks"])
def test_only_metrics_that_the_code_declares_are_named(root: Path, declared: dict[str, set[str]], folder: str) -> None:
    """Rules, their tests, dashboards and runbooks."""
    named = {
        (metric, str(path.relative_to(root)))
        for path in (root / folder).rglob("*")
        if path.suffix in {".yml", ".yaml", ".json", ".md"}
        for metric in re.findall(r"\bbaton_(?!app\b|worker\b)[a-z0-9_]+", path.read_text())
    }
    assert len({metric for metric, _ in named}) >= 5
    assert {(metric, path) for metric, path in named if metric not in declared} == set()


def test_rules_are_tested_on_series_as_the_code_exports_them(prometheus: Path, declared: dict[str, set[str]]) -> None:
    """With every label the code gives, and `service`, which scraping adds; otherwise a test proves nothing."""
    series = {
        entry["series"]
        for path in (prometheus / "tests").glob("*.yml")
        for group in yaml.safe_load(path.read_text())["tests"]
        for entry in group["input_series"]
    }
    wrong = []
    for text in series:
        name, _, labels = text.partition("{")
        if name != "up" and set(re.findall(r"(\w+)=", labels)) != declared[name] | {"service"}:
            wrong.append(text)
    assert series
    assert wrong == []


def test_every_service_is_scraped_where_it_listens(prometheus: Path, services: dict[str, int]) -> None:
    (job,) = yaml.safe_load((prometheus / "prometheus.yml").read_text())["scrape_configs"]
    scraped = {config["labels"]["service"]: config["targets"] for config in job["static_configs"]}
    assert scraped == {name: [f"{name}:{port}"] for name, port in services.items()}


def test_a_service_that_is_gone_altogether_is_noticed(
    rules: dict[str, dict[str, Any]], services: dict[str, int]
) -> None:
    """A series that is absent matches nothing, so each service is named."""
    gone = re.findall(r'absent\(up\{service="(\w+)"\}\)', rules["ServiceNotReady"]["expr"])
    assert sorted(gone) == sorted(services)
