"""One service in the foreground, for whatever starts processes: ``python -m deploy.run ingress|worker|flower|ftps``.

What the Dockerfile, the units of systemd and the manifest of Kubernetes run.  The process becomes that of gunicorn or
Celery; further arguments are handed to it.  Settings come from the environment; SLUICE_REDIS_URL has to be among them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.allocator import MALLOC
from deploy.data_folder import open_folder
from deploy.services import Name
from shared.durability import check_durability
from shared.errors import Misconfigured, SluiceError, StoreUnavailable
from shared.settings import Settings
from shared.store import connect

DEPLOY = Path(__file__).parent


def command(name: Name, settings: Settings) -> list[str]:
    """Spell the command of a service.  Raises Misconfigured if a setting is missing that it cannot do without."""
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
        case Name.FTPS:
            if settings.ftps_port is None or settings.ftps_cert is None:
                raise Misconfigured("SLUICE_FTPS_PORT and SLUICE_FTPS_CERT are not set: FTPS needs both")
            rest = ["-m", "api.ftps"]
        case Name.STORE:
            raise Misconfigured("the store is no service of this kind: name one in SLUICE_REDIS_URL")
    return [sys.executable, *rest]


def main(arguments: Sequence[str]) -> int:
    """Become the service; returns only if that cannot be done: 1, and says why in one line."""
    try:
        if not arguments or arguments[0] not in set(Name):
            raise Misconfigured("python -m deploy.run ingress|worker|flower|ftps")
        name, settings = Name(arguments[0]), Settings.from_env(os.environ)
        words = [*command(name, settings), *arguments[1:]]
        if name in (Name.INGRESS, Name.FTPS):
            # A store that is away is looked at before the first write.
            with contextlib.suppress(StoreUnavailable):
                check_durability(connect(settings.redis_url or ""), settings.durability)
        if name is not Name.FLOWER:
            # Its processes count in files of one folder, see shared/metrics.py; an earlier run's are not its own.
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
