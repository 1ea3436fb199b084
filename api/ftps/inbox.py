"""The folder of one session: files are put there, and seen for a while; no path of it is one of this machine."""

from __future__ import annotations

import os
import stat

import structlog
from pyftpdlib.filesystems import AbstractedFS, FilesystemError

from api.errors import Refused
from api.ftps.names import BadName, FileName, final_name, parse_name
from api.ftps.received_file import CLIENT, ReceivedFile
from api.ftps.taken_files import TakenFile
from shared.origin import Submitter

log = structlog.get_logger()

_GONE = "there is no such file: what is put here is seen for an hour"


class Inbox(AbstractedFS):
    """A folder that takes files in.  The methods are those that pyftpdlib calls."""

    def open(self, filename: str, mode: str) -> ReceivedFile:
        """Begin to receive a file, if its name says what to do with it."""
        channel = self.cmd_channel
        name = filename.removeprefix("/")
        if mode != "wb" or "/" in name:
            raise FilesystemError("only whole files may be stored, and not in a folder")
        credential = channel.authorizer.find(channel.username, channel.password)
        if credential is None:
            raise FilesystemError("the token is no longer good")
        final = final_name(name)
        meaning = self._meaning(final or name, channel.username)
        if meaning.kind is None and channel._current_type != "i":
            raise FilesystemError("an archive is sent in binary: TYPE I first")
        submitter = Submitter(credential.name, CLIENT, channel.remote_ip)
        return ReceivedFile(
            channel.services, channel.username, name, meaning, submitter, credential.notification_emails,
            final_name=final,
        )  # fmt: skip

    def _meaning(self, name: str, catalog_key: str) -> FileName:
        try:
            return parse_name(name, catalog_key)
        except BadName as bad:
            log.warning("file refused", action="upload", catalog_key=catalog_key, file=name[:200], why=str(bad))
            raise FilesystemError(str(bad)) from None

    def rename(self, src: str, dst: str) -> None:
        """Create the task of a file that waited for its final name.  Raises TryAgain; it waits on then."""
        taken, key, name = self.cmd_channel.taken, self.cmd_channel.username, dst.removeprefix("/")
        file = self._file(src)
        if file.held is None:
            raise FilesystemError("it was taken in under its name already")
        try:
            file.held.submit(name)
        except BadName as bad:
            raise FilesystemError(str(bad)) from None
        except Refused as refused:
            taken.take(key, file.name)
            raise FilesystemError(refused.message) from None
        taken.take(key, file.name)
        taken.add(key, name, file.bytes)

    def _file(self, path: str) -> TakenFile:
        found: TakenFile | None = self.cmd_channel.taken.find(self.cmd_channel.username, path.removeprefix("/"))
        if found is None:
            raise FilesystemError(_GONE)
        return found

    def validpath(self, path: str) -> bool:
        return True

    def realpath(self, path: str) -> str:
        return path

    def isdir(self, path: str) -> bool:
        return path == "/"

    def isfile(self, path: str) -> bool:
        return self.lexists(path) and not self.isdir(path)

    def lexists(self, path: str) -> bool:
        return self.isdir(path) or self.cmd_channel.taken.find(self.cmd_channel.username, path[1:]) is not None

    def listdir(self, path: str) -> list[str]:
        return [file.name for file in self.cmd_channel.taken.all(self.cmd_channel.username)]

    def getsize(self, path: str) -> int:
        return self._file(path).bytes

    def getmtime(self, path: str) -> float:
        return self._file(path).at_ms / 1000

    def lstat(self, path: str) -> os.stat_result:
        """Describe a file, or the folder, as an operating system does."""
        if self.isdir(path):
            return os.stat_result((stat.S_IFDIR | 0o755, 1, 0, 1, 0, 0, 0, 0, 0, 0))
        file = self._file(path)
        seconds = file.at_ms // 1000
        return os.stat_result((stat.S_IFREG | 0o444, 1, 0, 1, 0, 0, file.bytes, seconds, seconds, seconds))

    stat = lstat

    def chdir(self, path: str) -> None:
        if path != "/":
            raise FilesystemError("there is no such folder")
