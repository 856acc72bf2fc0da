"""Write kafka-jars.lock.json anew: `python -m baton.stack.lock_jars`.

Needed only to move to another Kafka. Starting Baton reads the lock and resolves nothing.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext

from baton.stack.jars import LOCK_FILE, Jar, Lock

KAFKA = "4.1.2"
BROKER = f"org.apache.kafka:kafka_2.13:{KAFKA}"  # broker and StorageTool
LOGGING = (
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"  # lets slf4j 1.7, which Kafka speaks, write through log4j 2
)


def resolve(cache: Path) -> Lock:
    """What Kafka needs at run time, downloaded into `cache` and compared with the registry's own checksums."""
    context = MavenContext(repo_cache=cache, timeout=60)
    files = [*_broker(context), context.create_dependency(LOGGING).artifact.resolve()]
    return Lock(KAFKA, tuple(_jar(file, cache) for file in files))


def _broker(context: Any) -> Iterator[Path]:
    # One root only: jgo imports every root's managed versions, and log4j's would take kafka-clients down to 3.8.
    roots, others = context.resolver.resolve([context.create_dependency(BROKER)])
    for dependency in (*roots, *others):
        if dependency.scope in (None, "compile", "runtime"):
            yield dependency.artifact.resolve()


def _jar(file: Path, cache: Path) -> Jar:
    path = file.relative_to(cache).as_posix()
    content = file.read_bytes()
    with urllib.request.urlopen(f"{MAVEN_CENTRAL_URL}/{path}.sha1", timeout=60) as answer:
        told = answer.read().decode().split()[0]
    if hashlib.sha1(content).hexdigest() != told:  # jgo only warns
        sys.exit(f"{path}: the registry names another SHA-1")
    return Jar(path, len(content), hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        lock = resolve(Path(folder).resolve())
    lock.write()
    print(
        f"{LOCK_FILE.name}: Kafka {lock.kafka}, {len(lock.jars)} jars, {sum(jar.size for jar in lock.jars) / 1e6:.1f} MB"
    )
