"""A file that arrives over FTPS: the connection pushes its bytes to a thread, which reads them as an HTTP upload.

Only a few pieces wait between the two, so memory stays flat: a sender faster than the row checks is slowed down.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
from collections.abc import Iterator
from typing import NamedTuple

import structlog

from api.errors import Invalid, Refused
from api.files.intake import take_archive, take_file
from api.files.upload import FileUpload
from api.ftps.names import BadName, FileName, parse_name
from api.services import Services
from shared.errors import TryAgain
from shared.model import Batch, Kind
from shared.origin import Origin, Submitter
from shared.telemetry import metrics
from shared.telemetry.logs import set_log_context

log = structlog.get_logger()

#: Most pieces that wait to be read; each is one to four TLS records of 16 kB.
WAITING_PIECES = 16
#: Seconds between two checks that the reading thread still runs.
LOOK_S = 0.2
#: Most characters of a reply, which is a single line, however many problems there are.
REPLY_LENGTH = 400

CLIENT = "ftps"
#: The code of the reply to a file that was taken in.
TAKEN = 226

#: FTP reply code: the ``reason`` label of the metric.
_REASONS = {451: "store_away", 550: "invalid", 552: "queue_full"}


class Reply(NamedTuple):
    """An FTP reply."""

    code: int
    text: str

    def __str__(self) -> str:
        line = " ".join(self.text.split())
        return f"{self.code} {line if len(line) <= REPLY_LENGTH else line[:REPLY_LENGTH] + '…'}"


class BrokenOff(Exception):
    """The connection ended before the file was complete."""


_BROKEN_OFF = Reply(426, "The file was truncated; nothing of it was kept.")


class ReceivedFile:
    """One arriving file, with the interface that pyftpdlib expects: a name, ``write``, ``close`` and ``closed``."""

    def __init__(
        self,
        services: Services,
        catalog_key: str,
        name: str,
        meaning: FileName,
        submitter: Submitter,
        notification_emails: tuple[str, ...] = (),
        *,
        final_name: str | None = None,
    ) -> None:
        """Prepare; with a ``final_name`` no task is made of the file before it is called so."""
        self.name = name
        self.closed = False
        #: What has arrived.
        self.bytes = 0
        self._final_name = final_name
        self._upload: FileUpload | None = None
        self._tools = services
        self._catalog_key = catalog_key
        self._meaning = meaning
        self._submitter = submitter
        self._notification_emails = notification_emails
        self._request_id = secrets.token_hex(8)
        #: None ends a complete file, BrokenOff a truncated one.
        self._pieces = queue.Queue[bytes | BrokenOff | None](WAITING_PIECES)
        self._ended = threading.Event()
        self._reply = Reply(451, "Internal error; it was logged.")
        self._thread: threading.Thread | None = None

    def write(self, piece: bytes) -> None:
        """Pass on the bytes that arrived; discard them if the file was refused already."""
        self._begin()
        self.bytes += len(piece)
        self._put(piece)

    def finish(self) -> Reply:
        """Mark the file as complete and wait for its result."""
        self._begin()
        return self._end(None)

    def close(self) -> None:
        """Drop the file, unless it was finished."""
        if not self.closed:
            self.abort()

    def abort(self) -> Reply:
        """Drop the file and return the reply for a truncated one."""
        if self._thread is None:
            self.closed = True
            return _BROKEN_OFF
        return self._end(BrokenOff())

    def _begin(self) -> None:
        """Start the reading thread, only at the first byte: a sender may name files and never send them."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"upload {self.name}", daemon=True)
            self._thread.start()

    def _end(self, mark: BrokenOff | None) -> Reply:
        self.closed = True
        self._put(mark)
        self._ended.wait()
        return self._reply

    def _put(self, piece: bytes | BrokenOff | None) -> None:
        while not self._ended.is_set():
            try:
                return self._pieces.put(piece, timeout=LOOK_S)
            except queue.Full:
                continue

    # -- on the other thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        facts = {"action": "upload", "catalog_key": self._catalog_key, "file": self.name}
        set_log_context({"request_id": self._request_id})
        try:
            self._reply = self._take_in()
        except BrokenOff:
            self._reply = _BROKEN_OFF
            log.warning("file cut short", **facts)
        except Refused as refused:
            self._refuse(552 if refused.status == 429 else 550, refused.message)
        except TryAgain as error:
            self._refuse(451, "The store cannot be reached, or is full. Please try again later.", error=str(error))
        # An error in this thread would otherwise go unnoticed, while the client waits for the reply.
        except Exception:
            log.exception("upload failed", **facts)
        finally:
            self._ended.set()

    def _refuse(self, code: int, why: str, **facts: str) -> None:
        self._reply = Reply(code, why)
        metrics.WRITES_REJECTED.labels(_REASONS[code]).inc()
        log.warning("file refused", action="upload", catalog_key=self._catalog_key, file=self.name, why=why, **facts)

    def _take_in(self) -> Reply:
        meaning, arriving = self._meaning, self._arriving()
        batch = Batch(
            kind=Kind.ITEMS,
            operation=meaning.operation,
            section=meaning.section,
            entries=0,
            bytes=0,
            chunks=0,
            on_missing=meaning.on_missing,
            force=meaning.force,
            notification_emails=self._notification_emails,
            protocol="ftp",
            origin=Origin(self._submitter, self._request_id),
        )
        name = self._final_name or self.name
        with contextlib.ExitStack() as stack:
            upload = stack.enter_context(FileUpload(self._tools, self._catalog_key, batch))
            try:
                if meaning.kind is None:
                    take_archive(upload, name, meaning.form, arriving)
                else:
                    take_file(upload, meaning.kind, name, meaning.form, arriving)
            except Invalid as broken:
                upload.condemn(broken, name)
            # Read the rest: only then is the file known to be complete.
            for _ in arriving:
                pass
            if self._final_name is None:
                return self._submitted(upload)
            # It stays until it is renamed, or nobody does that in time.
            stack.pop_all()
            self._upload = upload
            return Reply(226, f"Received; it becomes a task when it is renamed to {name}.")

    def _submitted(self, upload: FileUpload) -> Reply:
        task_id = upload.submit().task_id
        if not upload.doomed:
            return Reply(226, f"Accepted as task {task_id}.")
        log.warning("file will fail", action="upload", task_id=task_id, file=self.name, why=upload.doomed[:1000])
        return Reply(226, f"Accepted as task {task_id}, which fails: {upload.doomed}")

    @property
    def is_held(self) -> bool:
        """Whether it waits for its final name."""
        return self._upload is not None

    def submit(self, name: str) -> None:
        """Create the task of a file that waited for its name.

        Raises BadName if the name says another operation, TryAgain, after which a repeat becomes the same task, and
        Refused, after which the file is gone.
        """
        assert self._upload is not None
        if parse_name(name, self._catalog_key) != self._meaning:
            raise BadName(f"the file was received to become {self._final_name}, and read so")
        try:
            self._submitted(self._upload)
        except Refused:
            self.drop()
            raise
        self.drop()

    def drop(self) -> None:
        """Drop a file that waited for its name; no harm once it is a task."""
        if self._upload is not None:
            self._upload.__exit__(None, None, None)
            self._upload = None

    def _arriving(self) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, BrokenOff):
                raise piece
            yield piece
