"""The list: what is taken away, by which change to the source, and which test fails then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Break:
    """One protection taken away."""

    #: As README's table names it.
    name: str
    #: File, relative to the root of the project.
    path: str
    #: Stands there exactly once.
    old: str
    new: str
    #: Below tests/, as pytest names it.
    test: str


SCRIPTS = "shared/lua"
COMMIT = "integration/test_commit.py"
PATCHES = "integration/test_patches.py"
SUBMIT = "integration/test_submit.py"

BREAKS = [
    Break(
        "fence",
        f"{SCRIPTS}/_owner.lua",
        "return redis.call('HGET', LEASE, 'token') == token",
        "return true",
        f"{COMMIT}::test_a_late_commit_changes_nothing",
    ),
    Break(
        "head check",
        f"{SCRIPTS}/_owner.lua",
        "if not head or head[1] ~= task_id .. '-0' then",
        "if not head then",
        f"{COMMIT}::test_a_commit_out_of_turn_changes_nothing",
    ),
    Break(
        "chunk check",
        f"{SCRIPTS}/commit_chunk.lua",
        "if chunks_done ~= chunk then",
        "if false then",
        f"{COMMIT}::test_a_commit_out_of_turn_changes_nothing",
    ),
    Break(
        "base check",
        f"{SCRIPTS}/commit_chunk.lua",
        "if applied ~= base or ",
        "if ",
        f"{COMMIT}::test_a_commit_out_of_turn_changes_nothing",
    ),
    Break(
        "generation check",
        f"{SCRIPTS}/commit_chunk.lua",
        " or (redis.call('HGET', SECTIONS, section) or '0') ~= generation then",
        " then",
        f"{COMMIT}::test_a_late_commit_changes_nothing",
    ),
    Break(
        "repeated commit",
        f"{SCRIPTS}/commit_chunk.lua",
        "if applied == name then",
        "if false then",
        f"{COMMIT}::test_a_commit_sent_again_changes_nothing",
    ),
    Break(
        "patches go with their entry",
        f"{SCRIPTS}/commit_chunk.lua",
        "  unpatch(ids)\n",
        "",
        f"{PATCHES}::test_what_is_written_anew_or_deleted_has_nothing_beside_it",
    ),
    Break(
        "patches go with their generation",
        "shared/step_commands.py",
        "names = (keys.entries, keys.index, keys.patches)",
        "names = (keys.entries, keys.index)",
        f"{PATCHES}::test_a_sync_of_ids_keeps_items_as_readers_see_them",
    ),
    Break(
        "entry and patch of one moment",
        "shared/catalogs.py",
        "[(values, changes)] = self._run(section, generation, scripts.READ_ENTRIES.command((entries, patches), ids))",
        "values, changes = self._run(section, generation, *(('HMGET', key, *ids) for key in (entries, patches)))",
        f"{PATCHES}::test_an_item_written_anew_between_two_reads_is_not_seen_half_old",
    ),
    Break(
        "begin's fence",
        f"{SCRIPTS}/begin.lua",
        "if not is_owner(token) then",
        "if false then",
        f"{COMMIT}::test_a_late_begin_changes_nothing",
    ),
    Break(
        "submit nonce",
        f"{SCRIPTS}/submit_batch.lua",
        "if repeated then",
        "if false then",
        f"{SUBMIT}::test_a_repeat_gets_the_first_answer",
    ),
    Break(
        "idempotency record",
        f"{SCRIPTS}/submit_batch.lua",
        "if record then",
        "if false then",
        f"{SUBMIT}::test_an_idempotency_key_stands_for_one_task",
    ),
    Break(
        "whole upload",
        f"{SCRIPTS}/submit_batch.lua",
        "if staged and redis.call('LLEN', UPLOAD) ~= chunks then",
        "if false then",
        f"{SUBMIT}::test_an_upload_that_is_not_whole_is_refused",
    ),
    Break(
        "sweep",
        "workers/sweep.py",
        "self._puller.pull(until=time.monotonic() + PULL_S)",
        "pass",
        "integration/test_sweep.py::test_a_lost_wake_up_is_made_up_for",
    ),
    Break(
        "last net",
        "workers/sweep.py",
        "seen = self._backlog.add_forgotten(self._clock(), skip=self._known_seen)",
        "seen = 0",
        "integration/test_sweep.py::test_a_forgotten_catalog_is_found_by_the_slow_scan",
    ),
    Break(
        "empty check at release",
        f"{SCRIPTS}/release_lease.lua",
        "if redis.call('XLEN', STREAM) > 0 then",
        "if false then",
        "integration/test_leases.py::test_a_partition_with_work_is_not_released",
    ),
    Break(
        "empty check at the last commit",
        f"{SCRIPTS}/_owner.lua",
        "if wants_more == '1' and redis.call('XLEN', STREAM) == 0 then",
        "if wants_more == '1' then",
        f"{COMMIT}::test_the_answer_brings_the_next_window",
    ),
    Break(
        "stall counter",
        f"{SCRIPTS}/acquire_lease.lua",
        "lost = lost .. held .. ' '",
        "lost = lost",
        "integration/test_acquire.py::test_a_task_that_never_comes_to_an_end_is_given_up",
    ),
    Break(
        "one owner",
        f"{SCRIPTS}/acquire_lease.lua",
        "if token and not repeated then",
        "if false then",
        "integration/test_acquire.py::test_there_is_one_owner",
    ),
    Break(
        "run-id check",
        f"{SCRIPTS}/_submission.lua",
        "if string.match(noted, '^%x*') ~= run then",
        "if false then",
        f"{SUBMIT}::test_a_server_that_came_back_gives_out_no_id_again",
    ),
    Break(
        "run-id jump",
        f"{SCRIPTS}/_submission.lua",
        "if number > before then",
        "if false then",
        f"{SUBMIT}::test_a_server_that_came_back_gives_out_no_id_again",
    ),
]
