"""The checker of the laws finds each way to break one: a check that cannot fail protects nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from tests.support.batches import Entry, entry_bytes, items, named, variations
from tests.support.guard_laws import Judged
from tests.support.laws import Accepted, LawBroken, SeenTask, StatusWatch, check_laws


@dataclass
class Shown:
    """What a service that keeps the laws would show after the history below."""

    seen: list[SeenTask] = field(default_factory=list)
    stored: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)

    def tasks(self) -> Sequence[SeenTask]:
        return self.seen

    def entries(self, kind: str, section: str) -> Sequence[tuple[str, bytes]]:
        return self.stored.get(kind, [])


def _accepted(task_id: int, operation: str, entries: list[Entry], kind: str = "items", **facts: object) -> Accepted:
    raw = list(map(entry_bytes, entries))
    return Accepted(task_id, kind, operation, raw, sent=task_id, answered=task_id + 0.5, **facts)  # type: ignore[arg-type]


HISTORY = [
    _accepted(1, "put", items("a", "b", "a", n=1)),
    _accepted(2, "put", [*variations("a", "v"), *variations("gone", "w")], "variations"),
    _accepted(3, "patch", [{"id": "b", "data": {"n": 1.50, "l:add": [1, 1.0]}}]),
    _accepted(4, "patch", named("missing")),
    _accepted(5, "delete", named("a", "unknown")),
    _accepted(6, "delete", named("b"), canceled=True),
    _accepted(7, "put", items("c"), retry_of=4),
]


def _keeps_the_laws() -> Shown:
    duplicate = {"code": "DUPLICATE_ITEM", "message": "", "data": {"id": "a"}}
    orphan = {"code": "ORPHAN_VARIATION", "message": "", "data": {"id": "w"}}
    return Shown(
        [
            SeenTask(7, "DONE", {"items_updated": 1}, [], retry_of=4),
            SeenTask(6, "CANCELED", {}, []),
            SeenTask(5, "DONE", {"items_deleted": 1, "variations_deleted": 1}, []),
            SeenTask(4, "FAILED", {}, [], error="IngestionError: not found"),
            SeenTask(3, "DONE", {"items_updated": 1}, []),
            SeenTask(2, "DONE", {"variations_updated": 2}, [orphan]),
            SeenTask(1, "DONE", {"items_updated": 2}, [duplicate]),
        ],
        {
            "items": [
                ("b", b'{"name": "Item b", "id": "b", "n": 1, "data": {"l": [1], "n": 1.5}}'),
                ("c", b'{"id": "c", "name": "Item c"}'),
            ],
            "variations": [("w", b'{"id":"w","item_id":"gone"}')],
        },
    )


def test_a_history_that_keeps_the_laws_passes() -> None:
    check_laws(HISTORY, _keeps_the_laws())


def _task(task_id: int, **changes: object) -> Callable[[Shown], None]:
    def change(shown: Shown) -> None:
        shown.seen = [replace(task, **changes) if task.id == task_id else task for task in shown.seen]  # type: ignore[arg-type]

    return change


def _stored(kind: str, *entries: tuple[str, bytes]) -> Callable[[Shown], None]:
    return lambda shown: shown.stored.update({kind: list(entries)})


_B, _C = _keeps_the_laws().stored["items"]


@pytest.mark.parametrize(
    ("damage", "law"),
    [
        (lambda shown: shown.seen.pop(), "accepted tasks are lost"),
        (lambda shown: shown.seen.insert(0, SeenTask(8, "DONE", {}, [])), "nobody was told of"),
        (lambda shown: shown.seen.reverse(), "listed as"),
        (lambda shown: shown.seen.append(shown.seen[-1]), "listed as"),
        (_task(1, status="QUEUED"), "task 1 .* is QUEUED"),
        (_task(1, status="FAILED", error="x"), "task 1 .* should be DONE"),
        (_task(4, status="DONE", error=None), "task 4 .* should be FAILED"),
        (_task(4, error=None), "task 4 .* with the error None"),
        (_task(6, status="DONE"), "task 6 .* should be CANCELED"),
        (_task(7, retry_of=None), "task 7 .* re-run"),
        (_task(5, counts={"items_deleted": 2, "variations_deleted": 1}), "items_deleted 2, not 1"),
        (_task(5, counts={"items_deleted": 1}), "variations_deleted 0, not 1"),
        (_task(1, warnings=[]), "does not warn"),
        (_task(3, warnings=[{"code": "DUPLICATE_ITEM", "data": {"id": "b"}}]), "warns of what is not so"),
        (_stored("items", _B), "lost"),
        (_stored("items", _B, _C, ("d", b"{}")), "too many"),
        (_stored("items", _C, _B), "out of order"),
        (_stored("items", (_B[0], _B[1].replace(b"1.5", b"1.50")), _C), "items 'b'"),
        (_stored("items", (_B[0], _B[1].replace(b"[1]", b"[1, 1.0]")), _C), "items 'b'"),
        (_stored("items", (_B[0], _B[1].replace(b"[1]", b"[true]")), _C), "items 'b'"),
        (_stored("variations"), "variations of 'Products'"),
    ],
)
def test_each_breach_is_found(damage: Callable[[Shown], None], law: str) -> None:
    shown = _keeps_the_laws()
    damage(shown)
    with pytest.raises(LawBroken, match=law):
        check_laws(HISTORY, shown)


def test_effects_in_another_order_are_found() -> None:
    """Two batches of one item, applied the wrong way round."""
    history = [_accepted(1, "put", items("a", n=1)), _accepted(2, "put", items("a", n=2))]
    tasks = [SeenTask(2, "DONE", {"items_updated": 1}, []), SeenTask(1, "DONE", {"items_updated": 1}, [])]
    check_laws(history, Shown(tasks, {"items": [("a", entry_bytes(items("a", n=2)[0]))]}))
    with pytest.raises(LawBroken, match="items 'a'"):
        check_laws(history, Shown(tasks, {"items": [("a", entry_bytes(items("a", n=1)[0]))]}))


def test_ids_against_the_order_of_acceptance_are_found() -> None:
    """Whoever had an answer before another asked has the lower id; those at the same time may have any."""
    history = [_accepted(1, "delete", named("a")), _accepted(2, "delete", named("a"))]
    tasks = [SeenTask(2, "DONE", {}, []), SeenTask(1, "DONE", {}, [])]
    together = [replace(batch, sent=0.0, answered=9.0) for batch in history]
    check_laws(together, Shown(tasks))
    swapped = [replace(history[0], sent=5.0, answered=5.5), history[1]]
    with pytest.raises(LawBroken, match="task 1 was sent after the answer that named task 2"):
        check_laws(swapped, Shown(tasks))


def test_a_sync_is_all_that_is_left() -> None:
    """What its file leaves out is gone and counted; variations of items stay."""
    history = [
        _accepted(1, "put", items("a", "b")),
        _accepted(2, "put", variations("a", "v"), "variations"),
        _accepted(3, "sync", items("b", "c", n=2)),
    ]
    synced = SeenTask(3, "DONE", {"items_updated": 2, "items_deleted": 1}, [])
    before = [SeenTask(2, "DONE", {"variations_updated": 1}, []), SeenTask(1, "DONE", {"items_updated": 2}, [])]
    left = [(entry["id"], entry_bytes(entry)) for entry in items("b", "c", n=2)]
    stored = {"items": left, "variations": [("v", entry_bytes(variations("a", "v")[0]))]}
    check_laws(history, Shown([synced, *before], stored))
    with pytest.raises(LawBroken, match="items_deleted"):
        check_laws(history, Shown([replace(synced, counts={"items_updated": 2}), *before], stored))
    with pytest.raises(LawBroken, match="too many"):
        check_laws(history, Shown([synced, *before], stored | {"items": [("a", left[0][1]), *left]}))


def test_a_list_of_ids_keeps_what_it_names() -> None:
    """Other items go with their variations; an id that is not there is told."""
    history = [
        _accepted(1, "put", items("a", "b")),
        _accepted(2, "put", [*variations("a", "v"), *variations("b", "w")], "variations"),
        _accepted(3, "keep", named("b", "none")),
    ]
    counts = {"items_unchanged": 1, "items_deleted": 1, "variations_deleted": 1}
    kept = SeenTask(3, "DONE", counts, [{"code": "NOT_FOUND", "data": {"id": "none"}}])
    before = [SeenTask(2, "DONE", {"variations_updated": 2}, []), SeenTask(1, "DONE", {"items_updated": 2}, [])]
    stored = {"items": [("b", entry_bytes(items("b")[0]))], "variations": [("w", entry_bytes(variations("b", "w")[0]))]}
    check_laws(history, Shown([kept, *before], stored))
    with pytest.raises(LawBroken, match="variations_deleted"):
        check_laws(history, Shown([replace(kept, counts=counts | {"variations_deleted": 0}), *before], stored))
    with pytest.raises(LawBroken, match="does not warn"):
        check_laws(history, Shown([replace(kept, warnings=[]), *before], stored))


def test_the_safeguard_is_part_of_the_laws() -> None:
    """Sixty of a hundred items are too many, unless they are forced."""
    ids = [f"i{number:03}" for number in range(100)]
    put = _accepted(1, "put", items(*ids))
    delete = _accepted(2, "delete", named(*ids[:60]))
    seen = [SeenTask(2, "FAILED", {}, [], error="IngestionError: …"), SeenTask(1, "DONE", {"items_updated": 100}, [])]
    shown = Shown(seen, {"items": [(entry_id, entry_bytes(items(entry_id)[0])) for entry_id in ids]})
    check_laws([put, delete], shown)
    with pytest.raises(LawBroken, match="should be DONE"):
        check_laws([put, replace(delete, force=True)], shown)


def _planned(stored: int, created: int, updated: int, unchanged: int, deleted: int) -> dict[str, dict[str, int]]:
    names = ("stored", "created", "updated", "unchanged", "deleted")
    return {"items": dict(zip(names, (stored, created, updated, unchanged, deleted), strict=True))}


PUT = _accepted(1, "put", items("a", "b", "c", "d", price=1))
PUT_DONE = SeenTask(1, "DONE", {"items_updated": 4}, [])
LEFT = {"items": [(entry["id"], entry_bytes(entry)) for entry in items("a", "b", "c", "d", price=1)]}


@pytest.mark.parametrize(
    ("rules", "stops"),
    [
        ({"max_updated": 0.25}, True),
        ({"max_updated": 0.5}, False),
        ({"max_created": 0}, True),
        ({"max_created": 0, "floor": 5}, False),
        ({"required": ["size"]}, True),
        ({"fields": {"price": {"at_most": 5}}}, True),
        ({"fields": {"price": {"at_most": 5, "max_outside": 0.25}}}, False),
        ({"fields": {"price": {"factor": 5}}}, True),
        ({"fields": {"price": {"factor": 10}}}, False),
        ({"fields": {"price": {"max_emptied": 0}}}, True),
        ({"fields": {"price": {"max_emptied": 0.25}}}, False),
    ],
)
def test_a_guard_is_part_of_the_laws(rules: dict[str, object], stops: bool) -> None:
    """One of four items is new, one becomes ten times as dear, one loses its price, and one stays."""
    sent = [
        {"id": "a", "name": "Item a", "price": 10},
        {"id": "b", "name": "Item b"},
        *items("c", price=1),
        *items("e"),
    ]
    put = _accepted(2, "put", sent, judged=Judged({"items": {"floor": 0} | rules}))  # type: ignore[arg-type]
    planned = _planned(4, 1, 2, 1, 0)
    stopped = SeenTask(2, "FAILED", {}, [], error="IngestionError: …", planned=planned)
    done = SeenTask(2, "DONE", {"items_updated": 4, "items_unchanged": 1}, [], planned=planned)
    written = dict(LEFT["items"]) | {entry["id"]: entry_bytes(entry) for entry in sent}  # type: ignore[index]
    shown = {True: Shown([stopped, PUT_DONE], LEFT), False: Shown([done, PUT_DONE], {"items": sorted(written.items())})}
    check_laws([PUT, put], shown[stops])
    with pytest.raises(LawBroken, match="it should be"):
        check_laws([PUT, put], shown[not stops])
    shown[stops].seen[0] = replace(shown[stops].seen[0], planned=_planned(4, 1, 3, 0, 0))
    with pytest.raises(LawBroken, match="would change"):
        check_laws([PUT, put], shown[stops])


def test_a_guard_that_is_waived_warns() -> None:
    """By its mode, or by force; and what it requires is waived by neither force."""
    delete = _accepted(2, "delete", named("a", "b", "c"), judged=Judged({"items": {"floor": 0, "max_deleted": 0.5}}))
    stopped = SeenTask(2, "FAILED", {}, [], error="IngestionError: …", planned=_planned(4, 0, 0, 0, 3))
    check_laws([PUT, delete], Shown([stopped, PUT_DONE], LEFT))
    left = {"items": LEFT["items"][3:]}
    for code, changes in (
        ("GUARD_WAIVED", {"force": True}),
        ("GUARD", {"judged": Judged({"items": {"mode": "warn", "floor": 0, "max_deleted": 0.5}}, ())}),
    ):
        batch = replace(delete, **changes)  # type: ignore[arg-type]
        warned = SeenTask(
            2, "DONE", {"items_deleted": 3}, [{"code": code, "data": {"id": None}}], planned=_planned(4, 0, 0, 0, 3)
        )
        check_laws([PUT, batch], Shown([warned, PUT_DONE], left))
        with pytest.raises(LawBroken, match="does not warn"):
            check_laws([PUT, batch], Shown([replace(warned, warnings=[]), PUT_DONE], left))


def test_a_task_that_was_given_up_is_there_as_far_as_it_came() -> None:
    """No entry more, none less; one that comes again later in the batch was not applied."""
    put = _accepted(2, "put", items("x", "y", "x", n=1), given_up_after=2)
    duplicate = {"code": "DUPLICATE_ITEM", "message": "", "data": {"id": "x"}}
    given_up = SeenTask(2, "FAILED", {"items_updated": 1}, [duplicate], error="IngestionError: given up …")
    [y] = items("y", n=1)
    stored = {"items": [*LEFT["items"], ("y", entry_bytes(y))]}
    check_laws([PUT, put], Shown([given_up, PUT_DONE], stored))
    with pytest.raises(LawBroken, match="lost"):
        check_laws([PUT, put], Shown([given_up, PUT_DONE], LEFT))
    with pytest.raises(LawBroken, match="items_updated"):
        check_laws([PUT, replace(put, given_up_after=0)], Shown([given_up, PUT_DONE], LEFT))


@pytest.mark.parametrize(
    ("before", "after"),
    [("DONE", "IN_PROGRESS"), ("IN_PROGRESS", "QUEUED"), ("FAILED", "DONE"), ("CANCELED", "QUEUED")],
)
def test_a_status_that_goes_back_is_found(before: str, after: str) -> None:
    watch = StatusWatch()
    watch.see(1, before)
    watch.see(1, before)
    with pytest.raises(LawBroken, match=f"from {before} to {after}"):
        watch.see(1, after)
