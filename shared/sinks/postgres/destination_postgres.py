"""Deliver to PostgreSQL 14 or newer.

A delivery is one transaction: it moves the row of its copy in ``sluice_sinks`` if that is as expected, and writes the
entries.  So each entry is there once, a restored database goes on from its own position, and a late writer's
transaction finds another owner or another position and changes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import errors

from shared.clock import iso
from shared.codec import encode_json
from shared.model import Kind
from shared.sinks.destination import (
    Copies,
    Copy,
    CopyChange,
    DeadLetter,
    DestinationRefuses,
    Differences,
    Mark,
    Superseded,
    Which,
)
from shared.sinks.mapping import Document, Variations
from shared.sinks.postgres import old_copy, statements
from shared.sinks.postgres.connection_postgres import Connection, Cursor, check_sink, open_connection, transaction
from shared.sinks.postgres.statements import Tables
from shared.sinks.sinks import Sink
from shared.store.positions import Position

__all__ = ["check_sink", "connect"]

#: Errors that are about the values of single rows.
_OF_ROWS = (errors.DataError, errors.ProgramLimitExceeded, errors.IntegrityError)


def connect(sink: Sink, catalog_key: str, *, timeout_s: float) -> PostgresDestination:
    """Connect.  Raises DestinationAway, DestinationRefuses."""
    return PostgresDestination(open_connection(sink, catalog_key, timeout_s=timeout_s), sink, catalog_key, timeout_s)


class PostgresDestination:
    """A sink's tables in one database; a `shared.sinks.destination.Destination`."""

    def __init__(self, connection: Connection, sink: Sink, catalog_key: str, timeout_s: float) -> None:
        self._connection = connection
        self._sink = sink
        self._catalog_key = catalog_key
        self._timeout_s = timeout_s
        self._owner = ""
        self._tables = {which: Tables(sink.name, sink.mapping, which) for which in Which}

    def take_over(self, owner: str) -> Copies:
        name, sink = self._sink.name, self._sink
        with self._transaction() as cursor:
            # Two that create it at the same moment collide.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('sluice_sinks'))")
            cursor.execute(statements.CREATE_POSITIONS)
            rows = cursor.execute(statements.LOOK, (name,)).fetchall()
            self._check_free(cursor, rows)
            asked = {"name": name, "sink_id": sink.id, "catalog_key": self._catalog_key, "section": sink.section}
            cursor.execute(statements.OWN, {**asked, "owner": owner})
            cursor.execute(statements.OWN_ALL, (owner, name))
            self._owner = owner
            self._forget_broken(cursor)
            return _held(cursor.execute(statements.LOOK, (name,)).fetchall())

    def look(self) -> Copies:
        try:
            with self._transaction() as cursor:
                return _held(cursor.execute(statements.LOOK, (self._sink.name,)).fetchall())
        except DestinationRefuses as problem:
            # The table of positions is not there before the first change.
            if isinstance(problem.__cause__, errors.UndefinedTable):
                return Copies(None, None)
            raise

    def start_next(self, copy: Copy) -> None:
        tables = self._tables[Which.NEXT]
        with self._transaction() as cursor:
            self._lock(cursor)
            self._drop_next(cursor)
            values = {"name": self._sink.name, "owner": self._owner, "version": copy.version, "cursor": copy.cursor}
            cursor.execute(statements.START_NEXT, {**values, **_mark(copy.mark), "tables": tables.made})
            for statement in tables.create():
                cursor.execute(statement)

    def drop_next(self) -> None:
        with self._transaction() as cursor:
            self._lock(cursor)
            self._drop_next(cursor)

    def deliver(self, change: CopyChange) -> list[DeadLetter]:
        tables, dead = self._tables[change.which], list[DeadLetter]()
        with self._transaction() as cursor:
            self._move(cursor, change)
            touched = self._items_of(cursor, tables, change)
            for kind, ids in change.gone.items():
                self._delete(cursor, tables, kind, ids)
            for kind, documents in change.documents.items():
                dead += self._put(cursor, tables, kind, documents)
            if touched:
                nested = self._sink.mapping.mode is Variations.NESTED
                cursor.execute(tables.nest() if nested else tables.flatten(), (sorted(touched),))
        return dead

    def switch(self, copy: Copy) -> None:
        live, made = self._tables[Which.LIVE], self._tables[Which.NEXT]
        values = {"name": self._sink.name, "owner": self._owner, "version": copy.version, "tables": live.made}
        with self._transaction() as cursor:
            before, version = self._lock(cursor)
            # One of the same version was made from the same: nobody wants that back, but perhaps the old one.
            if version not in ("", copy.version):
                old_copy.forget(cursor, self._sink.name)
                if self._sink.take_over:
                    old_copy.drop(cursor, self._tables[Which.OLD].possible)
                old_copy.keep(cursor, self._sink.name, before)
                before = []
            if not cursor.execute(statements.MOVE_IN, {**values, **_mark(copy.mark)}).rowcount:
                raise Superseded("another delivers to this sink now")
            cursor.execute(statements.FORGET_NEXT, (self._sink.name,))
            gone = live.possible if self._sink.take_over else before
            for statement in (*statements.drop(gone), *statements.rename(made.made, live.made)):
                cursor.execute(statement)

    def undo(self, copy: Copy) -> None:
        with self._transaction() as cursor:
            self._lock(cursor)
            if not old_copy.exchange(cursor, self._sink.name, copy.version):
                raise Superseded("the old copy is gone")

    def drop_old(self) -> None:
        with self._transaction() as cursor:
            self._lock(cursor)
            old_copy.forget(cursor, self._sink.name)

    def compare(self, mark: Mark, kind: Kind, documents: Sequence[Document], after: str, until: str) -> Differences:
        found: dict[str, list[str]] = {"missing": [], "extra": [], "stale": []}
        with self._transaction() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            held = _held(cursor.execute(statements.LOOK, (self._sink.name,)).fetchall())
            if held.live is None or held.live.mark != mark:
                raise Superseded("the live copy has moved on")
            given = {"after": after, "until": until, "rows": _rows(documents)}
            for entry_id, what in cursor.execute(self._tables[Which.LIVE].compare(kind), given):
                found[what].append(entry_id)
        return Differences(**found)

    def close(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self._connection.close()

    # -- inside a transaction --------------------------------------------------------------------------------------

    def _check_free(self, cursor: Cursor, rows: Sequence[tuple[Any, ...]]) -> None:
        """Raise DestinationRefuses if a table is somebody else's, and this sink may not replace it."""
        name, sink = self._sink.name, self._sink
        if sink.take_over:
            return
        if rows and not any(row[7] == sink.id for row in rows):
            raise DestinationRefuses(
                f"the table {name} is that of another sink (catalog {rows[0][8]}, section {rows[0][9]}): choose another"
                " name, or add this one with --take-over"
            )
        # Another mapping may need a table that this sink has not made yet.
        own = {table for row in rows for table in row[10]}
        others = [table for tables in self._tables.values() for table in tables.possible if table not in own]
        for (table,) in cursor.execute(statements.THERE, (others,)).fetchall():
            raise DestinationRefuses(
                f"there is a table {table} already, which no sink made: choose another name, or add the sink with"
                " --take-over, which replaces it"
            )

    def _lock(self, cursor: Cursor) -> tuple[list[str], str]:
        """Stay the owner until the transaction ends; returns the names of the live tables and their version.

        Raises Superseded.
        """
        rows: list[tuple[list[str], str]] = cursor.execute(statements.LOCK, (self._sink.name, self._owner)).fetchall()
        if not rows:
            raise Superseded("another delivers to this sink now")
        return rows[0]

    def _forget_broken(self, cursor: Cursor) -> None:
        """Forget copies of which somebody dropped a table; readers keep what is left of the live one."""
        cursor.execute(statements.FORGET_BROKEN_LIVE, (self._sink.name,))
        for (tables,) in cursor.execute(statements.FORGET_BROKEN, (self._sink.name,)).fetchall():
            old_copy.drop(cursor, tables)

    def _drop_next(self, cursor: Cursor) -> None:
        made = [table for (tables,) in cursor.execute(statements.FORGET_NEXT, (self._sink.name,)) for table in tables]
        for statement in statements.drop(self._tables[Which.NEXT].possible if self._sink.take_over else made):
            cursor.execute(statement)

    def _move(self, cursor: Cursor, change: CopyChange) -> None:
        before, after = change.before, change.after
        values = {"name": self._sink.name, "copy": change.which, "owner": self._owner, "version": before.version}
        expected = {f"{name}_before": value for name, value in _mark(before.mark).items()}
        values |= {"cursor": after.cursor, "cursor_before": before.cursor, **_mark(after.mark), **expected}
        if not cursor.execute(statements.MOVE, values).rowcount:
            raise Superseded("the copy is at another position, or another delivers to this sink now")

    def _delete(self, cursor: Cursor, tables: Tables, kind: Kind, ids: Sequence[str]) -> None:
        # What cannot be a text here was never stored.
        if possible := [entry_id for entry_id in ids if "\0" not in entry_id]:
            cursor.execute(tables.delete(kind), (possible,))

    def _put(self, cursor: Cursor, tables: Tables, kind: Kind, documents: Sequence[Document]) -> list[DeadLetter]:
        """Write rows; those that the database refuses are found by halving, and left out."""
        if not documents:
            return []
        try:
            with self._connection.transaction():
                cursor.execute(tables.put(kind), (_rows(documents),))
                return []
        except _OF_ROWS as problem:
            if len(documents) == 1:
                self._delete(cursor, tables, kind, [documents[0].id])
                return [DeadLetter(kind, documents[0].id, str(problem).partition("\n")[0])]
        half = len(documents) // 2
        parts = documents[:half], documents[half:]
        return [letter for part in parts for letter in self._put(cursor, tables, kind, part)]

    def _items_of(self, cursor: Cursor, tables: Tables, change: CopyChange) -> set[str]:
        """List the items that have to be combined with their variations anew."""
        if self._sink.mapping.mode not in (Variations.NESTED, Variations.FLAT):
            return set()
        documents, gone = change.documents, change.gone
        touched = {one.id for one in documents.get(Kind.ITEMS, ())} | set(gone.get(Kind.ITEMS, ()))
        variations = documents.get(Kind.VARIATIONS, ())
        touched |= {one.item_id for one in variations if one.item_id is not None}
        # Those that they belonged to before, too.
        ids = [*(one.id for one in variations), *gone.get(Kind.VARIATIONS, ())]
        ids = [entry_id for entry_id in ids if "\0" not in entry_id]
        touched |= {item_id for (item_id,) in cursor.execute(tables.items_of(), (ids,))}
        return {item_id for item_id in touched if "\0" not in item_id}

    def _transaction(self) -> contextlib.AbstractContextManager[Cursor]:
        return transaction(self._connection, self._timeout_s)


def _mark(mark: Mark) -> dict[str, Any]:
    position = mark.position
    return {"task_id": position.task_id, "reach": mark.reach, "mark": position.mark, "pieces": position.pieces}


def _held(rows: Sequence[tuple[Any, ...]]) -> Copies:
    copies = {
        copy: Copy(Mark(Position(task_id, mark, pieces), reach), version, cursor)
        for copy, version, task_id, reach, mark, pieces, cursor, *_ in rows
    }
    live = copies.get(Which.LIVE)
    ages = [row[-1] for row in rows if row[0] == Which.OLD]
    # The row of the live copy is made before its tables.
    return Copies(
        live if live and live.version else None, copies.get(Which.NEXT), copies.get(Which.OLD), *ages
    )  # fmt: skip


def _rows(documents: Sequence[Document]) -> str:
    """Write documents as one JSON list, for jsonb_to_recordset."""
    return encode_json([_row(one) for one in documents]).decode()


def _row(one: Document) -> Mapping[str, Any]:
    row = {"id": one.id, "body": msgspec.Raw(one.body), "updated_at": iso(one.updated_ms), **one.columns}
    return row if one.item_id is None else {**row, "item_id": one.item_id}
