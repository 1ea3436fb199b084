"""The FTPS service, which receives catalogue files: ``python -m api.ftps.server``.

The user is a catalog key, the password a token that may write to it; TLS is required on both connections.  A file is
processed while it arrives, as over HTTP, and never stored on disk; its name says how to apply it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from ipaddress import IPv4Address
from types import FrameType
from typing import Any, ClassVar, NoReturn

import structlog
from OpenSSL import SSL
from pyftpdlib.authorizers import AuthenticationFailed
from pyftpdlib.handlers import DTPHandler, TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.handlers.ftps.ssl import SSLConnectionMixin
from pyftpdlib.servers import ThreadedFTPServer

from api.ftps.inbox import Inbox
from api.ftps.received_file import TAKEN, ReceivedFile
from api.ftps.taken_files import TakenFiles
from api.services import Services, create_services
from shared.clock import now_ms
from shared.credentials import Credential, Scope
from shared.errors import BadSetting, Misconfigured, SluiceError, StoreUnavailable, TryAgain
from shared.settings import Settings

log = structlog.get_logger()
_pyftpdlib_log = logging.getLogger("pyftpdlib")

#: Most simultaneous connections, in all and from one address.
CONNECTIONS = 64
CONNECTIONS_PER_ADDRESS = 16
#: Seconds without a command, and without a byte of a file, after which a connection is closed.
IDLE_S = 120
STALLED_S = 60
#: pyftpdlib's permissions: list what was received, change into the folder, store files, rename them.
_PERMISSIONS = "elwf"
#: Supported commands; there is nothing to fetch or delete.
_COMMANDS = frozenset({
    "ABOR", "ALLO", "AUTH", "CDUP", "CWD", "EPSV", "FEAT", "HELP", "LIST", "MDTM", "MLSD", "MLST", "MODE", "NLST",
    "NOOP", "OPTS", "PASS", "PASV", "PBSZ", "PROT", "PWD", "QUIT", "RNFR", "RNTO", "SIZE", "STAT", "STOR", "STRU",
    "SYST", "TYPE", "USER", "XCWD", "XPWD",
})  # fmt: skip


class _Authorizer:
    """Authenticates by token, with the interface that pyftpdlib expects."""

    def __init__(self, services: Services) -> None:
        self._credentials = services.credentials

    def find(self, catalog_key: str, token: str) -> Credential | None:
        """Find the credential of a token; None if it may not, or may no longer, write to the catalog."""
        found = self._credentials.find(token)
        return found if found is not None and found.allows(catalog_key, Scope.READ_WRITE) else None

    def validate_authentication(self, username: str, password: str, handler: Any) -> None:
        try:
            found = self.find(username, password)
        except StoreUnavailable:
            raise AuthenticationFailed("the store cannot be reached; please try again later.") from None
        if found is None:
            log.warning("login refused", action="login", catalog_key=username, address=handler.remote_ip)
            raise AuthenticationFailed("the user is a catalog key, the password a token that may write to it.")

    def get_home_dir(self, username: str) -> str:
        return "/"

    def get_msg_login(self, username: str) -> str:
        return "Welcome."

    def get_msg_quit(self, username: str) -> str:
        return "Goodbye."

    def get_perms(self, username: str) -> str:
        return _PERMISSIONS

    def has_perm(self, username: str, perm: str, path: str | None = None) -> bool:
        return perm in _PERMISSIONS

    def impersonate_user(self, username: str, password: str) -> None:
        pass

    def terminate_impersonation(self, username: str) -> None:
        pass


class _Receiving(DTPHandler):
    """Receives a file and replies only when its result is known."""

    timeout = STALLED_S

    def handle_close(self) -> None:
        """End the file: as complete only if the sender closed its TLS connection properly."""
        if self._closed or not isinstance(self.file_obj, ReceivedFile):
            super().handle_close()
            return
        self.transfer_finished = bool(self.socket.get_shutdown() & SSL.RECEIVED_SHUTDOWN)
        file = self.file_obj
        reply = file.finish() if self.transfer_finished else file.abort()
        if reply.code == TAKEN:
            held = file if file.is_held else None
            self.cmd_channel.taken.add(self.cmd_channel.username, file.name, file.bytes, held)
        self._resp = (str(reply), _pyftpdlib_log.debug)
        self.close()


class _ClosingAtOnce(SSLConnectionMixin):
    """A connection behind TLS that does not wait for the goodbye of a peer who may never say it.

    Half of such a connection would stay open, and be looked at again and again.
    """

    _ssl_closing: bool
    _ssl_established: bool

    def close(self) -> None:
        super().close()
        if self._ssl_closing and self._ssl_established and not self._ssl_want_write:
            self._ssl_established = self._ssl_closing = False
            super().close()


class _TlsReceiving(_ClosingAtOnce, TLS_DTPHandler, _Receiving):
    """The same behind TLS, which calls it in that order."""

    def initiate_send(self) -> None:
        """Send after the TLS handshake, and skip empty data: an empty listing would break the connection."""
        while self.producer_fifo and self.producer_fifo[0] == b"":
            self.producer_fifo.popleft()
        if not self._ssl_accepting:
            super().initiate_send()


class _Handler(_ClosingAtOnce, TLS_FTPHandler):
    """One session."""

    banner = "Sluice: catalogue files, TLS required."
    timeout = IDLE_S
    tls_control_required = True
    tls_data_required = True
    dtp_handler = _TlsReceiving
    abstracted_fs = Inbox
    proto_cmds: ClassVar = {name: TLS_FTPHandler.proto_cmds[name] for name in sorted(_COMMANDS)}
    services: Services
    taken: TakenFiles

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:
        """Receive a file, if the store tells that the token is still good."""
        return self._answered(super().ftp_STOR, file, mode)

    def ftp_RNTO(self, path: str) -> Any:
        """Give a file its final name, if the store takes it."""
        return self._answered(super().ftp_RNTO, path)

    def _answered(self, do: Callable[..., Any], *arguments: str) -> Any:
        try:
            return do(*arguments)
        except TryAgain:
            self.respond("451 The store cannot be reached, or is full. Please try again later.")
            return None


def create_server(settings: Settings, services: Services) -> ThreadedFTPServer:
    """Create the server, which listens at once.  Raises Misconfigured or BadSetting."""
    if settings.ftps_port is None or settings.ftps_cert is None:
        raise Misconfigured("FTPS needs SLUICE_FTPS_PORT and SLUICE_FTPS_CERT; `make up` creates one for trials")

    class Handler(_Handler):
        authorizer = _Authorizer(services)
        ssl_context = _tls(settings)
        passive_ports = _ports(settings.ftps_passive_ports)
        masquerade_address = _address(settings.ftps_address)

    Handler.services, Handler.taken = services, TakenFiles(services.clock)
    server = ThreadedFTPServer((settings.host, settings.ftps_port), Handler)
    server.max_cons, server.max_cons_per_ip = CONNECTIONS, CONNECTIONS_PER_ADDRESS
    return server


def _tls(settings: Settings) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    try:
        context.use_certificate_chain_file(str(settings.ftps_cert))
        context.use_privatekey_file(str(settings.ftps_cert))
    except SSL.Error as error:
        raise Misconfigured(
            f"SLUICE_FTPS_CERT: {settings.ftps_cert} does not contain a certificate and its key"
        ) from error
    return context


def _address(text: str | None) -> str | None:
    """Check what clients are told to connect to: in the reply to PASV there is no room for a name."""
    try:
        return text and str(IPv4Address(text))
    except ValueError:
        raise BadSetting(f"SLUICE_FTPS_ADDRESS: {text!r} is no IPv4 address, as 203.0.113.7") from None


def _ports(text: str) -> range:
    first, _, last = text.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal() and 0 < int(first) <= int(last or first) < 65536):
        raise BadSetting(f"SLUICE_FTPS_PASSIVE_PORTS: {text!r} is not a range of ports such as 30000-30099")
    return range(int(first), int(last or first) + 1)


def _stop(_: int, __: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def main() -> None:
    """Serve until SIGTERM."""
    try:
        settings = Settings.from_env(os.environ)
        server = create_server(settings, create_services(settings, clock=now_ms))
    except SluiceError as problem:
        sys.exit(f"sluice: {problem}")
    signal.signal(signal.SIGTERM, _stop)
    log.info("listening", action="ftps", host=settings.host, port=settings.ftps_port)
    server.serve_forever()


if __name__ == "__main__":
    main()
