"""The SQL of the PostgreSQL destination."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql

from shared.model import Kind
from shared.sinks.destination import Which
from shared.sinks.mapping import Column, ColumnType, Mapping, Variations

#: The table with the position of each copy.
POSITIONS = sql.Identifier("sluice_sinks")

CREATE_POSITIONS = sql.SQL(
    """
    CREATE TABLE IF NOT EXISTS {positions} (
        name text NOT NULL,
        copy text NOT NULL,
        sink_id text NOT NULL,
        catalog_key text NOT NULL,
        section text NOT NULL,
        version text NOT NULL DEFAULT '',
        task_id bigint NOT NULL DEFAULT 0,
        reach bigint NOT NULL DEFAULT 0,
        pieces bigint NOT NULL DEFAULT 0,
        exact boolean GENERATED ALWAYS AS (reach <= task_id AND pieces = 0) STORED,
        mark text NOT NULL DEFAULT '',
        cursor text NOT NULL DEFAULT '',
        owner text NOT NULL DEFAULT '',
        tables text[] NOT NULL DEFAULT '{{}}',
        delivered_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (name, copy)
    )
    """
).format(positions=POSITIONS)

LOOK = sql.SQL(
    "SELECT copy, version, task_id, reach, mark, pieces, cursor, sink_id, catalog_key, section, tables,"
    " extract(epoch FROM now() - delivered_at)::float8"
    " FROM {positions} WHERE name = %s"
).format(positions=POSITIONS)

#: Makes the row of the live copy, or takes it over.
OWN = sql.SQL(
    """
    INSERT INTO {positions} (name, copy, sink_id, catalog_key, section, owner)
    VALUES (%(name)s, 'live', %(sink_id)s, %(catalog_key)s, %(section)s, %(owner)s)
    ON CONFLICT (name, copy) DO UPDATE SET owner = excluded.owner, sink_id = excluded.sink_id,
        catalog_key = excluded.catalog_key, section = excluded.section
    """
).format(positions=POSITIONS)

OWN_ALL = sql.SQL("UPDATE {positions} SET owner = %s WHERE name = %s").format(positions=POSITIONS)

#: Names the tables of the live copy, and keeps others from becoming the owner until this transaction ends.
LOCK = sql.SQL(
    "SELECT tables, version FROM {positions} WHERE name = %s AND copy = 'live' AND owner = %s FOR UPDATE"
).format(positions=POSITIONS)

#: Names the relations among these that are there.
THERE = "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(quote_ident(name)) IS NOT NULL"

START_NEXT = sql.SQL(
    """
    INSERT INTO {positions} (name, copy, sink_id, catalog_key, section, owner, version, task_id, reach, mark, pieces,
        cursor, tables)
    SELECT name, 'next', sink_id, catalog_key, section, owner, %(version)s, %(task_id)s, %(reach)s, %(mark)s,
        %(pieces)s, %(cursor)s, %(tables)s
    FROM {positions} WHERE name = %(name)s AND copy = 'live' AND owner = %(owner)s
    """
).format(positions=POSITIONS)

#: Compare and set: the lock that it takes holds off every other delivery until this one is committed.
MOVE = sql.SQL(
    """
    UPDATE {positions} SET task_id = %(task_id)s, reach = %(reach)s, mark = %(mark)s, pieces = %(pieces)s,
        cursor = %(cursor)s, delivered_at = now()
    WHERE name = %(name)s AND copy = %(copy)s AND (%(owner)s = '' OR owner = %(owner)s) AND version = %(version)s
        AND task_id = %(task_id_before)s AND reach = %(reach_before)s AND mark = %(mark_before)s
        AND pieces = %(pieces_before)s AND cursor = %(cursor_before)s
    """
).format(positions=POSITIONS)

#: The row of the next copy becomes that of the live one.
MOVE_IN = sql.SQL(
    """
    UPDATE {positions} AS live SET version = made.version, task_id = made.task_id, reach = made.reach, mark = made.mark,
        pieces = made.pieces, tables = %(tables)s, delivered_at = now()
    FROM {positions} AS made
    WHERE live.name = %(name)s AND live.copy = 'live' AND live.owner = %(owner)s
        AND made.name = %(name)s AND made.copy = 'next' AND made.version = %(version)s
        AND made.task_id = %(task_id)s AND made.reach = %(reach)s AND made.mark = %(mark)s
        AND made.pieces = %(pieces)s AND made.cursor = ''
    """
).format(positions=POSITIONS)

#: Names the tables of the next copy, too.
FORGET_NEXT = sql.SQL("DELETE FROM {positions} WHERE name = %s AND copy = 'next' RETURNING tables").format(
    positions=POSITIONS
)

_LACKS_A_TABLE = "EXISTS (SELECT FROM unnest(tables) AS made WHERE to_regclass(quote_ident(made)) IS NULL)"

#: The live copy is none any more if somebody dropped one of its tables.
FORGET_BROKEN_LIVE = sql.SQL(
    "UPDATE {positions} SET version = '' WHERE name = %s AND copy = 'live' AND " + _LACKS_A_TABLE
).format(positions=POSITIONS)

#: Names what is left of other copies that are not whole.
FORGET_BROKEN = sql.SQL(
    "DELETE FROM {positions} WHERE name = %s AND copy <> 'live' AND " + _LACKS_A_TABLE + " RETURNING tables"
).format(positions=POSITIONS)

_TYPES = {
    ColumnType.TEXT: "text",
    ColumnType.TEXTS: "text[]",
    ColumnType.INTEGER: "bigint",
    ColumnType.NUMBER: "numeric",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.TIME: "timestamptz",
    ColumnType.JSON: "jsonb",
}

#: Ids are ordered by their bytes, as in the catalogue.
_FIXED = {
    Kind.ITEMS: (("id", 'text COLLATE "C"'), ("body", "jsonb"), ("updated_at", "timestamptz")),
    Kind.VARIATIONS: (
        ("id", 'text COLLATE "C"'), ("item_id", 'text COLLATE "C"'), ("body", "jsonb"), ("updated_at", "timestamptz"),
    ),
}  # fmt: skip


def table_name(name: str, kind: Kind, copy: str = Which.LIVE) -> str:
    """Name the table of a kind."""
    return name + ("_variations" if kind is Kind.VARIATIONS else "") + ("" if copy == Which.LIVE else f"__{copy}")


class Tables:
    """The statements about the tables of one copy."""

    def __init__(self, name: str, mapping: Mapping, which: Which) -> None:
        self._mapping = mapping
        self._names = {kind: table_name(name, kind, which) for kind in _FIXED}
        #: Those that the mapping has.
        self.made = [self._names[kind] for kind in mapping.kinds]
        #: All that a mapping may have.
        self.possible = list(self._names.values())

    def create(self) -> list[sql.Composed]:
        made = [self._create(kind) for kind in self._mapping.kinds]
        if Kind.VARIATIONS in self._mapping.kinds:
            made.append(sql.SQL("CREATE INDEX ON {} (item_id)").format(self.table(Kind.VARIATIONS)))
        return made

    def _create(self, kind: Kind) -> sql.Composed:
        parts: list[sql.Composable] = [
            sql.SQL("{} {} NOT NULL").format(sql.Identifier(name), sql.SQL(type_)) for name, type_ in _FIXED[kind]
        ]
        parts += [_declared(column) for column in self._mapping.columns(kind)]
        if kind is Kind.ITEMS and self._mapping.mode is Variations.NESTED:
            parts.append(sql.SQL("variations jsonb NOT NULL DEFAULT '[]'"))
        if kind is Kind.VARIATIONS and self._mapping.mode is Variations.FLAT:
            parts.append(sql.SQL("item jsonb"))
        parts.append(sql.SQL("PRIMARY KEY (id)"))
        return sql.SQL("CREATE TABLE {} ({})").format(self.table(kind), sql.SQL(", ").join(parts))

    def put(self, kind: Kind) -> sql.Composed:
        """Build the statement that creates or replaces rows, given as one JSON list."""
        names = self._columns(kind)
        sets = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in names[1:])
        statement = "INSERT INTO {table} ({names}) SELECT {names} FROM {rows} ON CONFLICT (id) DO UPDATE SET {sets}"
        return sql.SQL(statement).format(
            table=self.table(kind), names=sql.SQL(", ").join(names), rows=self._rows(kind), sets=sets
        )

    def delete(self, kind: Kind) -> sql.Composed:
        """Build the statement that deletes rows by id."""
        return sql.SQL("DELETE FROM {} WHERE id = ANY(%s)").format(self.table(kind))

    def compare(self, kind: Kind) -> sql.Composed:
        """Build the statement that lists the ids in a range that differ, with what is wrong."""
        names = self._columns(kind)
        # A variation that is written moves that of its item, which is not delivered for it.
        compared = [name for name in names[1:] if kind is Kind.VARIATIONS or name != sql.Identifier("updated_at")]
        return sql.SQL(
            """
            SELECT coalesce(made.id, should.id) AS id,
                CASE WHEN made.id IS NULL THEN 'missing' WHEN should.id IS NULL THEN 'extra' ELSE 'stale' END
            FROM (SELECT {names} FROM {table} WHERE id > %(after)s AND (%(until)s = '' OR id <= %(until)s)) AS made
            FULL JOIN (SELECT {names} FROM {rows}) AS should ON made.id = should.id COLLATE "C"
            WHERE made.id IS NULL OR should.id IS NULL OR ROW({made}) IS DISTINCT FROM ROW({should})
            """
        ).format(
            names=sql.SQL(", ").join(names),
            table=self.table(kind),
            rows=self._rows(kind, parameter="%(rows)s"),
            made=sql.SQL(", ").join(sql.SQL("made.{}").format(name) for name in compared),
            should=sql.SQL(", ").join(sql.SQL("should.{}").format(name) for name in compared),
        )

    def nest(self) -> sql.Composed:
        """Build the statement that writes the lists of variations anew, of items by id."""
        return sql.SQL(
            """
            UPDATE {items} AS item SET variations = coalesce(
                (SELECT jsonb_agg(one.body ORDER BY one.id) FROM {variations} AS one WHERE one.item_id = item.id), '[]')
            WHERE item.id = ANY(%s)
            """
        ).format(items=self.table(Kind.ITEMS), variations=self.table(Kind.VARIATIONS))

    def flatten(self) -> sql.Composed:
        """Build the statement that writes the items beside variations anew, of items by id."""
        return sql.SQL(
            """
            UPDATE {variations} AS one SET item = (SELECT body FROM {items} AS item WHERE item.id = one.item_id)
            WHERE one.item_id = ANY(%s)
            """
        ).format(items=self.table(Kind.ITEMS), variations=self.table(Kind.VARIATIONS))

    def items_of(self) -> sql.Composed:
        """Build the statement that lists the items of variations by id."""
        return sql.SQL("SELECT DISTINCT item_id FROM {} WHERE id = ANY(%s)").format(self.table(Kind.VARIATIONS))

    def table(self, kind: Kind) -> sql.Identifier:
        return sql.Identifier(self._names[kind])

    def _columns(self, kind: Kind) -> Sequence[sql.Identifier]:
        fixed = [name for name, _ in _FIXED[kind]]
        return [sql.Identifier(name) for name in (*fixed, *(column.name for column in self._mapping.columns(kind)))]

    def _rows(self, kind: Kind, parameter: str = "%s") -> sql.Composed:
        declared: list[sql.Composable] = [
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_.partition(" ")[0]))
            for name, type_ in _FIXED[kind]
        ]
        declared += [_declared(column) for column in self._mapping.columns(kind)]
        return sql.SQL("jsonb_to_recordset({}::jsonb) AS given({})").format(
            sql.SQL(parameter), sql.SQL(", ").join(declared)
        )  # fmt: skip


def _declared(column: Column) -> sql.Composed:
    return sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(_TYPES[column.type]))


def drop(names: Iterable[str]) -> list[sql.Composed]:
    """Build the statements that drop tables."""
    return [sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)) for name in names]


def rename(names: Iterable[str], others: Iterable[str]) -> list[sql.Composed]:
    """Build the statements that give tables other names."""
    return [
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(other))
        for name, other in zip(names, others, strict=True)
    ]
