"""Read a small real catalogue from CSV files into batches for the demo."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.demo.catalogue import DemoBatch, Entry

#: A column, and how its text becomes a value of ``data``.
_DATA: dict[str, Callable[[str], Any]] = {
    "url": str,
    "image_url": str,
    "description": str,
    "keywords": lambda text: text.split("|"),
    "group_ids": lambda text: text.split("|"),
    "active": lambda text: text.lower() == "true",
}


def read_folder(folder: Path) -> list[DemoBatch]:
    """Read ``items.csv`` and ``variations.csv``, those that are there, as one PUT each."""
    kinds = [kind for kind in ("items", "variations") if (folder / f"{kind}.csv").is_file()]
    return [DemoBatch("PUT", kind, _read(folder / f"{kind}.csv")) for kind in kinds]


def _read(file: Path) -> list[Entry]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return [_entry(row) for row in csv.DictReader(lines)]


def _entry(row: dict[str, str | None]) -> Entry:
    """Turn a row into an entry; a blank cell is a field that is absent, an unknown column is ignored."""
    cells = {column: text for column, text in row.items() if text}
    entry: Entry = {"id": cells.get("variation_id") or cells["id"]}
    if "variation_id" in cells:
        entry["item_id"] = cells["item_id"]
    if "item_name" in cells:
        entry["name"] = cells["item_name"]
    if "suggested_score" in cells:
        entry["suggested_score"] = int(cells["suggested_score"])
    entry["data"] = {column: _DATA[column](text) for column, text in cells.items() if column in _DATA}
    for column, text in cells.items():
        kind, _, name = column.partition(":")
        if kind == "facet":
            entry["data"].setdefault("facets", {})[name] = text.split("|")
        elif column.startswith("metadata:json:"):
            entry["data"][column.removeprefix("metadata:json:")] = json.loads(text)
        elif kind == "metadata":
            entry["data"][name] = text
    return entry
