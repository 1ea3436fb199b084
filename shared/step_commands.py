"""What the owner of a partition does, as calls of scripts."""

from __future__ import annotations

from shared import scripts
from shared.codec import digest_ids, encode_changed, pack, stamp
from shared.export_commands import piece_command
from shared.keys import CatalogKeys
from shared.leases import Work
from shared.model import Batch, Kind
from shared.settings import Settings
from shared.steps import Commit, Failure, Piece, Step


class StepCommands:
    """The calls of the owner of one partition, under one token."""

    def __init__(self, keys: CatalogKeys, settings: Settings, token: str) -> None:
        self._keys = keys
        self._settings = settings
        self._token = token
        self._lease_ttl_ms = int(settings.lease_ttl_s * 1000)

    def write(self, base: str, step: Step, *, told: tuple[str, str], now_ms: int, more: int) -> scripts.Command:
        """Write the call for a step that holds only after ``base``; ``told`` are keys in which scripts note things."""
        if isinstance(step, Failure):
            return self._failure(base, step, now_ms, more)
        if isinstance(step, Piece):
            return piece_command(self._keys, self._settings, self._token, step, now_ms=now_ms, more=more)
        return self._commit(base, step, told, now_ms, more)

    def _failure(self, base: str, step: Failure, now_ms: int, more: int) -> scripts.Command:
        work = step.work
        args = (
            self._token, work.task_id, base, now_ms, self._lease_ttl_ms, more, step.message,
            self._settings.payload_bytes, step.report,
        )  # fmt: skip
        built = built_keys(self._keys, work.batch, work.task_id)
        return scripts.FAIL_TASK.command((*self._keys.partition, *built), args)

    def _commit(self, base: str, step: Commit, told: tuple[str, str], now_ms: int, more: int) -> scripts.Command:
        work, batch, effects, puts = step.work, step.batch, step.effects, step.effects.puts
        keys, section, now = self._keys, batch.section, stamp(now_ms)
        lead, values = b"" if puts.stamped else now, [*puts.values, *effects.patches.values]
        lengths, text = pack([len(lead) + len(value) for value in values]), lead.join([b"", *values])
        live, written, _ = work.generations(batch.kind)
        replaced, taken_over, flipped = self._flips(work) if effects.flips else ((), (), ())
        touched = digest_ids(step.touched) if batch.parts else b""
        return scripts.COMMIT_CHUNK.command(
            (
                *keys.partition,
                keys.entries(batch.kind, section, written),
                keys.index(batch.kind, section, written),
                keys.entries(Kind.VARIATIONS, section, written),
                keys.index(Kind.VARIATIONS, section, written),
                keys.links(section, written),
                keys.patches(batch.kind, section, written),
                *told,
                *replaced,
                *taken_over,
            ),
            (
                self._token, work.task_id, step.chunk, live, base, step.name, now_ms, self._lease_ttl_ms, more,
                int(effects.chunk_ends), effects.outcomes, effects.warnings,
                effects.items_updated, effects.items_deleted, effects.variations_updated, effects.variations_deleted,
                effects.item_groups_updated, effects.item_groups_deleted,
                self._settings.payload_bytes,
                "" if puts.new is None else pack(puts.new), pack([*puts.ids, *effects.patches.ids]), lengths, text,
                pack(
                    (
                        effects.deletes, effects.cascade, effects.links_added, effects.links_removed,
                        list(effects.variations), [(now + value).decode() for value in effects.variations.values()],
                    )
                ),
                self._for_change_feed(step), digest_ids(step.also_touched), self._settings.history_bytes,
                section, int(batch.operation.builds), touched, step.first, pack(flipped) if flipped else "",
                len(replaced), len(effects.patches.ids),
            ),
        )  # fmt: skip

    def _flips(self, work: Work) -> tuple[list[str], list[str], list[str]]:
        """Name the keys that a generation replaces, those that it takes over, and the sections it takes its place in.

        A kind that is not in the files stays: its keys get the name of the new generation, so that all of a section
        have one.
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


def built_keys(keys: CatalogKeys, batch: Batch | None, task_id: int) -> list[str]:
    """Name the keys of the generation that a task builds, if it does."""
    if batch is None or not batch.operation.builds:
        return []
    return [key for kind in batch.kinds for key in _keys_of(keys, kind, batch.section_of(kind), task_id)]


def _keys_of(keys: CatalogKeys, kind: Kind, section: str, generation: int) -> list[str]:
    """Name the keys of one kind in a generation; links belong to the variations."""
    links = [keys.links(section, generation)] if kind is Kind.VARIATIONS else []
    names = (keys.entries, keys.index, keys.patches)
    return [*(name(kind, section, generation) for name in names), *links]
