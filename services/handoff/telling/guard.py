"""Of a process that sends: it connects to the public internet, and to what the operator has allowed (SSRF)."""

from __future__ import annotations

import socket
import sys
from typing import Any

from services.handoff.outbound.addresses import Allowed


class Guard:
    """Looks at every address to which this process connects, whichever library does: no second look-up of a name leads elsewhere.

    refused: whether it has refused one
    """

    def __init__(self, allowed: Allowed) -> None:
        self._allowed, self._named, self.refused = allowed, set[str](), False

    def install(self) -> None:
        """For good: nothing in this process can take it off."""
        resolve = socket.getaddrinfo

        def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else str(host)
            found = resolve(host, *args, **kwargs)
            may = [entry for entry in found if self._allowed.may_reach(name, str(entry[4][0]))]
            if not may:
                self.refused = True
                raise socket.gaierror(socket.EAI_NONAME, "the name leads to no public address")
            self._named |= {str(entry[4][0]) for entry in may}
            return may

        socket.getaddrinfo = getaddrinfo
        sys.addaudithook(self._look)

    def _look(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            return
        made, to = args[0], args[-1]
        if to is None:  # of a connection that there is
            return
        address = str(to[0]) if made.family in (socket.AF_INET, socket.AF_INET6) else ""
        if address not in self._named and not self._allowed.may_reach(address, address):
            self.refused = True
            raise PermissionError("no public address")
