"""Write the log files of the services, even if the disk is full at times."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

from supervisor import loggers


class PatientLog(loggers.RotatingFileHandler):
    """A log file that leaves out what the disk does not take, says how much that was, and goes on.

    Supervisor's own stops reading a service's output when the log cannot be rotated, and the service then waits for
    ever with its next line; and it reports every failed write on its standard error.
    """

    #: Bytes left out since the last line that was written.
    lost = 0
    stream: BinaryIO

    def emit(self, record: loggers.LogRecord) -> None:
        """Write a record now or never."""
        text = record.msg if isinstance(record.msg, bytes) else (self.fmt % record.asdict()).encode(errors="replace")
        gap = b"\n... %d bytes were not written: the disk was full\n" % self.lost if self.lost else b""
        try:
            written = self._write(gap + text)
        except OSError:
            self.lost += len(text)
        else:
            self.lost = max(0, len(gap + text) - written)
        # Renaming and opening fail on a full disk too; the file is opened again for the next record.
        with contextlib.suppress(OSError, ValueError):
            self.doRollover()

    def _write(self, data: bytes) -> int:
        if self.stream.closed:
            self.stream = Path(self.baseFilename).open("ab")  # noqa: SIM115  # closed by the class above
        # Past Python's buffer, which would keep what failed and fail with it again.
        return os.write(self.stream.fileno(), data)


def keep_logs_patiently() -> None:
    """Have supervisor write all its logs this way."""
    loggers.RotatingFileHandler = PatientLog
