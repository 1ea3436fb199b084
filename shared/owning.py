"""What the scripts answer the owner of a partition, as values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.codec import decode_batch
from shared.errors import RecordTooNew
from shared.leases import DONE_ANSWERS, Answer, Grant, Progress, Refusal, Work


def read_grant(reply: Sequence[Any]) -> Grant | Refusal:
    """Read the answer to acquire_lease.  Raises RecordTooNew if that is what waits at the head."""
    code, *rest = reply
    if code != b"ACQUIRED":
        return Refusal(code.decode())
    token, applied, stalls, window = rest
    readable = _window(window)
    if window and not readable:
        raise RecordTooNew
    return Grant(token.decode(), applied.decode(), stalls, readable)


def read_progress(replies: Sequence[Any]) -> Progress:
    """Read the answers to the steps of one round; the last one tells how it went, if all had their effect."""
    code, *rest = replies[-1]
    if not rest:
        return _stopped(replies)
    # Where the next one is too new, there is nothing more to do for this owner.
    window = (_window(rest[1]) or None) if len(rest) > 1 else None
    return Progress(Answer(code.decode()), len(replies), rest[0] == b"RELEASED", window)


def _stopped(replies: Sequence[Any]) -> Progress:
    """Say why a round stopped: the first step that had no effect, since those after it hang on it."""
    answers = [Answer(reply[0].decode()) for reply in replies]
    done = next(number for number, answer in enumerate(answers) if answer not in DONE_ANSWERS)
    return Progress(answers[done], done)


def _window(rows: Sequence[Any]) -> list[Work]:
    """Read what waits, up to the first record that is too new."""
    window = []
    for task_id, record, generation, group_generation, begun, chunk, page, frames in rows:
        try:
            batch = decode_batch(record) if record else None
        except RecordTooNew:
            break
        window.append(
            Work(
                task_id=int(task_id),
                batch=batch,
                generation=int(generation),
                group_generation=int(group_generation),
                begun=bool(begun),
                chunk=int(chunk),
                page=int(page),
                frames=frames,
            )
        )
    return window
