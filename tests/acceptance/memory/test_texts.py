"""What was accepted can be applied within the store's memory, whatever the texts are like.

For each kind of text a store is filled while its worker stands still, until the answer is 503, and the worker then goes
on.  ``TRIAL_MB`` is the store's ``maxmemory``; if it is set, every kind is tried.  ``TRIAL_SERVER`` is its binary.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.memory.texts import TEXTS
from tests.acceptance.memory.trial import ALL, FILLED, Trial, put_batch

#: The texts of a trial; each batch is of one of them.
TRIALS = {name: [text] for name, text in TEXTS.items()} | {"all of them": list(TEXTS.values())}
SHORT = ("boilerplate", "tiny", "all of them")


@pytest.mark.parametrize("name", TRIALS if ALL else SHORT)
def test_a_filled_store_applies_what_it_accepted(name: str, trial: Trial, measured: Callable[[str], None]) -> None:
    """All of it, never above its memory, and nothing is refused before it is well filled."""
    trial.while_stopped(lambda draw, first: put_batch(draw.choice(TRIALS[name]), draw, first))
    measured(trial.summary(name))
    trial.check()
    for kind, entries in trial.entries.items():
        assert trial.customers[0].call("GET", f"/v2/{kind}", num_results_per_page=1).ok()["total_count"] == entries
    assert trial.most >= FILLED
