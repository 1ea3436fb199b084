"""A sink in PostgreSQL, read and spoiled by plain SQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from shared.model import Kind
from tests.support.rig import Rig
from tests.support.sinks import PUBLIC, DeliveryRig


class SinkRig(DeliveryRig):
    """A sink in PostgreSQL."""

    def __init__(self, rig: Rig, url: str) -> None:
        super().__init__(rig, url)
        self.database = psycopg.connect(url, autocommit=True)

    def position(self) -> tuple[int, bool]:
        row = self.query("SELECT task_id, exact FROM sluice_sinks WHERE name = 'products' AND copy = 'live'")
        return row[0] if row else (0, True)

    def age_old(self, hours: float) -> None:
        ago = timedelta(hours=hours)
        self.database.execute("UPDATE sluice_sinks SET delivered_at = now() - %s WHERE copy = 'old'", (ago,))

    def there(self) -> list[str]:
        found = self.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        return sorted(name for (name,) in found)

    def raw(self, kind: Kind = Kind.ITEMS) -> dict[str, dict[str, Any]]:
        return dict(self.query(f"SELECT id, to_jsonb(one) FROM {PUBLIC[kind]} AS one"))

    def write_raw(self, kind: Kind, entry_id: str, row: dict[str, Any] | None) -> None:
        name = PUBLIC[kind]
        self.database.execute(f"DELETE FROM {name} WHERE id = %s", (entry_id,))  # type: ignore[call-overload]
        if row is not None:
            insert = f"INSERT INTO {name} SELECT * FROM jsonb_populate_record(NULL::{name}, %s)"
            self.database.execute(insert, (Jsonb(row),))  # type: ignore[call-overload]

    def kinds(self) -> list[Kind]:
        there = self.there()
        return [kind for kind, name in PUBLIC.items() if name in there]

    def occupy(self) -> None:
        self.database.execute("CREATE TABLE products AS SELECT 1 AS mine")

    def is_occupied(self) -> bool:
        return self.query("SELECT to_jsonb(one) FROM products AS one") == [({"mine": 1},)]

    def free(self) -> None:
        self.database.execute("DROP TABLE products")

    def lose(self, kind: Kind) -> None:
        self.database.execute(f"DROP TABLE {PUBLIC[kind]}")  # type: ignore[call-overload]

    def backup(self) -> Callable[[], None]:
        name = self.database.info.dbname
        self._alone(f"CREATE DATABASE {name}_backup TEMPLATE {name}")
        return lambda: self._alone(
            f"DROP DATABASE {name} WITH (FORCE)", f"ALTER DATABASE {name}_backup RENAME TO {name}"
        )

    def _alone(self, *statements: str) -> None:
        """Run statements while nobody is connected to the database."""
        self.close()
        with psycopg.connect(self.url, dbname="postgres", autocommit=True) as admin:
            for statement in statements:
                admin.execute(statement)  # type: ignore[call-overload]
        self.database = psycopg.connect(self.url, autocommit=True)

    def find(self, word: str) -> list[str]:
        return [entry_id for (entry_id,) in self.query("SELECT id FROM products WHERE name LIKE %s", f"%{word}%")]

    def stamp(self) -> Any:
        return self.query("SELECT xmin::text, id FROM products ORDER BY id")

    def spelled(self, entry_id: str) -> str:
        return str(self.query("SELECT body::text FROM products WHERE id = %s", entry_id)[0][0])

    def known(self) -> list[str]:
        return sorted(["sluice_sinks", *(name for (name,) in self.query("SELECT unnest(tables) FROM sluice_sinks"))])

    def query(self, statement: str, *values: Any) -> list[Any]:
        return self.database.execute(statement, values or None).fetchall()  # type: ignore[arg-type]

    def nested(self) -> dict[str, list[str]]:
        return dict(self.query("SELECT id, jsonb_path_query_array(variations, '$[*].id') FROM products"))

    def flat(self) -> dict[str, str | None]:
        return dict(self.query("SELECT id, item->>'name' FROM products_variations"))

    def rows(self, kind: Kind = Kind.ITEMS) -> dict[str, Any]:
        return dict(self.query(f"SELECT id, body FROM {PUBLIC[kind]} ORDER BY id"))

    def close(self) -> None:
        super().close()
        self.database.close()
