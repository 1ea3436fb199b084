"""Write logs, of libraries too, as one JSON object per line, with an ``action`` and ids."""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec
import structlog

_encode = msgspec.json.Encoder(enc_hook=repr).encode

#: Loggers with two lines for every wake-up, none of which matters.
_CHATTY = ("celery.app.trace", "celery.worker.strategy")

_STANDARD_ERROR = 2

#: Seconds for which a line may wait for others, and lines that may: more do when whatever takes them has stopped.
GATHERED_S = 0.05
GATHERED_LINES = 10_000

#: What all lines of this context say.
_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=MappingProxyType({}))


def set_log_context(facts: Mapping[str, str]) -> None:
    """Add these facts to all lines that come from here on, in place of those of before.

    structlog's way goes through all context variables of Flask and the server, for each request and for each line.
    """
    _context.set(facts)


def _with_context(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in _context.get().items():
        event.setdefault(name, value)
    return event


def _stamped(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    microseconds = time.time_ns() // 1000
    event["timestamp"] = f"{_second(microseconds // 1_000_000)}.{microseconds % 1_000_000:06}Z"
    return event


@lru_cache(maxsize=2)
def _second(since_1970: int) -> str:
    """Format a second once for all of its lines."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since_1970))


#: Processors of every line, ours and the libraries'.
_COMMON: list[Any] = [
    _with_context,
    structlog.processors.add_log_level,
    _stamped,
    structlog.processors.format_exc_info,
]


def configure_logs(level: str) -> None:
    """Send structured log lines of ``level`` and above to standard error."""
    lowest = logging.getLevelNamesMapping()[level]
    structlog.configure(
        processors=[*_COMMON, _line],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=_Writer,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.setLevel(lowest)
    if not any(isinstance(handler, _LibraryHandler) for handler in root.handlers):
        root.addHandler(_LibraryHandler())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(lowest, logging.WARNING))


class _LibraryHandler(logging.Handler):
    """Writes the log records of libraries like our own lines."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[*_COMMON, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
                processors=[
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    lambda *event: _line(*event).decode(),
                ],
            )
        )

    def emit(self, record: logging.LogRecord) -> None:
        _writing.write_now(self.format(record).encode() + b"\n")


def _line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> bytes:
    try:
        return _encode(event)
    except UnicodeEncodeError:  # half a character, as a file's name may have
        return json.dumps(event, default=repr).encode()


class _Writer:
    """The target of structlog's lines."""

    def __init__(self, *_: Any) -> None:
        pass

    def soon(self, line: bytes) -> None:
        _writing.write_soon(line + b"\n")

    def now(self, line: bytes) -> None:
        _writing.write_now(line + b"\n")

    debug = info = soon
    msg = log = warning = warn = error = critical = fatal = exception = now


def _write_out(lines: Sequence[bytes]) -> None:
    """Write lines with one call, so that those of other processes do not come in between; long lines may need more."""
    data = b"".join(lines)
    while data:
        data = data[os.write(_STANDARD_ERROR, data) :]


class _Writing:
    """Writes whole lines, in the order in which they came."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Keep nothing, and forget who writes: in a forked process, which has one thread and its parent's lines."""
        self._gathers = False
        self._gathered: deque[bytes] = deque()
        # A signal's handler may write while its own thread does.
        self._guard = threading.RLock()
        self._some, self._never = threading.Event(), threading.Event()

    def gather(self) -> None:
        """Let lines below a warning wait for others from now on, on a thread that writes them."""
        self._gathers = True
        threading.Thread(target=self._run, name="log", daemon=True).start()
        atexit.register(self.write_now, b"")

    def write_soon(self, line: bytes) -> None:
        """Write a line, or keep it for others."""
        if not self._gathers or len(self._gathered) >= GATHERED_LINES:
            return self.write_now(line)
        self._gathered.append(line)
        if not self._some.is_set():
            self._some.set()
        return None

    def write_now(self, line: bytes) -> None:
        """Write a line, and before it those that were kept, also if another thread is just writing them."""
        with self._guard:
            part: list[bytes] = []
            with contextlib.suppress(IndexError):
                while True:
                    kept = self._gathered.popleft()
                    if sum(map(len, part)) + len(kept) > select.PIPE_BUF:
                        _write_out(part)
                        part = []
                    part.append(kept)
            # Alone, since it may be long.
            _write_out(part)
            _write_out([line])

    def _run(self) -> None:
        while True:
            self._some.wait()
            self._never.wait(GATHERED_S)
            self._some.clear()
            with contextlib.suppress(OSError):  # whatever takes the lines is gone or full; it may come back
                self.write_now(b"")


_writing = _Writing()
os.register_at_fork(after_in_child=_writing.begin_anew)


def gather_lines() -> None:
    """Write the lines of this process that are no warnings together, up to `GATHERED_S` late.

    A write for each costs a switch of threads here and as much again in whatever takes the lines.  A killed process
    loses the lines that it has kept.
    """
    _writing.gather()


def write_gathered() -> None:
    """Write the lines that are kept; for a process that ends without its `atexit` functions."""
    _writing.write_now(b"")
