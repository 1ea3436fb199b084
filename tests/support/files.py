"""Catalogue files as a client sends them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence

BOUNDARY = "b0undary"
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def multipart(files: Mapping[str, bytes | str] | Sequence[tuple[str, str, bytes]]) -> bytes:
    """Write a body with files: name → text, or (name, filename, text)."""
    if isinstance(files, Mapping):
        files = [(name, f"{name}.csv", _bytes(text)) for name, text in files.items()]
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'.encode()
        + text
        + b"\r\n"
        for name, filename, text in files
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def archive(files: Mapping[str, bytes | str | tarfile.TarInfo]) -> bytes:
    """Write a ``tar.gz``."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            if isinstance(text, tarfile.TarInfo):
                tar.addfile(text)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(_bytes(text))
            tar.addfile(member, io.BytesIO(_bytes(text)))
    return out.getvalue()


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
