"""The application that gunicorn serves: ``api.wsgi:app``."""

from __future__ import annotations

import os

from api.app import create_app
from api.http.proxies import BehindProxies, TrustedProxies
from api.quick_requests import quick_requests
from api.server.hosted_app import HostedApp
from api.server.limits import Limits
from api.triage import Triage
from shared.settings import Settings
from shared.telemetry import spans

#: They are answered on seats of their own, whatever the writers do.
LIGHT = (b"/health", b"/metrics", b"/version", b"/integration")


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
        is_quick=quick_requests(settings),
    )


spans.configure(os.environ, service="sluice-ingress")
app = create_hosted_app(Settings.from_env(os.environ))
