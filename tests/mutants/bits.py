"""Small changes of the pure core, of the kind that `make mutate` makes a thousand of, and the test that notices each.

`make test` tries some of them: whoever weakens such a test meets it at once.
"""

from __future__ import annotations

from tests.mutants.breaks import Break

_UNIT = "unit"
_APPLIER = f"{_UNIT}/workers/apply/test_applier.py"
_SYNC = f"{_UNIT}/workers/apply/test_sync.py"
_COLUMNS = f"{_UNIT}/workers/apply/test_columns.py"
_EQUALITY = f"{_UNIT}/shared/catalog/test_equality.py"
_MERGING = f"{_UNIT}/shared/catalog/test_merging.py"
_GROWTH = f"{_UNIT}/shared/partition/test_growth.py"
_CHUNKS = f"{_UNIT}/api/entries/test_chunks.py"
_ALIKE = f"{_UNIT}/api/entries/test_alike.py"
_REPEATED = f"{_UNIT}/api/entries/test_repeated_members.py"
_ARCHIVES = f"{_UNIT}/api/files/test_archives.py"
_ROWS = f"{_UNIT}/api/files/rows"
_BODIES = f"{_UNIT}/api/entries/test_checked_batch.py"
_PARTITION = "integration/partition"
_LINES = "integration/store/test_lines.py"
_FEED = f"{_PARTITION}/test_feed_ends.py"
_SMALL = "integration/drain/test_small_partitions.py"
_SUBMITTING = "integration/http/test_submitting.py"

