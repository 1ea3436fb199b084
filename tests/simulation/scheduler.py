"""One thread for all: which process goes on at which round trip, and what happens to it there."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import greenlet
import redis

from shared.store import scripts
from shared.store.scripts import Command
from tests.simulation.accidents import CUT, DEATHS, Accident
from tests.simulation.timed_store import BEGIN_MS, TimedStore
from tests.support.by_hand import HandClock
from tests.support.interposed import Killed

#: Sends commands over a connection, and others along with them; returns the replies to those.
Send = Callable[[Sequence[Command], Sequence[Command]], Sequence[Any]]
#: Longer than a lease lasts, and longer than a call is sent again; milliseconds.
SLEEPS_MS = (700, 3_000, 12_000, 12_000, 45_000, 400_000, 700_000)
#: How long a round trip takes.
STEPS_MS = (0, 0, 0, 1, 1, 3, 20)
#: How long a process is cut off: longer than a call is sent again by itself.
CUT_OFF_MS = (300, 2_000, 15_000)
#: How far the clock of one process is off, or the clock of the store jumps.
SKEWS_MS = (-90_000, -1_500, 0, 1_500, 90_000)
#: How many times as often accidents happen where something is written, where bugs are, and where not; and where several
#: chunks are committed, and how often these are parted by them.
AT_WRITES, AT_READS, AT_CHUNKS, PARTING = 2.0, 0.5, 6.0, 0.6
#: Steps after which a history does not end any more.
MOST_STEPS = 20_000


@dataclass(eq=False)
class Process:
    """A process of the service, or a client of it; when it dies its program begins anew."""

    name: str
    program: Callable[[], None]
    #: Whether the history goes on until it has ended.
    counts: bool = True
    may_die: bool = True
    clock: HandClock = field(default_factory=HandClock)
    skew_ms: int = 0
    #: Never, once it has ended.
    wakes_ms: float = 0
    #: How much longer it waits before it sends something again.
    pauses_ms: int = 0
    #: How long it stands still just before it sends something again, when it has looked at its clocks already.
    stands_ms: int = 0
    #: Until then nothing that it sends arrives.
    cut_off_until_ms: int = 0
    is_done: bool = False
    is_dying: bool = False
    stack: greenlet.greenlet | None = None


class NeverEnds(AssertionError):
    """The history goes on and on."""


class Scheduler:
    """Runs processes until all that count have ended."""

    def __init__(
        self,
        store: TimedStore,
        seed: str,
        *,
        rate: float,
        splits: float,
        possible: Sequence[Accident],
        muted: frozenset[int] = frozenset(),
        send: Callable[[Sequence[Command], Send], Callable[[], None] | None],
    ) -> None:
        """``rate``: accidents per round trip; ``splits``: how often others come between two of its commands.

        ``muted``: which accidents, counted from 0, do not happen after all.  ``send`` sends the commands
        of each round trip; what it returns is called when no process is running.
        """
        self.now_ms = BEGIN_MS
        self.current: Process | None = None
        #: What happened, for people and to compare: step, process, what it did.
        self.trace: list[tuple[str, str]] = []
        #: Accidents that were drawn, the muted ones too; and those that happened.
        self.drawn = self.happened = 0
        self.is_calm = False
        self.store = store
        self._random = random.Random(seed)
        self._rate = rate
        self._splits = splits
        self._possible = possible
        self._parting = [accident for accident in possible if accident in CUT]
        self._muted = muted
        self._send = send
        self._answered: Callable[[], None] | None = None
        self._sticky = self._random.choice((0.0, 0.5, 0.9))

    # -- the loop --------------------------------------------------------------------------------------------------

    def run(self, processes: Sequence[Process]) -> None:
        """Let them run until all that count have ended; whatever one of them raises ends it all."""
        self._main = greenlet.getcurrent()
        self._processes = processes
        counting = [one for one in processes if one.counts]
        last: Process | None = None
        for _ in range(MOST_STEPS):
            if (last is None or last.is_done) and all(one.is_done for one in counting):
                return
            now_ms = self.now_ms
            awake = [one for one in processes if one.wakes_ms <= now_ms]
            if not awake:
                self.advance(int(min(one.wakes_ms for one in processes)) - now_ms)
                continue
            if last not in awake or self._random.random() >= self._sticky:
                last = self._random.choice(awake)
            self._resume(last)
        raise NeverEnds(f"after {MOST_STEPS} steps: {[one.name for one in processes if not one.is_done]} go on")

    def stop(self, processes: Sequence[Process]) -> None:
        """End those that are still running where they stand."""
        self.is_calm = True
        for one in processes:
            if one.stack is not None and not one.is_done:
                one.is_dying = one.is_done = True
                self._resume(one)

    def _resume(self, process: Process) -> None:
        if process.stack is None:
            process.stack = greenlet.greenlet(lambda: self._live(process))
        self.current = process
        process.clock.now_ms = self.now_ms + process.skew_ms
        try:
            process.stack.switch()
        finally:
            self.current = None
        if answered := self._answered:
            self._answered = None
            answered()

    def _live(self, process: Process) -> None:
        while not process.is_done:
            try:
                process.program()
                process.is_done, process.wakes_ms = True, math.inf
            except Killed:
                process.is_dying = False

    # -- for processes ---------------------------------------------------------------------------------------------

    def advance(self, ms: int) -> None:
        """Let time pass, for everybody."""
        self.now_ms += ms
        self.store.set_ms(self.now_ms)

    def seconds(self) -> float:
        """A clock that is never set, as `time.monotonic`; of a process that has just died it reads the same."""
        return (self.now_ms - BEGIN_MS) / 1000

    def rest(self, ms: int) -> None:
        """Let the others go on, for so long at least."""
        process = self.current
        if process is None:
            self.advance(ms)
            return
        if process.is_dying:
            raise Killed
        process.wakes_ms = self.now_ms + ms
        self._main.switch()
        if process.is_dying:
            raise Killed

    def cut_off_all(self, ms: int) -> None:
        """Let nothing arrive for a while."""
        for process in self._processes:
            process.cut_off_until_ms = max(process.cut_off_until_ms, self.now_ms + ms)

    def pause(self, duration_s: float) -> None:
        """Wait, as `time.sleep`."""
        longer_ms = 0
        if process := self.current:
            longer_ms, process.pauses_ms = process.pauses_ms, 0
        self.rest(int(duration_s * 1000) + longer_ms)

    def chance(self, share: float) -> bool:
        """Decide something by the seed."""
        return self._random.random() < share

    def pick(self, below: int) -> int:
        """Choose a number by the seed."""
        return self._random.randrange(below)

    # -- at a round trip -------------------------------------------------------------------------------------------

    def exchange(self, commands: Sequence[Command], send: Send) -> None:
        """Send commands for the running process, when it is its turn, with what happens to them; raises as redis-py."""
        process = self.current
        assert process is not None
        run = self.store.run
        self.rest(0)
        self.advance(self._random.choice(STEPS_MS))
        if process.cut_off_until_ms > self.now_ms and not self.is_calm:
            self.trace.append((process.name, "cut off"))
            raise redis.ConnectionError("simulated: cut off")
        names = [*map(_name, commands)]
        # To ask for the time comes before the last look at the clocks.
        if process.stands_ms and names != ["TIME"]:
            stands_ms, process.stands_ms = process.stands_ms, 0
            self.rest(stands_ms)
        accident = self._accident(process, names)
        self._happens_before(process, accident)
        self._expect_run(run)
        self.trace.append((process.name, " ".join(names)))
        count = len(commands)
        if accident in CUT and count > 1:
            count = self._random.randrange(1, count)
        self._answered = self._send(commands[:count], send)
        self._happens_after(process, accident)
        if count < len(commands):
            self.rest(0)
            self._expect_run(run)
            self._answered = self._send(commands[count:], send)

    def _expect_run(self, run: int) -> None:
        """Break a connection to a store that was started anew meanwhile."""
        if self.store.run != run:
            raise redis.ConnectionError("simulated: the store was started anew")

    def _happens_before(self, process: Process, accident: Accident | None) -> None:
        match accident:
            case Accident.DIES_BEFORE:
                process.is_dying = True
                raise Killed
            case Accident.UNSENT:
                raise redis.ConnectionError("simulated: not sent")
            case Accident.SLEEPS_BEFORE:
                self.rest(self._random.choice(SLEEPS_MS))
            case Accident.CLOCK_SET:
                process.skew_ms = self._random.choice(SKEWS_MS)

    def _happens_after(self, process: Process, accident: Accident | None) -> None:
        match accident:
            case Accident.DIES_AMID | Accident.DIES_AFTER:
                process.is_dying = True
                raise Killed
            case Accident.CUT_OFF:
                process.cut_off_until_ms = self.now_ms + self._random.choice(CUT_OFF_MS)
                raise redis.ConnectionError("simulated: cut off, its answer is lost")
            case Accident.SLEEPS_BETWEEN:
                sleeps_ms = self._random.choice(SLEEPS_MS)
                # By turns, before it looks whether it is too late to send again, and after it.
                if self.drawn % 2:
                    process.pauses_ms = sleeps_ms
                else:
                    process.stands_ms = sleeps_ms
                raise redis.ConnectionError("simulated: no answer")
            case Accident.UNANSWERED | Accident.BROKEN:
                raise redis.ConnectionError("simulated: no answer")
            case Accident.SLEEPS_AFTER:
                self.rest(self._random.choice(SLEEPS_MS))

    def _accident(self, process: Process, names: Sequence[str]) -> Accident | None:
        if self.is_calm:
            return None
        chunks = names.count(scripts.COMMIT_CHUNK.name) > 1
        often = AT_CHUNKS if chunks else AT_READS if _WRITING.isdisjoint(names) else AT_WRITES
        if self._random.random() < self._rate * often:
            parts = chunks and self._parting and self._random.random() < PARTING
            accident = self._random.choice(self._parting if parts else self._possible)
        elif len(names) > 1 and self._random.random() < self._splits:
            accident = Accident.SPLIT
        else:
            return None
        number, self.drawn = self.drawn, self.drawn + 1
        if number in self._muted or (accident in DEATHS and not process.may_die):
            return None
        self.happened += 1
        self.trace.append((process.name, f"accident {number}: {accident}"))
        return accident


#: Scripts that change what matters: not how alive somebody is.
_WRITING = {script.name for script in scripts.ALL if "flags=no-writes" not in script.text.partition("\n")[0]} - {
    scripts.EVEN_IF_FULL.name
}
_NAMES: dict[object, str] = {script.sha: script.name for script in scripts.ALL}


def _name(command: Command) -> str:
    return _NAMES[command[1]] if command[0] == "EVALSHA" else str(command[0])
