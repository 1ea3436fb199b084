"""The signatures of the scripts.  For their purpose and the meaning of their fields see ``lua/``.

``partition`` is `CatalogKeys.partition`; keys are text.  Times are in ms.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.store.wire import Argument

Keys = Sequence[str]


def acquire_lease(partition: Keys, *, nonce: str, holder: str, lease_ttl_ms: int, max_stalls: int) -> None: ...


def begin(partition: Keys, *, token: str, task_id: int, now_ms: int, lease_ttl_ms: int) -> None: ...


def change_tasks(
    partition: Keys,
    *,
    minutes: str,
    history: str,
    reserved: str,
    exports: str,
    export_files: str,
    idempotency: str,
    nonce: str,
    now_ms: int,
    runs: str,
    who: str,
    max_tasks: int,
    max_bytes: int,
    full_percent: int,
    kept_cap_bytes: int,
    nonce_ttl_ms: int,
    rung_ttl_ms: int,
    digest: str,
    idempotency_ttl_ms: int,
    history_cap_bytes: int,
    touched: bytes,
    forced: bytes,
    growths: bytes,
    changes: Sequence[Argument],
) -> None: ...


def claim_entry(*, queue: str, targets: str, target: str, now_ms: int, claim_ms: int) -> None: ...


def commit_chunk(
    partition: Keys,
    *,
    entries: str,
    index: str,
    variations: str,
    variations_index: str,
    links: str,
    patches: str,
    items: str,
    item_patches: str,
    touched_patches: str,
    minutes: str,
    history: str,
    reserved: str,
    aside: str,
    flipped: Keys,
    token: str,
    task_id: int,
    chunk: int,
    generation: int,
    base: str,
    name: str,
    now_ms: int,
    lease_ttl_ms: int,
    wants_more: int,
    chunk_ends: int,
    outcomes: str,
    warnings: str,
    counts: bytes,
    kept_cap_bytes: int,
    new_ids: bytes,
    put_ids: bytes,
    patched: int,
    lengths: bytes,
    text: bytes,
    text_bytes: int,
    half: str,
    others: bytes,
    also_changed: bytes | str,
    also_touched: bytes,
    history_cap_bytes: int,
    section: str,
    unseen: int,
    touched: bytes,
    first: int,
    sections: bytes | str,
    replaced: int,
    planned: bytes,
) -> None: ...


def even_if_full(*, key: str, command: str, arguments: Sequence[Argument]) -> None: ...


def excuse_owner(partition: Keys, *, nonce: str) -> None: ...


def extend_lease(partition: Keys, *, token: str, lease_ttl_ms: int) -> None: ...


def fail_task(
    partition: Keys,
    *,
    reserved: str,
    built: Keys,
    token: str,
    task_id: int,
    base: str,
    now_ms: int,
    lease_ttl_ms: int,
    wants_more: int,
    message: str,
    kept_cap_bytes: int,
    report: bytes | str,
    planned: bytes,
    told: Sequence[str],
) -> None: ...


def keep_piece(
    partition: Keys,
    *,
    pieces: str,
    export_files: str,
    reserved: str,
    token: str,
    task_id: int,
    seen: int,
    name: str,
    entries: int,
    bytes: int,
    cursor: str,
    sha256: str,
    expires_ms: int | str,
    now_ms: int,
    lease_ttl_ms: int,
    wants_more: int,
    kept_cap_bytes: int,
) -> None: ...


def lease_sink(*, sinks: str, lease: str, rung: str, name: str, token: str, holder: str, lease_ttl_ms: int) -> None: ...


def list_ended(partition: Keys, *, after: int, inside: int, limit: int) -> None: ...


def list_tasks(
    partition: Keys,
    *,
    exports: str,
    from_ms: int | str,
    up_to_ms: int | str,
    below: int | str,
    offset: int,
    size: int,
    which: str,
    with_records: int,
    counted: str,
    statuses: Sequence[str],
) -> None: ...


def number_run(*, store_runs: str, run_id: str) -> None: ...


def queue_entries(
    *,
    queue: str,
    targets: str,
    troubles: str,
    idempotency: str,
    target: str,
    now_ms: int,
    due_ms: int,
    forgives: int,
    answer: str,
    digest: str,
    idempotency_ttl_ms: int,
    entries: Sequence[Argument],
) -> None: ...


def read_changed(
    partition: Keys, *, places: Keys, generations: bytes, sections: bytes, ids: bytes, most_bytes: int
) -> None: ...


def read_cursors(partition: Keys, *, cursors: str, most: int) -> None: ...


def read_entries(
    *, sections: str, entries: str, patches: str, generation: int, section: str, ids: Sequence[str]
) -> None: ...


def read_links(*, links: str, limit: int, prefixes: Sequence[Argument]) -> None: ...


def read_page(
    partition: Keys,
    *,
    entries: str,
    index: str,
    patches: str,
    generation: int,
    section: str,
    start: bytes,
    stop: bytes,
    offset: int,
    size: int,
    bytes: int,
    with_position: int,
) -> None: ...


def read_state(*, waiting: str, position: str, lease: str, stream: str, task: str) -> None: ...


def release_lease(partition: Keys, *, token: str) -> None: ...


def retire_tasks(
    partition: Keys,
    *,
    history: str,
    exports: str,
    reserved: str,
    tasks_before_ms: int,
    payloads_before_ms: int,
    limit: int,
) -> None: ...


def rotate_credential(
    *, credentials: str, version: str, digest: str, was: bytes, ending: bytes, new_digest: str, new: bytes
) -> None: ...


def settle_sink(
    *, sinks: str, lease: str, state: str, dead: str, left: str, taken: str, name: str, token: str, release: int,
    change: str, before: str, left_ttl_ms: int, most: int, delivered: int, cleared: bytes, letters: bytes,
    facts: Sequence[Argument]) -> None: ...  # fmt: skip


def settle_stuck(
    partition: Keys,
    *,
    reserved: str,
    nonce: str,
    decision: str,
    who: str,
    now_ms: int,
    nonce_ttl_ms: int,
    kept_cap_bytes: int,
    message: str,
) -> None: ...


def stage_chunks(*, upload: str, staged: int, upload_ttl_ms: int, frames: Sequence[bytes]) -> None: ...


def submit_batch(
    partition: Keys,
    *,
    upload: str,
    idempotency: str,
    minutes: str,
    history: str,
    reserved: str,
    nonce: str,
    now_ms: int,
    runs: str,
    chunks: int,
    bytes: int,
    max_tasks: int,
    max_bytes: int,
    nonce_ttl_ms: int,
    rung_ttl_ms: int,
    digest: str,
    idempotency_ttl_ms: int,
    entries: int,
    growth: int,
    full_percent: int,
    touched: bytes,
    history_cap_bytes: int,
    frame: bytes,
    facts: Sequence[Argument],
) -> None: ...


def submit_export(
    partition: Keys,
    *,
    exports: str,
    export_files: str,
    reserved: str,
    idempotency: str,
    nonce: str,
    now_ms: int,
    runs: str,
    frame: bytes,
    growth: int,
    full_percent: int,
    max_tasks: int,
    nonce_ttl_ms: int,
    rung_ttl_ms: int,
    digest: str,
    idempotency_ttl_ms: int,
    facts: Sequence[Argument],
) -> None: ...


def try_rights(*, trial: str, text: str) -> None: ...


def write_field_stats(*, field_stats: str, seq: str, section: str, record: bytes) -> None: ...


def write_guard(
    *,
    guards: str,
    guard_changes: str,
    position: str,
    idempotency: str,
    place: str,
    rules: bytes,
    about: bytes,
    stamp: str,
    most: int,
    digest: str,
    idempotency_ttl_ms: int,
) -> None: ...


def write_member(
    *,
    members: str,
    idempotency: str,
    name: str,
    member: bytes,
    was: bytes,
    most: int,
    digest: str,
    idempotency_ttl_ms: int,
) -> None: ...


def yield_lease(partition: Keys, *, token: str, rung_ttl_ms: int, pause_ms: int) -> None: ...
