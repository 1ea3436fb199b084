"""A running ingress, called over HTTP; its URL and token come from options, the environment or a file."""

from __future__ import annotations

import contextlib
import functools
import http.client
import tomllib
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import click
import msgspec

from api.cli.catalog_key import key_argument
from shared.errors import SluiceError
from shared.model import Status

#: An answer to a file comes after all its rows are read.
ANSWER_TIMEOUT_S = 600
LOCAL_URL = "http://127.0.0.1:8080"


class IngressError(SluiceError):
    """The ingress refused a request, or did not answer."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        #: None if there was no answer.
        self.status = status

    @property
    def may_pass(self) -> bool:
        """Return whether the same request may succeed later."""
        return self.status is None or self.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def refuse_unless_done(task: Mapping[str, Any]) -> None:
    """Raise IngressError for a task that ended otherwise than DONE."""
    if task["status"] != Status.DONE:
        why = (task.get("error") or {}).get("message", "")
        raise IngressError(f"task {task['id']} is {task['status']}: {why}")


class IngressClient:
    """A running ingress, called on behalf of one catalog."""

    def __init__(self, url: str, catalog_key: str, token: str) -> None:
        self._address = urlsplit(url)
        self.catalog_key = catalog_key
        self._token = token

    def call(
        self,
        method: str,
        path: str,
        body: Iterator[bytes] | bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Any:
        """Send a request and decode the response.  Raises IngressError if it is an error or there is none."""
        return msgspec.json.decode(self.text(method, path, body, headers=headers, **query))

    def text(
        self,
        method: str,
        path: str,
        body: Iterator[bytes] | bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> bytes:
        """Send a request; the response is JSON, whose numbers have all their digits."""
        secure = self._address.scheme == "https"
        make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        wanted = {name: value for name, value in query.items() if value is not None}
        target = f"{self._address.path}{path}?{urlencode({'key': self.catalog_key, **wanted}, doseq=True)}"
        sent = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        try:
            with contextlib.closing(make(self._address.netloc, timeout=ANSWER_TIMEOUT_S)) as connection:
                connection.request(method, target, body, sent, encode_chunked="Transfer-Encoding" in sent)
                answer = connection.getresponse()
                text = answer.read()
            said = msgspec.json.decode(text)
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
            raise IngressError(f"{self._address.geturl()} does not answer: {error!r}") from None
        if answer.status != HTTPStatus.OK:
            raise IngressError(f"refused ({answer.status}): {said['message']}", status=answer.status)
        return text


def with_ingress(command: Callable[..., None]) -> Callable[..., None]:
    """Add KEY, --url and --token to a command, which gets the ingress as its first argument."""

    @key_argument
    @click.option("--url", envvar="SLUICE_URL", help=f"URL of the ingress, or SLUICE_URL; else {LOCAL_URL}.")
    @click.option("--token", envvar="SLUICE_TOKEN", help="The token, or SLUICE_TOKEN.")
    @functools.wraps(command)
    def connected(*arguments: Any, catalog_key: str, url: str | None, token: str | None, **options: Any) -> None:
        kept = _kept()
        if not (token := token or kept.get("token")):
            raise click.UsageError(
                f'no token: use --token, SLUICE_TOKEN, or write token = "tok_…" into {config_file()}'
            )
        command(IngressClient(url or kept.get("url") or LOCAL_URL, catalog_key, token), *arguments, **options)

    return connected


def config_file() -> Path:
    """Return the file that may hold ``url`` and ``token``."""
    return Path(click.get_app_dir("sluice")) / "config.toml"


def _kept() -> dict[str, Any]:
    try:
        return tomllib.loads(config_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{config_file()} is not TOML: {error}") from None
