"""Send commands and read their replies with one write and one read, on a connection per thread.

redis-py's pipeline does the same at three times the cost for ten small commands: it asks the kernel before each use
whether the connection is still whole, locks a pool, and measures.  A connection that broke shows itself here too, when
it is used; the commands are then sent again, as often as the client's policy says.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import hiredis
import redis
from redis.exceptions import ResponseError

from shared.elsewhere import elsewhere
from shared.store.lines import LONG_CALL_BYTES, lines_for_call
from shared.store.resending import ARRIVES_WITHIN_MS, CallNonce, about_to_send, is_repeat, note_lost

#: Bytes from which an argument is not copied.
LONG_ARGUMENT = 131_072
#: Arguments of a command from which on none is long.
MANY_ARGUMENTS = 200

Argument = str | bytes | int
Command = Sequence[Argument]


class PackedCommand(NamedTuple):
    """A command that is written already; a long one, for which there is a quicker way than `_pack`."""

    name: str
    key: str
    #: All of it, as the server reads it.
    data: bytes


# Its stub wrongly types a command as one word.
_pack: Callable[[tuple[Argument, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]


#: Command: how redis-py shapes its reply.
Shapes = dict[Argument, Callable[[Any], Any]]


class _Connections(threading.local):
    """The connections of one thread, by client, each with the shapes of its replies."""

    def __init__(self) -> None:
        self.by_pool: dict[Any, tuple[Any, Shapes]] = {}


_connections = _Connections()
# A process forked in between must not share its parent's; of the threads, only the one that forked goes on in it.
os.register_at_fork(after_in_child=lambda: _connections.by_pool.clear())


def exchange(client: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    """Send commands in one go and return their replies, in order; an error reply is one of them, not raised.

    Raises what redis-py does if the server cannot be reached or does not answer in time.
    """
    replies = _exchange_together(client, commands)
    if replies is None:
        replies = elsewhere(partial(_exchange_alone, client, commands))
    shapes = _connection(client)[1]
    return [_shaped(shapes.get(command[0]), reply) for command, reply in zip(commands, replies, strict=True)]


def _exchange_together(client: redis.Redis, commands: Sequence[Command]) -> list[Any] | None:
    """Exchange over a line that calls of this thread share; None if there is none, or it broke."""
    lines = lines_for_call()
    if lines is None or is_repeat():
        return None
    data = b"".join([each.data if isinstance(each, PackedCommand) else _pack(tuple(each)) for each in commands])
    if len(data) > LONG_CALL_BYTES:
        return None
    about_to_send()
    try:
        return lines.exchange(client, data, len(commands))
    except redis.ConnectionError:
        note_lost()
        return None
    except redis.TimeoutError:
        note_lost()
        raise


def _exchange_alone(client: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    connection, _ = _connection(client)
    replies: list[Any] = connection.retry.call_with_retry(
        lambda: _exchange(connection, commands), lambda _: connection.disconnect()
    )
    return replies


def _connection(client: redis.Redis) -> tuple[Any, Shapes]:
    by_pool, pool = _connections.by_pool, client.connection_pool
    if pool not in by_pool:
        # A plain dict of the shapes: redis-py's own looks for a name in any case, ours are all upper.
        by_pool[pool] = pool.make_connection(), dict(client.response_callbacks)
    return by_pool[pool]


def _exchange(connection: Any, commands: Sequence[Command]) -> list[Any]:
    replies = []
    if not connection.is_connected:
        # Sending alone would not ask Sentinel where to.
        connection.connect()
    try:
        if is_repeat():
            commands = _with_deadline(connection, commands)
        about_to_send()
        _send(connection, commands)
        for _ in commands:
            try:
                replies.append(connection.read_response())
            except ResponseError as error:
                replies.append(error)
    except BaseException:
        note_lost()
        # What is still on its way must not be taken for the answer to something else.
        connection.disconnect()
        raise
    return replies


def _with_deadline(connection: Any, commands: Sequence[Command]) -> Sequence[Command]:
    """Tell the store until when the repeat of a call counts."""
    if not any(isinstance(argument, CallNonce) for command in commands for argument in command):
        return commands
    _send(connection, [("TIME",)])
    seconds, microseconds = map(int, connection.read_response())
    deadline_ms = seconds * 1000 + microseconds // 1000 + ARRIVES_WITHIN_MS
    return [
        command
        if isinstance(command, PackedCommand)
        else [argument.until(deadline_ms) if isinstance(argument, CallNonce) else argument for argument in command]
        for command in commands
    ]


def _send(connection: Any, commands: Sequence[Command]) -> None:
    little = bytearray()
    for command in commands:
        first, *others = _written(command)
        little += first
        if others:
            connection.send_packed_command([little, *others])
            little = bytearray()
    if little:
        connection.send_packed_command([little])


def _written(command: Command) -> list[bytes | bytearray]:
    """Write a command, each long argument apart, as it is: hiredis would copy it three times."""
    if isinstance(command, PackedCommand):
        return [b"", command.data]
    if len(command) > MANY_ARGUMENTS or not _has_long(command):
        return [_pack(tuple(command))]
    parts: list[bytes | bytearray] = [bytearray(b"*%d\r\n" % len(command))]
    for argument in command:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts[-1] += b"$%d\r\n" % len(data)
        if len(data) >= LONG_ARGUMENT:
            parts += [data, bytearray()]
        else:
            parts[-1] += data
        parts[-1] += b"\r\n"
    return parts


def _has_long(command: Command) -> bool:
    # A plain loop, as it runs over every argument of every call.
    for argument in command:  # noqa: SIM110
        if type(argument) is bytes and len(argument) >= LONG_ARGUMENT:
            return True
    return False


def _shaped(shape: Callable[[Any], Any] | None, reply: Any) -> Any:
    """Give a reply the shape that redis-py gives it."""
    return reply if shape is None or isinstance(reply, ResponseError) else shape(reply)
