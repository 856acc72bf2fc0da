"""`baton demo`."""

from __future__ import annotations

import threading

from baton.home import environment, here


def demo() -> None:
    """Play the demo against the Baton that runs: invented leads of two tenants, and reps who answer.

    Every performance sends new events of the same people, so leads that are taken over already are not routed again.
    """
    from baton.demo.play import Demo

    stopping = threading.Event()
    performance = Demo(environment(here()), print, stopping)
    performance.start()
    try:
        performance.wait()
    except KeyboardInterrupt:
        stopping.set()
        performance.wait()
