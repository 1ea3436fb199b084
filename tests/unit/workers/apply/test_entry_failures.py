"""The failures of a task are reported entry by entry, in little memory."""

from __future__ import annotations

from dataclasses import replace

from shared.codec import decode_report
from shared.errors import EntryFailure
from shared.model import Operation, Skipped
from tests.support.batches import items, make_batch, make_chunks
from workers.apply.entry_failures import REASON_LENGTH, REASONS, EntryFailures, failure

BATCH, _ = make_batch(Operation.PATCH, items("a", "b", "c", "d"))
[CHUNK] = make_chunks(items("a", "b"))


def test_every_entry_is_told_whether_it_is_to_blame() -> None:
    found = EntryFailures(BATCH)
    found.add(BATCH, 0, CHUNK, {1: EntryFailure("b", None)})
    found.add(BATCH, 2, CHUNK, {1: EntryFailure("d", "no list")})
    error = found.error()
    assert str(error) == "item 'd': no list"
    assert decode_report(error.report, BATCH.entries) == (b"imif", {3: "no list"})


def test_nothing_wrong_is_no_failure() -> None:
    found = EntryFailures(BATCH)
    found.add(BATCH, 0, CHUNK, {})
    assert not found


def test_a_chunk_alone_says_the_same() -> None:
    error = failure(BATCH, CHUNK, {0: EntryFailure("a", None)})
    assert str(error) == "items not found: 'a'"
    assert decode_report(error.report, BATCH.entries) == (b"miii", {})
    assert error.wrong == {0: EntryFailure("a", None)}


def test_reasons_are_bounded_in_number_and_length() -> None:
    """A sender chooses what they name, and how many there are."""
    batch = replace(BATCH, entries=3 * REASONS)
    found = EntryFailures(batch)
    found.add(BATCH, 0, CHUNK, {i: EntryFailure(str(i), "x" * 10 * REASON_LENGTH) for i in range(batch.entries)})
    marks, reasons = decode_report(found.error().report, batch.entries)
    assert marks == b"f" * batch.entries
    assert len(reasons) == REASONS
    assert {len(reason) for reason in reasons.values()} == {REASON_LENGTH}
    assert len(str(found.error())) < REASON_LENGTH + 50


def test_a_skipped_entry_is_to_blame_for_itself_and_not_for_the_task() -> None:
    found = EntryFailures(BATCH)
    found.add(BATCH, 2, replace(CHUNK, skipped=[Skipped(1, None, "no good")]), {})
    assert not found
    found.add(BATCH, 0, CHUNK, {0: EntryFailure("a", None)})
    assert str(found.error()) == "items not found: 'a'"
    assert decode_report(found.error().report, BATCH.entries) == (b"miif", {3: "no good"})
