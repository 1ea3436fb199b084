"""Law 4: every Redis key is of a declared name, type and lifetime, and everything that belongs together is there.

The declarations are read from shared/keys.py itself: the comment above a name, or the docstring of the method that
spells it, begins with the type, and says ``with TTL`` where there is one.  The checker believes nothing else.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import redis

from shared import keys
from shared.keys import CatalogKeys
from shared.model import TERMINAL, Kind, Status
from tests.support.laws import NO_SECTION, read_json
from tests.support.store_contents import StoreContents

TYPES = frozenset({"hash", "list", "set", "stream", "string", "zset"})

#: What the arguments of the methods of CatalogKeys may become in a key.
ARGUMENTS = {
    "task_id": r"[1-9][0-9]{0,9}",
    "nonce": r"[A-Za-z0-9-]+",
    "digest": r"[A-Za-z0-9-]+",
    "status": "|".join(Status),
    "target": r"mail|wh_[0-9a-f]{12}",
    "sink": r"[a-z][a-z0-9_]*",
    "version": r"[0-9a-f-]+",
    "kind": "|".join(Kind),
    "hour": r"[1-9][0-9]*",
    "generation": r"0|[1-9][0-9]*",
    "section": r"(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})*",
}
CATALOG_KEY = r"[A-Za-z0-9_.\-]{1,100}"
#: Stands for the catalog key while names are spelled.
_CATALOG = "CATALOG"


class Leak(AssertionError):
    """A key is there that should not be, or not like this."""


@dataclass(frozen=True)
class Declared:
    """What shared/keys.py says of one name."""

    name: str
    #: With a placeholder for the catalog key and for each argument.
    spelled: str
    #: Type, lifetime and what it holds, in the words of shared/keys.py.
    said: str
    pattern: re.Pattern[str]
    type: str
    expires: bool


@cache
def declarations() -> list[Declared]:
    """Read every declaration; a name without one is an error."""
    source = inspect.getsource(keys)
    return [_declared(*found) for found in (*_constants(source), *_attributes(source), *_methods())]


def check_keys(client: redis.Redis) -> None:
    """Raise Leak unless every key of the database is as declared, and every catalog is whole."""
    contents, catalogs = StoreContents(client), set()
    for key, kind in contents.types.items():
        declared, ttl_ms = _declared_for(key), contents.ttls[key]
        if kind == "none" and declared.expires:
            continue  # just now
        if kind != declared.type:
            raise Leak(f"{key!r} is a {kind}, declared as {declared.type}")
        if ttl_ms != -2 and (ttl_ms >= 0) != declared.expires:
            raise Leak(f"{key!r} has the TTL {ttl_ms} ms, declared {'with' if declared.expires else 'without'} one")
        if tag := re.match(rf"sluice:\{{({CATALOG_KEY})\}}:", key):
            catalogs.add(tag[1])
    _check_reserved(contents, catalogs)
    for catalog_key in sorted(catalogs):
        _check_tasks(contents, catalog_key)
        _check_entries(contents, catalog_key)


@lru_cache(maxsize=10_000)
def _declared_for(key: str) -> Declared:
    declared = [one for one in declarations() if one.pattern.fullmatch(key)]
    if len(declared) != 1:
        raise Leak(f"{key!r} is declared {len(declared)} times")
    return declared[0]


# -- what is declared -------------------------------------------------------------------------------------------------


def _declared(name: str, spelled: str, said: str) -> Declared:
    kind, lifetime = said.split()[0].strip(",.").lower(), said.partition(":")[0]
    if kind not in TYPES:
        raise Leak(f"shared/keys.py does not say first of which type {name} is: {said!r}")
    pattern = re.escape(spelled).replace(_CATALOG, CATALOG_KEY)
    for argument, allowed in ARGUMENTS.items():
        pattern = pattern.replace(_placeholder(argument), f"(?:{allowed})")
    return Declared(name, spelled, said, re.compile(pattern), kind, "with TTL" in lifetime)


def _placeholder(argument: str) -> str:
    return f"ARG{argument.replace('_', '')}ARG"


def _comment_above(source: str, line: int) -> str:
    lines = source.splitlines()
    first = line - 1
    while lines[first - 1].strip().startswith("#:"):
        first -= 1
    return " ".join(text.strip().removeprefix("#:").strip() for text in lines[first : line - 1])


def _constants(source: str) -> Iterator[tuple[str, str, str]]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            yield name, getattr(keys, name), _comment_above(source, node.lineno)


def _attributes(source: str) -> Iterator[tuple[str, str, str]]:
    spelled = CatalogKeys(_CATALOG)
    for node in ast.walk(ast.parse(source)):
        target = node.targets[-1] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Attribute) and target.attr != "partition":
            yield target.attr, getattr(spelled, target.attr), _comment_above(source, node.lineno)


def _methods() -> Iterator[tuple[str, str, str]]:
    spelled = CatalogKeys(_CATALOG)
    for name, method in inspect.getmembers(CatalogKeys, inspect.isfunction):
        if not name.startswith("_"):
            arguments = [_placeholder(argument) for argument in list(inspect.signature(method).parameters)[1:]]
            yield name, method(spelled, *arguments), inspect.getdoc(method) or ""


# -- what belongs together --------------------------------------------------------------------------------------------


def _expect(what: str, found: object, should: object) -> None:
    if found != should:
        raise Leak(f"{what}: {found!r}, should be {should!r}")


def _numbered(client: StoreContents, prefix: str) -> set[int]:
    return {int(name[len(prefix) :]) for name in client.names(prefix)}


def _members(client: StoreContents, key: str) -> set[int]:
    return {int(member) for member in client.zrange(key, 0, -1)}


def _check_reserved(client: StoreContents, catalog_keys: set[str]) -> None:
    """One server has one sum for all catalogs; in a cluster each catalog has its own."""
    reserved = {key: int(client.hget(CatalogKeys(key).waiting, "reserved") or 0) for key in catalog_keys}
    own = {key: client.get(CatalogKeys(key).reserved) for key in catalog_keys}
    for catalog_key, count in own.items():
        if count is not None:
            _expect(f"{catalog_key}: memory reserved", int(count), reserved[catalog_key])
    if not any(own.values()) and catalog_keys:
        _expect("memory reserved", int(client.get(keys.RESERVED) or 0), sum(reserved.values()))


def _check_tasks(client: StoreContents, catalog_key: str) -> None:
    """Records, indexes, payloads, the stream and the counters tell one story."""
    of = CatalogKeys(catalog_key)
    records = {task_id: client.hgetall(of.task(task_id)) for task_id in _numbered(client, of.task(""))}
    ended = {task_id for task_id, record in records.items() if record[b"status"].decode() in TERMINAL}
    waiting = sorted(set(records) - ended)
    _expect(f"{catalog_key}: tasks", _members(client, of.tasks), set(records))
    for status in Status:
        should = {task_id for task_id, record in records.items() if record[b"status"].decode() == status}
        _expect(f"{catalog_key}: tasks {status}", _members(client, of.by_status(status)), should)
    _expect(f"{catalog_key}: ended", _members(client, of.ended), ended)
    stream = [entry_id.decode() for entry_id, _ in client.xrange(of.stream)]
    _expect(f"{catalog_key}: stream", stream, [f"{task_id}-0" for task_id in waiting])
    kept = _members(client, of.payloads)
    _expect(f"{catalog_key}: payloads kept of tasks that have not ended", kept - ended, set())
    _expect(f"{catalog_key}: payloads without a task", _numbered(client, of.payload("")) - kept - set(waiting), set())
    also_changed = _numbered(client, of.also_changed(""))
    _expect(f"{catalog_key}: changes without a payload", also_changed - kept - set(waiting), set())
    _expect(f"{catalog_key}: reports without a task", _numbered(client, of.report("")) - set(records), set())
    targets = client.zrange(of.targets, 0, -1)
    queues = [of.outbox, *(of.target(target.decode()) for target in targets)]
    told = {int(member.split(b":")[0]) for queue in queues for member in client.zrange(queue, 0, -1)}
    _expect(f"{catalog_key}: told of tasks that have not ended", told & set(waiting), set())
    exports = {task_id for task_id, record in records.items() if b"export" in record}
    _expect(f"{catalog_key}: exports", _members(client, of.exports), exports)
    files = _members(client, of.export_files)
    _expect(f"{catalog_key}: exports without a note of their files", (exports & set(waiting)) - files, set())
    _expect(f"{catalog_key}: pieces of no export", _numbered(client, of.pieces("")) - files, set())
    sizes = {task_id: int(record[b"payload_bytes"]) for task_id, record in records.items()}
    waiting_facts = client.hgetall(of.waiting)
    counters = {name.decode(): int(value) for name, value in waiting_facts.items() if name != b"gaps"}
    _expect(f"{catalog_key}: waiting tasks", counters.get("tasks", 0), len(waiting))
    _expect(f"{catalog_key}: waiting bytes", counters.get("bytes", 0), sum(sizes[task_id] for task_id in waiting))
    entries = sum(int(records[task_id][b"entries"]) for task_id in waiting)
    _expect(f"{catalog_key}: waiting entries", counters.get("entries", 0), entries)
    left = sum(int(records[task_id].get(b"growth", 0)) - int(records[task_id].get(b"made", 0)) for task_id in waiting)
    _expect(f"{catalog_key}: memory reserved", counters.get("reserved", 0), left)
    history = client.lrange(of.history, 0, -1)
    # A line is kept in a list, which costs some bytes beside its text.
    _expect(f"{catalog_key}: history", counters.get("history_bytes", 0), sum(len(line) + 16 for line in history))
    _expect(f"{catalog_key}: bytes kept", counters.get("kept_bytes", 0), sum(sizes[task_id] for task_id in kept))


def _check_entries(client: StoreContents, catalog_key: str) -> None:
    """Entries, their indexes and their links tell one story, and none lies outside a section."""
    of = CatalogKeys(catalog_key)
    should: Counter[str] = Counter()
    sections = {section.decode(): int(generation) for section, generation in client.hgetall(of.sections).items()}
    for name, number in ({NO_SECTION: 0} | sections).items():
        for kind in (Kind.ITEM_GROUPS,) if name == NO_SECTION else (Kind.ITEMS, Kind.VARIATIONS):
            key, index = of.entries(kind, name, number), of.index(kind, name, number)
            should.update((key, index))
            ids = set(client.hkeys(key))
            _expect(f"{index} against {key}", set(client.zrange(index, 0, -1)), ids)
            if kind is Kind.ITEMS:
                patches = of.patches(kind, name, number)
                should[patches] += 1
                _expect(f"{patches} beside nothing", set(client.hkeys(patches)) - ids, set())
        if name == NO_SECTION:
            continue
        links = set()
        for variation_id, value in client.hgetall(of.entries(Kind.VARIATIONS, name, number)).items():
            # The thirteen digits of the update time, then the JSON.
            parent = _item_id(value[13:])
            links.add(keys.link(parent, variation_id.decode()).encode())
        should[of.links(name, number)] += 1
        _expect(of.links(name, number), set(client.zrange(of.links(name, number), 0, -1)), links)
    should.update(_being_built(client, of))
    for prefix in ("items:", "variations:", "links:", "item_groups:"):
        there = set(client.names(of.prefix + prefix))
        _expect(f"{catalog_key}: {prefix} of no section", there - set(should), set())


def _being_built(client: StoreContents, of: CatalogKeys) -> Iterator[str]:
    """Name the keys of the generation that the task at the head may be building."""
    for entry_id, _ in client.xrange(of.stream, count=1):
        task_id = int(entry_id.split(b"-")[0])
        batch = read_json(client.hget(of.task(task_id), "batch"))
        for name in (NO_SECTION, batch["section"]) if batch["operation"] in ("sync", "keep") else ():
            yield of.links(name, task_id)
            for kind in Kind:
                yield from (of.entries(kind, name, task_id), of.index(kind, name, task_id))


def _item_id(body: bytes) -> str:
    return str(read_json(body)["item_id"])
