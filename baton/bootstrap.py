"""Makes `.venv` from requirements.lock. Only the standard library: it runs before anything is installed.

The stamp in `.venv` says what was installed; it is written last, so an interrupted installation is found out and redone.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".installed"
LOCK = ROOT / "requirements.lock"

# pip's settings -> uv's, so that a registry mirror configured for pip serves both and no address is written down here
UV_SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}
FAILURES = (
    ("No space left on device", "the disk is full: free about 1 GB and run it again"),
    (
        "Could not find a version",
        "the package registry does not have {package}: check pip's settings with `pip config list`",
    ),
    ("HASHES", "{package} differs from what requirements.lock pins: the registry serves another file under that name"),
    ("Permission denied", "a file may not be written: check who owns the checkout"),
)
UNREACHABLE = (
    "NewConnectionError",
    "ConnectTimeout",
    "Max retries",
    "ProxyError",
    "SSLError",
    "Temporary failure",
    "timed out",
)


class SetupError(Exception):
    """One sentence for the person at the terminal."""


def main() -> int:
    try:
        wanted = fingerprint()
        if _is_installed(wanted):
            return 0
        install(wanted)
    except SetupError as error:
        print(f"Set-up failed: {error}.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Set-up failed: {error.strerror or error} ({error.filename or VENV}).", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nSet-up interrupted; the next run does it again.", file=sys.stderr)
        return 130
    return 0


def fingerprint() -> str:
    """What `.venv` depends on: the lock, the project's metadata, and where the checkout is."""
    digest = hashlib.sha256(str(ROOT).encode())
    digest.update(LOCK.read_bytes())
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())
    digest.update(json.dumps([metadata["project"], metadata["build-system"]], sort_keys=True).encode())
    return digest.hexdigest()


def _is_installed(wanted: str) -> bool:
    """Whether `.venv` is as wanted; the Python it was made with stays until another is asked for by name."""
    there = STAMP.exists() and STAMP.read_text() == wanted
    there = there and all((VENV / "bin" / name).exists() for name in ("python", "baton"))
    return there and (not os.environ.get("PYTHON") or _same_python())


def install(wanted: str) -> None:
    fresh = not STAMP.exists() or not _same_python()
    STAMP.unlink(missing_ok=True)
    if fresh:
        _say(f"[1/3] Python {sys.version.split()[0]} at {sys.executable}: creating .venv")
        _create()
    else:
        _say("[1/3] requirements.lock has changed: updating .venv")
    count = len(re.findall(r"(?m)^[a-zA-Z0-9]", LOCK.read_text()))
    _say(f"[2/3] installing {count} pinned packages from requirements.lock")
    if not _with_uv():
        _with_pip(count)
    _say("[3/3] installing Baton itself")
    _pip("install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet", "-e", str(ROOT))
    STAMP.write_text(wanted)


def _create() -> None:
    if VENV.exists():
        shutil.rmtree(VENV)
    done = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stdout + done.stderr
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        if "ensurepip" in said:
            raise SetupError(
                f"this Python makes no virtual environments: install its venv module (on Debian: apt install python{version}-venv)"
            )
        raise SetupError(f"python -m venv: {_explain(said)}")


def _with_uv() -> bool:
    """uv installs in seconds what takes pip a minute; it comes from the lock as well. False where it does not work."""
    pinned = re.search(r"(?ms)^uv==.*?(?=^\S|\Z)", LOCK.read_text())
    if not pinned:
        return False
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "uv.lock"
        alone.write_text(pinned.group(0))
        code, said = _run([*_PIP, "install", *_PINNED, "--quiet", "-r", str(alone)])
    if code:
        if any(sign in said for sign in UNREACHABLE):
            raise SetupError(_explain(said))  # it would not be reached for the rest either
        return False
    environment = dict(os.environ, VIRTUAL_ENV=str(VENV), **uv_settings(_run([*_PIP, "config", "list"])[1]))
    command = [str(VENV / "bin/uv"), "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(LOCK)]
    code, said = _run(command, environment)
    if code and "No space left" in said:
        raise SetupError(_explain(said))
    return not code


def uv_settings(listing: str) -> dict[str, str]:
    """What `pip config list` shows, as uv's environment; what the environment already says to uv stays."""
    settings = {}
    for name, value in re.findall(r"(?m)^\S*\.([a-z-]+)='(.*)'$", listing):
        if name in UV_SETTINGS and UV_SETTINGS[name] not in os.environ:
            settings[UV_SETTINGS[name]] = " ".join(value.replace("\\n", " ").split())
    return settings


def _with_pip(count: int) -> None:
    """Plain pip, with a count of packages, because it takes a while."""
    command = [*_PIP, "install", *_PINNED, "--progress-bar", "off", "-r", str(LOCK)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said, seen = [], 0
        for line in process.stdout:
            said.append(line)
            if line.startswith("Collecting"):
                seen += 1
                if sys.stdout.isatty() or seen % 25 == 0:
                    print(f"      {seen} of {count}", end="\r" if sys.stdout.isatty() else "\n", flush=True)
    if process.returncode:
        raise SetupError(_explain("".join(said)))


def _pip(*arguments: str) -> None:
    code, said = _run([*_PIP, *arguments])
    if code:
        raise SetupError(_explain(said))


_PIP = [str(VENV / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
_PINNED = ["--no-deps", "--require-hashes", "--no-compile"]


def _run(command: list[str], environment: dict[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, check=False
    )
    return done.returncode, done.stdout


def _explain(said: str) -> str:
    """One sentence from what pip printed."""
    package = (re.findall(r"requirement (\S+)", said) or re.findall(r"Collecting (\S+)", said) or ["a package"])[-1]
    if any(sign in said for sign in UNREACHABLE):
        return "the package registry cannot be reached: check the network, the proxy, and pip's settings (`pip config list`)"
    for sign, words in FAILURES:
        if sign in said:
            return words.format(package=package)
    lines = [line.strip() for line in said.splitlines() if "ERROR" in line or "error:" in line]
    return lines[-1].removeprefix("ERROR: ") if lines else (said.strip().splitlines() or ["no reason given"])[-1]


def _same_python() -> bool:
    python = VENV / "bin/python"
    if not python.exists():
        return False
    code, said = _run([str(python), "-c", "import sys; print(sys.version_info[:2])"])
    return code == 0 and said.strip() == str(sys.version_info[:2])


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
