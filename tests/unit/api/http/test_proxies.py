"""What a trusted proxy says of its client is believed, what anybody else says is not."""

from __future__ import annotations

from typing import Any

import pytest

from api.http.proxies import BehindProxies, TrustedProxies, parse_public_url
from shared.errors import BadSetting

FORWARDED = {
    "HTTP_X_FORWARDED_FOR": "6.6.6.6, 9.9.9.9, 10.0.0.7",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "shop.example",
}


def seen(address: str, *, trusted: str = "10.0.0.0/8,unix", public_url: str | None = None, **sent: str) -> Any:
    """What an application sees of a request from this address: client, scheme, host."""
    environ = {"REMOTE_ADDR": address, "wsgi.url_scheme": "http", "HTTP_HOST": "inside", **sent}

    def app(environ: Any, _: Any) -> Any:
        return [environ[name] for name in ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST")]

    return BehindProxies(app, TrustedProxies(trusted), public_url)(environ, lambda *_: None)


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", ""])
def test_the_nearest_address_that_is_no_proxy_of_ours_is_the_client(address: str) -> None:
    assert seen(address, **FORWARDED) == ["9.9.9.9", "https", "shop.example"]


def test_a_stranger_is_not_believed() -> None:
    assert seen("8.8.8.8", **FORWARDED) == ["8.8.8.8", "http", "inside"]
    assert seen("", trusted="10.0.0.0/8", **FORWARDED) == ["", "http", "inside"]


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("", "10.0.0.1"),
        ("garbage", "10.0.0.1"),
        ("6.6.6.6, garbage, 10.0.0.9", "10.0.0.9"),
        ("9.9.9.9:1234", "9.9.9.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
    ],
)
def test_addresses_are_read_however_they_are_written(forwarded: str, client: str) -> None:
    assert seen("10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)[0] == client


@pytest.mark.parametrize("host", ["evil.example/path", "a b", "user@host", ""])
def test_a_host_that_is_none_is_not_believed(host: str) -> None:
    assert seen("10.0.0.1", HTTP_X_FORWARDED_HOST=host, HTTP_X_FORWARDED_PROTO="gopher")[1:] == ["http", "inside"]


def test_a_public_url_counts_for_all() -> None:
    assert seen("8.8.8.8", public_url="https://shop.example:8443/") == ["8.8.8.8", "https", "shop.example:8443"]


@pytest.mark.parametrize("url", ["shop.example", "ftp://x", "https://x/path", "https://u:p@x"])
def test_a_bad_public_url_is_told(url: str) -> None:
    with pytest.raises(BadSetting, match="SLUICE_PUBLIC_URL"):
        parse_public_url(url)


def test_a_bad_network_is_told() -> None:
    with pytest.raises(BadSetting, match="SLUICE_TRUSTED_PROXIES"):
        TrustedProxies("10.0.0.0/99")
