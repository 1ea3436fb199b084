"""Run one service in the foreground: ``python -m deploy.run ingress|worker|sinks|flower|ftps``.

What the Dockerfile, the units of systemd and the manifest of Kubernetes run.  The process becomes that of gunicorn or
Celery; further arguments are handed to it.  Settings come from the environment; SLUICE_REDIS_URL has to be among them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.stack.allocator import MALLOC
from deploy.stack.data_folder import disk_errors, open_folder
from deploy.stack.services import Name
from deploy.stack.settings_check import check_settings
from shared.errors import Misconfigured, SluiceError, StoreUnavailable
from shared.settings import Settings
from shared.store.client import connect
from shared.store.durability import check_store

DEPLOY = Path(__file__).parent


def command(name: Name, settings: Settings) -> list[str]:
    """Build the command of a service.  Raises Misconfigured if a required setting is missing."""
    if settings.redis_url is None:
        raise Misconfigured("SLUICE_REDIS_URL is not set: a service of its own needs a store of its own")
    celery = ["-m", "celery", "--app", "workers.app:celery"]
    match name:
        case Name.INGRESS:
            if settings.secret_key is None:
                raise Misconfigured("SLUICE_SECRET_KEY is not set: all ingresses have to sign with the same")
            rest = ["-m", "gunicorn", "--config", str(DEPLOY / "gunicorn.conf.py"), "api.wsgi:app"]
        case Name.WORKER:
            rest = [
                *celery, "worker", "--pool", "prefork", "--concurrency", str(settings.workers), "--queues", "ingest",
                "--hostname", "worker@%h", "--without-gossip", "--without-mingle", "--loglevel", settings.log_level,
            ]  # fmt: skip
        case Name.FLOWER:
            rest = [*celery, "flower", f"--conf={DEPLOY / 'flowerconfig.py'}"]
        case Name.SINKS:
            rest = [
                "-m", "celery", "--app", "workers.sink_app:celery", "worker", "--pool", "threads",
                "--concurrency", str(max(1, settings.sinks)), "--queues", "sinks", "--hostname", "sinks@%h",
                "--without-gossip", "--without-mingle", "--loglevel", settings.log_level,
            ]  # fmt: skip
        case Name.FTPS:
            if settings.ftps_port is None or settings.ftps_cert is None:
                raise Misconfigured("SLUICE_FTPS_PORT and SLUICE_FTPS_CERT are not set: FTPS needs both")
            rest = ["-m", "api.ftps.server"]
        case Name.STORE:
            raise Misconfigured("the store is no service of this kind: name one in SLUICE_REDIS_URL")
    return [sys.executable, *rest]


def main(arguments: Sequence[str]) -> int:
    """Become the service; on failure print the reason in one line and return 1."""
    try:
        if not arguments or arguments[0] not in set(Name):
            raise Misconfigured("python -m deploy.run ingress|worker|sinks|flower|ftps")
        name, settings = Name(arguments[0]), Settings.from_env(os.environ)
        words = [*command(name, settings), *arguments[1:]]
        check_settings(settings, os.environ)
        # A store that is away is looked at before the first write.
        with contextlib.suppress(StoreUnavailable):
            for warning in check_store(connect(settings.redis_url or ""), settings.durability):
                print(f"sluice: warning: {warning}", file=sys.stderr)
        if name is not Name.FLOWER:
            # Its processes count in files of one folder; an earlier run's are not its own.
            with disk_errors(settings.data_dir):
                folder = open_folder(settings.data_dir / name)
                os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder.emptied("metrics"))
            os.set_inheritable(folder.lock, True)
        for variable, value in MALLOC.items():
            os.environ.setdefault(variable, value)
        os.chdir(DEPLOY.parent)
        os.execv(words[0], words)
    except SluiceError as problem:
        print(f"sluice: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
