"""A sink in files: read in the order of their names they are the catalogue, at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.model import Kind
from shared.sinks.destination import CopyChange, Which, connect
from shared.sinks.file_engine import FileEngine
from shared.sinks.mapping import Document
from tests.support.batches import items, variations
from tests.support.rig import ACME, Rig
from tests.support.sinks import NAME, FilesRig


@pytest.fixture
def sink(rig: Rig, tmp_path: Path) -> FilesRig:
    return FilesRig(rig, tmp_path / "feed")


def test_a_late_writers_file_changes_nothing(sink: FilesRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sleeps before it writes; another delivers the same changes and later ones; it wakes up."""
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.rig.put({"id": "a", "name": "Old"})
    sink.rig.drain()
    late = connect(sink.sinks.get(NAME.name), ACME, timeout_s=5)
    live = late.take_over("late").live
    assert live is not None
    real = FileEngine.write

    def sleeps(*of: Any) -> Any:
        monkeypatch.setattr(FileEngine, "write", real)
        sink.rig.put({"id": "a", "name": "Newer"})
        sink.rig.delete({"id": "b"})
        sink.rig.drain()
        sink.settle()
        return real(*of)

    monkeypatch.setattr(FileEngine, "write", sleeps)
    old = {Kind.ITEMS: [Document("a", None, 1, b'{"id":"a","name":"Old"}', {"name": "Old"})]}
    late.deliver(CopyChange(Which.LIVE, live, live, old))
    assert sink.rows() == sink.catalogue()
    # It has set back the position, too: what comes after it is delivered once more.
    sink.settle()
    sink.check()


def test_a_worker_that_was_killed_leaves_no_half_file_and_is_succeeded(
    sink: FilesRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    files = sorted(sink.place().glob("*.ndjson"))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    sink.rig.delete({"id": "a"})
    sink.rig.drain()
    with pytest.raises(KeyboardInterrupt):
        sink.turn()
    monkeypatch.undo()
    assert sorted(sink.place().glob("*.ndjson")) == files
    sink.rig.client.delete(sink.rig.keys().sink_lease(NAME.name))
    sink.turns = sink.worker("two")
    sink.settle()
    sink.check()


def test_a_verification_finds_and_mends_what_somebody_changed(sink: FilesRig) -> None:
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(1200))))
    sink.rig.put(*variations("i0001", "v1"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add()
    sink.settle()
    assert [found.wrong for found in sink.verify()] == [0, 0]
    last = max(sink.place().iterdir(), key=lambda file: int(file.stem))
    lines = last.read_bytes().replace(b"Item i0500", b"Mine").splitlines(keepends=True)
    lines = [line for line in lines if b'"i0700"' not in line] + [b'{"id":"zzz","body":{}}\n']
    last.write_bytes(b"".join(lines))
    for repair in (False, True):
        of_items, _ = sink.verify(repair=repair)
        assert (of_items.stale, of_items.missing, of_items.extra) == (["i0500"], ["i0700"], ["zzz"])
    sink.settle()
    assert [found.wrong for found in sink.verify()] == [0, 0]
    sink.check()


def test_a_storage_that_is_not_there_makes_the_sink_rest(sink: FilesRig) -> None:
    sink.folder.write_bytes(b"no folder")
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    assert sink.turn() == "failed"
    sink.folder.unlink()
    sink.sinks.resume(NAME.name)
    sink.settle()
    sink.check()
