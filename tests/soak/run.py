"""One run: everything at once for a while, then copies, tables and catalogues are compared."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from shared.model import Kind
from shared.sinks.postgres.statements import table_name
from shared.sinks.sink_lease import read_state
from shared.sinks.sink_reports import has_all
from shared.sinks.sinks import SinkName
from shared.waiting import wait_until
from tests.soak.part import Part
from tests.soak.probe import Probe, Series
from tests.soak.shop import Shop
from tests.soak.stage import SHOPS, SUNK, Stage, open_stage, sink_of

#: Seconds between two looks at whether all goes on, and in which sinks catch up.
LOOK_S, CAUGHT_UP_S = 1.0, 120.0


@dataclasses.dataclass
class Result:
    """What a run saw."""

    seconds: float
    seed: int
    retention_s: int
    series: Series = dataclasses.field(default_factory=dict)
    #: By what was done: how often.
    done: dict[str, int] = dataclasses.field(default_factory=dict)
    told: int = 0
    #: Entries of the tables of PostgreSQL that were compared.
    compared: int = 0
    #: What went wrong; empty if all went on until the end and was equal then.
    wrong: list[str] = dataclasses.field(default_factory=list)


def run_soak(folder: Path, *, seconds: float, seed: int, retention_s: int, every_s: float = 10.0) -> Result:
    """Run once; what is wrong is in the result.  ``every_s``: between two samples of processes."""
    result = Result(seconds, seed, retention_s)
    with open_stage(folder, retention_s=retention_s) as stage:
        shops = {key: Shop(stage, key, seed) for key in SHOPS}
        probe = Probe(stage, seed)
        parts = [*probe.parts(every_s=every_s), *(part for shop in shops.values() for part in shop.parts())]
        for part in parts:
            part.start()
        _go_on(parts, seconds)
        for part in parts:
            part.stop()
        result.wrong += [f"{part.name}: {part.wrong!r}" for part in parts if part.wrong]
        result.done = {part.name: part.done for part in parts}
        result.series, result.told = probe.series, probe.told
        if not result.wrong:
            _compare(stage, shops, result)
    return result


def _go_on(parts: list[Part], seconds: float) -> None:
    end = threading.Event()
    timer = threading.Timer(seconds, end.set)
    timer.start()
    while not end.wait(LOOK_S) and not any(part.wrong for part in parts):
        pass
    timer.cancel()


def _compare(stage: Stage, shops: dict[str, Shop], result: Result) -> None:
    try:
        catalogs = {key: shop.compare() for key, shop in shops.items()}
        for key in SUNK if stage.postgres_url else ():
            with stage.store() as client:
                name = SinkName(key, sink_of(key))
                wait_until(
                    lambda name=name: has_all(client, name, read_state(client, name)),  # type: ignore[misc]
                    f"{key} is delivered", timeout_s=CAUGHT_UP_S,
                )  # fmt: skip
            for kind in (Kind.ITEMS, Kind.VARIATIONS):
                there = {id_: _without_time(entry) for id_, entry in catalogs[key][kind].items()}
                rows = _rows(stage.postgres_url or "", table_name(sink_of(key), kind))
                assert rows == there, f"the table of {key}'s {kind} is not its catalogue"
                result.compared += len(rows)
    except Exception as error:
        result.wrong.append(f"in the end: {error!r}")


def _rows(url: str, table: str) -> dict[str, Any]:
    with psycopg.connect(url, connect_timeout=5) as connection:
        query = sql.SQL("SELECT id, body FROM {}").format(sql.Identifier(table))
        return {id_: _without_time(body) for id_, body in connection.execute(query)}


def _without_time(entry: dict[str, Any]) -> dict[str, Any]:
    return {"data": {}} | {name: value for name, value in entry.items() if name != "updated_at"}
