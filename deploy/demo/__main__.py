"""Run the demo: ``python -m deploy.demo``, or ``make demo``.

Starts a stack of its own on a temporary folder, with the embedded store, and on other ports if the usual ones are
taken; sends a generated catalogue over HTTP, and a little real one if it lies beside the project; follows the tasks;
reads everything back and compares it with a model in memory; with ``--sink``, delivers it to a database or search
engine as well, and compares that.  Then it stays up until Ctrl-C, or, with ``--exit``, ends:
with 0 if every task is DONE and the catalogue is that of the model, with 1 otherwise.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo.catalogue import DemoBatch, Model, generate
from deploy.demo.client import Client, UploadRefused
from deploy.demo.files import read_folder
from deploy.demo.sink import NAME, POSTGRES, DemoSink, open_sink
from deploy.stack.ports import LOOPBACK, free_port
from deploy.stack.stack import Stack
from deploy.up import LOOK_EVERY_S, Stopped, Watch, announce, stop_on_signals
from shared.errors import SluiceError
from shared.settings import Settings
from shared.store.client import connect
from shared.waiting import WaitedInVain, wait_until

#: A real little catalogue, sent too when it is there.
EXAMPLES = Path(__file__).parents[3] / "shared" / "data" / "integration-examples"

#: Statuses that are not final.
OPEN = ("QUEUED", "IN_PROGRESS")
#: Seconds all tasks together may take.
DONE_TIMEOUT_S = 300
#: Differences that are shown.
SHOWN = 5

#: What would let the demo write into somebody's real catalogue.
_NOT_OURS = ("REDIS_URL", "BROKER_URL", "CREDENTIALS", "CREDENTIALS_FILE")

console = Console(highlight=False)


def demo_environ(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Take over the settings, but for those that name data of others, and free ports for taken ones."""
    own = {name: value for name, value in environ.items() if name not in {f"SLUICE_{name}" for name in _NOT_OURS}}
    settings = Settings.from_env(own)
    own["SLUICE_DATA_DIR"] = str(folder)
    own["SLUICE_PORT"] = str(free_port(settings.host, settings.port))
    own["SLUICE_FLOWER_PORT"] = str(free_port(LOOPBACK, settings.flower_port))
    return own


def send_and_follow(client: Client, batches: list[DemoBatch]) -> None:
    """Send everything in order, then wait until no task is open; a bar shows both."""
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    started = time.monotonic()
    with Progress(*columns, console=console) as progress:
        sent = progress.add_task("sent", total=len(batches))
        ended = progress.add_task("applied", total=len(batches))

        def all_ended() -> bool:
            counts = client.status_counts()
            progress.update(ended, completed=sum(counts.values()) - sum(counts[status] for status in OPEN))
            return not any(counts[status] for status in OPEN)

        for batch in batches:
            client.send(batch)
            progress.advance(sent)
            all_ended()
        sent_s = time.monotonic() - started
        wait_until(all_ended, "all tasks end", timeout_s=DONE_TIMEOUT_S)
    report_speed(batches, sent_s, time.monotonic() - started)


def report_speed(batches: list[DemoBatch], sent_s: float, all_s: float) -> None:
    """Print what was sent and how fast it was applied."""
    entries = Counter[str]()
    for batch in batches:
        entries[f"{batch.method} {batch.kind}"] += len(batch.entries)
    total = entries.total()
    parts = ", ".join(f"{what} {count:,}" for what, count in entries.items())
    console.print(f"sent      {len(batches)} batches, {total:,} entries in {sent_s:.1f} s: {parts}", soft_wrap=True)
    console.print(f"applied   in {all_s:.1f} s from the first byte: {total / all_s:,.0f} entries/s")


def check_tasks(client: Client, expected: int) -> bool:
    """Print how the tasks ended; true if all of them, and no fewer, are DONE."""
    tasks = list(client.tasks())
    counts = Counter(task["status"] for task in tasks)
    console.print(f"tasks     {', '.join(f'{count} {status}' for status, count in counts.items())}")
    for task in [task for task in tasks if task["status"] != "DONE"][:SHOWN]:
        console.print(f"          task {task['id']}: {task['status']} {task.get('error', {}).get('message', '')}")
    return counts == {"DONE": expected}


