"""Replace every ingress and worker process of a running `make up`: ``python -m deploy.restart``, or ``make restart``.

No request fails: new processes of the ingress listen before the old ones end, on the same socket, and those let the
requests at hand end.  While the workers are replaced, a few seconds, batches are accepted and wait; deliveries to sinks
wait, too.  The new processes run the code that is there now; settings and the libraries that gunicorn itself uses stay
until `make up` ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from deploy.stack.data_folder import short_socket
from deploy.stack.services import Name
from deploy.stack.supervisor import Supervisor, SupervisorSilent
from shared.errors import Misconfigured, SluiceError
from shared.settings import Settings
from shared.waiting import WaitedInVain, wait_until

#: Seconds that the processes of one service have to be replaced: the longest request, and a busy machine.
REPLACE_TIMEOUT_S = 60.0


def main() -> int:
    """Replace the processes of the data folder's stack: 0; 1 if that cannot be done, in one line."""
    folder = Settings.from_env(os.environ).data_dir.absolute()
    try:
        supervisor = Supervisor(folder / "supervisor.conf", short_socket(folder / "supervisor.sock"))
        known = supervisor.processes()
        if not known:
            raise Misconfigured(f"no Sluice runs on the data folder {folder}: set SLUICE_DATA_DIR as for `make up`")
        replace_ingress(supervisor, known[Name.INGRESS].pid)
        print("ingress  replaced", flush=True)
        for name in (Name.WORKER, Name.SINKS):
            # Supervisor knows of a worker of sinks that was never wanted, too; one that is down may be wanted.
            if name is Name.WORKER or (name in known and known[name].was_wanted):
                replace_worker(supervisor, name)
                print(f"{name:<8} replaced", flush=True)
    except (SluiceError, WaitedInVain) as problem:
        print(f"sluice: {problem}", file=sys.stderr)
        return 1
    return 0


def replace_ingress(supervisor: Supervisor, parent: int) -> None:
    """Have gunicorn replace its processes, those of ``parent``; returns when the old ones have ended."""
    before = set(children(parent))
    supervisor.signal_service(Name.INGRESS, "HUP")

    def replaced() -> bool:
        now = set(children(parent))
        return len(now) == len(before) and not now & before

    wait_until(replaced, "the ingress is replaced", timeout_s=REPLACE_TIMEOUT_S, every_s=0.1)


def replace_worker(supervisor: Supervisor, name: Name = Name.WORKER) -> None:
    """Stop a worker, which gives its partitions or sinks back, and start another."""
    before = wait_until(
        lambda: supervisor.processes().get(name), f"the service {name} is known", timeout_s=REPLACE_TIMEOUT_S
    )
    assert before

    def stopped() -> bool:
        # What was not answered may not have been heard: it is asked for again.
        with contextlib.suppress(SupervisorSilent):
            supervisor.stop_service(name, timeout_s=REPLACE_TIMEOUT_S)
            return True
        return False

    def started() -> bool:
        with contextlib.suppress(SupervisorSilent):
            supervisor.start_service(name)
        now = supervisor.processes().get(name)
        return now is not None and now.state == "RUNNING" and now.pid != before.pid

    try:
        wait_until(stopped, f"the service {name} stops", timeout_s=REPLACE_TIMEOUT_S, every_s=0.5)
    finally:
        # Whatever gets lost, it must not stay stopped; one that runs is left alone.
        wait_until(started, f"the service {name} runs", timeout_s=REPLACE_TIMEOUT_S, every_s=0.5)


def children(pid: int) -> list[int]:
    """List the living child processes of a process."""
    command = ["ps", "-A", "-o", "pid=,ppid=,stat="]
    rows = map(str.split, subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())
    return [int(child) for child, parent, state in rows if int(parent) == pid and not state.startswith("Z")]


if __name__ == "__main__":
    sys.exit(main())
