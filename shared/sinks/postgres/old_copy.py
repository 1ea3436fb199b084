"""The copy that was live before, kept beside the live one so that readers can be given it back."""

from __future__ import annotations

from psycopg import sql

from shared.model import Kind
from shared.sinks.destination import Which
from shared.sinks.postgres import statements
from shared.sinks.postgres.connection_postgres import Cursor
from shared.sinks.postgres.statements import POSITIONS, table_name

_KINDS = (Kind.ITEMS, Kind.VARIATIONS)
#: The name of a row, and the ending of tables, while two copies change places.
_BETWEEN = "between"

#: Another row of the live copy, which stays behind.
_KEEP = sql.SQL(
    """
    INSERT INTO {positions} (name, copy, sink_id, catalog_key, section, owner, version, task_id, reach, mark, pieces,
        tables)
    SELECT name, 'old', sink_id, catalog_key, section, owner, version, task_id, reach, mark, pieces, %s
    FROM {positions} WHERE name = %s AND copy = 'live'
    """
).format(positions=POSITIONS)

_FORGET = sql.SQL("DELETE FROM {positions} WHERE name = %s AND copy = 'old' RETURNING tables").format(
    positions=POSITIONS
)

_CALL = sql.SQL(
    "UPDATE {positions} SET copy = %(other)s, tables = %(tables)s, delivered_at = now()"
    " WHERE name = %(name)s AND copy = %(copy)s AND (%(version)s = '' OR version = %(version)s)"
).format(positions=POSITIONS)

_TABLES = sql.SQL("SELECT tables FROM {positions} WHERE name = %s AND copy = %s").format(positions=POSITIONS)


def keep(cursor: Cursor, name: str, live: list[str]) -> None:
    """Keep the live copy, whose tables these are, as the old one.

    Raises an error of the database if something depends on them: it would go on to show what is old.
    """
    _check_free(cursor, live)
    kept = _renamed(name, live, Which.LIVE, Which.OLD)
    cursor.execute(_KEEP, (kept, name))
    for statement in statements.rename(live, kept):
        cursor.execute(statement)


def forget(cursor: Cursor, name: str) -> None:
    """Drop the old copy, if there is one."""
    made = [table for (tables,) in cursor.execute(_FORGET, (name,)) for table in tables]
    drop(cursor, made)


def drop(cursor: Cursor, tables: list[str]) -> None:
    """Drop tables, if they are there."""
    for statement in statements.drop(tables):
        cursor.execute(statement)


def exchange(cursor: Cursor, name: str, version: str) -> bool:
    """Make the old copy, of this version, live, and the live one old; false if there is no such old copy.

    Raises an error of the database if something depends on the live one, as `keep` does.
    """
    _check_free(cursor, _tables(cursor, name, Which.LIVE))
    if not _move(cursor, name, Which.OLD, _BETWEEN, version):
        return False
    _move(cursor, name, Which.LIVE, Which.OLD)
    _move(cursor, name, _BETWEEN, Which.LIVE)
    return True


def _check_free(cursor: Cursor, tables: list[str]) -> None:
    """Raise an error of the database if something depends on tables, such as a view: it would follow them."""
    with cursor.connection.transaction(force_rollback=True):
        drop(cursor, tables)


def _tables(cursor: Cursor, name: str, copy: str) -> list[str]:
    return [table for (found,) in cursor.execute(_TABLES, (name, copy)).fetchall() for table in found]


def _move(cursor: Cursor, name: str, copy: str, other: str, version: str = "") -> bool:
    tables = _tables(cursor, name, copy)
    renamed = _renamed(name, tables, copy, other)
    values = {"name": name, "copy": copy, "other": other, "tables": renamed, "version": version}
    if not cursor.execute(_CALL, values).rowcount:
        return False
    for statement in statements.rename(tables, renamed):
        cursor.execute(statement)
    return True


def _renamed(name: str, tables: list[str], copy: str, other: str) -> list[str]:
    names = {table_name(name, kind, copy): table_name(name, kind, other) for kind in _KINDS}
    return [names[table] for table in tables]
