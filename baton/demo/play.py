"""Playing the demo: the script over HTTP through the real client library, and reps who answer through the API."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from baton.demo.reps import Reps
from baton.demo.script import Step, script
from baton.errors import OperatorError
from baton.home import DEMO_TENANTS, write_key_of
from baton.segment import Sender

AFTERWARDS = 45.0  # seconds that the reps stay at their desks after the last touch


class Demo:
    """One performance, in threads of its own; `stopping` ends it at once."""

    def __init__(self, names: Mapping[str, str], say: Callable[[str], None], stopping: threading.Event) -> None:
        self._names, self._say, self._stopping = names, say, stopping
        self._thread = threading.Thread(target=self._run, name="demo", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> None:
        """Until it has ended."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def _run(self) -> None:
        try:
            self.play(script(play=secrets.token_hex(4)))
        except OperatorError as error:
            self._say(f"The demo stopped: {error}.")

    def play(self, steps: tuple[Step, ...]) -> None:
        """All steps at their times; returns when the reps have gone home."""
        senders = {
            (tenant, trusted): Sender(self._names["INGEST_URL"], write_key_of(self._names, tenant, trusted=trusted))
            for tenant in DEMO_TENANTS
            for trusted in (False, True)
        }
        reps = [Reps(self._names, tenant, self._say, self._stopping) for tenant in DEMO_TENANTS]
        for each in reps:
            each.start()
        try:
            begun = time.monotonic()
            for step in steps:
                if self._stopping.wait(max(0.0, begun + step.at - time.monotonic())):
                    return
                senders[step.tenant, step.trusted].send(step.message)
                self._say(step.words)
            for sender in senders.values():
                sender.flush()
            self._say("All touches of the demo are sent; the reps go on for a while.")
            self._stopping.wait(AFTERWARDS)
        finally:
            for each in reps:
                each.stop()
            for sender in senders.values():
                sender.close()
            self._say(_summary(senders))


def _summary(senders: Mapping[tuple[str, bool], Sender]) -> str:
    answers = [a for sender in senders.values() for told in sender.tally.answers.values() for a in told]
    counts = Counter(answer.status for answer in answers)
    codes = Counter(answer.code or "no reason" for answer in answers if answer.status == "rejected")
    failed = [why for sender in senders.values() for why in sender.tally.failed.values()]
    told = ", ".join(f"{counts[status]} {status}" for status in ("accepted", "duplicate", "rejected"))
    why = f" ({', '.join(f'{count} {code}' for code, count in codes.items())})" if codes else ""
    lost = f"; {len(failed)} events got no answer: {failed[0]}" if failed else ""
    return f"The demo is over. Ingest answered: {told}{why}{lost}."
