"""A sink in files: read in the order of their names they are the catalogue, at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.model import Kind
from shared.sinks.destination import CALL_S, CopyChange, Superseded, Which, connect
from shared.sinks.file_engine import FileEngine
from shared.sinks.mapping import Document
from shared.sinks.search.ledger_destination import LedgerDestination
from shared.sinks.verify import Verification
from tests.support.batches import items
from tests.support.file_sink import FilesRig
from tests.support.rig import ACME, Rig
from tests.support.sinks import NAME


@pytest.fixture
def sink(rig: Rig, tmp_path: Path) -> FilesRig:
    return FilesRig(rig, tmp_path / "feed")


@pytest.mark.parametrize(("of", "step"), [(LedgerDestination, "_number"), (FileEngine, "save"), (FileEngine, "write")])
def test_a_late_writers_file_changes_nothing(
    sink: FilesRig, monkeypatch: pytest.MonkeyPatch, of: Any, step: str
) -> None:
    """Wherever it sleeps: another delivers the same changes and later ones; it wakes up."""
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.rig.put({"id": "a", "name": "Old"})
    sink.rig.drain()
    late = connect(sink.sinks.get(NAME.name), ACME, timeout_s=CALL_S)
    live = late.take_over("late").live
    assert live is not None
    real = getattr(of, step)

    def sleeps(*what: Any) -> Any:
        monkeypatch.setattr(of, step, real)
        sink.rig.put({"id": "a", "name": "Newer"})
        sink.rig.delete({"id": "b"})
        sink.rig.drain()
        sink.settle()
        return real(*what)

    monkeypatch.setattr(of, step, sleeps)
    old = {Kind.ITEMS: [Document("a", None, 1, b'{"id":"a","name":"Old"}', {"name": "Old"})]}
    with pytest.raises(Superseded):
        late.deliver(CopyChange(Which.LIVE, live, live, old))
    sink.check()
    sink.settle()
    sink.check()


def test_a_file_that_somebody_removed_or_changed_is_noticed_by_whoever_has_read_it(sink: FilesRig) -> None:
    """A worker keeps what it has read, to compare all the time."""
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    added = sink.add()
    sink.settle()
    sink.rig.put({"id": "c", "name": "C"})
    sink.rig.drain()
    sink.settle()
    destination = connect(added, ACME, timeout_s=CALL_S)
    compared = Verification(sink.rig.client, ACME, added, destination, settled_s=2)
    assert [found.wrong for found in compared.run()] == [0, 0]
    first, last = sink.files()[-2:]
    kept = first.read_bytes()
    first.write_bytes(kept.replace(b"Item a", b"Mine"))
    assert next(compared.run()).stale == ["a"]
    first.write_bytes(kept)
    last.unlink()
    assert next(compared.run()).missing == ["c"]
    destination.close()


def test_files_of_others_in_the_folder_are_not_read(sink: FilesRig) -> None:
    """Such as a desktop's, or the mark that a job leaves when it is done."""
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    folder = sink.files()[-1].parent
    for name in (".DS_Store", "_SUCCESS", "1.ndjson.bak"):
        (folder / name).write_bytes(b"mine")
    assert [found.wrong for found in sink.verify()] == [0, 0]


def test_a_worker_that_was_killed_leaves_no_half_file_and_is_succeeded(
    sink: FilesRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    files = sink.files()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    sink.rig.delete({"id": "a"})
    sink.rig.drain()
    with pytest.raises(KeyboardInterrupt):
        sink.turn()
    monkeypatch.undo()
    assert sink.files() == files
    sink.rig.client.delete(sink.rig.keys().sink_lease(NAME.name))
    sink.turns = sink.worker("two")
    sink.settle()
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
