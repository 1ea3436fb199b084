"""Every answer, to whatever request, is one that the OpenAPI document names, in its form; never a 5xx.

schemathesis makes up the requests from the document, good ones and bad ones; ``FUZZ_EXAMPLES`` says how many for each
operation.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from api.app import create_app
from api.openapi.document import write_document
from api.services import EXTENSION
from shared.settings import Settings
from tests.support.batches import items, variations
from tests.support.ingress import TOKEN, Ingress
from tests.support.key_checker import check_keys
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer

#: Few, since schemathesis sends as many as are allowed, and one more.
MAX_ENTRIES = 20
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))


@pytest.fixture(scope="module")
def ingress(store_server: StoreServer) -> Iterator[Ingress]:
    """An ingress with something to read, whose batches are applied as they come in."""
    with store_server.connect() as client:
        client.flushall()
        ingress = Ingress(Rig(client).with_settings(max_entries=MAX_ENTRIES), store_server.url)
        ingress.write("PUT", "/v2/items", {"items": items("sku-1", "0")})
        ingress.write("PUT", "/v2/variations", {"variations": variations("sku-1", "sku-1-m", "0")})
        ingress.write("PUT", "/v2/item_groups", {"item_groups": [{"id": "shirts", "name": "Shirts"}]})
        with ingress.draining():
            yield ingress
        ingress.rig.drain()
        check_keys(client)


#: What is answered once it is applied.
V1_WRITES = ("/v1/item", "/v1/batch_items")

#: Its document needs no store, so the operations are known when tests are collected; its services come with the store.
APP = create_app(replace(Settings(), redis_url="unix:///not-yet"))
DOCUMENT = write_document(APP, max_entries=MAX_ENTRIES)
# Of all the keys that there might be, this one is known.
DOCUMENT["components"]["parameters"]["key"]["schema"] = {"type": "string", "enum": [ACME]}
# Lines are another spelling of the same entries, which schemathesis cannot write.
for operation in (one for path in DOCUMENT["paths"].values() for one in path.values() if "requestBody" in one):
    operation["requestBody"]["content"].pop("application/x-ndjson", None)
document = schemathesis.openapi.from_dict(DOCUMENT)
document.app = APP


@document.parametrize()
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
def test_the_document_holds(case: Any, ingress: Ingress) -> None:
    APP.extensions[EXTENSION] = ingress.app.extensions[EXTENSION]
    if case.operation.path == "/v1/changes" and case.query.get("wait") in range(1, 31):
        case.query["wait"] = 0  # nothing changes here: each example would wait to the end
    case.call_and_validate(auth=(TOKEN, ""), excluded_checks=list(beyond_the_document(case)))


def sets_and_edits(entries: Any) -> bool:
    """Whether an entry sets a list of its data and edits it, too: no document can say that of any two names."""
    found = [entry.get("data") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return any(
        name.rpartition(":")[0] in data
        for data in found
        if isinstance(data, dict)
        for name in data
        if name.endswith((":add", ":remove"))
    )


def beyond_the_document(case: Any) -> Iterator[Any]:
    """Name the checks that would misjudge a request, since it meets a rule that no document can express."""
    query, body = case.query, case.body if isinstance(case.body, dict) else {}
    known = {parameter.name for parameter in case.operation.query}
    if (
        set(query) - known  # parameters that nobody knows are ignored
        or str(query.get("dry_run")).lower() not in ("none", "false")  # bad entries are reported, not refused
        or query.get("on_invalid") == "SKIP"  # the same
    ):
        yield negative_data_rejection
    if "wait" in query and case.operation.path.startswith(V1_WRITES):
        yield not_a_server_error  # 504 says that the time was up
    changes = body.get("tasks")
    ids = [change.get("id") for change in changes if isinstance(change, dict)] if isinstance(changes, list) else []
    forced = [change for change in (body, *(changes if isinstance(changes, list) else ())) if isinstance(change, dict)]
    numbers = {str(int(id_)) if isinstance(id_, float) else str(id_) for id_ in ids}  # 7.0 is 7 in JSON
    if (
        "next_page_cursor" in query  # made up, so none of ours
        or len({"page", "offset", "before"} & set(query)) > 1  # one of them may be there
        or query.get("on_missing") == "CREATE"  # then the rules of PUT hold
        or "after" in query  # a task that there has been
        or len(ids) > len(numbers)  # each task once
        or ("changes" in query and "num_results_per_page" in query)  # fewer entries then
        or any(map(_edits_what_is_set, _entries(body)))
        or (case.operation.path.startswith("/v1/guards") and body)  # which rules need which, what is a schema
        or any(map(sets_and_edits, body.values()))
        or any(change.get("force") is True for change in forced if change.get("status") == "CANCELED")
        or case.operation.path.startswith("/v1/webhooks")  # what is a URL, and one that may be called
        or case.operation.path.startswith("/v1/changes/cursors")  # a position that the feed has told
        or case.operation.path == "/v1/catalog"  # what is in a file
        or (body.get("catalog_part") == "item_groups" and "section" in body)  # item groups have none
        or (body.get("catalog_part") == "items_with_variations" and body.get("format") == "csv")  # of one kind
        # no group below itself, the id of the path in the body, items that must or must not be there, one section
        or case.operation.path.startswith(V1_WRITES)
    ):
        yield positive_data_acceptance


def _entries(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the entries of a batch."""
    for entries in body.values():
        yield from (entry for entry in entries if isinstance(entry, dict)) if isinstance(entries, list) else ()


def _edits_what_is_set(entry: dict[str, Any]) -> bool:
    """Return whether an entry edits a list that it sets too, or in two ways: some of that is refused."""
    data = entry.get("data")
    names = list(data) if isinstance(data, dict) else []
    lists = [name.rpartition(":")[0] for name in names if name.endswith((":add", ":remove"))]
    return any(name in names or lists.count(name) > 1 for name in lists)
