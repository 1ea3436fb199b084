"""The FTPS client of the tests: Python's own."""

from __future__ import annotations

import ftplib
import io
import socket
import ssl
from pathlib import Path

NOW = "2026-01-31-12-00-00"


class FtpsClient(ftplib.FTP_TLS):
    """One that trusts the server's certificate and nobody else's; both connections are encrypted."""

    def __init__(self, certificate: Path, port: int) -> None:
        super().__init__(context=ssl.create_default_context(cafile=str(certificate)), timeout=30, encoding="utf-8")
        self.connect("localhost", port)

    def enter(self, catalog_key: str, token: str) -> FtpsClient:
        """Log in, and ask for encrypted data connections."""
        self.login(catalog_key, token)
        self.prot_p()
        return self

    def put(self, name: str, contents: bytes) -> str:
        """Send a file and return the last reply, whatever it is."""
        try:
            return self.storbinary(f"STOR {name}", io.BytesIO(contents))
        except ftplib.Error as refused:
            return str(refused)

    def break_off(self, name: str, contents: bytes) -> str:
        """Send a part of a file, then lose the data connection without its end; returns the reply."""
        self.voidcmd("TYPE I")
        with self.transfercmd(f"STOR {name}") as connection:
            connection.sendall(contents)
            # Below TLS, which so has no chance to say goodbye.
            with socket.socket(fileno=connection.detach()) as bare:
                bare.shutdown(socket.SHUT_RDWR)
        try:
            return self.voidresp()
        except ftplib.Error as refused:
            return str(refused)
