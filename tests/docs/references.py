"""Generate the regions of the docs that come from the code, by name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import click

from api.app import create_app
from api.cli.main import sluice
from shared.settings import Settings, settings_table
from shared.telemetry import metrics
from tests.docs.api_text import ApiText
from tests.docs.pages import PAGES, ROOT, fill
from tests.mutants.breaks import BREAKS
from tests.support.key_checker import declarations

#: What the benchmark wrote.
RESULTS = ROOT / "tests" / "benchmarks" / "results" / "table.md"
#: Its rows that README shows.
SUMMARY = (
    "PUT, 1,000 entries a batch",
    "PATCH of two fields, 1,000 a batch",
    "DELETE, 1,000 a batch",
    "PUT, 1 entry a batch, 1,000 catalogs",
    "drain alone, a waiting backlog",
)
#: Characters of a line of the help.
HELP_WIDTH = 100


def api() -> str:
    """Write every call, with the settings that ship."""
    app = create_app(replace(Settings(), redis_url="unix:///not-needed"))
    return ApiText(app.test_client().get("/openapi.json").json).write()


def metrics_table() -> str:
    """List every metric with its type, labels and sentence."""
    return table(["metric", "type", "labels", "meaning"], _metrics())


def _metrics() -> Iterator[list[str]]:
    for name, found in vars(metrics).items():
        if isinstance(found, metrics.Counter | metrics.Histogram) and name.isupper():
            [described] = found.describe()
            total = "_total" if described.type == "counter" else ""
            labels = ", ".join(f"`{label}`" for label in found._labelnames)
            yield [f"`{described.name}{total}`", described.type, labels, described.documentation]
    for found in vars(metrics).values():
        if isinstance(found, metrics.Gauge):
            yield [
                f"`{found.name}`",
                "gauge",
                "`catalog_key`" if found.by_partition else "`sink`" if found.by_sink else "",
                found.sentence,
            ]


def command_line() -> str:
    """Write the help of every command."""
    return "\n\n".join(_commands(sluice, click.Context(sluice, info_name="sluice", terminal_width=HELP_WIDTH)))


def _commands(command: click.Command, context: click.Context) -> Iterator[str]:
    names = command.list_commands(context) if isinstance(command, click.Group) else []
    # The outermost group also has Flask's own options, which are of no use here.
    if context.parent is not None:
        yield f"## {context.command_path}"
        yield f"```text\n{command.get_help(context)}\n```"
    for name in sorted(names):
        child = command.get_command(context, name)
        yield from _commands(child, click.Context(child, parent=context, info_name=name))


def redis_keys() -> str:
    """List every key with its type, lifetime and contents."""
    rows = []
    for declared in declarations():
        lifetime, colon, holds = declared.said.partition(": ")
        rows.append([f"`{_spelled(declared.spelled)}`", *_sentences(lifetime if colon else declared.said, holds)])
    return table(["key", "type and lifetime", "holds"], rows)


def _spelled(key: str) -> str:
    return re.sub(r"ARG([a-z]+)ARG", r"<\1>", key).replace("CATALOG", "acme").replace("<taskid>", "<task id>")


def _sentences(*texts: str) -> list[str]:
    plain = (" ".join(inspect.cleandoc(text).split()).rstrip(".") for text in texts)
    return [_uncapitalized(text).replace("``", "`").replace("|", "\\|") for text in plain]


def _uncapitalized(text: str) -> str:
    """Begin with a small letter, unless the first word is an abbreviation."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def breaks() -> str:
    """List what `make mutants` takes away."""
    rows = []
    for one in BREAKS:
        file, name = one.test.split("::")
        rows.append([one.name, f"`{one.path}`", f"`tests/{file}`: {name.removeprefix('test_').replace('_', ' ')}"])
    return table(["taken away", "in", "test that fails then"], rows)


def speed() -> str:
    """Repeat how the benchmark measured, and its comparison."""
    return "\n\n".join(_results()[:2])


def speed_summary() -> str:
    """Show the rows that README shows: Sluice, the usual Celery, and their ratio."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in _results()[1].splitlines()]
    head, by_title = rows[0], {row[0]: row for row in rows[2:]}
    columns = [head.index(name) for name in ("Sluice", "usual Celery", "Sluice : usual Celery")]
    shown = [[title, *(by_title[title][column] for column in columns)] for title in SUMMARY]
    return table(["entries a second", *(head[column] for column in columns)], shown)


def _results() -> list[str]:
    return RESULTS.read_text(encoding="utf-8").split("\n\n")


def table(head: list[str], rows: list[list[str]] | Iterator[list[str]]) -> str:
    """Write a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


SOURCES: Mapping[str, Callable[[], str]] = {
    "api": api,
    "breaks": breaks,
    "cli": command_line,
    "metrics": metrics_table,
    "redis-keys": redis_keys,
    "settings": settings_table,
    "speed": speed,
    "speed-summary": speed_summary,
}


def write() -> list[str]:
    """Bring the generated regions of all pages up to date; returns the names of the pages that changed."""
    changed = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if (filled := fill(text, SOURCES)) != text:
            page.write_text(filled, encoding="utf-8")
            changed.append(page.relative_to(ROOT).as_posix())
    return changed
