"""The list: what is taken away, by which change to the source, and which test fails then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Break:
    """One protection taken away."""

    #: As docs/explanation/taken-away.md names it.
    name: str
    #: File, relative to the root of the project.
    path: str
    #: Stands there exactly once.
    old: str
    new: str
    #: Below tests/, as pytest names it.
    test: str


SCRIPTS = "shared/lua"
COMMIT = "integration/partition/test_commit.py"
PATCHES = "integration/drain/test_patches.py"
SUBMIT = "integration/partition/test_submit.py"
LOST = "integration/partition/test_lost_answers.py"
REPLICAS = "integration/partition/test_replicas.py"
HISTORY = "integration/partition/test_lost_history.py"
WALKS = "integration/http/test_walks.py"
DEAD_LETTERS = "integration/sinks/test_dead_letters.py"
OPENSEARCH = "integration/sinks/test_opensearch.py"

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
        "if before.chunks_done ~= chunk then",
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
        "a refused transaction leaves nothing",
        f"{SCRIPTS}/_aside.lua",
        "  else\n    redis.call('UNLINK', ASIDE)\n",
        "",
        f"{COMMIT}::test_a_late_commit_changes_nothing",
    ),
    Break(
        "patches go with their entry",
        f"{SCRIPTS}/_write_entries.lua",
        "  drop_patches(ids)\n",
        "",
        f"{PATCHES}::test_what_is_written_anew_or_deleted_has_nothing_beside_it",
    ),
    Break(
        "patches go with their generation",
        "shared/partition/step_calls.py",
        "names = (keys.entries, keys.index, keys.patches)",
        "names = (keys.entries, keys.index)",
        f"{PATCHES}::test_a_sync_of_ids_keeps_items_as_readers_see_them",
    ),
    Break(
        "entry and patch of one moment",
        "shared/catalog/reader.py",
        "*self._replied(generation, together)",
        "*self._run(section, generation, *(('HMGET', key, *some) for key in (entries, patches)))",
        f"{PATCHES}::test_an_item_written_anew_between_two_reads_is_not_seen_half_old",
    ),
    Break(
        "a walk ends where nothing follows",
        f"{SCRIPTS}/read_page.lua",
        "'LIMIT', 0, size + 1)",
        "'LIMIT', 0, size)",
        f"{WALKS}::test_a_cursor_of_ours_is_never_refused",
    ),
    Break(
        "pages of one generation",
        f"{SCRIPTS}/read_page.lua",
        "local seen = redis.call('HGET', SECTIONS, section) or '0'\n",
        "local seen = generation\n",
        f"{WALKS}::test_a_walk_by_cursor_is_complete",
    ),
    Break(
        "begin's fence",
        f"{SCRIPTS}/begin.lua",
        "if not is_owner(token) then",
        "if false then",
        f"{COMMIT}::test_a_late_begin_changes_nothing",
    ),
    Break(
        "no re-send after a nonce is forgotten",
        "shared/store/wire.py",
        "        about_to_send()\n",
        "",
        f"{LOST}::test_a_process_that_slept_too_long_does_not_send_again",
    ),
    Break(
        "a repeat says until when it counts",
        f"{SCRIPTS}/_repeats.lua",
        "  elseif is_too_late() then\n",
        "  elseif false then\n",
        f"{LOST}::test_a_process_that_stopped_just_before_it_sent_again_changes_nothing",
    ),
    Break(
        "numbers grow with the time that is lost",
        f"{SCRIPTS}/number_run.lua",
        "AT_LEAST + math.min(lost_s, FULL_SPEED_S) + lost_s * IN_THE_MEAN or 1",
        "AT_LEAST or 1",
        f"{HISTORY}::test_a_folder_that_was_put_back_gives_out_no_id_again",
    ),
    Break(
        "signs of life of the store",
        "shared/store/id_writes.py",
        '    return [_number_run("")]',
        "    return []",
        f"{HISTORY}::test_what_gives_out_ids_notes_first_that_the_store_is_alive",
    ),
    Break(
        "a run ends when another server takes over",
        f"{SCRIPTS}/_server_run.lua",
        "if string.find(taken_over or '', '[^0]') then",
        "if false then",
        f"{HISTORY}::test_a_server_that_becomes_master_again_gives_out_no_id_again",
    ),
    Break(
        "gaps between ids",
        f"{SCRIPTS}/_ended.lua",
        "if task_id > tonumber(last) and task_id < tonumber(first) then",
        "if false then",
        f"{HISTORY}::test_a_task_that_was_passed_over_is_not_followed",
    ),
    Break(
        "the run in a position",
        "shared/tasks/change_feed.py",
        "(restarted and not is_known(self._client, self._catalog_key, after))",
        "False",
        f"{HISTORY}::test_a_position_of_a_lost_run_is_not_taken_for_another_with_its_number",
    ),
    Break(
        "a repeat waits for replicas",
        f"{SCRIPTS}/_repeats.lua",
        "    note_answer(nonce, answer, nonce_ttl_ms)\n",
        "",
        f"{REPLICAS}::test_a_batch_sent_again_is_answered_once_the_replica_has_it",
    ),
    Break(
        "submit nonce",
        f"{SCRIPTS}/_repeats.lua",
        "local answer = redis.call('GET', NONCE .. nonce)",
        "local answer = nil",
        f"{SUBMIT}::test_a_repeat_gets_the_first_answer",
    ),
    Break(
        "idempotency record",
        f"{SCRIPTS}/_repeats.lua",
        "if record then",
        "if false then",
        f"{SUBMIT}::test_an_idempotency_key_stands_for_one_task",
    ),
    Break(
        "whole upload",
        f"{SCRIPTS}/submit_batch.lua",
        "if staged and redis.call('LLEN', UPLOAD) ~= tonumber(chunks) then",
        "if false then",
        f"{SUBMIT}::test_an_upload_that_is_not_whole_is_refused",
    ),
    Break(
        "room for what waits",
        f"{SCRIPTS}/_reserved.lua",
        "+ (tonumber(redis.call('GET', RESERVED)) or 0)",
        "+ 0",
        "integration/partition/test_full_memory.py::test_what_waiting_batches_will_become_counts",
    ),
    Break(
        "room given back",
        f"{SCRIPTS}/_end.lua",
        "waiting.reserved - left",
        "waiting.reserved",
        "integration/partition/test_growth.py::test_a_delete_takes_next_to_nothing",
    ),
    Break(
        "room for ids that are left out",
        "api/submit/flip_growth.py",
        "* _TOLD_NUMERATOR // _TOLD_DENOMINATOR",
        "* 0",
        "integration/partition/test_growth.py::test_a_sync_has_room_to_tell_of_all_that_it_leaves_out",
    ),
    Break(
        "few long entries at a time",
        "shared/catalog/read_sizes.py",
        "REPLY_BYTES / max(1, length)",
        "MOST",
        "unit/shared/catalog/test_read_sizes.py::test_no_reply_with_long_entries_takes_much_more_than_it_may",
    ),
    Break(
        "room of neighbours on a server",
        "shared/store/memory.py",
        "reserved[server_of(client, key)] += int(count or 0)",
        "reserved[server_of(client, key)] += 0",
        "cluster/test_slots.py::test_what_others_on_the_same_server_have_reserved_counts",
    ),
    Break(
        "sweep",
        "workers/drain/sweep.py",
        "self._puller.pull(until=time.monotonic() + PULL_S)",
        "pass",
        "integration/drain/test_sweep.py::test_a_lost_wake_up_is_made_up_for",
    ),
    Break(
        "last net",
        "workers/drain/sweep.py",
        "seen = self._backlog.add_forgotten(self._clock(), skip=self._known_seen)",
        "seen = 0",
        "integration/drain/test_sweep.py::test_a_forgotten_catalog_is_found_by_the_slow_scan",
    ),
    Break(
        "empty check at release",
        f"{SCRIPTS}/release_lease.lua",
        "if redis.call('XLEN', STREAM) > 0 then",
        "if false then",
        "integration/partition/test_leases.py::test_a_partition_with_work_is_not_released",
    ),
    Break(
        "empty check at the last commit",
        f"{SCRIPTS}/_owner.lua",
        "if wants_more == '1' and redis.call('XLEN', STREAM) == 0 then",
        "if wants_more == '1' then",
        f"{COMMIT}::test_the_answer_brings_the_next_window",
    ),
    Break(
        "the state of guards in a window",
        f"{SCRIPTS}/_window.lua",
        "gather(waiting, careful, guards or '')",
        "gather(waiting, careful, '')",
        "integration/drain/test_guarded_drain.py::test_rules_hold_for_every_task_that_is_accepted_after_them",
    ),
    Break(
        "a broken file behind its like",
        "workers/drain/planner.py",
        "        and not two.doomed\n",
        "",
        "integration/http/test_malformed_files.py"
        "::test_a_broken_file_fails_also_right_behind_a_batch_that_does_the_same",
    ),
    Break(
        "stall counter",
        f"{SCRIPTS}/acquire_lease.lua",
        "lost = lost .. held .. ' '",
        "lost = lost",
        "integration/partition/test_acquire.py::test_a_task_that_never_comes_to_an_end_is_given_up",
    ),
    Break(
        "one owner",
        f"{SCRIPTS}/acquire_lease.lua",
        "if token and not repeated then",
        "if false then",
        "integration/partition/test_acquire.py::test_there_is_one_owner",
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
    Break(
        "gate of a lost writer",
        "shared/sinks/search/ledger_destination.py",
        "if compares and (was_writing or not ledger.gate):",
        "if compares and not ledger.gate:",
        f"{OPENSEARCH}::test_a_late_writer_changes_nothing",
    ),
    Break(
        "gate of a winner",
        "shared/sinks/search/ledger_destination.py",
        "ledger = self._save(replace(ledger, writing=True))",
        "ledger = replace(ledger, writing=True)",
        f"{OPENSEARCH}::test_who_read_the_ledger_before_does_not_close_the_gate_that_another_has_just_made",
    ),
    Break(
        "gate of a successor, until it is looked at",
        "shared/sinks/search/opensearch.py",
        "        confirm()\n",
        "",
        f"{OPENSEARCH}::test_who_is_late_with_taking_over_does_not_close_the_gate_of_the_next",
    ),
    Break(
        "gate of a successor, from then on",
        "shared/sinks/search/opensearch.py",
        "_replaced(place, each) for each in open_ones",
        '_remove(place, f"{place}-w*") for _ in open_ones',
        f"{OPENSEARCH}::test_who_is_late_with_taking_over_does_not_close_the_gate_of_the_next",
    ),
    Break(
        "indices of others",
        "shared/sinks/search/ledger_destination.py",
        "if not own.issuperset(found) and not self._sink.take_over:",
        "if False:",
        f"{OPENSEARCH}::test_an_index_that_comes_while_all_is_copied_is_left_alone",
    ),
    Break(
        "versions of documents",
        "shared/sinks/search/bulk_lines.py",
        '{"index": {"_id": one.id, "version": number, "version_type": "external"}}',
        '{"index": {"_id": one.id}}',
        f"{OPENSEARCH}::test_a_write_inside_the_cluster_that_is_late_is_refused_by_its_number",
    ),
    Break(
        "refusals of one delivery",
        "shared/sinks/search/opensearch.py",
        "left = busy",
        "left = []",
        "unit/shared/sinks/search/test_opensearch.py"
        "::test_what_a_busy_cluster_did_not_take_is_sent_again_in_order_and_nothing_else",
    ),
    Break(
        "number of a late writer's file",
        "shared/sinks/file_engine.py",
        "if (found[1] if found else None) != tag:",
        "if False:",
        "integration/sinks/test_files.py::test_a_late_writers_file_changes_nothing",
    ),
    Break(
        "reach of a part",
        "shared/sinks/deliver_in_parts.py",
        "between = before.at(Mark(before.mark.position, max(before.mark.reach, after.mark.reach)))",
        "between = before",
        "unit/shared/sinks/test_deliver_in_parts.py::test_all_of_a_change_is_delivered_and_only_its_last_part_is_exact",
    ),
    Break(
        "refusals that nobody heard of",
        "workers/sinks/sink_delivery.py",
        "if was.version != copy.version or not is_earlier:",
        "if True:",
        f"{DEAD_LETTERS}::test_what_was_refused_is_known_also_where_the_answer_was_lost",
    ),
    Break(
        "refusals of the copy before",
        f"{SCRIPTS}/settle_sink.lua",
        "if change == 'BACK' and ",
        "if false and ",
        "integration/sinks/test_undo.py::test_an_undone_copy_has_its_dead_letters_again",
    ),
]
