"""Kafka's jars: named by a committed lock, fetched once into the user's cache, checked at every start."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from baton.stack.errors import StackError

LOCK_FILE = Path(__file__).with_name("kafka-jars.lock.json").resolve()
CONNECTIONS = 8
PAUSES = (0.5, 1.0, 2.0)  # seconds before each further try
TIMEOUT = 10.0  # seconds without a byte
CHUNK = 1 << 18

Progress = Callable[[int, int], None]
"""Called with how many of how many jars are there; from any thread, one call at a time."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of the Maven repository: its path there, its size in bytes, its SHA-256 in hex."""

    path: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[1]


@dataclass(frozen=True, slots=True)
class Lock:
    """Every jar that one version of Kafka runs from, in the order of its class path."""

    kafka: str
    jars: tuple[Jar, ...]

    @classmethod
    def read(cls, path: Path = LOCK_FILE) -> Lock:
        document = json.loads(path.read_text())
        return cls(document["kafka"], tuple(Jar(**jar) for jar in document["jars"]))

    def write(self, path: Path = LOCK_FILE) -> None:
        rows = [{"path": jar.path, "size": jar.size, "sha256": jar.sha256} for jar in self.jars]
        path.write_text(json.dumps({"kafka": self.kafka, "jars": rows}, indent=1) + "\n")


def cache_folder(environ: Mapping[str, str]) -> Path:
    """BATON_CACHE, else `baton` below XDG_CACHE_HOME, else below ~/.cache; absolute."""
    if own := environ.get("BATON_CACHE"):
        return Path(own).expanduser().absolute()
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "baton"


def registry(environ: Mapping[str, str]) -> str:
    """The Maven repository's address: BATON_MAVEN_URL, else the one that jgo knows. Raises StackError if there is no jgo."""
    if own := environ.get("BATON_MAVEN_URL"):
        return own.rstrip("/")
    try:
        from jgo.constants import MAVEN_CENTRAL_URL
    except ImportError as error:
        raise StackError(
            "Kafka's jars have to be downloaded and the jgo package, which knows from where, is missing: "
            "install baton[embedded], or set BATON_MAVEN_URL."
        ) from error
    return str(MAVEN_CENTRAL_URL).rstrip("/")


def fetch(
    lock: Lock,
    folder: Path,
    *,
    url: Callable[[], str],
    progress: Progress = lambda ready, of: None,
    cancelled: threading.Event | None = None,
    pauses: tuple[float, ...] = PAUSES,
) -> tuple[Path, ...]:
    """The paths of all jars of the lock in `folder`, each with exactly the locked bytes; what is missing is downloaded.

    A file appears under its name only when it is whole and its SHA-256 is right. `url` is asked only if something is missing.
    Raises StackError when the registry cannot be reached, gives other bytes, or `cancelled` is set; OSError for the disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stop = cancelled or threading.Event()
    missing = [jar for jar in lock.jars if not _is_right(folder / jar.name, jar)]
    if missing:
        base = url()
        present = len(lock.jars) - len(missing)
        progress(present, len(lock.jars))
        with ThreadPoolExecutor(CONNECTIONS, "jars") as pool:
            downloads = [pool.submit(_download, jar, folder, base, stop, pauses) for jar in missing]
            try:
                for count, done in enumerate(as_completed(downloads), 1):
                    done.result()
                    progress(present + count, len(lock.jars))
            except BaseException:
                stop.set()  # the first failure ends the rest
                pool.shutdown(cancel_futures=True)
                raise
    return tuple(folder / jar.name for jar in lock.jars)


def _is_right(file: Path, jar: Jar) -> bool:
    try:
        if file.stat().st_size != jar.size:
            return False
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _download(jar: Jar, folder: Path, base: str, stop: threading.Event, pauses: tuple[float, ...]) -> None:
    for pause in (*pauses, None):
        try:
            return _try_download(jar, folder, base, stop)
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
                raise
            if pause is None:
                reason = getattr(error, "reason", None) or error
                raise StackError(
                    f"Kafka's jar {jar.name} could not be downloaded from {base} ({reason}): "
                    "check the network, or set BATON_MAVEN_URL to a mirror that can be reached."
                ) from error
        except StackError:
            if pause is None:
                raise
        if stop.wait(pause):
            raise StackError("The download of Kafka's jars was stopped.")
    return None


def _try_download(jar: Jar, folder: Path, base: str, stop: threading.Event) -> None:
    part = folder / f"{jar.name}.part-{os.getpid()}"
    try:
        with urllib.request.urlopen(f"{base}/{jar.path}", timeout=TIMEOUT) as source, part.open("wb") as out:
            while chunk := source.read(CHUNK):
                if stop.is_set():
                    raise StackError("The download of Kafka's jars was stopped.")
                out.write(chunk)
        if not _is_right(part, jar):
            raise StackError(
                f"{base} gave other bytes for {jar.name} than {LOCK_FILE.name} names (SHA-256 differs): "
                "try again, and if that does not help, check what stands between you and the registry."
            )
        part.replace(folder / jar.name)
    finally:
        part.unlink(missing_ok=True)
