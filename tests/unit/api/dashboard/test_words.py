"""What others wrote is shown as text, and leaves alone what stands beside it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dashboard.words import isolate, percent, pretty, preview
from tests.support.laws import read_json


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (r'{"name":"\u0642\u0645\u064a\u0635"}', '{"name":"قميص"}'),
        (r'{"name":"caf\u00e9 \ud83d\ude00"}', '{"name":"café 😀"}'),
        (r'{"a":"\"\u0022\\u0642\n\u0000"}', r'{"a":"\"\u0022\\u0642\n\u0000"}'),
        (r'{"a":"\ud83d alone"}', r'{"a":"\ud83d alone"}'),
        ('{"a":"x\u202ey"}', r'{"a":"x\u202ey"}'),
        (r'{"a":"x\u202ey"}', r'{"a":"x\u202ey"}'),
        ('{"a":"x\u200by"}', r'{"a":"x\u200by"}'),
        ('{"a":19.90,"b":1e5}', '{"a":19.90,"b":1e5}'),
    ],
)
def test_escapes_are_shown_as_text_and_what_is_hidden_as_escapes(sent: str, shown: str) -> None:
    assert preview(sent.encode()) == shown


@given(st.text())
def test_what_is_shown_is_still_the_same_json(text: str) -> None:
    """However it was escaped."""
    for ascii_only in (True, False):
        sent = json.dumps({"a": text}, ensure_ascii=ascii_only)
        try:
            body = sent.encode()
        except UnicodeEncodeError:
            continue
        assert read_json(pretty(body).encode("utf-8", "surrogatepass")) == read_json(body)


def test_a_text_from_right_to_left_is_isolated() -> None:
    assert isolate("sku-1") == "sku-1"
    assert isolate("قميص") == "<bdi>قميص</bdi>"
    assert isolate("<é>") == "<bdi>&lt;é&gt;</bdi>"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "0 %"), (1, "100 %"), (0.5, "50 %"), (2 / 3, "66.7 %"), (0.00001, "<0.1 %"), (0.99999, ">99.9 %")],
)
def test_only_all_is_a_hundred_per_cent(share: float, shown: str) -> None:
    assert percent(share) == shown
