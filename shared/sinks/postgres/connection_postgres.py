"""Connections to PostgreSQL that never hang for long, and its errors in our words."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import conninfo, errors

from shared.sinks.destination import DestinationAway, DestinationRefuses
from shared.sinks.mapping import Mapping
from shared.sinks.sinks import BadSink, Sink

Connection = psycopg.Connection[tuple[Any, ...]]
Cursor = psycopg.Cursor[tuple[Any, ...]]

OLDEST_VERSION = 140_000
#: Seconds for a connection.
CONNECT_S = 5
#: How long a delivery waits for another's lock.
LOCK_MS = 3_000

#: Errors that a person has to do something about; all other errors of the server may pass.
_HOPELESS = (
    errors.InsufficientPrivilege,
    errors.InvalidCatalogName,
    errors.InvalidPassword,
    errors.InvalidAuthorizationSpecification,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.DependentObjectsStillExist,
    errors.WrongObjectType,
    errors.InvalidSchemaName,
)


def check_sink(url: str, mapping: Mapping) -> None:
    """Raise BadSink unless the URL is one that libpq takes."""
    try:
        conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # The text would repeat the URL, which may have a password.
        raise BadSink("this is not a URL of a PostgreSQL database: postgresql://user:password@host:port/name") from None


def open_connection(sink: Sink, catalog_key: str, *, timeout_s: float) -> Connection:
    """Connect.  Raises DestinationAway, DestinationRefuses."""
    options = (
        f"-c statement_timeout={int(timeout_s * 1000)} -c lock_timeout={LOCK_MS}"
        # A writer that stopped halfway must not keep its locks.
        f" -c idle_in_transaction_session_timeout={int(timeout_s * 1000)} -c timezone=UTC"
    )
    with translated():
        connection = psycopg.connect(
            sink.url,
            autocommit=True,
            connect_timeout=CONNECT_S,
            application_name=f"sluice {catalog_key} {sink.name}"[:63],
            options=f"{conninfo.conninfo_to_dict(sink.url).get('options') or ''} {options}".strip(),
            prepare_threshold=None,
        )
    if connection.info.server_version < OLDEST_VERSION:
        connection.close()
        raise DestinationRefuses(
            f"PostgreSQL 14 or newer is needed; this is {connection.info.server_version // 10_000}"
        )
    return connection


@contextlib.contextmanager
def transaction(connection: Connection, timeout_s: float) -> Iterator[Cursor]:
    """Run a transaction; a server that hangs is cut off, since libpq would wait for an answer without end."""
    cut = threading.Timer(timeout_s + 1, _cut, (connection,))
    cut.daemon = True
    cut.start()
    try:
        with translated(), connection.transaction(), connection.cursor() as cursor:
            yield cursor
    finally:
        cut.cancel()


def _cut(connection: Connection) -> None:
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise DestinationAway or DestinationRefuses instead of errors of the client."""
    try:
        yield
    except _HOPELESS as problem:
        raise DestinationRefuses(_said(problem)) from problem
    except psycopg.Error as problem:
        raise DestinationAway(_said(problem)) from problem


def _said(problem: psycopg.Error) -> str:
    """Return the first line of an error; it names hosts and users, never passwords."""
    return str(problem).strip().partition("\n")[0] or type(problem).__name__
