"""An upload, staged chunk by chunk before it is submitted."""

from __future__ import annotations

from shared.errors import UploadLost
from shared.keys import CatalogKeys
from shared.store import scripts
from shared.store.client import Store

#: How long an upload may make no progress: a slow sender may take a while for a chunk.
UPLOAD_TTL_MS = 10 * 60_000


class Upload:
    """Chunks staged under one nonce.  Only its creator knows of it, and if abandoned it expires."""

    def __init__(self, client: Store, catalog_key: str, nonce: str) -> None:
        self.nonce = nonce
        self.chunks = 0
        self.bytes = 0
        self._client = client
        self._key = CatalogKeys(catalog_key).upload(nonce)

    def append(self, frame: bytes) -> None:
        """Stage one more chunk.  Raises UploadLost, StoreUnavailable or StoreFull; then drop the upload."""
        command = scripts.STAGE_CHUNKS.command(
            upload=self._key, staged=self.chunks, upload_ttl_ms=UPLOAD_TTL_MS, frames=[frame]
        )
        if not scripts.run(self._client, command)[0]:
            raise UploadLost("the upload made no progress for too long and expired")
        self.chunks += 1
        self.bytes += len(frame)

    def read(self, number: int) -> bytes:
        """Read a staged chunk.  Raises UploadLost or StoreUnavailable."""
        [frame] = scripts.run(self._client, ("LINDEX", self._key, number))
        if frame is None:
            raise UploadLost("the upload made no progress for too long and expired")
        return bytes(frame)

    def replace(self, number: int, before: bytes, frame: bytes) -> None:
        """Replace a staged chunk.  Raises StoreUnavailable or StoreFull."""
        scripts.run(self._client, ("LSET", self._key, number, frame))
        self.bytes += len(frame) - len(before)

    def drop(self) -> None:
        """Delete the staged chunks.  Raises StoreUnavailable; they expire then."""
        scripts.run(self._client, ("UNLINK", self._key))
        self.chunks = self.bytes = 0