#: By file: what stands there, what is put in its place, and the test.
_CHANGES: dict[str, list[tuple[str, str, str]]] = {
    "workers/apply/applier.py": [
        (
            "deleted > limit.ratio * size",
            "deleted >= limit.ratio * size",
            f"{_APPLIER}::test_more_than_half_of_a_section_is_guarded",
        ),
        ("if before == item_id:", "if before != item_id:", f"{_APPLIER}::test_a_variation_that_moves_is_linked_anew"),
        (
            "if cascade and not view.links_complete:",
            "if cascade or not view.links_complete:",
            f"{_APPLIER}::test_deleting_an_item_deletes_its_variations",
        ),
    ],
    "workers/apply/sync.py": [
        (
            "len(written) - len(again)",
            "len(written) + len(again)",
            f"{_SYNC}::test_an_entry_that_came_in_an_earlier_chunk_is_replaced_and_counts_once",
        ),
        (
            "item_id is not None and item_id not in view.items",
            "item_id is not None and item_id in view.items",
            f"{_SYNC}::test_an_orphan_is_warned_of_where_it_can_be_told",
        ),
        (
            "equal = [None if same is None else False for same in equal]",
            "equal = [None if same is None else True for same in equal]",
            f"{_SYNC}::test_items_behind_their_variations_are_written_though_unchanged",
        ),
    ],
    "workers/apply/patches.py": [
        (
            "elif before is not None or batch.on_missing is OnMissing.CREATE:",
            "elif before is not None and batch.on_missing is OnMissing.CREATE:",
            f"{_APPLIER}::test_on_missing_create_tells_created_from_updated",
        ),
        (
            "if needed not in fields:",
            "if needed in fields:",
            f"{_APPLIER}::test_what_a_patch_cannot_create_is_told_with_what_it_lacks",
        ),
    ],
    "workers/apply/whole_entries.py": [
        ("if True not in same:", "if True in same:", f"{_APPLIER}::test_what_is_sent_as_it_is_stored_is_not_written"),
        (
            "written = [not each for each in same]",
            "written = [each for each in same]",
            f"{_APPLIER}::test_what_is_sent_as_it_is_stored_is_not_written",
        ),
    ],
    "shared/catalog/equality.py": [
        (
            "_normal(one) == _normal(other)",
            "_normal(one) != _normal(other)",
            f"{_APPLIER}::test_what_is_sent_as_it_is_stored_is_not_written",
        ),
        ('case b"[":', 'case b"]":', f"{_APPLIER}::test_what_is_sent_as_it_is_stored_is_not_written"),
        ("len(one) == lead + len(other)", "len(one) != lead + len(other)", f"{_EQUALITY}::test_everything_else_counts"),
        ("            return text\n", "            return None\n", f"{_EQUALITY}::test_everything_else_counts"),
    ],
    "shared/catalog/merging.py": [
        (
            'if name == "data" and value != NULL:',
            'if name == "data" or value != NULL:',
            f"{_MERGING}::test_top_level_fields_replace_and_null_removes",
        ),
        (
            "if identity not in known:",
            "if identity in known:",
            f"{_MERGING}::test_lists_are_edited_by_json_equality",
        ),
        (
            "return entry if len(kept) == len(fields) else",
            "return entry if len(kept) != len(fields) else",
            f"{_APPLIER}::test_null_counts_as_absent_in_a_put",
        ),
    ],
    "workers/apply/columns.py": [
        (
            'count(sent, b"[") > 1',
            'count(sent, b"[") > 2',
            f"{_COLUMNS}::test_a_list_or_object_that_is_only_spelled_otherwise_is_no_change",
        ),
    ],
    "shared/partition/growth.py": [
        (
            "3 * len(variations) + bool(variations)",
            "2 * len(variations) + bool(variations)",
            f"{_GROWTH}::test_variations_within_an_item_count_as_those_sent_alone",
        ),
        (
            "return -(-size // step) * step",
            "return (size // step) * step",
            f"{_GROWTH}::test_a_value_is_rounded_up_as_allocations_are",
        ),
    ],
    "api/entries/chunks.py": [
        (
            "stop = max(fitting, first + 1)",
            "stop = max(fitting, first + 2)",
            f"{_CHUNKS}::test_chunks_are_the_whole_text_and_none_takes_more_than_it_may",
        ),
        (
            "if last[id_] != index and id_]",
            "if last[id_] != index or id_]",
            f"{_CHUNKS}::test_each_chunk_knows_which_of_its_entries_do_not_count",
        ),
    ],
    "api/entries/repeated_members.py": [
        ("if times > 1", "if times > 2", f"{_REPEATED}::test_it_is_said_which"),
    ],
    "api/entries/alike.py": [
        (
            "name.encode()) == often",
            "name.encode()) != often",
            f"{_REPEATED}::test_usual_batches_need_no_closer_look",
        ),
        (
            "None if row[i] is UNSET else row[i]",
            "row[i] if row[i] is UNSET else None",
            f"{_ALIKE}::test_each_is_read_as_it_was_sent",
        ),
        (
            "if any(name.endswith(EDIT_SUFFIXES) for name in times):",
            "if all(name.endswith(EDIT_SUFFIXES) for name in times):",
            f"{_ALIKE}::test_one_that_is_not_as_it_may_be_is_read_by_nobody_here",
        ),
    ],
    "api/entries/json_body.py": [
        (
            "if bounds and _TAIL.fullmatch(body, bounds[-1]):",
            "if bounds or _TAIL.fullmatch(body, bounds[-1]):",
            f"{_BODIES}::test_a_repeated_member_is_refused_not_guessed_at",
        ),
    ],
    "api/submit/append.py": [
        ("if reply.ring:", "if not reply.ring:", f"{_SUBMITTING}::test_its_catalog_is_rung_for_and_known_as_waiting"),
    ],
    "api/submit/submit.py": [
        (
            "growth += TASK_BYTES",
            "growth = TASK_BYTES",
            f"{_SUBMITTING}::test_what_it_will_take_is_reserved_until_it_is_applied",
        ),
    ],
    "shared/partition/tail.py": [
        (
            "settings.queue_tasks - waiting",
            "settings.queue_tasks + waiting",
            f"{_PARTITION}/test_submit.py::test_a_full_queue_refuses_and_stores_nothing",
        ),
    ],
    "shared/partition/claim.py": [
        (
            'if code != b"ACQUIRED":',
            'if code == b"ACQUIRED":',
            f"{_PARTITION}/test_acquire.py::test_there_is_one_owner",
        ),
    ],
    "shared/partition/lease.py": [
        (
            "wants_more=True, in_one=True)",
            "wants_more=True, in_one=False)",
            f"{_SMALL}::test_one_batch_of_them_may_be_long",
        ),
    ],
    "shared/tasks/change_feed.py": [
        (
            "most_entries - entries",
            "most_entries + entries",
            f"{_FEED}::test_a_page_ends_with_the_chunk_that_fills_it",
        ),
        (
            "after.is_inside or latest > after.task_id",
            "after.is_inside or latest >= after.task_id",
            f"{_FEED}::test_at_the_end_nothing_goes_on_until_a_task_ends",
        ),
    ],
    "shared/tasks/task_changes.py": [
        (
            "count >= most and number < last",
            "count >= most and number <= last",
            f"{_FEED}::test_a_page_ends_with_the_chunk_that_fills_it",
        ),
    ],
    "api/files/archives.py": [
        (
            "if count == _MAX_MEMBERS:",
            "if count != _MAX_MEMBERS:",
            f"{_ARCHIVES}::test_an_archive_may_have_a_hundred_members",
        ),
        (
            "len(self.last) < tarfile.BLOCKSIZE or any(self.last)",
            "len(self.last) < tarfile.BLOCKSIZE and any(self.last)",
            f"{_ARCHIVES}::test_an_archive_ends_with_zeros_and_nothing_else",
        ),
        (
            "blocks.allowance = _MAX_HEADER_BYTES",
            "blocks.allowance = None",
            f"{_ARCHIVES}::test_an_archive_inflates_no_further_than_files_do",
        ),
    ],
    "api/files/rows/csv_rows.py": [
        (
            "if both_alike or name in self._names[:index]:",
            "if both_alike and name in self._names[:index]:",
            f"{_ROWS}/test_csv_rows.py::test_two_columns_set_one_field_only_if_one_of_them_is_json",
        ),
        (
            "key=lambda one: -len(one[0])",
            "key=lambda one: +len(one[0])",
            f"{_ROWS}/test_csv_rows.py::test_a_problem_is_told_with_the_column_of_its_field",
        ),
    ],
    "api/files/rows/lines.py": [
        (
            'line += rest.count(b"\\n")',
            'line = rest.count(b"\\n")',
            f"{_ROWS}/test_lines.py::test_blocks_are_whole_lines_and_each_knows_its_number",
        ),
        (
            'if b"\\r" in start and b"\\n" not in start:',
            'if b"\\r" in start or b"\\n" not in start:',
            f"{_ROWS}/test_lines.py::test_lines_may_end_in_any_way",
        ),
    ],
    "shared/store/wire.py": [
        (
            "replies = elsewhere(partial(_exchange_alone, client, commands))",
            "replies = _exchange_alone(client, commands)",
            f"{_LINES}::test_a_call_that_is_not_made_together_blocks_no_other",
        ),
    ],
    "shared/store/lines.py": [
        (
            "if isinstance(reply, hiredis.PushNotification):",
            "if False:",
            f"{_LINES}::test_what_the_server_says_unasked_is_no_answer",
        ),
        (
            "if len(data) < _READ_BYTES and not self._waiting:",
            "if len(data) < _READ_BYTES:",
            f"{_LINES}::test_an_answer_and_the_end_of_the_connection_that_come_at_once_are_both_seen",
        ),
    ],
    "api/files/rows/json_rows.py": [
        (
            'elif mark == b"," or after_comma:',
            'elif mark == b"," and after_comma:',
            f"{_ROWS}/test_lines.py::test_a_file_that_cannot_be_read_on_says_in_which_line",
        ),
    ],
    "api/files/rows/group_rows.py": [
        (
            "if one not in before[1]",
            "if one in before[1]",
            f"{_ROWS}/test_group_rows.py::test_the_last_row_of_a_group_has_the_parents_of_all",
        ),
    ],
}

BITS = [Break(old, path, old, new, test) for path, changes in _CHANGES.items() for old, new, test in changes]
