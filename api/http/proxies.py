"""Requests that come through proxies: who sent them, and under which URL."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from shared.errors import BadSetting

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


class TrustedProxies:
    """The proxies whose word about their clients is taken."""

    def __init__(self, text: str) -> None:
        """Read addresses and networks, separated by commas; ``unix`` stands for Unix sockets.  Raises BadSetting."""
        names = [name.strip() for name in text.split(",") if name.strip()]
        self._unix = "unix" in names
        try:
            self._networks: list[Network] = [ipaddress.ip_network(name) for name in names if name != "unix"]
        except ValueError as error:
            raise BadSetting(f"SLUICE_TRUSTED_PROXIES: {error}") from None

    def __contains__(self, address: str) -> bool:
        if not address:
            return self._unix
        if not self._networks:
            return False
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed in network for network in self._networks)


def parse_public_url(text: str) -> tuple[str, str]:
    """Read scheme and host of the URL under which clients reach the ingress.  Raises BadSetting."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc) or parts.path not in ("", "/"):
        raise BadSetting(f"SLUICE_PUBLIC_URL={text!r}: not of the form https://host[:port]")
    return parts.scheme, parts.netloc


class BehindProxies:
    """A WSGI application that sees its clients, not the proxies in front of it."""

    def __init__(self, app: Callable[..., Iterable[bytes]], proxies: TrustedProxies, public_url: str | None) -> None:
        self._app, self._proxies = app, proxies
        self._public = parse_public_url(public_url) if public_url else None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request; what an untrusted address says about others is not looked at."""
        if environ["REMOTE_ADDR"] in self._proxies:
            self._believe(environ)
        if self._public:
            environ["wsgi.url_scheme"], environ["HTTP_HOST"] = self._public
        return self._app(environ, start_response)

    def _believe(self, environ: dict[str, Any]) -> None:
        for address in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            bare = _without_port(address.strip())
            if not bare:
                break  # what stands further left was written by who knows whom
            environ["REMOTE_ADDR"] = bare
            if bare not in self._proxies:
                break
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        host = environ.get("HTTP_X_FORWARDED_HOST", "").rpartition(",")[2].strip()
        if _HOST.fullmatch(host):
            environ["HTTP_HOST"] = host


def _without_port(text: str) -> str:
    """Read an address that may have a port; empty if it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
