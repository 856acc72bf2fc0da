"""The embedded stack: a real Kafka, Postgres and Redis from packages, supervised in one directory."""

from baton.stack.errors import StackError
from baton.stack.process import Child, spawn, tail
from baton.stack.state import running
from baton.stack.supervisor import Addresses, Stack

__all__ = ["Addresses", "Child", "Stack", "StackError", "running", "spawn", "tail"]
