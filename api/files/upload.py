"""Turn the catalogue files of an upload into one task, in flat memory.

Open a FileUpload, give it file after file as their bytes arrive, then submit it.  Rows are checked as they come, and
their chunks are staged while the rest is still arriving; an upload that is not submitted is dropped.
"""

from __future__ import annotations

import contextlib
import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import msgspec

from api.entries.checked_batch import SKIPPED_MESSAGE_LENGTH
from api.entries.chunks import CHUNK_ENTRIES
from api.entries.comparison import Comparison, refused_deletions
from api.entries.rules import sent_id
from api.errors import Invalid, Problem, Refused
from api.files.catalog_file import CatalogFile, blocks_of, make_chunk
from api.files.findings import MAX_BAD_ROWS, MAX_PROBLEMS, MAX_WARNINGS, UploadFindings
from api.files.queries import Delimiter
from api.files.rows.lines import BrokenFile, Row
from api.services import Services
from api.submit.flip_growth import growth_of_flip, kept_at_once
from api.submit.submit import Accepted, submit_batch
from shared.catalog.footprint import Footprint
from shared.codec import decode_chunk, encode_chunk
from shared.errors import StoreUnavailable
from shared.files.file_format import FileFormat
from shared.guards.rules import Rules, safeguard
from shared.idempotency import IdempotencyKey
from shared.model import NO_SECTION, Batch, Chunk, Form, Kind, OnInvalid, Operation, Part, Skipped
from shared.nonces import new_nonce
from shared.partition.growth import growth_of
from shared.partition.uploads import Upload

NO_FILE = 'form-data should contain at least one of "items", "variations", "item_groups".'

#: Most item groups named in one warning.
SHOWN_GROUPS = 10


