"""Turn the steps of a partition's owner into script calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from shared.catalog.effects import Effects
from shared.codec import digest_ids, encode_changed, pack, stamp
from shared.keys import CatalogKeys
from shared.model import NO_SECTION, Batch, Kind, Outcome
from shared.partition.steps import Commit, Failure, Piece, Step
from shared.partition.work import Work, takes_items_along
from shared.settings import Settings
from shared.store import scripts
from shared.store.long_hset import long_hset
from shared.tasks.records import COUNTS

HOUR_MS = 3_600_000
#: How long the files of an export are kept and its URL is valid.
KEPT_MS = 3 * 24 * 3600 * 1000

#: Values, or bytes of them, from which on a plain HSET writes them: another call of the script costs less then.
MANY_VALUES, LONG_BYTES = 150, 100_000

#: Counters in the record of a task that a commit adds to; fields of Effects have the same names.
COUNTERS = (
    "items_updated",
    "items_deleted",
    "variations_updated",
    "variations_unchanged",
    "variations_deleted",
    "item_groups_updated",
    "item_groups_deleted",
)


class StepCommands:
    """Builds the script calls of one partition's owner, under one token."""

    def __init__(self, keys: CatalogKeys, settings: Settings, token: str, *, reserved: str) -> None:
        """``reserved`` is the key in which the growth of waiting tasks is counted."""
        self._keys = keys
        self._reserved = reserved
        self._settings = settings
        self._token = token
        self._lease_ttl_ms = int(settings.lease_ttl_s * 1000)

    def calls(self, base: str, step: Step, *, now_ms: int, more: int, in_one: bool) -> Sequence[scripts.Command]:
        """Build the calls for a step that takes effect only after ``base``; `answer_of` finds the answer among replies.

        It is one, or a transaction if a commit is long, unless all is to be ``in_one``.
        """
        if isinstance(step, Failure):
            return [self._failure(base, step, now_ms, more)]
        if isinstance(step, Piece):
            return [self._piece(step, now_ms, more)]
        if in_one or not _is_long(step.effects):
            return [self._commit(base, step, now_ms, more)]
        begin = self._commit(base, step, now_ms, more, half="begin")
        hset = long_hset(self._keys.aside, *_stamped(step.effects, stamp(now_ms)))
        return [("MULTI",), begin, hset, scripts.again(begin, token=self._token, half="end"), ("EXEC",)]

    def _failure(self, base: str, step: Failure, now_ms: int, more: int) -> scripts.Command:
        work = step.work
        return scripts.FAIL_TASK.command(
            self._keys.partition,
            reserved=self._reserved,
            built=built_keys(self._keys, work.batch, work.task_id),
            token=self._token,
            task_id=work.task_id,
            base=base,
            now_ms=now_ms,
            lease_ttl_ms=self._lease_ttl_ms,
            wants_more=more,
            message=step.message,
            kept_cap_bytes=self._settings.payload_bytes,
            report=step.report,
            planned=step.planned,
            told=(*COUNTS, "warnings"),
        )

    def _piece(self, piece: Piece, now_ms: int, more: int) -> scripts.Command:
        task_id = piece.work.task_id
        return scripts.KEEP_PIECE.command(
            self._keys.partition,
            pieces=self._keys.pieces(task_id),
            export_files=self._keys.export_files,
            reserved=self._reserved,
            token=self._token,
            task_id=task_id,
            seen=piece.number,
            name=piece.name,
            entries=piece.entries,
            bytes=piece.bytes,
            cursor=piece.cursor,
            sha256=piece.sha256,
            expires_ms=now_ms + KEPT_MS if not piece.cursor else "",
            now_ms=now_ms,
            lease_ttl_ms=self._lease_ttl_ms,
            wants_more=more,
            kept_cap_bytes=self._settings.payload_bytes,
        )

    def _commit(self, base: str, step: Commit, now_ms: int, more: int, half: str = "") -> scripts.Command:
        work, batch, effects, now = step.work, step.batch, step.effects, stamp(now_ms)
        keys, section, settings = self._keys, batch.section, self._settings
        live, written, _ = work.generations(batch.kind)
        both, items, touched = _with_items(work)
        replaced, taken_over, flipped = self._flips(work) if effects.flips else ((), (), ())
        return scripts.COMMIT_CHUNK.command(
            keys.partition,
            entries=keys.entries(batch.kind, section, written),
            index=keys.index(batch.kind, section, written),
            variations=keys.entries(Kind.VARIATIONS, *both),
            variations_index=keys.index(Kind.VARIATIONS, *both),
            links=keys.links(*both),
            patches=keys.patches(batch.kind, section, written),
            items=keys.entries(Kind.ITEMS, *items),
            item_patches=keys.patches(Kind.ITEMS, *items),
            touched_patches=keys.patches(Kind.ITEMS, *touched),
            minutes=keys.minutes(now_ms // HOUR_MS),
            history=keys.history,
            reserved=self._reserved,
            aside=keys.aside,
            flipped=(*replaced, *taken_over),
            token=self._token,
            task_id=work.task_id,
            chunk=step.chunk,
            generation=live,
            base=base,
            name=step.name,
            now_ms=now_ms,
            lease_ttl_ms=self._lease_ttl_ms,
            wants_more=more,
            chunk_ends=int(effects.chunk_ends),
            kept_cap_bytes=settings.payload_bytes,
            also_changed=self._for_change_feed(step),
            also_touched=digest_ids(step.also_touched),
            history_cap_bytes=settings.history_bytes,
            section=section,
            unseen=int(batch.operation.builds),
            touched=digest_ids(step.touched) if batch.parts else b"",
            first=step.first,
            sections=pack(flipped) if flipped else "",
            replaced=len(replaced),
            **_written(step, now),
            **_values(step, now, half),
        )

    def _flips(self, work: Work) -> tuple[list[str], list[str], list[str]]:
        """List the keys that a new generation replaces, the keys that it renames, and its sections.

        A kind without a file stays as it is: its keys are renamed to the new generation, so that all kinds of a
        section share one.
        """
        batch = work.batch
        assert batch is not None, "a task without a record can only fail"
        replaced: list[str] = []
        taken_over: list[str] = []
        for kind in (Kind.ITEMS, Kind.VARIATIONS) if batch.section else ():
            live = _keys_of(self._keys, kind, batch.section, work.generations(kind).live)
            if kind in batch.kinds:
                replaced += live
            else:
                built = _keys_of(self._keys, kind, batch.section, work.task_id)
                if takes_items_along(batch):
                    # What was PATCHed is carried already, with the times of the items that are touched.
                    replaced.append(live.pop())
                    built.pop()
                taken_over += [key for pair in zip(live, built, strict=True) for key in pair]
        if Kind.ITEM_GROUPS in batch.kinds:
            section = batch.section_of(Kind.ITEM_GROUPS)
            replaced += _keys_of(self._keys, Kind.ITEM_GROUPS, section, work.generations(Kind.ITEM_GROUPS).live)
        return replaced, taken_over, list(dict.fromkeys(map(batch.section_of, batch.kinds)))

    def _for_change_feed(self, step: Commit) -> bytes | str:
        also_changed = step.also_changed
        if not also_changed:
            return ""
        return encode_changed(also_changed) if self._settings.changes == "on" else "-"


def _with_items(work: Work) -> tuple[tuple[str, int], tuple[str, int], tuple[str, int]]:
    """Return section and generation of the variations that a task writes, of their items, and of those that it touches.

    They are the same, also where a commit is about groups, unless only variations are synced: then their items are
    those that readers see, and they are touched where nobody sees it yet.
    """
    _, written, of_items = work.generations(Kind.VARIATIONS)
    section = work.batch.section if work.batch else NO_SECTION
    touched = work.task_id if takes_items_along(work.batch) else of_items
    return (section, written), (section, of_items), (section, touched)


class _Written(TypedDict):
    """The arguments of a commit that say what it writes, but for values of entries."""

    outcomes: str
    warnings: str
    counts: bytes
    new_ids: bytes
    put_ids: bytes
    others: bytes
    planned: bytes


def _written(step: Commit, now: bytes) -> _Written:
    kind, effects = step.batch.kind, step.effects
    puts, kept, patches = effects.puts, effects.kept, effects.patches
    counts = {name: getattr(effects, name) for name in COUNTERS}
    counts[f"{kind}_unchanged"] = counts.get(f"{kind}_unchanged", 0) + effects.outcomes.count(Outcome.UNCHANGED)
    counts |= {"entries_done": len(effects.outcomes), "chunks_done" if effects.chunk_ends else "page": 1}
    variations = [(now + value).decode() for value in effects.variations.values()]
    return {
        "outcomes": effects.outcomes,
        "warnings": effects.warnings,
        "counts": pack([part for counted in counts.items() if counted[1] for part in counted]),
        "new_ids": pack([*puts.new, *kept.new]),
        "put_ids": pack([*puts.ids, *kept.ids, *patches.ids]),
        "others": pack(
            (
                effects.deletes,
                effects.cascade,
                effects.links_added,
                effects.links_removed,
                list(effects.variations),
                variations,
                effects.items_touched,
                effects.items_carried,
            )
        ),
        "planned": step.planned,
    }


class _Values(TypedDict):
    """The arguments of a commit that hold values of entries, or say that they do not."""

    half: str
    patched: int
    lengths: bytes
    text: bytes
    text_bytes: int


def _values(step: Commit, now: bytes, half: str) -> _Values:
    effects = step.effects
    puts, kept, patches = effects.puts, effects.kept, effects.patches
    if half:
        size = _bytes(effects) + len(now) * len(puts.ids)
        return {"half": half, "patched": len(patches.ids), "lengths": b"", "text": b"", "text_bytes": size}
    written, beside = now.join([b"", *puts.values]), now.join([b"", *patches.values])
    lengths = [len(now) + len(value) for value in puts.values]
    lengths += [len(value) for value in kept.values]
    lengths += [len(now) + len(value) for value in patches.values]
    text = b"".join([written, *kept.values, beside]) if kept.ids or beside else written
    packed = pack(lengths)
    return {"half": "", "patched": len(patches.ids), "lengths": packed, "text": text, "text_bytes": len(text)}


def _is_long(effects: Effects) -> bool:
    """Return whether values are many, or long, and all to be written to one key that stays."""
    whole = len(effects.puts.ids) + len(effects.kept.ids)
    if effects.flips or (whole and effects.patches.ids):
        return False
    return whole + len(effects.patches.ids) >= MANY_VALUES or _bytes(effects) >= LONG_BYTES


def _bytes(effects: Effects) -> int:
    values = (effects.puts.values, effects.kept.values, effects.patches.values)
    return sum(sum(map(len, each)) for each in values)


def _stamped(effects: Effects, now: bytes) -> tuple[Sequence[str], Sequence[bytes], bytes]:
    """List ids, values, and what is to be written before each value; those that are kept have their times already."""
    puts, kept = (effects.patches if effects.patches.ids else effects.puts), effects.kept
    if not kept.ids:
        return puts.ids, puts.values, now
    return [*puts.ids, *kept.ids], [*map(now.__add__, puts.values), *kept.values], b""


def answer_of(replies: Sequence[Any]) -> Any:
    """Return the answer to a step, from the replies to its calls."""
    return replies[0] if len(replies) == 1 else replies[-1][0]


def built_keys(keys: CatalogKeys, batch: Batch | None, task_id: int) -> list[str]:
    """List the keys of the generation that a task builds; none if it builds none."""
    if batch is None or not batch.operation.builds:
        return []
    carried = [keys.patches(Kind.ITEMS, batch.section, task_id)] if takes_items_along(batch) else []
    return carried + [key for kind in batch.kinds for key in _keys_of(keys, kind, batch.section_of(kind), task_id)]


def _keys_of(keys: CatalogKeys, kind: Kind, section: str, generation: int) -> list[str]:
    """List the keys of one kind in a generation; links belong to the variations."""
    links = [keys.links(section, generation)] if kind is Kind.VARIATIONS else []
    names = (keys.entries, keys.index, keys.patches)
    return [*(name(kind, section, generation) for name in names), *links]
