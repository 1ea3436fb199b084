"""Find, report and cut out damage to the log of the embedded store, as a power cut leaves it.

The log is a list of commands, each as it was sent: ``*2``, ``$3``, ``GET``, ``$1``, ``a`` on lines of their own.  A
disk that lost power may have its length but not yet its bytes: then it ends in zeros, and no server starts on it.
"""

from __future__ import annotations

import mmap
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.errors import Misconfigured

FOLDER = "appendonlydir"
#: What a file system writes at once; a hole that begins and ends on these lines is something that was lost.
PAGE = 4096
#: Bytes that are copied at once.
BLOCK = 1 << 20

_LENGTH = re.compile(rb"[*$](\d{1,18})\r\n")
#: A note of the time, which a server may write between commands.
_NOTE = re.compile(rb"#[^\r\n]*\r\n")
_ZEROS = re.compile(rb"\0+")


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a log that are no commands, and what mending keeps."""

    file: Path
    size: int
    #: From here on nothing can be read.
    start: int
    #: Where commands go on, behind zeros that are nothing but a hole; None: nowhere that could be trusted.
    goes_on: int | None

    def __str__(self) -> str:
        if self.goes_on is not None:
            return f"{self.file}: {self.goes_on - self.start} zeros lie between its commands at byte {self.start}"
        return f"{self.file}: its last {self.size - self.start} bytes, from byte {self.start} on, are no commands"


def find_damage(store_folder: Path) -> Damage | None:
    """Read the log that was written last and find the first damage; None if it is whole.

    Raises Misconfigured if there is no log.
    """
    file = _last_log(store_folder)
    size = file.stat().st_size
    if not size:
        return None
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = _whole_until(data, 0)
        if end == size:
            return None
        hole = _ZEROS.match(data, end)
        goes_on = hole.end() if hole and hole.end() < size else None
        if goes_on is not None and (_whole_until(data, goes_on) == goes_on or end % PAGE == goes_on % PAGE == 0):
            goes_on = None
    return Damage(file, size, end, goes_on)


def mend(damage: Damage, aside: Path) -> None:
    """Cut the damage out of its file, of which a copy is laid aside first; whole or not at all."""
    shutil.copyfile(damage.file, aside)
    half = aside.with_name(aside.name + ".mending")
    with aside.open("rb") as source, half.open("wb") as out:
        for place in range(0, damage.start, BLOCK):
            out.write(source.read(min(BLOCK, damage.start - place)))
        if damage.goes_on is not None:
            source.seek(damage.goes_on)
            shutil.copyfileobj(source, out)
    half.replace(damage.file)


def _last_log(store_folder: Path) -> Path:
    """Find the file that the server wrote last: the manifest names it in its last line of type i."""
    folder = store_folder / FOLDER
    manifests = list(folder.glob("*.manifest"))
    if not manifests:
        raise Misconfigured(f"no log of an embedded store lies in {store_folder}")
    lines = manifests[0].read_text(encoding="utf-8", errors="replace").splitlines()
    files = [match[1] for line in lines if (match := re.match(r"file (\S+) seq \d+ type i\b", line))]
    if not files or not (folder / files[-1]).is_file():
        raise Misconfigured(f"{manifests[0]} names no log that is there: restore a backup")
    return folder / files[-1]


def _whole_until(data: mmap.mmap, start: int) -> int:
    """Find the end of the whole commands that begin at a place; a transaction is one."""
    end, transaction = start, False
    for word, place in _commands(data, start):
        transaction = word == b"MULTI" or (transaction and word != b"EXEC")
        if not transaction:
            end = place
    return end


def _commands(data: mmap.mmap, place: int) -> Iterator[tuple[bytes, int]]:
    """Yield the first word of each whole command, and where the command ends."""
    while True:
        if note := _NOTE.match(data, place):
            place = note.end()
            yield b"", place
            continue
        if not (count := _LENGTH.match(data, place)) or data[place] != ord("*"):
            return
        place, words = count.end(), []
        for number in range(int(count[1])):
            length = _LENGTH.match(data, place)
            if not length or data[place] != ord("$"):
                return
            begin, place = length.end(), length.end() + int(length[1]) + 2
            if data[place - 2 : place] != b"\r\n":
                return
            if not number:
                words.append(data[begin : place - 2].upper())
        yield words[0] if words else b"", place
