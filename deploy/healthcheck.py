"""Exit 0 when a probe of the service in this container answers 200: `python deploy/healthcheck.py PORT PATH`."""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException


def answers(port: int, path: str) -> bool:
    """Whether `path` on `port` of this host answers 200 within 4 seconds. Proxies of the environment are not asked."""
    connection = HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers(int(sys.argv[1]), sys.argv[2]) else 1)
