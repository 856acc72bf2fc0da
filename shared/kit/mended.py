"""Faults of libraries by which a lost server or a cancellation would do what nobody expects; mended for the whole process."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError
from redis import exceptions
from redis.asyncio.connection import AbstractConnection


def mend() -> None:
    """To be called once, before the loop runs."""
    AIOKafkaConnection.send = _sending_to_kafka(AIOKafkaConnection.send)
    AbstractConnection.send_packed_command = _send_to_redis  # type: ignore[method-assign, assignment]


def _sending_to_kafka(send: Any) -> Any:
    """What aiokafka does not know of uvloop: to write on a connection that has just been lost is a RuntimeError there, no OSError.

    Between the loss and the moment in which aiokafka's reading task is told of it, every request meets it. It ends aiokafka's own
    tasks for good: the one that fetches, the one that sends, and the one that learns of brokers, for which others then wait for
    ever (aiokafka 1038).
    """

    @functools.wraps(send)
    def sending(connection: AIOKafkaConnection, *arguments: Any, **named: Any) -> Any:
        try:
            return send(connection, *arguments, **named)
        except RuntimeError as error:  # raised before the request is noted: nobody waits for its answer
            connection.close(reason=CloseReason.CONNECTION_BROKEN, exc=error)
            raise KafkaConnectionError(f"the connection to {connection.host}:{connection.port} is lost") from error

    return sending


async def _send_to_redis(
    connection: AbstractConnection, command: bytes | str | Iterable[bytes], check_health: bool = True
) -> None:
    """As redis-py does it, but by `asyncio.timeout`: its `wait_for`, until Python 3.12, swallows a cancellation that comes in the
    moment in which the command is written, and the task that was told to stop goes on."""
    if not connection.is_connected:
        await connection.connect_check_health(check_health=False)
    if check_health:
        await connection.check_health()  # type: ignore[no-untyped-call]
    if isinstance(command, str):
        command = command.encode()
    packed = [command] if isinstance(command, bytes) else command
    try:
        async with asyncio.timeout(connection.socket_timeout):
            await connection._send_packed_command(packed)
    except TimeoutError:
        await connection.disconnect(nowait=True)
        raise exceptions.TimeoutError("Timeout writing to socket") from None
    except OSError as error:
        await connection.disconnect(nowait=True)
        raise exceptions.ConnectionError(f"{error!r} while writing to socket") from error
    except BaseException:
        await connection.disconnect(nowait=True)  # half a command may be written
        raise
