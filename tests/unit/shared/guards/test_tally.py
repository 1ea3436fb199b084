"""What is counted of entries that are written, and what it breaks."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import Any

import pytest
from msgspec import Raw

from shared.guards.field_reader import is_empty, is_garbled, plain, read_all
from shared.guards.numbers import factors, size_of
from shared.guards.rules import FieldRules, Mode, Rules, safeguard
from shared.guards.tally import Fault, Tally, WrittenEntries
from shared.guards.verdict import judge, refusal, stopping
from shared.model import Kind
from shared.settings import Settings


def tallied(rules: Rules | None, *changes: tuple[Any, Any], name: str = "data.x") -> Tally:
    """Count entries whose field changes from one value to another; `...` is none."""
    tally = Tally(rules)

    def entry(value: Any) -> bytes:
        fields = {} if value is ... else {name.removeprefix("data."): value}
        return json.dumps({"id": "e", **({"data": fields} if name.startswith("data.") else fields)}).encode()

    ids = [f"e{i}" for i in range(len(changes))]
    befores = [None if before is None else entry(before) for before, _ in changes]
    tally.add(WrittenEntries(ids, befores, [entry(after) for _, after in changes], ids.index))
    tally.updated = tally.stored = len(changes)
    return tally


def limited(name: str = "data.x", **limits: Any) -> Rules:
    return Rules(fields={name: FieldRules(**limits)})


@pytest.mark.parametrize("value", ["", [], {}, None, ...])
def test_a_value_that_says_nothing_is_an_emptied_one(value: Any) -> None:
    """Zero and false say something."""
    rules = limited(max_emptied=0)
    found = tallied(rules, ("text", value), (12, value), (value, value), ("text", 0), ("text", False))
    assert found.fields["data.x"].of(Fault.EMPTIED).count == 2
    assert [one.id for one in found.fields["data.x"].of(Fault.EMPTIED).worst] == ["e0", "e1"]


def test_numbers_are_compared_also_those_that_are_texts() -> None:
    """What is emptied is no jump, what becomes a text is one; from or to zero is more than any factor."""
    changes: list[tuple[Any, Any]] = [
        (10, 29.9), (10, 31), ("19.90", "1990"), (10, 1), (10, 0), (0, 1), (-1, 1), (10, "ten"), (10, ...), ("ten", 1),
        (0, 0), (None, 5), (True, 500),
    ]  # fmt: skip
    tally = tallied(limited(factor=3), *changes)
    jumps = tally.fields["data.x"].of(Fault.JUMPED)
    assert jumps.count == 7
    assert {one.id for one in jumps.worst} == {"e1", "e2", "e3", "e4", "e5", "e6", "e7"}
    assert jumps.worst[-1].text == "10 → 31", "the least of them comes last"
    shown = tally.shown()["fields"]["data.x"]["numbers"]
    assert (shown["compared"], shown["changed"], shown["by_more_than_tenfold"]) == (9, 8, 5)


def test_of_many_the_worst_ten_are_kept() -> None:
    tally = tallied(limited(factor=2), *((1, 3 + i) for i in range(50)))
    jumps = tally.fields["data.x"].of(Fault.JUMPED)
    assert (jumps.count, [one.text for one in jumps.worst][:2]) == (50, ["1 → 52", "1 → 51"])
    assert len(jumps.worst) == 10


def test_a_number_too_great_for_python_is_no_number_and_no_error() -> None:
    tally = Tally(limited(factor=2, at_most=5))
    entries = [b'{"id":"a","data":{"x":1e999}}', b'{"id":"b","data":{"x":7}}']
    tally.add(WrittenEntries(["a", "b"], [b'{"id":"a","data":{"x":1}}', None], entries, "ab".index))
    assert tally.fields["data.x"].of(Fault.OUTSIDE).count == 1
    assert tally.fields["data.x"].of(Fault.JUMPED).count == 1


@pytest.mark.parametrize("right", ["Größe", "naïve café", "Ærø", "£5 – “quoted”…", "São Tomé à Paris", "NÃO"])
def test_text_decoded_wrongly_is_told_from_text_that_only_looks_strange(right: str) -> None:
    """By its characters, whether JSON has them as they are or escaped."""
    for ascii in (True, False):
        as_json = partial(json.dumps, ensure_ascii=ascii)
        assert is_garbled(Raw(as_json(right.encode().decode("latin-1")).encode()))
        assert is_garbled(Raw(as_json(right.encode("latin-1", "ignore").decode(errors="replace")).encode()))
        assert not is_garbled(Raw(as_json(right).encode()))


def test_shares_below_the_floor_break_nothing_and_strict_rules_do() -> None:
    rules = Rules(fields={"data.x": FieldRules(max_emptied=0)}, required=("data.x",), max_updated=0)
    broken = judge(rules, tallied(rules, *[("x", "")] * 5), Kind.ITEMS, floor=6)
    assert [(one.strict, one.text) for one in broken] == [(True, "5 items have no data.x, which is required")]
    assert stopping(rules, broken, force=True) == broken
    both = judge(rules, tallied(rules, *[("x", "")] * 6), Kind.ITEMS, floor=6)
    assert [one.strict for one in both] == [True, False, False]
    assert [one.strict for one in stopping(rules, both, force=True)] == [True]
    said = refusal(Kind.ITEMS, "Shop", both)
    assert said.startswith("the guard of the items in section 'Shop' stops this: (1) 6 items have no data.x")
    assert said.endswith("correct the entries: force=true does not waive required fields or a schema")
    assert stopping(Rules(mode=Mode.WARN), both, force=False) == []


def test_the_safeguard_is_loosened_only_by_a_rule_that_is_enforced() -> None:
    settings = Settings()
    assert safeguard(None, settings).ratio == safeguard(Rules(max_updated=0.1), settings).ratio == 0.5
    assert safeguard(Rules(max_deleted=0.9), settings).ratio == 0.9
    assert safeguard(Rules(max_deleted=0.9, mode=Mode.WARN), settings).ratio == 0.5


def test_without_rules_all_fields_are_counted_and_those_that_change_are_shown() -> None:
    """However many there are."""
    tally = Tally()
    names = [f"f{i}" for i in range(300)]
    before = json.dumps({"id": "a", "name": "N", "data": dict.fromkeys(names, "x")}).encode()
    tally.add(WrittenEntries(["a"], [before], [b'{"id":"a","name":"M","data":{"n":1}}'], "a".index))
    assert len(tally.fields) == 200
    assert len(tally.shown()["fields"]) == 30
    assert read_all(b'{"id":"a","name":"N","data":{"x":[1]}}') == {"name": b'"N"', "data.x": b"[1]"}
    assert is_empty(plain(b""))


def test_factors_have_one_meaning_on_the_fast_path_and_on_the_other() -> None:
    pairs = [(2.0, 4.0), (4.0, 2.0), (5.0, 5.0)]
    plainly = factors([a for a, _ in pairs], [b for _, b in pairs], [b for _, b in pairs])
    slowly = factors([*(a for a, _ in pairs), 0.0], [*(b for _, b in pairs), 1.0], [*(b for _, b in pairs), 1.0])
    assert slowly == [*plainly, math.inf]
    assert [size_of(one) for one in plainly if one is not None] == [2, 2, 1]
