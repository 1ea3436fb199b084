"""Nonces: name a call, so that the store answers its repeat with the first result."""

from __future__ import annotations

import os
import random

_chance = random.Random()
os.register_at_fork(after_in_child=_chance.seed)


def new_nonce() -> str:
    """Create a unique name.  It is no secret, so it needs no random bytes of the kernel."""
    return f"{_chance.getrandbits(64):016x}"
