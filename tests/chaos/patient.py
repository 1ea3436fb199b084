"""Customers that send again, under the same Idempotency-Key, until they are answered."""

from __future__ import annotations

import dataclasses
import http.client
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.acceptance.customer import Answer, Customer

#: Seconds between two attempts.
AGAIN_S = 0.1
#: Seconds without any answer after which a customer gives up, and the run has failed.
PATIENCE_S = 120.0

_never = threading.Event()


@dataclasses.dataclass
class Patient(Customer):
    """A customer who knows several ingresses and never gives up."""

    urls: Sequence[str] = ()
    #: Why something was sent again: the status, or the name of the error.
    retries: Counter[str] = dataclasses.field(default_factory=Counter)
    #: Files that were cut off on their way and refused for it.
    cut: int = 0

    def call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **how: Any) -> Answer:
        """Send a request until it is answered with something that another attempt would not change."""
        if method != "GET":
            headers = {"Idempotency-Key": f"{random.SystemRandom().getrandbits(128):032x}", **(headers or {})}
        end = time.monotonic() + PATIENCE_S
        for attempt in itertools.count(1):
            self.url = self.urls[(hash(threading.current_thread()) + attempt) % len(self.urls)]
            try:
                answer = super().call(method, path, headers=headers, **how)
            except (OSError, http.client.HTTPException) as error:
                wrong = type(error).__name__
            else:
                if answer.status < 500 and answer.status != 429:
                    return answer
                wrong = str(answer.status)
            self.retries[wrong] += 1
            assert time.monotonic() < end, f"{method} {path}: no answer, last {wrong}"
            _never.wait(AGAIN_S)
        raise AssertionError
