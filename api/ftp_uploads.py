"""A file that arrives by FTPS: the connection pushes its bytes, and a thread takes them in as HTTP's are.

Between them lie a few pieces at most, so that memory stays flat: whoever sends faster than the rows are checked waits.
"""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Iterator
from typing import NamedTuple

import structlog

from api.accepting import Accepted
from api.errors import Refused
from api.ftp_names import FileName
from api.intake import FileOrder, Intake
from api.sent_files import take_archive
from api.services import Services
from shared import metrics
from shared.errors import TryAgain
from shared.model import Submitter

log = structlog.get_logger()

#: Pieces that wait to be taken in; each is what one record of TLS holds, 16 kB, at most four of them.
WAITING_PIECES = 16
#: Seconds between two looks whether anybody still takes them.
LOOK_S = 0.2
#: Longest reply: problems are many lines elsewhere, and one here.
REPLY_LENGTH = 400

CLIENT = "ftps"

#: What a refusal's code is among the reasons of the metrics.
_REASONS = {451: "store_away", 550: "invalid", 552: "queue_full"}


class Reply(NamedTuple):
    """What the sender is told."""

    code: int
    text: str

    def __str__(self) -> str:
        line = " ".join(self.text.split())
        return f"{self.code} {line if len(line) <= REPLY_LENGTH else line[:REPLY_LENGTH] + '…'}"


class BrokenOff(Exception):
    """The connection ended before the file did."""


_BROKEN_OFF = Reply(426, "The file was cut short; nothing of it was kept.")


class ReceivedFile:
    """One file on its way in.  What pyftpdlib knows of a file: a name, ``write``, ``close`` and ``closed``."""

    def __init__(self, tools: Services, catalog_key: str, name: str, meaning: FileName, submitter: Submitter) -> None:
        self.name = name
        self.closed = False
        self._tools = tools
        self._catalog_key = catalog_key
        self._meaning = meaning
        self._submitter = submitter
        self._request_id = secrets.token_hex(8)
        #: None: the file is there whole; BrokenOff: it never will be.
        self._pieces = queue.Queue[bytes | BrokenOff | None](WAITING_PIECES)
        self._ended = threading.Event()
        self._reply = Reply(451, "Something went wrong here; it was logged.")
        self._thread: threading.Thread | None = None

    def write(self, piece: bytes) -> None:
        """Hand over what arrived; of a file that is refused already the rest is thrown away."""
        self._begin()
        self._put(piece)

    def finish(self) -> Reply:
        """Say that the file is whole, and wait for what becomes of it."""
        self._begin()
        return self._end(None)

    def close(self) -> None:
        """Drop the file, unless it was finished."""
        if not self.closed:
            self.abort()

    def abort(self) -> Reply:
        """Drop the file and say so."""
        if self._thread is None:
            self.closed = True
            return _BROKEN_OFF
        return self._end(BrokenOff())

    def _begin(self) -> None:
        """Begin to take in what arrives; not before, since a sender may name files and never send them."""
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
        structlog.contextvars.bind_contextvars(request_id=self._request_id)
        try:
            self._reply = Reply(226, f"Accepted as task {self._take_in().task_id}.")
        except BrokenOff:
            self._reply = _BROKEN_OFF
            log.warning("file cut short", **facts)
        except Refused as refused:
            self._refuse(552 if refused.status == 429 else 550, refused.message)
        except TryAgain as error:
            self._refuse(451, "The store cannot be reached, or is full. Please try again later.", error=str(error))
        # A thread of its own: nobody else would hear of it, and the client waits for the reply.
        except Exception:
            log.exception("upload broke", **facts)
        finally:
            self._ended.set()

    def _refuse(self, code: int, why: str, **facts: str) -> None:
        self._reply = Reply(code, why)
        metrics.WRITES_REJECTED.labels(_REASONS[code]).inc()
        log.warning("file refused", action="upload", catalog_key=self._catalog_key, file=self.name, why=why, **facts)

    def _take_in(self) -> Accepted:
        meaning, arriving = self._meaning, self._arriving()
        order = FileOrder(
            operation=meaning.operation,
            section=meaning.section,
            on_missing=meaning.on_missing,
            force=meaning.force,
            protocol="ftp",
            submitter=self._submitter,
            request_id=self._request_id,
        )
        with Intake(self._tools, self._catalog_key, order) as intake:
            if meaning.kind is None:
                take_archive(intake, meaning.form, arriving)
            else:
                intake.take(meaning.kind, meaning.form, arriving)
            # Whatever follows an archive too: only then is it known to be whole.
            for _ in arriving:
                pass
            return intake.submit()

    def _arriving(self) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, BrokenOff):
                raise piece
            yield piece
