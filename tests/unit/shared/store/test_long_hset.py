"""A long HSET is written just as the server's own library would write it."""

from __future__ import annotations

import hiredis
from hypothesis import given
from hypothesis import strategies as st

from shared.store.long_hset import long_hset


@given(
    key=st.text(max_size=20),
    entries=st.dictionaries(
        st.text(max_size=300), st.binary(max_size=20) | st.just(b"x" * 5000), min_size=1, max_size=9
    ),
    lead=st.binary(max_size=13),
)
def test_it_is_written_as_any_command_is(key: str, entries: dict[str, bytes], lead: bytes) -> None:
    written = long_hset(key, list(entries), list(entries.values()), lead)
    words = [word for field, value in entries.items() for word in (field, lead + value)]
    assert written.data == hiredis.pack_command(("HSET", key, *words))
    assert written[:2] == ("HSET", key)
