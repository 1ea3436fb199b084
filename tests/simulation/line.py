"""A connection to a store, without all that redis-py does around each command."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hiredis
import redis
from redis._parsers.base import BaseParser
from redis.exceptions import ResponseError

from shared.store.wire import Command, PackedCommand, _pack

_INCOMPLETE = object()


class Line:
    """Speaks as redis-py does, and reads what redis-py would."""

    def __init__(self, path: str | Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._reader = hiredis.Reader(replyError=BaseParser.parse_error, notEnoughData=_INCOMPLETE)
        self.ask(("HELLO", 3))

    def ask(self, *commands: Command) -> list[Any]:
        """Send commands and return their replies.  Raises the first error among them."""
        replies = self.exchange(commands)
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return replies

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands and return their replies, errors among them."""
        self._socket.sendall(b"".join(map(_written, commands)))
        return [self._reply() for _ in commands]

    def close(self) -> None:
        self._socket.close()

    def _reply(self) -> Any:
        gets = self._reader.gets
        while (reply := gets()) is _INCOMPLETE:
            data = self._socket.recv(65_536)
            if not data:
                raise redis.ConnectionError("the store is gone")
            self._reader.feed(data)
        return reply


def _written(command: Command) -> bytes:
    return command.data if isinstance(command, PackedCommand) else _pack(tuple(command))
