"""A WSGI application with the rules by which the server treats it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from api.server.limits import Limits

Environ = dict[str, Any]


class Verdict(Enum):
    """How to go on with a request whose body has not arrived."""

    #: Call the application now: it does not read the body.
    NOW = "now"
    #: Wait for the whole body, then call the application.
    GATHER = "gather"
    #: Call the application, which reads the body as it arrives.
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class HostedApp:
    """A WSGI application and its rules."""

    app: Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
    #: Called with the head of a request that has a long body.
    triage: Callable[[Environ], Verdict]
    #: Prefixes of paths that are served on seats of their own, however busy the others are.
    light: tuple[bytes, ...]
    limits: Limits
    #: Whether an address is a trusted proxy, which has no connection cap of its own.
    is_trusted: Callable[[str], bool]
    #: Whether a request, by method, target and bytes of its body, is short work and may share lines to the store.
    is_quick: Callable[[bytes, bytes, int], bool] = lambda _method, _target, _body_bytes: False

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Call the application: the WSGI interface."""
        return self.app(environ, start_response)
