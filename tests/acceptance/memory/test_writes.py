"""What was accepted can be applied within the store's memory, whatever way it was sent.

As with the texts: files, exports, patches beside items, item groups and V1 writes fill a store whose worker stands
still, over what was there before.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.memory.trial import ALL, Trial, put_batch
from tests.acceptance.memory.writes import WRITES

SHORT = ("all of them",)


@pytest.mark.parametrize("name", WRITES if ALL else SHORT)
def test_a_filled_store_applies_all_writes(name: str, trial: Trial, measured: Callable[[str], None]) -> None:
    """All of them, never above its memory, and nothing is refused before it is well filled."""
    write = WRITES[name]
    for text in write.before:
        share = write.share / len(write.before)
        trial.fill(lambda draw, first, text=text: put_batch(text, draw, first), senders=1, until=trial.used() + share)  # type: ignore[misc]
        trial.wait_applied()
    trial.while_stopped(write.make)
    measured(trial.summary(name))
    trial.check()
    assert trial.most >= write.filled
