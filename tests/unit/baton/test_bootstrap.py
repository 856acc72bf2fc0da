"""The set-up speaks in sentences, and takes pip's settings along."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def bootstrap() -> ModuleType:
    """The file as it runs: alone, before anything is installed."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "baton" / "bootstrap.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_needs_only_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import runpy; runpy.run_path({str(ROOT / 'baton/bootstrap.py')!r})"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_lock_names_no_registry() -> None:
    for name in ("requirements.lock", "deploy/requirements.lock", "baton/bootstrap.py", "Makefile"):
        assert "://" not in (ROOT / name).read_text(), name


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("WARNING: Retrying after connection broken by 'NewConnectionError(...)'", "registry cannot be reached"),
        ("ERROR: Could not find a version that satisfies the requirement uv==1 (from versions: none)", "does not have uv==1"),
        ("ERROR: something else", "something else"),
        ("", "no reason given"),
    ],
)  # fmt: skip
def test_what_pip_says_becomes_one_sentence(bootstrap: ModuleType, said: str, sentence: str) -> None:
    told = bootstrap._explain(said)
    assert sentence in told
    assert "\n" not in told


def test_a_mirror_that_pip_knows_serves_uv_too(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in bootstrap.UV_SETTINGS.values():
        monkeypatch.delenv(name, raising=False)
    listing = "global.index-url='mirror.test/simple'\n:env:.find-links='/wheels\\n/more'\nglobal.timeout='60'\n"
    assert bootstrap.uv_settings(listing) == {
        "UV_DEFAULT_INDEX": "mirror.test/simple",
        "UV_FIND_LINKS": "/wheels /more",
    }


def test_what_the_environment_tells_uv_stays(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "mine")
    assert "UV_DEFAULT_INDEX" not in bootstrap.uv_settings("global.index-url='other'\n")
