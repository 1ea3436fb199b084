"""The stack: store, ingress, worker and Flower of one data folder, as processes under supervisor.

`make up` and the demo run it; the acceptance tests run it to kill parts of it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from types import TracebackType

from deploy.stack import embedded_store
from deploy.stack.certificate import SELF_SIGNED, keep_certificate
from deploy.stack.data_folder import DataFolder, disk_errors, open_folder, write_private
from deploy.stack.first_credentials import SECRETS, NewCredential, new_credential
from deploy.stack.given_store import check_given_store, store_note
from deploy.stack.ports import LOOPBACK, base_url, check_port
from deploy.stack.services import STOP_ORDER, Name, Service, answers_ok, greets, without_password
from deploy.stack.settings_check import check_settings
from deploy.stack.store_damage import find_damage
from deploy.stack.supervisor import Supervisor, SupervisorSilent, render_config
from shared import keys
from shared.clock import now_ms
from shared.errors import Misconfigured, StoreUnavailable
from shared.partition.heartbeats import Heartbeats
from shared.settings import CREDENTIALS_PATH_FILE, FIRST_CREDENTIAL_FILE, STORE_URL_FILE, Settings
from shared.store.client import connect
from shared.store.scripts import run
from shared.waiting import WaitedInVain, wait_until

#: Seconds a service has to become ready: long enough for a store to read a big log, or a busy machine.
READY_TIMEOUT_S = 60.0
#: Seconds a service has to stop; supervisor kills it before that.
STOP_TIMEOUT_S = 35.0
#: Lines of a log that are shown when its service does not start.
LOG_TAIL = 15

#: States of a service that did not stay up.
_ENDED = {"BACKOFF", "EXITED", "FATAL"}


class NotStarted(Misconfigured):
    """A service ended or did not become ready; the text has the end of its log."""


class Stack:
    """The services of one data folder.

    All about it comes from ``environ``, the ``SLUICE_*`` variables, which its processes get too; without
    SLUICE_REDIS_URL the store is the embedded one.  As a context manager it is started, and stopped in the end.
    """

    def __init__(self, environ: Mapping[str, str], *, flower: bool = True) -> None:
        """Read the settings; nothing is touched yet.  Raises BadSetting if one does not parse."""
        self.settings = settings = Settings.from_env(environ)
        optional = {Name.FLOWER: flower, Name.FTPS: settings.ftps_port is not None, Name.SINKS: settings.sinks > 0}
        self._names = (Name.INGRESS, Name.WORKER, *(name for name, wanted in optional.items() if wanted))
        self.embedded = self.settings.redis_url is None
        #: What its processes get; complete once it is started, for others that should meet the same store.
        self.environ = dict(environ)
        #: Made by this start because nobody had set one; None otherwise.
        self.new_credential: NewCredential | None = None
        self.api_url = base_url(self.settings.host, self.settings.port, tls=self.settings.tls_cert is not None)
        self.flower_url = base_url(LOOPBACK, self.settings.flower_port)
        self._folder: DataFolder | None = None
        self._supervisor: Supervisor | None = None

    def start(self, on_ready: Callable[[Service], None] = lambda _: None) -> None:
        """Start all services, and report each to ``on_ready`` when it is.

        When one fails, the others are stopped again, and Misconfigured says what to change.
        """
        try:
            with disk_errors(self.settings.data_dir):
                self._prepare()
            if self.embedded:
                self.start_service(Name.STORE)
            on_ready(self._service(Name.STORE))
            self._keep_credential()
            # At once, since none needs another, and each takes a second to come up.
            for name in self._names:
                self.supervisor.start_service(name)
            for name in self._names:
                self._wait_for_start(name)
                on_ready(self._service(name))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all services in order and let go of the data folder.  A second call does nothing."""
        if self._supervisor:
            # One that does not answer is ended as a whole, and what it leaves behind after it.
            with contextlib.suppress(SupervisorSilent):
                for name in STOP_ORDER:
                    with contextlib.suppress(WaitedInVain):
                        self._supervisor.stop_service(name, timeout_s=STOP_TIMEOUT_S)
            self._supervisor.stop(timeout_s=STOP_TIMEOUT_S)
            self._supervisor = None
        if self._folder:
            self._folder.close()
            self._folder = None

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- one service ----------------------------------------------------------------------------------------------

    @property
    def supervisor(self) -> Supervisor:
        """Its supervisord, once started."""
        assert self._supervisor, "the stack is not started"
        return self._supervisor

    @property
    def folder(self) -> DataFolder:
        """Its data folder, once started."""
        assert self._folder, "the stack is not started"
        return self._folder

    def pids(self) -> dict[Name, int]:
        """Look up the process of each service that has one; of ingress and worker it is the parent of the others."""
        return {Name(found.name): found.pid for found in self.supervisor.processes().values() if found.pid}

    def kill(self, name: Name, signal_number: int = signal.SIGKILL) -> int:
        """Send a signal to the process of a service and return its pid; if it ends, supervisor starts it again."""
        pid = self.pids()[name]
        os.kill(pid, signal_number)
        return pid

    def start_service(self, name: Name) -> None:
        """Start one service and wait until it is ready.  Raises NotStarted at once when it does not stay up."""
        self.supervisor.start_service(name)
        self._wait_for_start(name)

    def stop_service(self, name: Name) -> None:
        """Stop one service; it stays stopped until it is started."""
        self.supervisor.stop_service(name, timeout_s=STOP_TIMEOUT_S)

    def wait_ready(self, name: Name, *, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until a service is ready, however often it is restarted meanwhile.  Raises WaitedInVain."""
        wait_until(lambda: self.is_ready(name), f"{name} is ready", timeout_s=timeout_s)

    def is_ready(self, name: Name) -> bool:
        """Ask the service itself."""
        match name:
            case Name.STORE:
                return embedded_store.answers(self.folder.socket("store"))
            case Name.INGRESS:
                return answers_ok(self.api_url + "/health/live")
            case Name.WORKER:
                return self._worker_seen()
            case Name.FLOWER:
                return answers_ok(self.flower_url + "/healthcheck")
            case Name.FTPS:
                return greets(self.settings.host, self.settings.ftps_port or 0)
            case Name.SINKS:
                return self.supervisor.is_running(Name.SINKS)

    def log_tail(self, name: Name) -> str:
        """Read the last lines of a service's log."""
        with contextlib.suppress(OSError):
            lines = self.folder.log(name).read_text(encoding="utf-8", errors="replace").splitlines()
            return "\n".join("  " + line for line in lines[-LOG_TAIL:])
        return ""

    # -- inside ---------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        settings = self.settings
        check_settings(settings, self.environ)
        self._folder = folder = open_folder(settings.data_dir)
        check_port(settings.host, settings.port, "SLUICE_PORT")
        if Name.FLOWER in self._names:
            check_port(LOOPBACK, settings.flower_port, "SLUICE_FLOWER_PORT")
        if settings.ftps_port is not None:
            check_port(settings.host, settings.ftps_port, "SLUICE_FTPS_PORT")
        if self.embedded:
            embedded_store.end_leftover(folder.socket("store"), timeout_s=STOP_TIMEOUT_S)
        else:
            check_given_store(self._store_url(), settings)
        self._complete_environ()
        config, control = folder.path / "supervisor.conf", folder.socket("supervisor")
        binary, store_config = self._store_command()
        text = render_config(
            folder,
            control,
            store_binary=binary,
            store_config=store_config,
            store_preloaded=embedded_store.preloaded(),
            workers=settings.workers,
            sinks=max(1, settings.sinks),
            log_level=settings.log_level,
        )
        write_private(config, text)
        self._supervisor = Supervisor(config, control)
        self._supervisor.start(self.environ, keep_open=folder.lock)

    def _store_command(self) -> tuple[object, object]:
        if not self.embedded:
            return "never-started", "-"
        folder, durability = self.folder, self.settings.durability
        config = embedded_store.write_config(folder.path / "store", folder.socket("store"), durability=durability)
        return embedded_store.server_binary(), config

    def _complete_environ(self) -> None:
        settings, folder, environ = self.settings, self.folder, self.environ
        environ["SLUICE_DATA_DIR"] = str(folder.path)
        # Ingress and worker count in files of one folder, so that the ingress can tell of both.
        environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder.emptied("metrics"))
        if self.embedded:
            # The broker is the next database of the same server, as with a given one.
            environ["SLUICE_REDIS_URL"] = url = embedded_store.store_url(folder.socket("store"))
            write_private(settings.data_dir / STORE_URL_FILE, url)
        if settings.credentials_file:
            environ["SLUICE_CREDENTIALS_FILE"] = str(settings.credentials_file.absolute())
        elif not settings.credentials:
            # Named now, since the environment cannot change later; filled when the store has told if one is needed.
            file = folder.path / FIRST_CREDENTIAL_FILE
            if not file.exists():
                write_private(file, "")
            environ["SLUICE_CREDENTIALS_FILE"] = str(file)
        write_private(folder.path / CREDENTIALS_PATH_FILE, environ.get("SLUICE_CREDENTIALS_FILE", ""))
        if settings.tls_cert is not None:
            made = str(settings.tls_cert) == SELF_SIGNED
            file = keep_certificate(folder.path / "tls.pem", settings.host) if made else settings.tls_cert
            environ["SLUICE_TLS_CERT"] = str(file.absolute())
            environ["SLUICE_TLS_KEY"] = str((settings.tls_key or file).absolute())
        if settings.ftps_port is not None:
            certificate = settings.ftps_cert or keep_certificate(folder.path / "ftps.pem", settings.host)
            environ["SLUICE_FTPS_CERT"] = str(certificate.absolute())
        for name, make in SECRETS.items():
            environ[f"SLUICE_{name.upper()}"] = getattr(settings, name) or folder.secret(name, make)[0]

    def _keep_credential(self) -> None:
        if self.settings.credentials or self.settings.credentials_file:
            return
        [stored] = run(connect(self._store_url()), ("HLEN", keys.CREDENTIALS))
        if stored:
            return
        made = new_credential()
        if self.folder.secret(FIRST_CREDENTIAL_FILE, lambda: str(made))[1]:
            self.new_credential = made

    def _store_url(self) -> str:
        return self.settings.redis_url or self.environ["SLUICE_REDIS_URL"]

    def _worker_seen(self) -> bool:
        holder = f"{socket.gethostname()}:{self.pids().get(Name.WORKER)}"
        with contextlib.suppress(StoreUnavailable):
            return holder in Heartbeats(connect(self._store_url())).alive(now_ms())
        return False

    def _wait_for_start(self, name: Name) -> None:
        def ready_or_ended() -> bool:
            process = self.supervisor.processes().get(name)
            if process and process.state in _ENDED:
                what = f"{name} ended at once"
                if name is Name.STORE and (damage := find_damage(self.folder.path / "store")):
                    what = f"the store does not start on its log. `make mend` mends it. {damage}"
                raise NotStarted(f"{what}. Its log, {self.folder.log(name)}, says:\n{self.log_tail(name)}")
            return self.is_ready(name)

        try:
            wait_until(ready_or_ended, f"{name} is ready", timeout_s=READY_TIMEOUT_S)
        except WaitedInVain as problem:
            raise NotStarted(f"{problem}. Its log, {self.folder.log(name)}, says:\n{self.log_tail(name)}") from None

    def _service(self, name: Name) -> Service:
        settings = self.settings
        match name:
            case Name.STORE if self.embedded:
                note = f"{store_note(self._store_url(), settings)}, append-only file, {settings.durability}"
                return Service(name, without_password(self._store_url()), note)
            case Name.STORE:
                return Service(name, without_password(self._store_url()), store_note(self._store_url(), settings))
            case Name.INGRESS:
                where = self._where_is("operator_password")
                return Service(name, self.api_url, f"page: {self.api_url}/integration, operator's password: {where}")
            case Name.WORKER | Name.SINKS:
                count = f"processes: {settings.workers}" if name is Name.WORKER else f"at once: {settings.sinks}"
                return Service(name, "", f"{count}, log: {self.folder.log(name)}")
            case Name.FLOWER:
                return Service(name, self.flower_url, f"user and password: {self._where_is('flower_auth')}")
            case Name.FTPS:
                note = f"TLS required, certificate: {self.environ['SLUICE_FTPS_CERT']}"
                return Service(name, f"ftp://{settings.host}:{settings.ftps_port}", note)

    def _where_is(self, secret: str) -> str:
        return f"SLUICE_{secret.upper()}" if getattr(self.settings, secret) else str(self.folder.path / secret)
