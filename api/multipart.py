"""The parts of a multipart body, as they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from api.errors import Invalid, Problem
from api.streams import Stream

#: What is read at a time.
PIECE_BYTES = 65_536
#: The headers of a part may be as long; of what is in a part as much is held at once.
_BUFFER_BYTES = 4 * PIECE_BYTES
_MAX_PARTS = 100

_BROKEN = Invalid(Problem("form-data", "it was cut short or garbled on the way"))


class SentPart(NamedTuple):
    """One part; its pieces have to be taken before the next part is asked for."""

    name: str
    filename: str | None
    pieces: Iterator[bytes]


def read_multipart(stream: Stream, boundary: bytes) -> Iterator[SentPart]:
    """Read part after part of a multipart body.  Raises Invalid if it is none, or is cut short."""
    decoder = MultipartDecoder(boundary, _BUFFER_BYTES, max_parts=_MAX_PARTS)
    events = _events(stream, decoder)
    for event in events:
        if isinstance(event, Field | File):
            pieces = _pieces(events)
            yield SentPart(event.name or "", event.filename if isinstance(event, File) else None, pieces)
            for _ in pieces:
                pass


def _events(stream: Stream, decoder: MultipartDecoder) -> Iterator[object]:
    while True:
        try:
            event = decoder.next_event()
            if isinstance(event, NeedData):
                decoder.receive_data(stream.read(PIECE_BYTES) or None)
                continue
        except (ValueError, RequestEntityTooLarge):
            raise _BROKEN from None
        yield event
        if isinstance(event, Epilogue):
            return


def _pieces(events: Iterator[object]) -> Iterator[bytes]:
    for event in events:
        assert isinstance(event, Data)
        if event.data:
            yield event.data
        if not event.more_data:
            return
