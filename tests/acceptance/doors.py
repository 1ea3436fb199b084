"""Ways to the ingress other than plain HTTP: its own TLS, and nginx with TLS in front of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.stack.certificate import keep_certificate
from deploy.stack.ports import LOOPBACK, free_port
from shared.waiting import wait_until
from tests.acceptance.conftest import OpenSite
from tests.acceptance.site import Site

NGINX_CONF = Path(__file__).parents[2] / "deploy" / "nginx" / "sluice.conf"

_FRAME = """
daemon off; worker_processes 1; pid nginx.pid; error_log error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    {shipped}
}}
"""


@pytest.fixture(scope="module", params=["its own TLS", "nginx"])
def door_site(
    request: pytest.FixtureRequest, open_site: OpenSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site whose URL is that of a door; clients trust its certificate."""
    folder = tmp_path_factory.mktemp("door")
    if request.param == "nginx":
        with open_site(trusted_proxies=LOOPBACK) as site, _nginx(folder, site.url) as url:
            site.url = url
            with _trusted(folder / "tls.pem"):
                yield site
    else:
        with open_site(tls_cert="self-signed") as site, _trusted(site.stack.folder.path / "tls.pem"):
            yield site


@contextmanager
def _trusted(certificate: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        # Of Python's ssl, requests, and Node.
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
            patch.setenv(name, str(certificate))
        yield


@contextmanager
def _nginx(folder: Path, upstream: str) -> Iterator[str]:
    """Run nginx with the file that is shipped, but for ports and paths; without it: skip at home, fail in CI."""
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    port, certificate = free_port(LOOPBACK, 0), keep_certificate(folder / "tls.pem", LOOPBACK)
    shipped = NGINX_CONF.read_text(encoding="utf-8")
    for was, becomes in (
        ("127.0.0.1:8080", urlsplit(upstream).netloc),
        ("listen 443 ssl", f"listen {LOOPBACK}:{port} ssl"),
        ("/etc/ssl/certs/sluice.pem", str(certificate)),
        ("/etc/ssl/private/sluice.key", str(certificate)),
    ):
        assert was in shipped
        shipped = shipped.replace(was, becomes)
    (folder / "nginx.conf").write_text(_FRAME.format(shipped=shipped), encoding="utf-8")
    with subprocess.Popen([binary, "-p", folder, "-c", "nginx.conf", "-e", "error.log"]) as process:
        try:
            wait_until(lambda: _listens(port), "nginx listens", timeout_s=10)
            yield f"https://{LOOPBACK}:{port}"
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
