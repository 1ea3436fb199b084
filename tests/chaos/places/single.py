"""One store that writes its log, with links to it that break."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis

from deploy.stack import embedded_store
from deploy.stack.ports import LOOPBACK
from tests.chaos.links import Link
from tests.chaos.places.place import impatient

SLOW_DISK = Path(__file__).parents[1] / "slow_disk.c"
MAXMEMORY = 1024**3


class SingleStore:
    """The store of the fleet itself, on a disk that may be slow, full, or lose what was not written out."""

    producers = 6
    here = LOOPBACK

    def __init__(self, folder: Path, *, durability: str, sinks: bool) -> None:
        socket_path = folder / "s.sock"
        self._url = embedded_store.store_url(socket_path)
        self.links = [Link(socket_path) for _ in range(4 if sinks else 3)]
        slow_disk = _compile_slow_disk(folder)
        #: None without a C compiler: then fsync is as fast as it is.
        self.slow_disk_file = folder / "slow-disk" if slow_disk else None
        #: Tells how much of the log has been written out, see slow_disk.c.
        self.written_out_file = folder / "written-out"
        disk = {}
        if slow_disk:
            disk = {
                "SLOW_DISK_FILE": str(self.slow_disk_file), "WRITTEN_OUT_FILE": str(self.written_out_file),
                "LD_PRELOAD": f"{slow_disk}:{embedded_store.preloaded()}",
            }  # fmt: skip
        urls = [link.url for link in self.links]
        self.fleet: dict[str, Any] = {
            "store": {"durability": durability, "maxmemory": MAXMEMORY}, "store_environ": disk,
            "store_urls": {"ingress-1": urls[0], "worker-1": urls[1], "ftps": urls[2], "sinks-1": urls[-1]},
            "durability": durability,
        }  # fmt: skip
        self.may_repeat = durability == "everysec"

    def connect(self) -> redis.Redis:
        return impatient(self._url)

    def servers(self) -> Sequence[redis.Redis]:
        return [redis.Redis.from_url(self._url)]

    def wait_whole(self) -> None:
        """Nothing to wait for: it is there when the fleet is."""

    def starts(self) -> dict[str, int]:
        return {}

    def findings(self) -> list[str]:
        return []

    def end(self) -> None:
        for link in self.links:
            link.close()


def _compile_slow_disk(folder: Path) -> Path | None:
    compiler, library = shutil.which("cc"), folder / "slow_disk.so"
    if compiler is None:
        return None
    command: list[Any] = [compiler, "-shared", "-fPIC", "-o", library, SLOW_DISK, "-ldl"]
    return library if subprocess.run(command, capture_output=True).returncode == 0 else None