class FileUpload:
    """One upload of files to one catalog; a context manager that drops it unless it was submitted."""

    def __init__(
        self,
        services: Services,
        catalog_key: str,
        batch: Batch,
        *,
        delimiter: Delimiter = Delimiter.COMMA,
        dry_run: bool = False,
    ) -> None:
        """Begin an upload; ``batch`` is what it will become, but for what the files tell.

        In a dry run nothing is stored, and it can only be reported on.
        """
        self.findings = UploadFindings()
        self._services = services
        self._catalog_key = catalog_key
        self._batch = batch
        self._delimiter = delimiter
        self._dry_run = dry_run
        self._upload = Upload(services.client, catalog_key, new_nonce())
        self._footprint = Footprint(services.client, catalog_key)
        self._parts: list[Part] = []
        self._comparisons: dict[Kind, Comparison] = {}
        #: Name of a file: the item groups that its entries name.
        self._group_ids: dict[str, set[str]] = {}
        #: The item groups in the upload.
        self._groups: set[str] = set()
        self._entries = self._bytes = self._growth = 0
        self._contents = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._upload.chunks:
            # If the store is unreachable, it expires there.
            with contextlib.suppress(StoreUnavailable):
                self._upload.drop()

    def take(self, kind: Kind, form: FileFormat, pieces: Iterable[bytes], name: str = "") -> None:
        """Read one file to its end and stage its entries as they come.

        All its problems are known afterwards, and fail the task that `submit` creates.  Raises Invalid if there was a
        file of this kind already.
        """
        if kind in self.kinds:
            raise Invalid(Problem(kind, "this part was sent more than once"))
        self._contents.update(f"\0{kind}\0{form}\0".encode())
        batch, counted = self._batch, self._counted(pieces)
        first, chunks = self._entries, self._upload.chunks
        if self._dry_run:
            self._comparisons[kind] = self._comparison(kind)
        file = CatalogFile(
            kind, form, name.rpartition("/")[2] or kind, batch.operation, batch.on_missing, self._delimiter
        )
        try:
            for block in blocks_of(file.rows(counted), self._rows_at_once(kind)):
                if self._stage(file, block, self._entries - first):
                    break
            if self._entries == first:
                self.findings.note_empty(kind)
        except BrokenFile as broken:
            self.findings.broken = True
            self.findings.add([Problem(f"{file.name}, line {broken.line}", str(broken))])
        # Read to the end: only there does a truncated file show.
        for _ in counted:
            pass
        file.warn(self.findings)
        self._warn_of_parents(file)
        self._group_ids[file.name] = file.group_ids
        self._groups |= file.groups
        self._parts.append(Part(kind, self._entries - first, self._upload.chunks - chunks, name))
        for chunk, places in file.repeats.superseded():
            if self._dry_run:
                self._comparisons[kind].supersede(chunk, places)
            else:
                self._supersede(chunks + chunk, places)

    def _rows_at_once(self, kind: Kind) -> int:
        keeps = self._batch.operation is Operation.KEEP
        return kept_at_once(self._footprint, self._batch, kind) if keeps else CHUNK_ENTRIES

    def _warn_of_parents(self, file: CatalogFile) -> None:
        """Warn of parents that will not exist: the file of a sync has all groups."""
        strange = file.strange_parents[:MAX_WARNINGS]
        for parent in strange if self._batch.operation.builds else self._missing(strange):
            self.findings.warn("UNKNOWN_PARENT", f"{file.name}: there is no item group {parent!r} to be a parent")

    def _warn_of_groups(self) -> None:
        """Warn of groups that entries name and that neither the upload nor, unless it replaces all, the catalog has."""
        replaced = self._batch.operation.builds and Kind.ITEM_GROUPS in self.kinds
        for name, ids in self._group_ids.items():
            strange = sorted(ids - self._groups)
            if missing := strange if replaced else self._missing(strange):
                shown = ", ".join(repr(one[:100]) for one in missing[:SHOWN_GROUPS])
                more = f" and {len(missing) - SHOWN_GROUPS} more" if len(missing) > SHOWN_GROUPS else ""
                self.findings.warn(
                    "UNKNOWN_GROUP", f"{name}: group_ids name item groups that are not there: {shown}{more}"
                )

    def _missing(self, groups: list[str]) -> list[str]:
        """Return those ids that are no item groups now."""
        if not groups:
            return []
        catalog = self._services.catalog(self._catalog_key)
        there = {group.id for group in catalog.get(Kind.ITEM_GROUPS, NO_SECTION, groups)}
        return [group for group in groups if group not in there]

    @property
    def kinds(self) -> list[Kind]:
        """The kinds of the files taken so far."""
        return [part.kind for part in self._parts]

    @property
    def contents(self) -> bytes:
        """A digest of all files, independent of how they were sent."""
        return self._contents.digest()

    @property
    def doomed(self) -> str:
        """Why the task must fail; empty if it need not."""
        return self.findings.doom(skipping=self._batch.on_invalid is OnInvalid.SKIP)

    def condemn(self, refused: Refused, name: str) -> None:
        """Make the task fail because a file could not be read."""
        self.findings.broken = True
        self.findings.add([Problem(name, str(one)) for one in refused.errors] or [Problem(name, refused.message)])
        if not self._parts:
            self._parts.append(Part(Kind.ITEMS, 0, 0, name))

    def submit(self, *, idempotency: IdempotencyKey | None = None) -> Accepted:
        """Create the task; it fails if the files have problems.

        Raises Invalid if there is no file, and whatever `submit_batch` raises.
        """
        if not self._parts:
            raise Invalid(Problem("", NO_FILE))
        self._warn_of_groups()
        batch, growth = self._finished(), self._growth
        if batch.operation.builds:
            growth += growth_of_flip(self._footprint, batch, lean=self._services.memory.is_lean)
        return submit_batch(
            self._services, self._catalog_key, batch, self._upload, growth=growth, idempotency=idempotency
        )

    def report(self) -> dict[str, Any]:
        """Return the expected outcomes of all entries.  Raises Invalid if there is no file."""
        if not self._parts:
            raise Invalid(Problem("", NO_FILE))
        self._warn_of_groups()
        counts = {kind: comparison.counts() for kind, comparison in self._comparisons.items()}
        files = {part.kind: {**counts[part.kind], "name": part.file} for part in self._parts}
        reasons = [self.doomed] if self.doomed else []
        settings, force = self._services.settings, self._batch.force
        for comparison in self._comparisons.values():
            reasons += comparison.refusals(settings, force=force)
        if replace(self._batch, parts=tuple(self._parts)).takes_variations_along:
            variations = self._comparison(Kind.VARIATIONS)
            size, kept = variations.size(), self._comparisons[Kind.ITEMS].kept_variations
            files[Kind.VARIATIONS] = {**variations.counts(), "unchanged": kept, "deleted": size - kept}
            limit = safeguard(self._rules(Kind.VARIATIONS), settings)
            reasons += [] if force else refused_deletions(Kind.VARIATIONS, size, size - kept, limit)
        return {
            "dry_run": True,
            "entries_total": self.findings.rows,
            "entries_valid": self.findings.rows - self.findings.bad_rows,
            "errors": [problem._asdict() for problem in self.findings.first],
            "files": files,
            "planned": {kind: comparison.planned(settings) for kind, comparison in self._comparisons.items()},
            "would_fail": "; ".join(reasons) or None,
            "warnings": [msgspec.json.decode(warning) for warning in self.findings.warnings],
        }

    def _comparison(self, kind: Kind) -> Comparison:
        catalog, batch = self._services.catalog(self._catalog_key), self._batch
        return Comparison(catalog, kind, batch.section_of(kind), batch.operation, batch.on_missing, self._rules(kind))

    def _rules(self, kind: Kind) -> Rules | None:
        return self._services.guards(self._catalog_key).rules(kind, self._batch.section_of(kind))

    def _finished(self) -> Batch:
        kinds, parts = self.kinds, tuple(self._parts)
        if not self._upload.chunks:
            # A task has at least one chunk.
            self._upload.append(encode_chunk(Chunk(b"", [], array("I"))))
            parts = tuple(replace(part, chunks=int(i == 0)) for i, part in enumerate(parts))
        return replace(
            self._batch,
            kind=kinds[0],
            section=NO_SECTION if kinds == [Kind.ITEM_GROUPS] else self._batch.section,
            entries=sum(part.entries for part in parts),
            bytes=self._bytes,
            chunks=self._upload.chunks,
            form=Form.NDJSON,
            parts=parts,
            doomed=self.doomed,
            warnings=self.findings.warnings,
        )

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._bytes += len(piece)
            self._contents.update(piece)
            yield piece

    def _stage(self, file: CatalogFile, rows: list[Row], first: int) -> bool:
        """Check rows and stage them as one chunk; ``first`` is the index of the first one in the file.

        Returns whether there are too many bad rows to go on.
        """
        entries, checked, problems = file.check(rows)
        findings, skipped = self.findings, list[Skipped]()
        for at in sorted(problems):
            message = "; ".join(map(str, problems[at]))[:SKIPPED_MESSAGE_LENGTH]
            message = message if findings.bad_rows < MAX_PROBLEMS else f"{file.name}, line {rows[at][0]}"
            skipped.append(Skipped(at, sent_id(entries[at]), message))
            checked.ids[at] = ""
            if checked.parents is not None:
                checked.parents[at] = None
            findings.bad_rows += 1
            findings.add(problems[at])
        file.repeats.add(checked.ids)
        chunk = make_chunk(entries, checked, skipped)
        if self._dry_run:
            self._comparisons[file.kind].add(chunk.ids, entries, chunk.superseded)
        else:
            frame = encode_chunk(replace(chunk, first=self._entries))
            batch = replace(self._batch, kind=file.kind)
            self._growth += growth_of(batch, chunk, lean=self._services.memory.is_lean)
            self._services.admit(self._catalog_key, self._growth, is_early=True)
            self._upload.append(frame)
        self._entries += len(rows)
        findings.rows += len(rows)
        findings.gave_up = self._batch.on_invalid is OnInvalid.REJECT and findings.bad_rows >= MAX_BAD_ROWS
        return findings.gave_up

    def _supersede(self, number: int, places: list[int]) -> None:
        """Mark the entries of a staged chunk that a later one repeats."""
        before = self._upload.read(number)
        chunk = decode_chunk(before)
        superseded = sorted({*chunk.superseded, *places})
        self._upload.replace(number, before, encode_chunk(replace(chunk, superseded=superseded)))
