"""What may happen to the link to a server outside: it hangs, refuses, is slow, or breaks."""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos.faults import Fault
from tests.chaos.links import Heal, Link


def link_faults(name: str, link: Link) -> list[Fault]:
    """List the faults of one link, which happen one at a time."""

    def fault(what: str, inflict: Callable[[], object], lasts_s: tuple[float, float]) -> Fault:
        def done(_: object) -> Heal:
            inflict()
            return link.heal

        return Fault(f"{name}: {what}", done, lasts_s, seizes=name)

    return [
        fault("hangs", link.darken, (1, 6)),
        fault("refuses connections", link.refuse, (1, 4)),
        fault("slow", lambda: link.slow_down(0.1), (1, 4)),
        fault("connections broken", link.reset, (0, 0)),
    ]
