"""Write files durably: they survive a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(path: Path, data: bytes) -> None:
    """Write a file, replacing any with its name; on return, the file and its name are on the disk.

    Raises OSError; the name then never has a partial file.
    """
    half = path.with_name(path.name + ".part")
    with half.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
