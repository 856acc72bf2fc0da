"""Where events wait on this machine's disk while Kafka or Redis is away."""

from services.ingest.spool.opening import SpoolError, SpoolUnusableError
from services.ingest.spool.store import Kept, Spool

__all__ = ["Kept", "Spool", "SpoolError", "SpoolUnusableError"]
