"""The change feed: whoever follows it ends up with the ids that the catalogue has, and is told when it cannot."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from shared.admin.stuck import Decision, settle_stuck
from shared.model import Kind, OnMissing, Operation, Outcome
from shared.nonces import new_nonce
from shared.store.positions import Position
from shared.tasks.change_feed import ChangeFeed, ChangePage, ChangesGone
from shared.tasks.records import Task, Tasks
from shared.tasks.task_changes import TaskChanges
from tests.support.batches import items, make_batch, named, variations
from tests.support.files import MULTIPART, multipart
from tests.support.ingress import Ingress
from tests.support.rig import ACME, Rig


def page(rig: Rig, after: int = 0, *, section: str | None = None, size: int = 100) -> ChangePage:
    return ChangeFeed(rig.client, ACME).page(Position(after), section=section, size=size)


def shown(page: ChangePage) -> tuple[list[TaskChanges], int, bool]:
    """What a page holds, but for the run of the server."""
    return page.changes, page.next_after.task_id, page.more


def told(rig: Rig, after: int = 0, **query: Any) -> list[tuple[int, str, str]]:
    """Task, kind and entries of each change, the entries as ``id=outcome``."""
    return [
        (change.task_id, change.kind, " ".join(f"{entry_id}={mark}" for entry_id, mark in change.entries))
        for change in page(rig, after, **query).changes
    ]


def follow(rig: Rig, *, size: int) -> dict[Kind, set[str]]:
    """Read the whole feed page by page and apply it."""
    there: dict[Kind, set[str]] = {kind: set() for kind in Kind}
    after, more = 0, True
    while more:
        found = page(rig, after, size=size)
        assert found.next_after.task_id > after
        for change in found.changes:
            assert after < change.task_id <= found.next_after.task_id
            for entry_id, outcome in change.entries:
                if outcome is Outcome.DELETED:
                    there[change.kind].remove(entry_id)
                elif outcome is Outcome.CREATED:
                    assert entry_id not in there[change.kind]
                    there[change.kind].add(entry_id)
                else:
                    assert entry_id in there[change.kind]
        after, more = found.next_after.task_id, found.more
    return there


def test_each_task_is_told_with_what_it_changed(rig: Rig) -> None:
    """Nothing of what was left out, unchanged, failed or canceled."""
    rig.put(*items("a", "b", "a"))
    rig.patch({"id": "a", "name": "New"}, {"id": "b"})
    rig.patch({"id": "missing", "name": "New"})
    rig.cancel(rig.put(*items("x")))
    rig.delete(*named("b", "never"))
    rig.drain()
    assert told(rig) == [(1, "items", "b=c a=c"), (2, "items", "a=u"), (5, "items", "b=d")]
    assert told(rig, after=1) == [(2, "items", "a=u"), (5, "items", "b=d")]
    assert told(rig, after=5) == []


def test_what_goes_along_is_told_too(rig: Rig) -> None:
    """The variations of an item that is deleted were never named."""
    rig.put(*items("a"))
    rig.put(*variations("a", "v1", "v2"), kind=Kind.VARIATIONS)
    rig.delete(*named("a"))
    rig.drain()
    assert told(rig, after=2) == [(3, "items", "a=d"), (3, "variations", "v1=d v2=d")]


def test_a_cascade_of_many_pages_is_told_whole(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.put(*variations("a", *map(str, range(2500))), kind=Kind.VARIATIONS)
    rig.delete(*named("a"))
    rig.drain()
    assert follow(rig, size=100) == {kind: set() for kind in Kind}


def test_a_task_of_any_size_comes_in_pages(rig: Rig) -> None:
    """A chunk at a time, then what went along; where it stands is told, and nothing comes twice."""
    rig.put(*items(*map(str, range(9))), chunk_entries=2)
    for item_id in range(4):
        rig.put(*variations(str(item_id), *(f"{item_id}-{n}" for n in range(3))), kind=Kind.VARIATIONS)
    rig.drain()
    rig.delete(*named(*map(str, range(9))), chunk_entries=2)
    rig.put(*items("last"))
    rig.drain()
    for most in (1, 3, 5, 100):
        position, seen, sizes = Position(0), list[tuple[int, Kind, str]](), list[int]()
        more = True
        while more:
            found = ChangeFeed(rig.client, ACME).page(position, section=None, size=3, most_entries=most)
            told = [(one.task_id, one.kind, id_) for one in found.changes for id_, _ in one.entries]
            position, more = Position.read(str(found.next_after)), found.more
            seen += told
            sizes.append(len(told))
        assert (len(seen), len(set(seen)), position.is_inside) == (9 + 12 + 9 + 12 + 1, len(seen), False)
        assert max(sizes) <= most + 12
        # Each task's entries are in the order of the batch.
        assert [id_ for task, kind, id_ in seen if (task, kind) == (6, Kind.ITEMS)] == list(map(str, range(9)))


def test_the_rest_of_a_task_whose_payload_is_gone_is_gone(rig: Rig) -> None:
    feed = ChangeFeed(rig.client, ACME)
    rig.put(*items("a", "b", "c"), chunk_entries=1)
    rig.drain()
    inside = feed.page(Position(0), section=None, size=1, most_entries=1).next_after
    assert (str(inside)[:4], feed.goes_on(inside)) == ("1.1-", True)
    rig.clock.advance(10**11)
    rig.put(*items("d"))
    rig.drain()
    rig.retention().retire(now_ms=rig.clock(), limit=100)
    with pytest.raises(ChangesGone):
        feed.page(inside, section=None, size=1)


def test_a_position_of_another_catalog_is_not_taken_for_one_of_this(rig: Rig) -> None:
    """Nobody who mixes up two catalogs misses changes; those that earlier versions told are still understood."""
    for catalog_key in (ACME, "other"):
        rig.put(*items("a"), catalog_key=catalog_key)
        rig.put(*items("b"), catalog_key=catalog_key)
    rig.drain()
    rig.drain("other")
    other = ChangeFeed(rig.client, "other").page(Position(0), section=None, size=1).next_after
    assert (other.task_id, other.mark) != (1, page(rig).next_after.mark)
    with pytest.raises(ChangesGone):
        ChangeFeed(rig.client, ACME).page(other, section=None, size=1)
    earlier = Position(1, rig.client.info("server")["run_id"][:8])
    found = ChangeFeed(rig.client, ACME).page(earlier, section=None, size=1)
    assert ([one.task_id for one in found.changes], found.restarted) == ([2], False)


def test_groups_that_a_replace_leaves_out_are_told_as_deleted(rig: Rig) -> None:
    rig.put(*items("a", "b", "c"), kind=Kind.ITEM_GROUPS)
    rig.submit_batch(make_batch(Operation.REPLACE, items("b", "d"), kind=Kind.ITEM_GROUPS, section=""))
    rig.drain()
    assert told(rig, after=1) == [(2, "item_groups", "d=c a=d c=d")]


def test_variations_that_come_with_their_item_are_told(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.put(*variations("a", "u", "v"), kind=Kind.VARIATIONS)
    rig.send(Operation.MODIFY, items("a", variations=variations("a", "v", "w")))
    rig.drain()
    assert told(rig, after=2) == [(3, "items", "a=u"), (3, "variations", "u=d w=c")]


def test_whoever_follows_has_what_is_there(rig: Rig) -> None:
    """Over a random history, in pages of any size."""
    rnd = random.Random(7)
    for _ in range(60):
        ids = [str(rnd.randrange(30)) for _ in range(rnd.randrange(1, 12))]
        match rnd.randrange(6):
            case 0:
                rig.put(*items(*ids))
            case 1:
                rig.put(*variations(str(rnd.randrange(30)), *ids), kind=Kind.VARIATIONS)
            case 2:
                rig.delete(*named(*ids[:3]))
            case 3:
                rig.delete(*named(*ids[:3]), kind=Kind.VARIATIONS)
            case 4:
                rig.patch(*items(*ids[:2]))
            case 5:
                whole = items(ids[0], variations=variations(ids[0], *sorted(set(ids))))
                rig.send(Operation.MODIFY, whole, on_missing=OnMissing.CREATE)
        if rnd.randrange(3) == 0:
            rig.drain()
    rig.drain()
    should = {kind: set(rig.bodies(kind)) for kind in (Kind.ITEMS, Kind.VARIATIONS)}
    for size in (1, 3, 100):
        there = follow(rig, size=size)
        assert {kind: there[kind] for kind in should} == should
    rig.check_laws()


def test_pages_end_with_a_task_and_say_whether_there_is_more(rig: Rig) -> None:
    for name in "abc":
        rig.put(*items(name))
    rig.drain()
    first = page(rig, size=2)
    assert ([change.task_id for change in first.changes], first.next_after.task_id, first.more) == ([1, 2], 2, True)
    last = page(rig, after=2, size=2)
    assert ([change.task_id for change in last.changes], last.next_after.task_id, last.more) == ([3], 3, False)
    assert shown(page(rig, after=3)) == ([], 3, False)


def test_only_one_section_may_be_followed(rig: Rig) -> None:
    """Tasks of others move the reader on."""
    rig.put(*items("a"))
    rig.put(*items("b"), section="Content")
    rig.put(*items("g"), kind=Kind.ITEM_GROUPS)
    rig.drain()
    assert told(rig, section="Content") == [(2, "items", "b=c")]
    assert shown(page(rig, after=2, section="Content")) == ([], 3, False)


def test_what_has_not_ended_is_not_told(rig: Rig) -> None:
    """Also not the chunks that a big task has committed; nothing is told before what comes first."""
    rig.put(*items("a"))
    rig.put(*items("b", "c", "d"), chunk_entries=1)
    rig.cancel(rig.put(*items("x")))
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant))
    grant = rig.acquire(nonce=grant.lease.token.partition(":")[2])
    rig.take(grant, rig.plan(grant)[:1])
    assert rig.report(2) == "c"
    assert page(rig).next_after.task_id == 1
    assert not page(rig).more
    rig.expire_lease()
    rig.drain()
    assert told(rig, after=1) == [(2, "items", "b=c c=c d=c")]
    assert page(rig, after=1).next_after.task_id == 3


def test_what_a_task_had_changed_when_it_was_given_up_is_told(rig: Rig) -> None:
    rig.put(*items("a", "b", "c"), chunk_entries=1, excused=True)
    for _ in range(rig.settings.max_stalls + 1):
        grant = rig.claim(nonce=new_nonce()).acquire()
        if rig.report(1) == "":
            rig.take(grant, rig.plan(grant)[:2])  # type: ignore[arg-type]
        rig.expire_lease()
    settle_stuck(rig.client, rig.settings, ACME, Decision.SKIP, who="me", now_ms=rig.clock())
    assert told(rig) == [(1, "items", "a=c b=c")]
    feed = ChangeFeed(rig.client, ACME)
    inside = feed.page(Position(0), section=None, size=1, most_entries=2).next_after
    assert (inside.is_inside, feed.page(inside, section=None, size=1).changes) == (True, [])


# -- how far back it reaches ------------------------------------------------------------------------------------------


def gone(rig: Rig, after: int) -> int:
    """From where to go on, as the feed does not reach back so far."""
    with pytest.raises(ChangesGone) as caught:
        page(rig, after)
    return caught.value.latest.task_id


@pytest.mark.parametrize("how", ["payload_retention_s", "task_retention_s", "payload_bytes"])
def test_a_reader_that_is_too_late_is_told_from_where_to_go_on(rig: Rig, how: str) -> None:
    """Whichever bound let go of the payload."""
    for name in "abcd":
        if name == "c":
            rig.clock.advance(10_000)
        rig.put(*items(name))
        rig.drain()
    size = rig.client.hget(rig.keys().task(1), "payload_bytes")
    if how == "payload_bytes":
        rig = rig.with_settings(payload_bytes=3 * int(size or 0))
        rig.put(*items("e"))
        rig.drain()
    else:
        rig = rig.with_settings(**{how: 5})
        rig.retention().retire(now_ms=rig.clock(), limit=100)
    latest = 5 if how == "payload_bytes" else 4
    assert gone(rig, 0) == gone(rig, 1) == latest
    assert [change.task_id for change in page(rig, 2).changes][:2] == [3, 4]
    assert page(rig, latest).changes == []


def test_when_everything_is_gone_whoever_had_read_all_goes_on(rig: Rig) -> None:
    brief = rig.with_settings(task_retention_s=1)
    brief.put(*items("a"))
    brief.put(*items("b"))
    brief.drain()
    brief.clock.advance(2000)
    brief.retention().retire(now_ms=brief.clock(), limit=100)
    assert shown(page(brief, 2)) == ([], 2, False)
    assert gone(brief, 1) == 2
    brief.put(*items("c"))
    brief.drain()
    assert told(brief, after=2) == [(3, "items", "c=c")]


def test_whoever_has_read_all_goes_on_although_the_last_task_was_canceled(rig: Rig) -> None:
    """It changed nothing, so nothing is missed once it is let go of."""
    brief = rig.with_settings(task_retention_s=1)
    brief.put(*items("a"))
    brief.cancel(brief.put(*items("b")))
    brief.drain()
    brief.clock.advance(2000)
    brief.retention().retire(now_ms=brief.clock(), limit=100)
    assert shown(page(brief, 2)) == ([], 2, False)
    brief.put(*items("c"))
    brief.drain()
    assert told(brief, after=2) == [(3, "items", "c=c")]


def test_a_canceled_task_that_goes_while_it_is_read_is_passed_over(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    brief = rig.with_settings(task_retention_s=1)
    brief.cancel(brief.put(*items("a")))
    brief.clock.advance(2000)
    brief.put(*items("b"))
    brief.drain()
    get_many = Tasks.get_many

    def late(self: Tasks, task_ids: Sequence[int]) -> list[Task | None]:
        brief.retention().retire(now_ms=brief.clock(), limit=100)
        return get_many(self, task_ids)

    monkeypatch.setattr(Tasks, "get_many", late)
    assert told(brief) == [(2, "items", "b=c")]


def test_a_task_that_never_was_is_not_followed(rig: Rig) -> None:
    """It may have been lost with the store's last second: its reader knows of changes that nobody else does."""
    assert shown(page(rig)) == ([], 0, False)
    rig.put(*items("a"))
    rig.drain()
    assert gone(rig, 2) == 1


