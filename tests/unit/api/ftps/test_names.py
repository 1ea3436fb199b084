"""The names of files sent by FTPS."""

from __future__ import annotations

import pytest

from api.ftps.names import OPERATIONS, BadName, FileName, parse_name
from shared.files.file_format import FileFormat
from shared.model import Kind, OnMissing, Operation

NOW = "2026-01-31-12-00-00"


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        (f"acme_Products_sync_{NOW}.tar.gz",
         FileName("Products", Operation.SYNC, OnMissing.FAIL, False, None, None)),
        (f"acme_Products_delta_{NOW}.csv",
         FileName("Products", Operation.PUT, OnMissing.FAIL, False, Kind.ITEMS, FileFormat.CSV)),
        (f"acme_Products_patchdelta_{NOW}.items.jsonl",
         FileName("Products", Operation.PATCH, OnMissing.FAIL, False, Kind.ITEMS, FileFormat.JSONL)),
        (f"acme_Products_patchdeltacreate_{NOW}.variations.csv",
         FileName("Products", Operation.PATCH, OnMissing.CREATE, False, Kind.VARIATIONS, FileFormat.CSV)),
        (f"acme_Products_forcepatchdeltaignore_{NOW}.item_groups.csv",
         FileName("Products", Operation.PATCH, OnMissing.IGNORE, True, Kind.ITEM_GROUPS, FileFormat.CSV)),
        (f"acme_Products_forcedelete_{NOW}.csv",
         FileName("Products", Operation.DELETE, OnMissing.FAIL, True, Kind.ITEMS, FileFormat.CSV)),
        (f"acme_Products_whitelist_{NOW}.CSV.gz",
         FileName("Products", Operation.KEEP, OnMissing.FAIL, False, Kind.ITEMS, FileFormat.CSV)),
        (f"acme_Products_forcewhitelist_{NOW}.variations.JSON",
         FileName("Products", Operation.KEEP, OnMissing.FAIL, True, Kind.VARIATIONS, FileFormat.JSONL)),
        (f"acme_Products_sync_{NOW}.tgz",
         FileName("Products", Operation.SYNC, OnMissing.FAIL, False, None, None)),
        (f"acme_Search_Suggestions_sync_{NOW}.csv",
         FileName("Search_Suggestions", Operation.SYNC, OnMissing.FAIL, False, Kind.ITEMS, FileFormat.CSV)),
        (f"acme_a_delta_b.c_delta_{NOW}.csv",
         FileName("a_delta_b.c", Operation.PUT, OnMissing.FAIL, False, Kind.ITEMS, FileFormat.CSV)),
    ],
)  # fmt: skip
def test_a_name_says_what_is_to_be_done(name: str, meaning: FileName) -> None:
    assert parse_name(name, "acme") == meaning


def test_a_key_may_hold_what_separates() -> None:
    assert parse_name(f"key_1_Products_sync_{NOW}.csv", "key_1").section == "Products"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_there_with_force_too(operation: str) -> None:
    plain, forced = (parse_name(f"acme_P_{op}_{NOW}.csv", "acme") for op in (operation, f"force{operation}"))
    assert (plain.operation, plain.on_missing) == (forced.operation, forced.on_missing)
    assert (plain.force, forced.force) == (False, True)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (f"other_Products_sync_{NOW}.csv", "begin with 'acme_'"),
        (f"acme_Products_sync_{NOW}.zip", "end with .csv, .jsonl, .json"),
        (f"acme_Products_sync_{NOW}.groups.csv", "not a timestamp"),
        ("acme_Products_sync_today.csv", "'today' is not a timestamp"),
        (f"acme_Products_upsert_{NOW}.csv", "'upsert' is not one of sync, delta"),
        (f"acme_Products_forceforcesync_{NOW}.csv", "'forceforcesync' is not one of"),
        (f"acme_sync_{NOW}.csv", "names are {key}_{section}"),
        (f"acme__sync_{NOW}.csv", "a section has 1 to 100 characters"),
        (f"acme_{'x' * 101}_sync_{NOW}.csv", "a section has 1 to 100 characters"),
        ("acme_", "end with"),
        ("", "begin with"),
    ],
)
def test_any_other_name_is_refused_and_told_why(name: str, why: str) -> None:
    with pytest.raises(BadName, match=why.replace("{", r"\{").replace("}", r"\}")):
        parse_name(name, "acme")
