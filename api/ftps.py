"""The FTPS service: catalogue files, put into a folder that is not there.  ``python -m api.ftps``.

The user is a catalog key, the password a token that may write to it; TLS is required for both connections.  A file is
taken in while it arrives, as those sent over HTTP are, and never lies on a disk; its name says what is to be done.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import FrameType
from typing import Any, ClassVar, NoReturn

import structlog
from OpenSSL import SSL
from pyftpdlib.authorizers import AuthenticationFailed
from pyftpdlib.filesystems import AbstractedFS, FilesystemError
from pyftpdlib.handlers import DTPHandler, TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

from api.app import create_services
from api.ftp_names import BadName, FileName, parse_name
from api.ftp_uploads import CLIENT, ReceivedFile
from api.services import Services
from shared.clock import now_ms
from shared.credentials import Credential, Scope
from shared.errors import BadSetting, Misconfigured, SluiceError, StoreUnavailable
from shared.model import Submitter
from shared.settings import Settings

log = structlog.get_logger()
_pyftpdlib_log = logging.getLogger("pyftpdlib")

#: Connections at once, in all and from one address.
CONNECTIONS = 64
CONNECTIONS_PER_ADDRESS = 16
#: Seconds without a command, and without a byte of a file, after which a connection is closed.
IDLE_S = 120
STALLED_S = 60
#: What a user may: look at the empty folder, go nowhere, and store.
_PERMISSIONS = "elw"
#: What is understood; there is nothing to fetch, rename or delete.
_COMMANDS = frozenset({
    "ABOR", "ALLO", "AUTH", "CDUP", "CWD", "EPSV", "FEAT", "HELP", "LIST", "MLSD", "MODE", "NLST", "NOOP", "OPTS",
    "PASS", "PASV", "PBSZ", "PROT", "PWD", "QUIT", "STOR", "STRU", "SYST", "TYPE", "USER", "XCWD", "XPWD",
})  # fmt: skip


class _Authorizer:
    """Lets in whoever has a token for a catalog.  The methods are those that pyftpdlib calls."""

    def __init__(self, services: Services) -> None:
        self._credentials = services.credentials

    def find(self, catalog_key: str, token: str) -> Credential | None:
        """Find a good token's credential; None if it may not write to the catalog, or no longer."""
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


class _Inbox(AbstractedFS):
    """A folder without files, which takes some in; no path of it is one of this machine."""

    def open(self, filename: str, mode: str) -> ReceivedFile:
        """Begin to receive a file, if its name says what to do with it."""
        channel = self.cmd_channel
        name = filename.removeprefix("/")
        if mode != "wb" or "/" in name:
            raise FilesystemError("files are put here whole, into no folder")
        credential = channel.authorizer.find(channel.username, channel.password)
        if credential is None:
            raise FilesystemError("the token is no longer good")
        meaning = self._meaning(name, channel.username)
        if meaning.kind is None and channel._current_type != "i":
            raise FilesystemError("an archive is sent in binary: TYPE I first")
        submitter = Submitter(credential.name, CLIENT, channel.remote_ip)
        return ReceivedFile(channel.services, channel.username, name, meaning, submitter)

    def _meaning(self, name: str, catalog_key: str) -> FileName:
        try:
            return parse_name(name, catalog_key)
        except BadName as bad:
            log.warning("file refused", action="upload", catalog_key=catalog_key, file=name[:200], why=str(bad))
            raise FilesystemError(str(bad)) from None

    def validpath(self, path: str) -> bool:
        return True

    def isdir(self, path: str) -> bool:
        return path == "/"

    def listdir(self, path: str) -> list[str]:
        return []

    def lstat(self, path: str) -> NoReturn:
        raise FilesystemError("there is no such file: those that are put here are taken away at once")

    def chdir(self, path: str) -> None:
        if path != "/":
            raise FilesystemError("there is no such folder")


class _Receiving(DTPHandler):
    """Answers for a file once it is known what became of it."""

    timeout = STALLED_S

    def handle_close(self) -> None:
        """End the file: as whole only if the sender ended its connection in order, as TLS lets one tell."""
        if self._closed or not isinstance(self.file_obj, ReceivedFile):
            super().handle_close()
            return
        self.transfer_finished = bool(self.socket.get_shutdown() & SSL.RECEIVED_SHUTDOWN)
        reply = self.file_obj.finish() if self.transfer_finished else self.file_obj.abort()
        self._resp = (str(reply), _pyftpdlib_log.debug)
        self.close()


class _TlsReceiving(TLS_DTPHandler, _Receiving):
    """The same behind TLS, which calls it in that order."""

    def initiate_send(self) -> None:
        """Send, once hands are shaken, and never nothing: an empty listing would break the connection."""
        while self.producer_fifo and self.producer_fifo[0] == b"":
            self.producer_fifo.popleft()
        if not self._ssl_accepting:
            super().initiate_send()


class _Handler(TLS_FTPHandler):
    """One session."""

    banner = "Sluice: catalogue files, TLS required."
    timeout = IDLE_S
    tls_control_required = True
    tls_data_required = True
    dtp_handler = _TlsReceiving
    abstracted_fs = _Inbox
    proto_cmds: ClassVar = {name: TLS_FTPHandler.proto_cmds[name] for name in sorted(_COMMANDS)}
    services: Services


def create_server(settings: Settings, tools: Services) -> ThreadedFTPServer:
    """Build the server, which listens at once.  Raises Misconfigured or BadSetting."""
    if settings.ftps_port is None or settings.ftps_cert is None:
        raise Misconfigured("FTPS needs SLUICE_FTPS_PORT and SLUICE_FTPS_CERT; `make up` makes one for trials")

    class Handler(_Handler):
        services = tools
        authorizer = _Authorizer(tools)
        ssl_context = _tls(settings)
        passive_ports = _ports(settings.ftps_passive_ports)
        masquerade_address = settings.ftps_address

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
        raise Misconfigured(f"SLUICE_FTPS_CERT: {settings.ftps_cert} holds no certificate with its key") from error
    return context


def _ports(text: str) -> range:
    first, _, last = text.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal() and 0 < int(first) <= int(last or first) < 65536):
        raise BadSetting(f"SLUICE_FTPS_PASSIVE_PORTS: {text!r} is no range of ports, as 30000-30099")
    return range(int(first), int(last or first) + 1)


def _stop(_: int, __: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def main() -> None:
    """Serve until told to stop."""
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
