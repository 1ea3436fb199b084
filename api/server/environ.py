"""Build the WSGI environ of a request."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

if TYPE_CHECKING:
    from api.server.connection import Connection


def base_environ(scheme: str, name: str, port: str, *, multiprocess: bool) -> dict[str, Any]:
    """Build the part that all requests of a process share."""
    return {
        "SCRIPT_NAME": "",
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": multiprocess,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


def environ_of(c: Connection, base: dict[str, Any], body: Any) -> dict[str, Any]:
    """Build the environ of the request whose head has arrived."""
    parser = c.parser
    target = parser.path.decode("latin-1")
    if not target.startswith("/") and target != "*":  # an absolute URL, as sent to proxies
        parts = urlsplit(target)
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    path, _, query = target.partition("#")[0].partition("?")
    if "%" in path:
        path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    environ = {
        **base,
        "REQUEST_METHOD": parser.method.decode("latin-1"),
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1" if parser.http_version[1] else "HTTP/1.0",
        "REMOTE_ADDR": c.address,
        "wsgi.input": body,
    }
    for name, value in parser.headers:
        key = _key(name)
        if key is not None:
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


@functools.lru_cache(1024)
def _key(name: bytes) -> str | None:
    # A header with an underscore could pass for one with a hyphen that a proxy has checked.
    if b"_" in name:
        return None
    text = name.decode("latin-1").upper().replace("-", "_")
    return text if text in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + text