def test_without_a_feed_what_goes_along_is_not_kept_and_that_is_known(rig: Rig) -> None:
    off = rig.with_settings(changes="off")
    off.put(*items("a"))
    off.put(*variations("a", "v"), kind=Kind.VARIATIONS)
    off.delete(*named("a"))
    off.put(*items("b"))
    off.drain()
    assert not list(off.client.scan_iter(match="*also_changed*"))
    assert gone(rig, 2) == 4
    assert told(rig, after=3) == [(4, "items", "b=c")]


def test_what_is_kept_of_a_cascade_counts_and_goes_with_the_payload(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.put(*variations("a", "v"), kind=Kind.VARIATIONS)
    rig.delete(*named("a"))
    rig.drain()
    assert rig.client.exists(rig.keys().also_changed(3))
    rig.clock.advance(3_600_000)
    rig.with_settings(payload_retention_s=1).retention().retire(now_ms=rig.clock(), limit=100)
    assert not rig.client.exists(rig.keys().also_changed(3))
    assert rig.client.hget(rig.keys().waiting, "kept_bytes") == b"0"


# -- over HTTP --------------------------------------------------------------------------------------------------------


def test_over_http(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    ingress.write("PUT", "/v2/item_groups", {"item_groups": items("g")})
    ingress.rig.drain()
    here = page(ingress.rig, 1).next_after
    assert ingress.get("/v1/changes", num_results_per_page=1) == {
        "changes": [
            {"task_id": 1, "kind": "items", "section": "Products", "entries": [{"id": "a", "outcome": "created"}]}
        ],
        "next_after": f"1-{here.mark}",
        "more": True,
        "restarted": False,
    }
    assert ingress.get("/v1/changes", after=1)["changes"] == [
        {"task_id": 2, "kind": "item_groups", "section": None, "entries": [{"id": "g", "outcome": "created"}]}
    ]


def test_over_http_files_of_all_kinds_are_told_kind_by_kind(ingress: Ingress) -> None:
    """Groups belong to no section; who asks for one kind is told of that one only."""
    files = {
        "items": "id,item_name\na,A\n",
        "variations": "variation_id,item_id\na-1,a\n",
        "item_groups": "parent_id,id,name,data\n,g,G,\n",
    }
    assert ingress.send("PUT", "/v1/catalog", multipart(files), headers=MULTIPART).status_code == 200
    ingress.rig.drain()
    expected = {"items": ("Products", "a"), "variations": ("Products", "a-1"), "item_groups": (None, "g")}
    told = ingress.get("/v1/changes")["changes"]
    assert {one["kind"]: (one["section"], one["entries"][0]["id"]) for one in told} == expected
    for kind in expected:
        assert [one["kind"] for one in ingress.get("/v1/changes", kinds=kind)["changes"]] == [kind]


def test_over_http_what_is_gone_is_410(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    ingress.rig.drain()
    answer = ingress.send("GET", "/v1/changes", after=7)
    assert answer.status_code == 410
    here = page(ingress.rig, 1).next_after
    assert answer.json["next_after"] == f"1-{here.mark}"
    assert answer.json["message"] == (
        "The changes after 7 are no longer kept, or the store has lost what came before that. "
        f"Read the whole catalogue, then follow its changes from after=1-{here.mark}."
    )


@pytest.mark.parametrize(
    ("query", "loc"),
    [
        ({"after": "x"}, "after"),
        ({"after": "-1"}, "after"),
        ({"after": "1-x"}, "after"),
        ({"after": "1.2"}, "after"),
        ({"after": "99999999999"}, "after"),
        ({"section": ""}, "section"),
    ],
)
def test_over_http_bad_parameters_are_refused(ingress: Ingress, query: dict[str, str], loc: str) -> None:
    answer = ingress.send("GET", "/v1/changes", **query)
    assert (answer.status_code, answer.json["errors"][0]["loc"]) == (400, loc)


def test_over_http_a_feed_that_is_off_says_so(rig: Rig, store_server: Any) -> None:
    answer = Ingress(rig.with_settings(changes="off"), store_server.url).send("GET", "/v1/changes")
    assert (answer.status_code, answer.json["message"]) == (404, "The change feed is switched off (SLUICE_CHANGES).")
