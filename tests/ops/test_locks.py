"""The locks: what is installed is what pyproject asks for, pinned, hashed, and free of any registry's address."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from itertools import product
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


@dataclass(frozen=True, slots=True)
class Pin:
    version: str
    marker: str
    hashes: frozenset[str]


# The places that the locks serve; the images are the first.
PLACES = [
    {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": system, "platform_system": name}
    for python, (system, name) in product(
        ("3.12", "3.11"), (("linux", "Linux"), ("win32", "Windows"), ("darwin", "Darwin"))
    )
]


def read_lock(path: Path) -> dict[str, Pin]:
    pins: dict[str, Pin] = {}
    for entry in re.split(r"\n(?=\w)", path.read_text().replace("\\\n", " ").strip()):
        entry = re.sub(r"(^|\n)\s*#[^\n]*", "", entry).strip()
        line, hashes = entry.split("--hash=")[0].strip(), re.findall(r"--hash=(sha256:[0-9a-f]{64})", entry)
        requirement = Requirement(line)
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        pins[canonicalize_name(requirement.name)] = Pin(pin.version, str(requirement.marker or ""), frozenset(hashes))
    return pins


@pytest.fixture(scope="module")
def full(root: Path) -> dict[str, Pin]:
    return read_lock(root / "requirements.lock")


@pytest.fixture(scope="module")
def deployed(root: Path) -> dict[str, Pin]:
    return read_lock(root / "deploy/requirements.lock")


@pytest.fixture(scope="module")
def wanted(root: Path) -> dict[str, list[Requirement]]:
    """What pyproject asks for: "" the services, else an extra."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: [Requirement(line) for line in lines] for extra, lines in groups.items()}


def reachable(requirements: Iterable[Requirement], places: list[dict[str, str]]) -> set[str]:
    """The packages that `requirements` lead to in any of `places`, by the metadata of what is installed here."""
    found: set[tuple[str, str]] = set()
    waiting = [(r, "") for r in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if not any(_applies(requirement.marker, place, extra) for place in places):
            continue
        name = canonicalize_name(requirement.name)
        for wanted_extra in ("", *requirement.extras):
            if (name, wanted_extra) in found:
                continue
            found.add((name, wanted_extra))
            try:
                lines = metadata.requires(name) or []
            except metadata.PackageNotFoundError:  # for another platform, so not installed here
                continue
            waiting += [(Requirement(line), wanted_extra) for line in lines]
    return {name for name, _ in found}


def _applies(marker: Marker | None, place: dict[str, str], extra: str) -> bool:
    return marker is None or marker.evaluate({**place, "extra": extra})


@pytest.mark.parametrize("lock", ["requirements.lock", "deploy/requirements.lock"])
def test_every_pin_is_hashed(root: Path, lock: str) -> None:
    pins = read_lock(root / lock)
    assert pins
    assert [name for name, pin in pins.items() if not pin.hashes] == []


def test_the_images_install_a_part_of_what_is_tested(full: dict[str, Pin], deployed: dict[str, Pin]) -> None:
    assert {name: pin for name, pin in deployed.items() if full.get(name) != pin} == {}
    assert len(deployed) < len(full)


def test_the_images_install_what_the_services_need_and_nothing_more(
    deployed: dict[str, Pin], wanted: dict[str, list[Requirement]]
) -> None:
    assert reachable(wanted[""], PLACES[:1]) - deployed.keys() == set()
    assert deployed.keys() - reachable(wanted[""], PLACES) == set()


def test_the_full_lock_holds_what_any_part_needs_and_nothing_more(
    full: dict[str, Pin], wanted: dict[str, list[Requirement]]
) -> None:
    everything = [requirement for group in wanted.values() for requirement in group]
    assert reachable(everything, PLACES[:1]) - full.keys() == set()
    assert full.keys() - reachable(everything, PLACES) == set()


def test_pins_satisfy_what_pyproject_asks_for(full: dict[str, Pin], wanted: dict[str, list[Requirement]]) -> None:
    outside = {
        str(requirement): full[canonicalize_name(requirement.name)].version
        for group in wanted.values()
        for requirement in group
        if not requirement.specifier.contains(Version(full[canonicalize_name(requirement.name)].version))
    }
    assert outside == {}


def test_tests_run_on_the_locked_versions(full: dict[str, Pin]) -> None:
    here: dict[str, str] = {canonicalize_name(d.metadata["Name"]): d.version for d in metadata.distributions()}
    assert {n: (here[n], pin.version) for n, pin in full.items() if n in here and here[n] != pin.version} == {}
    assert len(here.keys() & full.keys()) > len(full) / 2


def test_no_lock_names_a_registry(root: Path) -> None:
    locks = [root / "requirements.lock", *(root / "deploy").rglob("*.lock")]
    assert len(locks) >= 2
    named = [
        f"{lock.relative_to(root)}:{number}: {line}"
        for lock in locks
        for number, line in enumerate(lock.read_text().splitlines(), 1)
        if re.search(r"://|^\s*(-i|-f|--index-url|--extra-index-url|--find-links|--trusted-host)\b| @ ", line)
    ]
    assert named == []
