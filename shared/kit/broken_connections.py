"""What aiokafka does not know of uvloop: to write on a connection that has just been lost is a RuntimeError there, no OSError.

Between the loss and the moment in which aiokafka's reading task is told of it, every request meets it. It ends aiokafka's own tasks
for good: the one that fetches, the one that sends, and the one that learns of brokers, for which others then wait for ever
(aiokafka 1038).
"""

from __future__ import annotations

import functools
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


def tell_as_kafka_errors() -> None:
    """From now on, in this process. To be called once, before the loop runs."""
    send = AIOKafkaConnection.send

    @functools.wraps(send)
    def sending(connection: AIOKafkaConnection, *arguments: Any, **named: Any) -> Any:
        try:
            return send(connection, *arguments, **named)
        except RuntimeError as error:  # raised before the request is noted: nobody waits for its answer
            connection.close(reason=CloseReason.CONNECTION_BROKEN, exc=error)
            raise KafkaConnectionError(f"the connection to {connection.host}:{connection.port} is lost") from error

    AIOKafkaConnection.send = sending
