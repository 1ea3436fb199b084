"""Delivers what is due, at once and in this thread."""

from __future__ import annotations

from shared.outbox.outbox import Outbox, Outboxes
from shared.outbox.webhooks import Webhooks
from tests.support.rig import ACME, Rig
from workers.deliver.deliverer import Deliverer


def deliver_all(deliverer: Deliverer, rig: Rig) -> None:
    """Deliver everything of one catalog that is due by the rig's clock."""
    while any(deliverer.deliver_next(*lane) for lane in Outboxes(rig.client).due_of(ACME, rig.clock())):
        pass


def call_webhooks(rig: Rig) -> None:
    """Make all calls to webhooks that are due, also to private addresses; no mail."""
    deliverer = Deliverer(
        lambda key: Outbox(rig.client, key), lambda key: Webhooks(rig.client, key), None, private=True,
        clock=rig.clock, draw=lambda: 0.0,
    )  # fmt: skip
    deliver_all(deliverer, rig)
