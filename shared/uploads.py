"""An upload on its way in: chunk by chunk, before it is submitted as a whole."""

from __future__ import annotations

from shared import scripts
from shared.errors import UploadLost
from shared.keys import CatalogKeys
from shared.store import Store

#: How long an upload may stand still: a slow sender may take a while for a chunk.
UPLOAD_TTL_MS = 10 * 60_000


class Upload:
    """What is staged under one nonce; nobody else knows of it, and if it is left it goes by itself."""

    def __init__(self, client: Store, catalog_key: str, nonce: str) -> None:
        self.nonce = nonce
        self.chunks = 0
        self.bytes = 0
        self._client = client
        self._key = CatalogKeys(catalog_key).upload(nonce)

    def append(self, frame: bytes) -> None:
        """Stage one more chunk.  Raises UploadLost, StoreUnavailable or StoreFull; the upload is then to be dropped."""
        command = scripts.STAGE_CHUNKS.command((self._key,), (self.chunks, UPLOAD_TTL_MS, frame))
        if not scripts.run(self._client, command)[0]:
            raise UploadLost("the upload stood still for too long, and is lost")
        self.chunks += 1
        self.bytes += len(frame)

    def drop(self) -> None:
        """Let go of what was staged; raises StoreUnavailable, and then it goes by itself."""
        scripts.run(self._client, ("UNLINK", self._key))
        self.chunks = self.bytes = 0
