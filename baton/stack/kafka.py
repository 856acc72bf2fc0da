"""One Kafka node (KRaft: broker and controller in one) from the locked jars."""

from __future__ import annotations

import base64
import shutil
import socket
import struct
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from baton.stack import jars
from baton.stack.java import Java, find_java
from baton.stack.ports import HOST
from baton.stack.process import Child, run, spawn

Say = Callable[[str], None]

# By the serial collector it takes 205 MB; by G1, which the JVM would choose, 248. With both compilers, not the first alone, it
# starts in 3.4 s instead of 2.9, takes 30 MB more, and under load 37 % of a processor instead of 50.
JVM = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError")

SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=data

auto.create.topics.enable=false
num.partitions=8
default.replication.factor=1
min.insync.replicas=1
group.initial.rebalance.delay.ms=0

offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
background.threads=2
# After a crash the controller waits for the dead broker's session (9 s by default) before it takes the new one.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""

LOGGING = """\
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName=broker.log
appender.file.filePattern=broker.log.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d %p %m (%c)%n
appender.file.policies.type=SizeBasedTriggeringPolicy
appender.file.policies.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=2
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %m (%c)%n%throwable{short}
appender.console.filter.threshold.type=ThresholdFilter
appender.console.filter.threshold.level=ERROR
rootLogger.level=WARN
rootLogger.appenderRef.file.ref=file
rootLogger.appenderRef.console.ref=console
"""


class Kafka:
    """A Kafka whose data, settings and logs (`server.log`: errors; `broker.log`: warnings too) live in `home`."""

    name = "kafka"
    title = "Kafka"
    grace = 20.0

    def __init__(
        self, home: Path, ports: Mapping[str, int], environ: Mapping[str, str], say: Say, cancelled: threading.Event
    ) -> None:
        self.home, self.environ, self.say, self.cancelled = home, environ, say, cancelled
        self.port, self.controller_port = ports["kafka"], ports["kafka_controller"]
        self._class_path: tuple[Path, ...] = ()

    def check(self) -> None:
        """Raises StackError if it cannot run on this machine."""
        self.java = find_java(self.environ)

    def prepare(self) -> None:
        """Have the jars, the settings and a formatted data directory. From any thread; ends early once `cancelled` is set."""
        lock = jars.Lock.read()
        self._class_path = jars.fetch(
            lock,
            jars.cache_folder(self.environ) / f"kafka-{lock.kafka}",
            url=lambda: jars.registry(self.environ),
            progress=lambda ready, of: self.say(f"Kafka: downloading jars {ready}/{of}"),
            cancelled=self.cancelled,
        )
        self.home.mkdir(parents=True, exist_ok=True)
        settings = SETTINGS.format(host=HOST, port=self.port, controller=self.controller_port)
        (self.home / "server.properties").write_text(settings)
        (self.home / "log4j2.properties").write_text(LOGGING)
        if not (self.home / "data" / "meta.properties").exists():
            self._format()

    def launch(self) -> Child:
        """Start the broker; from the main thread, after `prepare`."""
        return spawn(
            self._java(*JVM, *_native(self.java), "kafka.Kafka", "server.properties"),
            name=self.name,
            env=self.environ,
            log_path=self.home / "server.log",
            cwd=self.home,
        )

    def is_ready(self) -> bool:
        """Whether it answers a metadata request and names a broker in it, that is, takes reads and writes."""
        request = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)  # Metadata v1, no client id, no topics
        try:
            with socket.create_connection((HOST, self.port), 1) as kafka:
                kafka.settimeout(2)
                kafka.sendall(struct.pack(">i", len(request)) + request)
                answer = kafka.recv(12, socket.MSG_WAITALL)  # length, correlation id, number of brokers
        except OSError:
            return False
        return len(answer) == 12 and struct.unpack(">i", answer[8:])[0] > 0

    def _java(self, *arguments: str) -> list[str]:
        *flags, main, argument = arguments
        path = ":".join(map(str, self._class_path))
        fixed = ("-Djava.net.preferIPv4Stack=true", "-Dlog4j2.configurationFile=log4j2.properties", "-cp", path)
        return [str(self.java.path), *flags, *fixed, main, argument]

    def _format(self) -> None:
        self.say("Kafka: formatting its data directory")
        shutil.rmtree(self.home / "data", ignore_errors=True)  # meta.properties, the last file written, is not there
        (self.home / "data").mkdir()
        command = self._java("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "kafka.tools.StorageTool", "format")
        run(
            [*command, "--cluster-id", _cluster_id(), "--config", "server.properties"],
            what="Formatting Kafka's data directory",
            cwd=self.home,
            env=self.environ,
        )


def _native(java: Java) -> tuple[str, ...]:
    """Leave for what Kafka's jars do; older Javas refuse these flags."""
    if java.major < 24:
        return ()
    return ("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow")


def _cluster_id() -> str:
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):  # StorageTool would take it for an option
            return text
