"""The application that gunicorn serves: ``api.wsgi:app``."""

from __future__ import annotations

import os
from collections.abc import Callable

from api.app import create_app
from api.http.proxies import BehindProxies, TrustedProxies
from api.server.hosted_app import HostedApp
from api.server.limits import Limits
from api.triage import Triage
from shared.settings import Settings
from shared.telemetry import spans

#: They are answered on seats of their own, whatever the writers do.
LIGHT = (b"/health", b"/metrics", b"/version", b"/integration")


#: Small writes to these take half a millisecond each.
_SMALL_WRITES = (b"/v2/items", b"/v2/variations", b"/v2/item_groups")
_WRITES = frozenset((b"PUT", b"PATCH", b"DELETE"))
_SMALL_BYTES = 16 * 1024
#: It asks nobody.
_ALIVE = b"/health/live"


def _quick_requests(settings: Settings) -> Callable[[bytes, bytes, int], bool]:
    """Tell whether a request is a small write, or asks only whether this process lives."""
    # Calls over TLS, and those that wait for replicas, share no connection: on a thread of their own they cost less.
    shares = not (settings.redis_url or "").startswith("rediss") and not settings.min_replicas

    def is_quick(method: bytes, path: bytes, body_bytes: int) -> bool:
        is_small_write = method in _WRITES and body_bytes <= _SMALL_BYTES and path.startswith(_SMALL_WRITES)
        return (shares and is_small_write) or path == _ALIVE

    return is_quick


def create_hosted_app(settings: Settings) -> HostedApp:
    """Build the ingress, with what its server has to know."""
    app = create_app(settings)
    proxies = TrustedProxies(settings.trusted_proxies or "")
    return HostedApp(
        app=BehindProxies(app, proxies, settings.public_url),
        triage=Triage(app, settings),
        light=LIGHT,
        limits=Limits(
            uploads=settings.uploads,
            connections=settings.connections,
            connections_per_address=settings.connections_per_address,
            client_timeout_s=settings.client_timeout_s,
            client_min_bytes_s=settings.client_min_bytes_s,
            client_bytes=settings.client_bytes,
            keepalive_s=settings.keepalive_s,
            max_body_bytes=settings.max_body_bytes,
        ),
        is_trusted=proxies.__contains__,
        is_quick=_quick_requests(settings),
    )


spans.configure(os.environ, service="sluice-ingress")
app = create_hosted_app(Settings.from_env(os.environ))
