"""A sink in a folder, read as the guide tells readers to do it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.model import Kind
from tests.support.rig import Rig
from tests.support.sinks import LedgerRig


class FilesRig(LedgerRig):
    """A sink in a folder."""

    LEDGERS = "products.json"

    def __init__(self, rig: Rig, folder: Path) -> None:
        super().__init__(rig, f"files+file://{folder}")
        self.folder = folder

    def ledger(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "products.json").read_bytes())
        return found

    def write_ledger(self, ledger: dict[str, Any]) -> None:
        (self.folder / "products.json").write_text(json.dumps(ledger))

    def place(self, kind: Kind = Kind.ITEMS) -> Path:
        return self.folder / self.ledger()["live"]["places"][kind]

    def files(self, kind: Kind = Kind.ITEMS) -> list[Path]:
        return sorted(self.place(kind).glob("*.ndjson"), key=lambda file: int(file.stem))

    def raw(self, kind: Kind = Kind.ITEMS) -> dict[str, dict[str, Any]]:
        """As the guide tells readers to do it."""
        found = dict[str, Any]()
        for file in self.files(kind):
            for line in file.read_bytes().splitlines():
                entry = json.loads(line)
                found.pop(entry["id"], None)
                if not entry.get("deleted"):
                    found[entry["id"]] = entry
        return found

    def write_raw(self, kind: Kind, entry_id: str, row: dict[str, Any] | None) -> None:
        last = self.files(kind)[-1]
        for file in self.files(kind):
            lines = file.read_bytes().splitlines(keepends=True)
            file.write_bytes(b"".join(line for line in lines if json.loads(line)["id"] != entry_id))
        if row is not None:
            last.write_bytes(last.read_bytes() + json.dumps(row).encode() + b"\n")

    def rows(self, kind: Kind = Kind.ITEMS) -> dict[str, Any]:
        return {entry_id: row["body"] for entry_id, row in self.raw(kind).items()}

    def kinds(self) -> list[Kind]:
        return list(map(Kind, self.ledger()["live"]["places"]))

    def lose(self, kind: Kind) -> None:
        shutil.rmtree(self.place(kind))

    def backup(self) -> Callable[[], None]:
        kept = self.folder.with_name("backup")
        shutil.copytree(self.folder, kept)

        def restore() -> None:
            shutil.rmtree(self.folder)
            shutil.copytree(kept, self.folder)

        return restore

    def stamp(self) -> Any:
        return sorted(self.place().iterdir()), self.ledger()

    def spelled(self, entry_id: str) -> str:
        lines = [line for file in self.place().iterdir() for line in file.read_text().splitlines()]
        return [line for line in lines if json.loads(line)["id"] == entry_id][-1]

    def there(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())
