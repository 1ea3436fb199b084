"""The credentials of SLUICE_CREDENTIALS and SLUICE_CREDENTIALS_FILE, which is read again when it changes."""

from __future__ import annotations

from pathlib import Path

import structlog

from shared.credentials import Credential, parse_credentials
from shared.errors import BadSetting, Misconfigured
from shared.settings import Settings

log = structlog.get_logger()


class ConfiguredCredentials:
    """The credentials of SLUICE_CREDENTIALS and SLUICE_CREDENTIALS_FILE, of one process."""

    def __init__(self, settings: Settings) -> None:
        self._text = settings.credentials or ""
        self._file: Path | None = settings.credentials_file
        self._seen: object = None

    def read(self) -> list[Credential]:
        """Read them all.  Raises Misconfigured or BadSetting if the file or the setting cannot be used."""
        self._seen = self._mark()
        return self._parsed()

    def have_changed(self) -> bool:
        """Return whether the file has changed since it was read."""
        return self._file is not None and self._mark() != self._seen

    def reread(self) -> list[Credential] | None:
        """Read them again; None if the file cannot be used: then those before count."""
        self._seen = self._mark()
        try:
            found = self._parsed()
        except (BadSetting, Misconfigured) as error:
            log.error("credentials not read again", action="credentials", error=str(error))
            return None
        log.info("credentials read again", action="credentials", credentials=len(found))
        return found

    def _mark(self) -> object:
        """Tell one state of the file from another, also if it was replaced by another of the same size and time."""
        if self._file is None:
            return None
        try:
            stat = self._file.stat()
        except OSError as error:
            return str(error)
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino

    def _parsed(self) -> list[Credential]:
        text = self._text
        if self._file is not None:
            try:
                text += "\n" + self._file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise Misconfigured(f"SLUICE_CREDENTIALS_FILE cannot be read: {error}") from error
        return parse_credentials(text)
