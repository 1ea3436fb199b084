"""Whoever is refused learns why, how many tasks the queue still takes, and when to come back."""

from __future__ import annotations

import pytest

from api.errors import TooManyTasks, Unavailable
from api.submit.submit import refuse
from shared.errors import KeyUsed, StoreFull
from shared.partition.submissions import Submission, Submitted


def refusal(outcome: Submission) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what is asked
        refuse(Submitted(outcome, 0, 7, ring=False))
    return caught.value


@pytest.mark.parametrize("outcome", [Submission.ACCEPTED, Submission.REPEATED, Submission.EXPORTING])
def test_what_has_a_task_is_not_refused(outcome: Submission) -> None:
    refuse(Submitted(outcome, 1, 7, ring=True))


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Submission.TASKS_FULL, "Too many tasks are queued for this key."),
        (Submission.BYTES_FULL, "Too many bytes are queued for this key."),
    ],
)
def test_a_full_queue_is_said_to_be_full(outcome: Submission, message: str) -> None:
    full = refusal(outcome)
    assert isinstance(full, TooManyTasks)
    assert full.message == message
    assert {name: str(value) for name, value in full.headers.items()} == {
        "Retry-After": "1", "X-RateLimit-Tasks-Remaining": "7",
    }  # fmt: skip


def test_an_upload_that_was_lost_may_be_sent_again_at_once() -> None:
    lost = refusal(Submission.UPLOAD_LOST)
    assert isinstance(lost, Unavailable)
    assert lost.message == "The batch was lost on its way to the store. Please try again."
    assert str(lost.headers["Retry-After"]) == "1"


@pytest.mark.parametrize(("outcome", "error"), [(Submission.STORE_FULL, StoreFull), (Submission.CONFLICT, KeyUsed)])
def test_a_full_store_and_a_used_key_are_errors_of_their_own(outcome: Submission, error: type[Exception]) -> None:
    assert type(refusal(outcome)) is error
