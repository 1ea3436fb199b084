"""Catalogue files by FTPS: whole, cut off at any byte, or under a temporary name; some replies are lost."""

from __future__ import annotations

import gzip
import random
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.chaos.outside.ftps_door import CUT_OFF, LOST, RENAMED, FtpsDoor
from tests.chaos.patient import AGAIN_S, PATIENCE_S, Patient
from tests.support.batches import Entry, entry_bytes
from tests.support.files import archive
from tests.support.laws import Accepted, LawBroken

#: What names of files say, in the words of the laws.
OPERATIONS = {
    "sync": ("sync", "FAIL"), "delta": ("put", "FAIL"), "patchdelta": ("patch", "FAIL"),
    "patchdeltacreate": ("patch", "CREATE"), "patchdeltaignore": ("patch", "IGNORE"), "delete": ("delete", "FAIL"),
    "whitelist": ("keep", "FAIL"),
}  # fmt: skip
#: These name entries, and say nothing else of them.
ONLY_IDS = ("delete", "keep")
#: What an archive does that ends in order before it is whole: its task fails.
BROKEN = "broken"
#: Share of the files that are cut off once before they are sent whole; of those that are renamed; of broken archives.
CUT_SHARE, RENAMED_SHARE, BROKEN_SHARE = 0.5, 0.3, 0.2

_TASK = re.compile(r"226 Accepted as task (\d+)(, which fails: |\.)")
_never = threading.Event()


@dataclass(frozen=True)
class SentFile:
    """A file that is sent until it is taken."""

    name: str
    contents: bytes
    #: What its task does; which that is, the reply tells.
    batch: Accepted


@dataclass
class FtpsSender:
    """Sends files to any catalog, and remembers those whose task no reply named."""

    door: FtpsDoor
    #: By catalog: each file, and whether a reply said that it is taken.
    nameless: dict[str, list[tuple[SentFile, bool]]] = field(default_factory=lambda: defaultdict(list))
    #: How often files were taken, renamed, cut, broken, and left without a reply.
    seen: Counter[str] = field(default_factory=Counter)

    def send(self, customer: Patient, draw: random.Random, kind: str, entries: Sequence[Entry]) -> None:
        """Send the entries of one kind until they are taken, or may be; what is known goes into the journal."""
        file = _make(customer.catalog_key, draw, kind, entries)
        if draw.random() < CUT_SHARE:
            reply = self.door.send_cut(customer.catalog_key, file.name, file.contents, draw)
            assert not reply.startswith("2"), f"{file.name} was cut off: {reply}"
            self.seen["cut"] += reply.startswith(CUT_OFF)
        how = self.door.send
        if file.batch.operation != BROKEN and draw.random() < RENAMED_SHARE:
            how = self.door.send_renamed
        end = time.monotonic() + PATIENCE_S
        while not self._note(customer, file, time.monotonic(), how(customer.catalog_key, file.name, file.contents)):
            assert time.monotonic() < end, f"{file.name} is not taken"
            _never.wait(AGAIN_S)

    def find_tasks(self, customer: Patient, *, may_have_lost: bool) -> None:
        """Journal the files whose task no reply named, once nothing is sent any more.

        Raises LawBroken if one has become several tasks, or was taken and became none.
        """
        known, by_name = {batch.task_id for batch in customer.accepted}, defaultdict[str, list[int]](list)
        for task in customer.task_pages():
            # An archive's name stands before that of its file.
            names = {file.get("name", "").partition("/")[0] for file in task.get("files", {}).values()}
            if task["id"] not in known and names:
                by_name[names.pop()].append(task["id"])
        for file, is_taken in self.nameless.pop(customer.catalog_key, []):
            found = by_name[file.name]
            if len(found) > 1 or (not found and is_taken and not may_have_lost):
                raise LawBroken(f"once: the file {file.name} became the tasks {found}")
            customer.accepted += [replace(file.batch, task_id=task_id) for task_id in found]

    def _note(self, customer: Patient, file: SentFile, sent: float, reply: str) -> bool:
        """Note what became of a file; returns False if surely nothing did."""
        batch = replace(file.batch, sent=sent, answered=time.monotonic())
        if named := _TASK.match(reply):
            assert (named[2] != ".") == (batch.operation == BROKEN), f"{file.name}: {reply}"
            customer.accepted.append(replace(batch, task_id=int(named[1])))
            self.seen["broken" if batch.operation == BROKEN else "whole"] += 1
        elif reply.startswith(RENAMED):
            self.nameless[customer.catalog_key].append((replace(file, batch=batch), True))
            self.seen["renamed"] += 1
        elif reply == LOST:
            # It may come after whatever is sent later.
            batch = replace(batch, answered=float("inf"))
            self.nameless[customer.catalog_key].append((replace(file, batch=batch), False))
            self.seen["without a reply"] += 1
        else:
            self.seen["sent again"] += 1
            return False
        return True


def _make(catalog_key: str, draw: random.Random, kind: str, entries: Sequence[Entry]) -> SentFile:
    word, (operation, on_missing) = draw.choice(list(OPERATIONS.items()))
    force = draw.random() < 0.5
    if operation in ONLY_IDS:
        entries = [{"id": entry["id"]} for entry in entries if isinstance(entry, dict)]
    texts = list(map(entry_bytes, entries))
    lines = b"\n".join(texts)
    # No two files have the same moment.
    moment = "-".join(f"{draw.randrange(10**digits):0{digits}}" for digits in (4, 2, 2, 2, 2, 2))
    stem = f"{catalog_key}_Products_{'force' * force}{word}_{moment}"
    if draw.random() < BROKEN_SHARE:
        packed, operation = archive({f"{kind}.jsonl": lines}), BROKEN
        name, contents = f"{stem}.tar.gz", packed[: draw.randrange(1, len(packed))]
    else:
        name, contents = draw.choice([
            (f"{stem}.{kind}.jsonl", lines), (f"{stem}.{kind}.jsonl.gz", gzip.compress(lines)),
            (f"{stem}.tar.gz", archive({f"{kind}.jsonl": lines})),
        ])  # fmt: skip
    return SentFile(name, contents, Accepted(0, kind, operation, texts, on_missing=on_missing, force=force))
