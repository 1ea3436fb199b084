"""A reader of a table who looks at all of it, with its position, again and again."""

from __future__ import annotations

import threading

import psycopg
from psycopg import errors, sql

from shared.model import Kind
from shared.sinks.postgres.statements import table_name
from tests.chaos.sinks.destinations import KINDS, PostgresTarget
from tests.chaos.sinks.states import Name, Sight, named

EVERY_S = 0.2
#: Seconds in which it ends.
END_S = 30


class TableReader:
    """Remembers all that it saw, until it is told to stop."""

    def __init__(self, target: PostgresTarget, sink: str) -> None:
        self._target = target
        self.sink = sink
        self.sights: list[Sight] = []
        self._rows: dict[Name, str] = {}
        self._at: tuple[int, int] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"reader of {sink}", daemon=True)
        #: What went wrong with the reader itself.
        self.wrong: BaseException | None = None
        # One statement sees the table and its position at one moment, also while a new copy is switched to.
        parts = [
            sql.SQL("SELECT {}, id, body::text, 0, 0, false FROM {}").format(
                sql.Literal(kind), sql.Identifier(table_name(sink, kind))
            )
            for kind in KINDS
        ]
        # Inside a task it has all of the one before.
        position = "task_id - (pieces > 0)::int, reach, exact"
        mark = f"SELECT 'mark', '', '', {position} FROM sluice_sinks WHERE name = {{}} AND copy = 'live'"
        self._look = sql.SQL(" UNION ALL ").join([*parts, sql.SQL(mark).format(sql.Literal(sink))])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(END_S)

    def _run(self) -> None:
        try:
            while not self._stop.wait(EVERY_S):
                try:
                    self._see()
                except (errors.UndefinedTable, psycopg.OperationalError):
                    # Not there yet, or killed.
                    continue
        except BaseException as error:
            self.wrong = error

    def _see(self) -> None:
        with self._target.there, self._target.connect() as connection:
            found = connection.execute(self._look).fetchall()
        [mark] = [row[3:] for row in found if row[0] == "mark"]
        task_id, reach, exact = mark
        rows = named({kind: {row[1]: row[2] for row in found if row[0] == kind} for kind in Kind})
        changed = {name: rows.get(name) for name in {*rows, *self._rows} if rows.get(name) != self._rows.get(name)}
        if changed or (task_id, reach) != self._at:
            self.sights.append(Sight(task_id, reach, exact, changed))
        self._rows, self._at = rows, (task_id, reach)