def check_catalogue(client: Client, model: Model) -> bool:
    """Read everything back and print whether it is what the model says."""
    started = time.monotonic()
    same = True
    for kind, expected in (("items", model.items), ("variations", model.variations)):
        found = {entry["id"]: entry for entry in client.entries(kind)}
        wrong = sorted(id_ for id_ in expected.keys() | found.keys() if expected.get(id_) != found.get(id_))
        verdict = f"{len(wrong)} differ from the model" if wrong else "equal to the model"
        console.print(f"read back {len(found):,} {kind}: {verdict}")
        for id_ in wrong[:SHOWN]:
            console.print(f"          {id_}: expected {expected.get(id_)}, found {found.get(id_)}", markup=False)
        same = same and not wrong
    console.print(f"          in {time.monotonic() - started:.1f} s")
    return same


def show(stack: Stack, sink: DemoSink | None) -> bool:
    """Send, follow, read back, and look into the sink; true if all was right."""
    credential = stack.new_credential
    assert credential, "a folder of its own has no credential yet"
    client = Client(stack.api_url, credential.catalog_key, credential.token)
    store = connect(stack.environ["SLUICE_REDIS_URL"])
    if sink:
        sink.add(store, credential.catalog_key)
    model, batches = Model(), [*generate(), *read_folder(EXAMPLES)]
    for batch in batches:
        model.apply(batch)
    send_and_follow(client, batches)
    right = [check_tasks(client, len(batches)), check_catalogue(client, model)]
    if sink:
        right.append(sink.check(store, credential.catalog_key, console))
    user, _, password = stack.environ["SLUICE_FLOWER_AUTH"].partition(":")
    console.print(
        f"\nAPI       {stack.api_url}  key {credential.catalog_key}  token {credential.token}", soft_wrap=True
    )
    console.print(f"Flower    {stack.flower_url}  user {user}  password {password}", soft_wrap=True)
    console.print(
        f"try       curl -u {credential.token}: '{stack.api_url}/v1/tasks?key={credential.catalog_key}'", soft_wrap=True
    )
    if sink and sink.shell:
        console.print(f"table     {sink.shell} -c 'SELECT id, name FROM {NAME} LIMIT 5'", soft_wrap=True)
    return all(right)


def run(folder: Path, check: Callable[[], None], *, leave: bool, sink: DemoSink | None) -> bool:
    """Run the demo on a folder, until Stopped unless it is to leave by itself; true if all was right."""
    environ = demo_environ(os.environ, folder)
    if sink:
        environ["SLUICE_SINKS"] = "1"
    stack = Stack(environ)
    try:
        stack.start(announce)
        right = show(stack, sink)
        if not leave:
            console.print("stays up until Ctrl-C")
            wait_until(Watch(stack, check).look, "the end", timeout_s=math.inf, every_s=LOOK_EVERY_S)
        return right
    finally:
        stack.stop()


def main() -> int:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(prog="make demo", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--exit", action="store_true", help="end when done; the status says whether all was right")
    parser.add_argument(
        "--sink", metavar="URL", help=f"deliver there, too, and compare; {POSTGRES}: a PostgreSQL of the demo's own"
    )
    options = parser.parse_args()
    leave = options.exit
    folder = Path(tempfile.mkdtemp(prefix="sluice-demo-"))
    right = False
    try:
        with stop_on_signals() as check, open_sink(options.sink) as sink:
            right = run(folder, check, leave=leave, sink=sink)
    except Stopped:
        # Ctrl-C is how a demo that stays up ends.
        right = not leave
    except (SluiceError, UploadRefused, WaitedInVain, HTTPException, OSError) as problem:
        print(f"demo: {problem}", file=sys.stderr)
    if right:
        shutil.rmtree(folder)
    else:
        print(f"demo: the logs are in {folder / 'log'}", file=sys.stderr)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
