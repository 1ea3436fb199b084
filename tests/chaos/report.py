"""Write the report of a run as a page."""

from __future__ import annotations

import os
import platform
from collections import Counter

from tests.chaos.outside.trial import OutsideSeen
from tests.chaos.run import SUNK, Result


def report(result: Result) -> str:
    """Write the page."""
    verdict = "The laws held." if not result.wrong else "BROKEN:\n\n" + "\n".join(f"* {line}" for line in result.wrong)
    stall = f"{result.longest_stall_s:.1f} s" + "".join(f"\n  * {line}" for line in result.before_stall)
    restarts = ", ".join(f"{name} {starts - 1}" for name, starts in result.starts.items())
    lines = [
        f"# Chaos{' on a cluster' if result.cluster else ''}, seed {result.seed}, {result.seconds:g} s,"
        f" durability {result.durability}",
        "",
        verdict,
        "",
        f"* {result.faults.total()} faults of {len(result.faults)} kinds, on {os.cpu_count()} cores"
        f" ({platform.system()} {platform.machine()}, Python {platform.python_version()})",
        f"* accepted: {result.accepted} batches with {result.entries} entries; they ended as"
        f" {_listed(result.statuses)}",
        f"* requests sent again: {result.retries.total()} ({_listed(result.retries)})",
        f"* files cut off on their way, and refused: {result.cut}",
        f"* catalogues read whole by those who copied them: {result.walks}; in the end their copies were compared",
        *_sinks(result),
        *_outside(result.outside),
        f"* accepted and lost with the last second of a killed store: {result.lost}",
        f"* longest time in which a catalog with a backlog did not move: {stall}",
        f"* after the last fault: {result.ready_s:.1f} s until all processes were back,"
        f" {result.settled_s:.1f} s until everything had ended",
        *(f"* {finding}" for finding in result.findings),
        f"* started again: {restarts}",
        "",
        "| fault | times |",
        "|---|---|",
        *(f"| {name} | {count} |" for name, count in sorted(result.faults.items())),
        "",
        f"Again: `make chaos ARGS='--seed {result.seed} --seconds {result.seconds:g}"
        f"{' --cluster' if result.cluster else f' --durability {result.durability}'}"
        f"{'' if result.destinations else ' --without-sinks'}'`",
        "",
    ]
    return "\n".join(lines)


def _sinks(result: Result) -> list[str]:
    if not result.destinations:
        return []
    return [
        f"* delivered to {', '.join(result.destinations)}: {SUNK} catalogues each, which had all"
        f" {result.caught_up_s:.1f} s after the last task, and were compared; readers of tables saw"
        f" {result.sights} states, {result.exact} of them exact"
    ]


def _outside(seen: OutsideSeen) -> list[str]:
    return [
        f"* files by FTPS: {_listed(seen.ftps)}; those without a reply became one task or none",
        f"* webhooks: told of {seen.told['tasks']} tasks in {seen.told['calls']} calls; none is missing",
        f"* exports: {_listed(seen.exports)}; each file is the catalogue at its turn",
        f"* slow, silent and vanished clients: {seen.slow_clients}",
    ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count)
