"""Write logs, of libraries too, as one JSON object per line, with an ``action`` and ids."""

from __future__ import annotations

import logging
import os
from typing import Any

import msgspec
import structlog

_encode = msgspec.json.Encoder(enc_hook=repr).encode

#: Processors of every line, ours and the libraries'.
_COMMON: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]

#: Loggers with two lines for every wake-up, none of which matters.
_CHATTY = ("celery.app.trace", "celery.worker.strategy")

_STANDARD_ERROR = 2


def configure_logs(level: str) -> None:
    """Send structured log lines of ``level`` and above to standard error."""
    lowest = logging.getLevelNamesMapping()[level]
    structlog.configure(
        processors=[*_COMMON, structlog.processors.JSONRenderer(_line)],
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
                    structlog.processors.JSONRenderer(_line),
                ],
            )
        )

    def emit(self, record: logging.LogRecord) -> None:
        _write(self.format(record))


def _line(event: dict[str, Any], **_: Any) -> str:
    return _encode(event).decode()


def _write(line: str) -> None:
    """Write a line with one call and no lock: a process forked while another thread writes must not wait forever."""
    data = line.encode(errors="replace") + b"\n"
    while data:
        data = data[os.write(_STANDARD_ERROR, data) :]


class _Writer:
    """The target of structlog's lines."""

    def __init__(self, *_: Any) -> None:
        pass

    def msg(self, line: str) -> None:
        _write(line)

    debug = info = warning = warn = error = critical = fatal = exception = log = msg
