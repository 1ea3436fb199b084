"""Read the parts of a multipart body as they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData, Preamble

from api.errors import Invalid, Problem
from api.http.body_streams import PIECE_BYTES, Stream

#: Most bytes of a part's headers, and of a part's content held at once.
_BUFFER_BYTES = 4 * PIECE_BYTES
_MAX_PARTS = 100

#: Allowed between the parts: any other text is a part with a corrupted boundary.
_BLANK = b" \t\r\n"


class SentPart(NamedTuple):
    """One part; read its pieces before moving to the next part."""

    name: str
    filename: str | None
    pieces: Iterator[bytes]


def read_multipart(stream: Stream, boundary: bytes) -> Iterator[SentPart]:
    """Read a multipart body part by part, to its end.  Raises Invalid if it is invalid or truncated."""
    decoder = MultipartDecoder(boundary, _BUFFER_BYTES, max_parts=_MAX_PARTS)
    events = _events(stream, decoder)
    for event in events:
        if isinstance(event, Field | File):
            pieces = _pieces(events)
            yield SentPart(event.name or "", event.filename if isinstance(event, File) else None, pieces)
            for _ in pieces:
                pass


def _events(stream: Stream, decoder: MultipartDecoder) -> Iterator[object]:
    where = "before its first part"
    while True:
        try:
            event = decoder.next_event()
            if isinstance(event, NeedData):
                decoder.receive_data(stream.read(PIECE_BYTES) or None)
                continue
        except (ValueError, RequestEntityTooLarge):
            if decoder.complete:
                raise _damaged(f"stops {where}, without its closing boundary: truncated in transit") from None
            raise _damaged(f"has neither a part nor an end {where}: corrupted in transit") from None
        match event:
            case Field(name=name) | File(name=name):
                where = f"in the part {(name or '')[:100]!r}"
            case Preamble(data=text) if text.strip(_BLANK):
                raise _damaged("there is text before its first part: corrupted in transit")
            case Epilogue(data=text) if text.strip(_BLANK):
                raise _damaged("there is text behind its closing boundary: corrupted in transit, or two forms in one")
        yield event
        if isinstance(event, Epilogue):
            return


def _damaged(how: str) -> Invalid:
    return Invalid(Problem("form-data", f"{how}; send it again"))


def _pieces(events: Iterator[object]) -> Iterator[bytes]:
    for event in events:
        assert isinstance(event, Data)
        if event.data:
            yield event.data
        if not event.more_data:
            return
