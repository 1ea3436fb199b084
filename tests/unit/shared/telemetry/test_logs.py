"""Log lines that wait for each other: none is lost or broken, and a warning waits for nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

#: What a process does before the lines of a test.
_BEGIN = """
import logging, os, threading
import structlog
from shared.telemetry import logs
logs.configure_logs("INFO")
log = structlog.get_logger()
"""


def lines_of(program: str) -> Sequence[dict[str, object]]:
    """Run a program to its end and return its log lines, each of which is whole."""
    done = subprocess.run([sys.executable, "-c", _BEGIN + program], capture_output=True, text=True, timeout=60)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_the_end_of_a_process_writes_what_was_kept() -> None:
    program = "logs.gather_lines()\nfor number in range(1000): log.info('a', number=number)"
    assert [line["number"] for line in lines_of(program)] == list(range(1000))


def test_a_warning_comes_at_once_and_behind_what_was_said_before() -> None:
    """Whoever dies next, by os._exit as if killed, has told it."""
    program = "logs.gather_lines()\nlog.info('before')\nlog.warning('now')\nlog.info('after')\nos._exit(1)"
    assert [line["event"] for line in lines_of(program)] == ["before", "now"]


def test_what_a_library_logs_comes_at_once_too() -> None:
    program = "logs.gather_lines()\nlog.info('before')\nlogging.getLogger('x').info('now')\nos._exit(1)"
    assert [line["event"] for line in lines_of(program)] == ["before", "now"]


def test_lines_are_written_while_the_process_goes_on() -> None:
    program = f"logs.gather_lines()\nlog.info('kept')\nthreading.Event().wait(20 * {0.05})\nos._exit(1)"
    assert [line["event"] for line in lines_of(program)] == ["kept"]


def test_a_process_that_ends_in_a_way_of_its_own_may_write_them_before() -> None:
    """As Celery's processes do, for which no `atexit` function runs."""
    program = "logs.gather_lines()\nlog.info('kept')\nlogs.write_gathered()\nos._exit(0)"
    assert [line["event"] for line in lines_of(program)] == ["kept"]


#: The thread that writes kept lines takes its time over each write, and says when it has begun one.
SLOW_WRITER = """
write, begun = os.write, threading.Event()
def slow(file, data):
    if threading.current_thread().name == "log": begun.set() or threading.Event().wait(0.3)
    return write(file, data)
logs.os.write = slow
logs.gather_lines()
log.info("kept")
begun.wait(10)
"""


def test_a_process_does_not_end_before_what_is_just_being_written() -> None:
    assert [line["event"] for line in lines_of(f"{SLOW_WRITER}logs.write_gathered()\nos._exit(0)")] == ["kept"]


def test_a_warning_does_not_overtake_what_is_just_being_written() -> None:
    assert [line["event"] for line in lines_of(f"{SLOW_WRITER}log.warning('now')")] == ["kept", "now"]


def test_a_process_that_is_forked_while_a_line_is_written_writes_its_own() -> None:
    """Nobody in it will ever finish that line, or write what it keeps."""
    # Python from 3.12 on warns of a fork beside threads.
    child = "if os.fork() == 0: log.info('child') or os._exit(0)\nos.wait()"
    program = f"import warnings\nwarnings.simplefilter('ignore')\n{SLOW_WRITER}{child}"
    assert sorted(line["event"] for line in lines_of(program)) == ["child", "kept"]


def test_lines_of_many_processes_and_threads_stay_whole() -> None:
    """They share one pipe, which takes only so many bytes at a time without others in between."""
    program = """
def tell(name):
    for number in range(500): log.info("a", name=name, number=number, text="x" * (number % 700))
for child in range(3):
    if os.fork() == 0:
        logs.gather_lines()
        threads = [threading.Thread(target=tell, args=(f"{child} {each}",)) for each in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        logs._writing.write_now(b"")
        os._exit(0)
for _ in range(3): os.wait()
"""
    found = lines_of(program)
    assert len(found) == 3 * 2 * 500
    for name in {line["name"] for line in found}:
        assert [line["number"] for line in found if line["name"] == name] == list(range(500))


def test_half_a_character_is_told_as_such() -> None:
    """As the name of a file may have one."""
    assert [line["name"] for line in lines_of(r"log.info('a', name='half \ud800')")] == ["half \ud800"]


def test_times_are_told_to_the_microsecond_in_utc() -> None:
    [line] = lines_of("logs.time.time_ns = lambda: 1_700_000_000_000_045_999\nlog.info('a')")
    assert line["timestamp"] == "2023-11-14T22:13:20.000045Z"
