"""Write the results: a JSON file with everything, a Markdown table, a plot."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.bars import BARS
from tests.benchmarks.ceiling import single_entries_per_s
from tests.benchmarks.results import Results
from tests.benchmarks.rows import FLOOR, ROWS, SLUICE, SYSTEMS, USUAL

JSON, TABLE, PLOT = "results.json", "table.md", "plot.png"


def write(results: Results, about: dict[str, Any], folder: Path) -> None:
    """Write all three; the plot only where matplotlib is installed."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {**about, **results.as_json(), "bars": list(_bars(results))}
    (folder / JSON).write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / TABLE).write_text(table(results, about), encoding="utf-8")
    try:
        from tests.benchmarks.plot import draw
    except ImportError:
        return
    draw(results, folder / PLOT)


def table(results: Results, about: dict[str, Any]) -> str:
    """Render the figures of all systems, those of Sluice alone, and the promises."""
    parts = [_preamble(about), _comparison(results), _alone(results), _promises(results), _ceiling(results, about)]
    notes = [f"* {note}" for note in results.notes]
    return "\n\n".join(part for part in (*parts, "\n".join(notes)) if part) + "\n"


def _preamble(about: dict[str, Any]) -> str:
    machine, versions = about["machine"], about["versions"]
    preloaded = versions.get("store_preloaded")
    store = f"{versions['store']} with its append-only file" + (f" and {preloaded}" if preloaded else "")
    return (
        f"Measured {about['measured'][:10]} on {machine['cores']} cores ({machine['processor']}), shared by load "
        f"generator, ingress, workers and store; {store}; Python {versions['python']}; entries of "
        f"{about['data']['entry_bytes']:.0f} bytes. Medians of interleaved rounds, ratios per round."
    )


def _comparison(results: Results) -> str:
    rows = []
    for figure in _figures(compared=True):
        if figure in results.values:
            cells = [_shown(results.median(figure, system)) for system in SYSTEMS]
            ratios = [_times(results.ratio(figure, SLUICE, other)) for other in (USUAL, FLOOR)]
            rows.append([results.figures[figure].title, results.figures[figure].unit, *cells, *ratios])
    return _markdown(["", "", *SYSTEMS, f"{SLUICE} : {USUAL}", f"{SLUICE} : {FLOOR}"], rows)


def _alone(results: Results) -> str:
    rows = [
        [results.figures[figure].title, results.figures[figure].unit, _shown(results.median(figure, SLUICE))]
        for figure in _figures(compared=False)
        if figure in results.values
    ]
    return _markdown(["", "", SLUICE], rows)


def _promises(results: Results) -> str:
    rows, unmeasured = [], []
    for bar in _bars(results):
        if bar["value"] is None:
            unmeasured.append(bar["title"])
        else:
            value = f"{_shown(bar['value'])} {bar['unit']}"
            rows.append([bar["title"], bar["wanted"], value, "yes" if bar["met"] else "**no**"])
    left = f"Not measured: {'; '.join(unmeasured)}." if unmeasured else ""
    return "\n\n".join(filter(None, (_markdown(["promise", "", "measured", "held"], rows), left)))


def _ceiling(results: Results, about: dict[str, Any]) -> str:
    at_most = single_entries_per_s(results, cores=about["machine"]["cores"])
    usual = results.median("put_1", USUAL)
    if at_most is None or usual is None:
        return ""
    return (
        f"Single entries from end to end could be {_shown(at_most)} a second, {_times(at_most / usual)} the usual way: "
        "if the ingress did no more for one than for an empty answer, store and worker what each does alone, and all "
        "cores were full."
    )


def _bars(results: Results) -> Iterator[dict[str, Any]]:
    for bar in BARS:
        value = bar.measured(results)
        rounded = None if value is None else round(value, 3)
        yield {
            "title": bar.title, "wanted": bar.wanted, "unit": bar.unit, "value": rounded, "met": bar.met(results)
        }  # fmt: skip


def _figures(*, compared: bool) -> Iterator[str]:
    return (figure.name for row in ROWS if (len(row.systems) > 1) == compared for figure in row.figures)


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} ×" if value < 10 else f"{value:.1f} ×"


def _markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    rows = list(rows)
    if not rows:
        return ""
    lines = [head, ["---" if n == 0 else "---:" for n in range(len(head))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
