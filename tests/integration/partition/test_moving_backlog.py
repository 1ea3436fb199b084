"""Whether batches are being applied while more wait: what waits for an operator does not count."""

from __future__ import annotations

from shared import keys
from shared.partition.backlog import MOVING_MS, Backlog
from tests.support.rig import ACME, Rig


def test_a_catalog_moves_while_it_gets_its_turns(rig: Rig) -> None:
    backlog = Backlog(rig.client)
    assert not backlog.moves(rig.clock())
    rig.client.zadd(keys.BACKLOG, {ACME: rig.clock()})
    assert backlog.moves(rig.clock())
    rig.clock.advance(MOVING_MS + 1)
    assert not backlog.moves(rig.clock()), "nobody has taken it up"
    backlog.move_back(ACME, rig.clock())
    assert backlog.moves(rig.clock())
