"""Chunks and batches as bytes and back."""

from __future__ import annotations

import random
import threading
from array import array

from hypothesis import given
from hypothesis import strategies as st

from shared.codec import STAMP_DIGITS, decode_batch, decode_chunk, encode_batch, encode_chunk, stamp
from shared.model import Batch, Chunk, Kind, OnMissing, Operation, Skipped
from shared.origin import Origin, Submitter
from tests.support import generated

_CHUNKS = st.builds(
    Chunk,
    text=st.binary(max_size=200),
    ids=st.lists(generated.IDS, max_size=5),
    bounds=st.lists(st.integers(0, 2**32 - 1), max_size=10).map(lambda bounds: array("I", bounds)),
    parents=st.none() | st.lists(st.none() | generated.IDS, max_size=5),
    superseded=st.lists(st.integers(0, 10_000), max_size=5),
    first=st.integers(0, 10**9),
    skipped=st.lists(
        st.builds(Skipped, st.integers(0, 10_000), st.none() | generated.IDS, generated.TEXTS), max_size=3
    ),
)

_BATCHES = st.builds(
    Batch,
    kind=st.sampled_from(Kind),
    operation=st.sampled_from(Operation),
    section=generated.TEXTS,
    entries=st.integers(1, 10**6),
    bytes=st.integers(1, 10**9),
    chunks=st.integers(1, 10**4),
    on_missing=st.sampled_from(OnMissing),
    force=st.booleans(),
    notification_emails=st.lists(generated.TEXTS, max_size=3).map(tuple),
    origin=st.builds(
        Origin,
        st.none() | st.builds(Submitter, generated.TEXTS, generated.TEXTS, generated.TEXTS),
        generated.TEXTS,
        generated.TEXTS,
    ),
)


@given(_CHUNKS)
def test_a_chunk_comes_back_as_it_was(chunk: Chunk) -> None:
    assert decode_chunk(encode_chunk(chunk)) == chunk


@given(_BATCHES)
def test_a_batch_comes_back_as_it_was(batch: Batch) -> None:
    assert decode_batch(encode_batch(batch)) == batch


def test_threads_compress_side_by_side() -> None:
    """A compressor shared between threads crashes the process; each has its own."""
    wrong = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(50):
            chunk = Chunk(chance.randbytes(chance.randrange(50_000)), ["a"], array("I", [0, 1]))
            if decode_chunk(encode_chunk(chunk)) != chunk:
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@given(st.integers(0, 10**STAMP_DIGITS - 1))
def test_a_stamp_has_always_the_same_length(now_ms: int) -> None:
    """It is cut off by length."""
    assert len(stamp(now_ms)) == STAMP_DIGITS
    assert int(stamp(now_ms)) == now_ms
