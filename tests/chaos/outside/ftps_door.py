"""The FTPS service as a sender knows it: whole files, renamed ones, and some that are cut off."""

from __future__ import annotations

import contextlib
import ftplib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.ftps_client import FtpsClient

#: Stands for the reply to what is surely no task, and to what may be one.
NOT_TAKEN, LOST = "not taken", "reply lost"
#: The replies to a file under a temporary name, and to its rename.
HELD, RENAMED = "226 Received; ", "250 "
#: How often a file is renamed that the store did not take in time.
RENAMES = 5
#: The reply to a file that broke off, and to one that the store did not take in time: it may have, though.
CUT_OFF, STORE_AWAY = "426 ", "451 "

_TROUBLE = (OSError, EOFError, ftplib.Error)


@dataclass(frozen=True)
class FtpsDoor:
    """Where files are sent to."""

    certificate: Path
    port: int
    token: str

    def send(self, catalog_key: str, name: str, contents: bytes) -> str:
        """Send a file whole; returns the reply, or what stands for it."""
        reply = NOT_TAKEN
        with contextlib.suppress(*_TROUBLE), self._session(catalog_key) as client:
            reply = _stored(client, name, contents)
        return LOST if reply.startswith(STORE_AWAY) else reply

    def send_renamed(self, catalog_key: str, name: str, contents: bytes) -> str:
        """Send a file whole under a temporary name, then give it its own, if need be again; returns the same."""
        reply, temporary = NOT_TAKEN, f"{name}.part"
        with contextlib.suppress(*_TROUBLE), self._session(catalog_key) as client:
            held = _stored(client, temporary, contents).startswith(HELD)
            for _ in range(RENAMES if held else 0):
                client.sendcmd(f"RNFR {temporary}")
                reply = LOST
                with contextlib.suppress(ftplib.error_temp):
                    return client.voidcmd(f"RNTO {name}")
        return reply

    def send_cut(self, catalog_key: str, name: str, contents: bytes, draw: random.Random) -> str:
        """Send a file that breaks off at any byte, alone or with its session; returns the same."""
        reply, stop = NOT_TAKEN, draw.randrange(len(contents) + 1)
        with contextlib.suppress(*_TROUBLE), self._session(catalog_key) as client:
            if draw.random() < 0.5:
                reply = client.break_off(name, contents[:stop])
            else:
                with client.transfercmd(f"STOR {name}") as connection:
                    connection.sendall(contents[:stop])
                    client.close()
        return reply

    @contextlib.contextmanager
    def _session(self, catalog_key: str) -> Iterator[FtpsClient]:
        """Log in, and hang up in the end without waiting for a goodbye."""
        client = FtpsClient(self.certificate, self.port)
        try:
            client.enter(catalog_key, self.token).voidcmd("TYPE I")
            yield client
        finally:
            client.close()


def _stored(client: FtpsClient, name: str, contents: bytes) -> str:
    reply = NOT_TAKEN
    try:
        with client.transfercmd(f"STOR {name}") as connection:
            connection.sendall(contents)
            # Only who hears the goodbye of TLS takes the file to be whole.
            reply = LOST
            with contextlib.suppress(OSError):
                connection.unwrap()
        reply = client.voidresp()
    except ftplib.Error as refused:
        reply = str(refused)
    except (OSError, EOFError):
        pass
    return reply
