"""Delivers what is due, at once and in this thread."""

from __future__ import annotations

from shared.outbox.outbox import Outboxes
from tests.support.rig import ACME, Rig
from workers.deliver.deliverer import Deliverer


def deliver_all(deliverer: Deliverer, rig: Rig) -> None:
    """Deliver everything of one catalog that is due by the rig's clock."""
    while any(deliverer.deliver_next(*lane) for lane in Outboxes(rig.client).due_of(ACME, rig.clock())):
        pass
