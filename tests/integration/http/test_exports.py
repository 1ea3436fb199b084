"""Exports: what is written out is the catalogue as all tasks before left it, and sent again makes the same one."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
import structlog
from click.testing import CliRunner

from api.cli.main import sluice
from api.cli.remote.file_parts import parts_of
from shared.errors import Misconfigured
from shared.exports import export_records
from shared.exports.files import ExportFiles
from shared.files.file_format import FileFormat
from shared.keys import padded
from shared.model import CatalogPart, Kind, Status
from shared.partition.lease import Lease
from shared.settings import Settings
from shared.store import scripts
from tests.support.batches import items
from tests.support.files import MULTIPART, multipart
from tests.support.ingress import OTHER, READER_TOKEN, Ingress
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer
from workers.drain.drainer import Drained
from workers.export import exporter

take = Lease.take

GROUPS = [{"id": "g1", "name": "Götter", "parent_ids": ["g0"]}, {"id": "g0", "name": "All", "data": {"n": 19.90}}]
ITEMS = [
    b'{"id": "sku/1",\n "name": "Blue \xc3\xa9 \xf0\x9f\x91\x95",\r\n "suggested_score": 1337.0,'
    b' "data": {"price": 19.90, "big": 123456789012345678901234567890, "none": [], "o": {}, "t": "a\\nb"}}',
    b'{"id": "sku-2", "name": "Second"}',
]
VARIATIONS = [b'{"id": "v1", "item_id": "sku/1", "name": "Blue, L"}', b'{"id": "lost", "item_id": "not there"}']


@pytest.fixture
def filled(ingress: Ingress) -> Ingress:
    ingress.write("PUT", "/v2/item_groups", {"item_groups": GROUPS})
    ingress.write("PUT", "/v2/items", b'{"items": [%s]}' % b",".join(ITEMS))
    ingress.write("PUT", "/v2/variations", b'{"variations": [%s]}' % b",".join(VARIATIONS))
    return ingress


def ask(ingress: Ingress, part: str = "items", **more: Any) -> int:
    return ingress.write("POST", "/v1/tasks", {"type": "catalog_export", "catalog_part": part, **more})


def fetch(ingress: Ingress, task_id: int) -> list[bytes]:
    """The lines of an export that is DONE, by its URL and without a token."""
    result = ingress.get(f"/v1/tasks/{task_id}")["result"]
    with ingress.app.test_client() as client:
        answer = client.get(result["url"])
    assert (answer.status_code, answer.mimetype) == (200, "application/gzip")
    assert answer.content_length == len(answer.data)
    lines = gzip.decompress(answer.data).splitlines()
    assert len(lines) == result["count"]
    return lines


def export(ingress: Ingress, part: str = "items", **more: Any) -> list[bytes]:
    task_id = ask(ingress, part, **more)
    ingress.rig.drain()
    return fetch(ingress, task_id)


@pytest.mark.parametrize("kind", Kind)
def test_what_is_exported_and_sent_again_is_the_same_catalogue(filled: Ingress, kind: Kind) -> None:
    """Byte for byte, numbers and names included, though not the line ends between what was sent."""
    lines = export(filled, kind)
    before = filled.rig.bodies(kind)
    assert lines == [body.replace(b"\n", b" ").replace(b"\r", b" ") for body in before.values()]
    ndjson = {"Content-Type": "application/x-ndjson"}
    filled.write("PUT", f"/v2/{kind}", b"\n".join(lines), headers=ndjson, key=OTHER, token="tok-other")
    filled.rig.drain(OTHER)
    after = filled.rig.bodies(kind, catalog_key=OTHER)
    assert list(after.values()) == lines
    assert [json.loads(body) for body in after.values()] == [json.loads(body) for body in before.values()]


def test_items_with_variations_are_the_items_and_then_the_variations(filled: Ingress) -> None:
    found = [json.loads(line) for line in export(filled, "items_with_variations")]
    assert [(entry["id"], "item_id" in entry) for entry in found] == [
        ("sku-2", False), ("sku/1", False), ("lost", True), ("v1", True),
    ]  # fmt: skip


def test_from_timestamp_leaves_out_what_was_not_changed_since(filled: Ingress) -> None:
    rig = filled.rig
    rig.drain()
    rig.clock.advance(60_000)
    filled.write("PATCH", "/v2/items", {"items": [{"id": "sku-2", "suggested_score": 7}]})
    rig.drain()
    stamp = filled.get("/v1/tasks/4")["last_update"]
    assert [json.loads(line)["id"] for line in export(filled, from_timestamp=stamp)] == ["sku-2"]
    assert export(filled, "variations", from_timestamp=stamp) == []


def test_an_export_sees_what_is_before_it_and_nothing_behind(filled: Ingress) -> None:
    """It waits for its turn, and what comes later waits for its end: also if it takes many slices."""
    filled.rig.drain()
    filled.write("DELETE", "/v2/items", {"items": [{"id": "sku-2"}]})
    task_id = ask(filled)
    filled.write("PUT", "/v2/items", {"items": [{"id": "later", "name": "Later"}]})
    waiting = filled.get(f"/v1/tasks/{task_id}")
    assert (waiting["type"], waiting["status"], waiting["queue_position"]) == ("catalog_export", "QUEUED", 2)
    filled.rig.drain()
    assert [json.loads(line)["id"] for line in fetch(filled, task_id)] == ["sku/1"]
    assert set(filled.rig.bodies()) == {"sku/1", "later"}


def test_of_two_wishes_the_second_is_told_of_the_first(filled: Ingress) -> None:
    """303 with its id and place, whatever is asked for; another catalog may, and so may whoever comes after its end."""
    task_id = ask(filled)
    wish = {"type": "catalog_export", "catalog_part": "variations"}
    second = filled.send("POST", "/v1/tasks", wish)
    assert (second.status_code, second.json["task_id"]) == (303, task_id)
    assert second.headers["Location"] == f"/v1/tasks/{task_id}?key={ACME}"
    assert filled.send("POST", "/v1/tasks", wish, key=OTHER, token="tok-other").status_code == 200
    filled.rig.drain()
    assert ask(filled, "variations") == task_id + 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "catalog_part: field required; type: field required"),
        ({"type": "ingestion", "catalog_part": "items"}, "type: value is not a valid enumeration member; permitted: "
         "'catalog_export'"),
        ({"type": "catalog_export", "catalog_part": "all"}, "catalog_part: value is not a valid enumeration member; "
         "permitted: 'items', 'variations', 'item_groups', 'items_with_variations'"),
        ({"type": "catalog_export", "catalog_part": "items", "from_timestamp": "soon"},
         "from_timestamp: invalid datetime format"),
        ({"type": "catalog_export", "catalog_part": "items", "more": 1}, "more: extra fields not permitted"),
    ],
)  # fmt: skip
def test_a_wish_that_breaks_the_rules_leaves_nothing(ingress: Ingress, body: Any, message: str) -> None:
    answer = ingress.send("POST", "/v1/tasks", body)
    assert (answer.status_code, answer.json["message"]) == (400, message)
    assert ingress.get("/v1/tasks")["total_count"] == 0


def test_a_reader_may_not_ask_for_an_export(ingress: Ingress) -> None:
    wish = {"type": "catalog_export", "catalog_part": "items"}
    assert ingress.send("POST", "/v1/tasks", wish, token=READER_TOKEN).status_code == 403


def test_tasks_are_listed_by_type(filled: Ingress) -> None:
    """Counts and pages are of those asked for."""
    ask(filled)
    filled.rig.drain()
    ask(filled, "item_groups")
    filled.write("PUT", "/v2/items", {"items": [{"id": "x", "name": "X"}]})

    def found(**query: Any) -> tuple[list[int], int, int, int]:
        page = filled.get("/v1/tasks", **query)
        counts = page["status_counts"]
        return [task["id"] for task in page["tasks"]], page["total_count"], counts["DONE"], counts["QUEUED"]

    assert found() == ([6, 5, 4, 3, 2, 1], 6, 4, 2)
    assert found(type="catalog_export") == ([5, 4], 2, 1, 1)
    assert found(type="catalog_export", status="DONE") == ([4], 1, 1, 1)
    assert found(type="catalog_export", offset=1) == ([4], 2, 1, 1)
    assert found(type="ingestion", num_results_per_page=2) == ([6, 3], 4, 3, 1)
    assert found(type="ingestion", num_results_per_page=2, page=2) == ([2, 1], 4, 3, 1)
    assert found(type="ingestion", status="QUEUED") == ([6], 1, 3, 1)
    assert found(type=["ingestion", "catalog_export"])[1] == 6
    assert found(type="user_data_request")[1] == 0


def test_an_export_is_canceled_and_run_again_like_any_task(filled: Ingress) -> None:
    """But for one that would be a second: that is 409."""
    task_id = ask(filled)
    assert filled.send("PATCH", f"/v1/tasks/{task_id}", {"status": "CANCELED"}).json["status"] == "CANCELED"
    again = filled.send("PATCH", f"/v1/tasks/{task_id}", {"status": "QUEUED"}).json
    assert (again["type"], again["retry_of"], again["status"]) == ("catalog_export", task_id, "QUEUED")
    refused = filled.send("PATCH", f"/v1/tasks/{task_id}", {"status": "QUEUED"})
    assert (refused.status_code, refused.json["message"]) == (
        409, f"task {again['id']} is an export of this catalog that has not ended",
    )  # fmt: skip
    filled.rig.drain()
    assert len(fetch(filled, again["id"])) == 2
    assert json.loads(filled.send("GET", f"/v1/tasks/{again['id']}/payload").data)["catalog_part"] == "items"


def test_the_command_line_asks_follows_and_fetches(filled: Ingress, store_server: StoreServer, tmp_path: Path) -> None:
    """What it writes is there whole; a catalogue with nothing in it is an empty file."""
    env = {"SLUICE_REDIS_URL": store_server.url, "SLUICE_EXPORTS_URL": filled.rig.settings.exports_url}
    file = tmp_path / "variations.jsonl.gz"
    with filled.draining():
        for part, lines in (("variations", 2), ("items", 0)):
            of = ["--part", part, "--section", "Products" if lines else "None"]
            try:
                result = CliRunner().invoke(sluice, ["export", ACME, *of, "--to", str(file)], env=env)
            finally:
                structlog.reset_defaults()
            assert result.exit_code == 0, result.output
            assert len(gzip.decompress(file.read_bytes()).splitlines()) == lines
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("part", CatalogPart)
def test_what_the_command_line_exports_it_uploads(filled: Ingress, tmp_path: Path, part: CatalogPart) -> None:
    """Under the name that the export has; one of items and variations is two parts."""
    task_id = ask(filled, part)
    filled.rig.drain()
    with filled.app.test_client() as client:
        answer = client.get(filled.get(f"/v1/tasks/{task_id}")["result"]["url"], buffered=True)
    file = tmp_path / answer.headers["Content-Disposition"].partition("filename=")[2]
    file.write_bytes(answer.data)
    sent: list[int] = []
    parts = [(part.name, part.filename, b"".join(part.read(sent.append))) for part in parts_of(file)]
    assert sum(sent) in (len(answer.data), len(answer.data) - 1)
    other = {"key": OTHER, "token": "tok-other"}
    filled.write("PUT", "/v1/catalog", multipart(parts), headers=MULTIPART, **other)
    filled.rig.drain(OTHER)
    for kind in part.kinds:
        after = filled.rig.bodies(kind, catalog_key=OTHER)
        assert after.keys() == filled.rig.bodies(kind).keys()


def test_a_file_whose_name_does_not_say_what_it_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="unknown name"):
        parts_of(tmp_path / "products.csv")
    for name, part in (("items.CSV", "items"), ("item_groups.json.gz", "item_groups"), ("x.tgz", "x.tgz")):
        assert [one.name for one in parts_of(tmp_path / name)] == [part]


# -- its files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def forty(rig: Rig, store_server: StoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ingress:
    """An ingress whose exports go to a folder, in pieces of ten entries; there are forty items."""
    monkeypatch.setattr(exporter, "PIECE_ENTRIES", 10)
    monkeypatch.setattr(exporter, "PAGE_ENTRIES", 5)
    rig.settings = replace(rig.settings, exports_url=str(tmp_path))
    rig.put(*items(*(f"i{number:02}" for number in range(40))))
    rig.drain()
    return Ingress(rig, store_server.url)


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.rglob("*.gz"))


def test_a_long_export_gives_way_between_its_pieces(forty: Ingress, rig: Rig, tmp_path: Path) -> None:
    """Another catalog gets its turn meanwhile, and the pieces together are one gzip file."""
    task_id = ask(forty)
    hasty = rig.with_settings(slice_s=0.0)
    ends = []
    drainer = hasty.drainer()
    while drainer.drain(ACME) is Drained.YIELDED:
        ends.append(forty.get(f"/v1/tasks/{task_id}")["progress"]["entries_applied"])
    assert ends == [10, 20, 30, 40, 40]
    assert len(fetch(forty, task_id)) == 40
    assert len(files(tmp_path)) == 5


def test_an_export_is_one_gzip_member_however_many_pieces_it_has(forty: Ingress, rig: Rig) -> None:
    """Many programs read the first member of a file and no more.  The check sum is that of the file."""
    task_id = ask(forty)
    rig.drain()
    result = forty.get(f"/v1/tasks/{task_id}")["result"]
    with forty.app.test_client() as client:
        data = client.get(result["url"]).data
    member = zlib.decompressobj(wbits=31)
    assert len(member.decompress(data).splitlines()) == 40
    assert (member.eof, member.unused_data) == (True, b"")
    assert (result["bytes"], result["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


READERS = {
    "php": ["php", "-r", "echo gzdecode(file_get_contents($argv[1]));"],
    "ruby": ["ruby", "-rzlib", "-e", "Zlib::GzipReader.open(ARGV[0]) { |file| STDOUT.write(file.read) }"],
    "perl": ["perl", "-MIO::Uncompress::Gunzip=gunzip", "-e", "gunzip $ARGV[0] => '-' or die"],
    "node": [
        "node",
        "-e",
        "process.stdout.write(require('zlib').gunzipSync(require('fs').readFileSync(process.argv[1])))",
    ],
    "gunzip": ["gunzip", "-c"],
}


@pytest.mark.parametrize("form", FileFormat)
def test_other_programs_read_a_long_export_whole(ingress: Ingress, tmp_path: Path, form: FileFormat) -> None:
    """Of several pieces; by all of these programs that are there."""
    made = items(*(f"i{number:05}" for number in range(12_000)), data={"colour": "blue"})
    for first in range(0, len(made), 4000):
        ingress.rig.put(*made[first : first + 4000])
    task_id = ask(ingress, format=form)
    ingress.rig.drain()
    result = ingress.get(f"/v1/tasks/{task_id}")["result"]
    with ingress.app.test_client() as client:
        (tmp_path / "x.gz").write_bytes(client.get(result["url"], buffered=True).data)
    text = gzip.decompress((tmp_path / "x.gz").read_bytes())
    assert (result["count"], len(text.splitlines())) == (12_000, 12_000 + (form is FileFormat.CSV))
    for program, command in READERS.items():
        if shutil.which(program):
            read = subprocess.run([*command, str(tmp_path / "x.gz")], capture_output=True, check=True, timeout=60)
            assert read.stdout == text, (program, read.stderr)


def test_an_export_that_an_older_version_began_is_read_whole(forty: Ingress, rig: Rig) -> None:
    """Its pieces were members of their own; the rest is one more."""
    task_id = ask(forty)
    grant = rig.acquire()
    [step] = rig.plan(grant)
    lines = b"".join(body + b"\n" for body in list(rig.bodies().values())[:10])
    exports = ExportFiles(rig.settings)
    exports.write(ACME, task_id, step.name, gzip.compress(lines))
    rig.take(grant, [replace(step, cursor='[0,"i09"]', bytes=len(gzip.compress(lines)))])
    rig.expire_lease()
    rig.drain()
    assert [json.loads(line)["id"] for line in fetch(forty, task_id)] == [f"i{number:02}" for number in range(40)]


def test_a_part_of_an_export_may_be_fetched(forty: Ingress, rig: Rig) -> None:
    """Across its pieces; so a download that broke off goes on, if it is still the same file."""
    task_id = ask(forty)
    rig.drain()
    url = forty.get(f"/v1/tasks/{task_id}")["result"]["url"]
    with forty.app.test_client() as client:
        whole = client.get(url, buffered=True)
        assert whole.headers["Accept-Ranges"] == "bytes"
        head = client.head(url, buffered=True)
        assert (head.status_code, head.content_length, head.data) == (200, len(whole.data), b"")
        for start, stop in ((0, 10), (5, len(whole.data)), (len(whole.data) - 1, len(whole.data)), (100, 300)):
            sent = {"Range": f"bytes={start}-{stop - 1}", "If-Range": whole.headers["ETag"]}
            part = client.get(url, buffered=True, headers=sent)
            assert (part.status_code, part.data) == (206, whole.data[start:stop])
            assert part.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole.data)}"
        assert client.get(url, buffered=True, headers={"Range": "bytes=-5"}).data == whole.data[-5:]
        assert (
            client.get(url, buffered=True, headers={"Range": "bytes=1-2", "If-Range": '"another"'}).status_code == 200
        )
        assert client.get(url, buffered=True, headers={"Range": "bytes=999999-"}).status_code == 416
        assert client.get(url, buffered=True, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_a_file_is_on_the_disk_before_its_export_is_done(
    forty: Ingress, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece and its name, before it is counted."""
    task_id = ask(forty)
    synced: list[tuple[str, int]] = []
    plain = os.fsync

    def fsync(file: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{file}").readlink()), rig.exports().written(task_id).pieces))
        plain(file)

    monkeypatch.setattr(os, "fsync", fsync)
    rig.drain()
    assert [pieces for _, pieces in synced] == [number for number in range(5) for _ in range(2)]
    assert all(path.endswith(".gz.part") for path, _ in synced[::2])
    assert all(path.endswith(f"/{ACME}/{task_id}") for path, _ in synced[1::2])


@pytest.mark.parametrize("key", [".", ".."])
def test_a_key_of_dots_stays_in_the_folder(rig: Rig, tmp_path: Path, key: str) -> None:
    files = ExportFiles(replace(rig.settings, exports_url=str(tmp_path / "exports")))
    files.write(key, 1, "x", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["exports"]
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [key.replace(".", "%2E")]


def test_a_section_may_hold_what_no_file_name_may(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": [{"id": "a", "name": "A"}]}, section="a/b\nc")
    task_id = ask(ingress, section="a/b\nc")
    ingress.rig.drain()
    assert len(fetch(ingress, task_id)) == 1


def dying(lease: Lease, base: str, steps: Any, **how: Any) -> Any:
    """Take steps, but die with the file of the second piece written and not counted."""
    if getattr(steps[0], "number", 0) == 1:
        raise KeyboardInterrupt
    return take(lease, base, steps, **how)


def test_the_next_owner_goes_on_where_a_killed_one_was(
    forty: Ingress, rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written and not counted is in nobody's way; being lost twice at different places is no stall."""
    task_id = ask(forty)
    with monkeypatch.context() as patched:
        patched.setattr(Lease, "take", dying)
        with pytest.raises(KeyboardInterrupt):
            rig.drain()
    assert len(files(tmp_path)) == 2
    rig.expire_lease()
    assert rig.acquire().stalls == 1
    rig.expire_lease()
    rig.drain()
    assert [json.loads(line)["id"] for line in fetch(forty, task_id)] == [f"i{number:02}" for number in range(40)]
    assert len(files(tmp_path)) == 6


def test_an_owner_that_lost_its_lease_counts_nothing(forty: Ingress, rig: Rig) -> None:
    """Whatever it writes; nor does a piece count twice when an answer was lost."""
    task_id = ask(forty)
    late = rig.acquire()
    steps = rig.plan(late)
    assert rig.take(late, steps).answer == "OK"
    assert rig.take(late, steps).answer == "ALREADY_DONE"
    assert rig.exports().written(task_id).pieces == 1
    grant = rig.acquire(nonce=late.lease.token.partition(":")[2])
    steps = rig.plan(grant)
    rig.expire_lease()
    rig.drain()
    assert rig.take(grant, steps).answer == "FENCED"
    assert len(fetch(forty, task_id)) == 40


def test_files_go_when_their_time_is_up(forty: Ingress, rig: Rig, tmp_path: Path) -> None:
    """Not before three days; the link says then that it is gone, and the task stays."""
    task_id = ask(forty)
    rig.drain()
    url = forty.get(f"/v1/tasks/{task_id}")["result"]["url"]
    rig.clock.advance(3 * 24 * 3600 * 1000 - 1)
    rig.sweep().once()
    assert len(fetch(forty, task_id)) == 40
    rig.clock.advance(1)
    with forty.app.test_client() as client:
        assert client.get(url).status_code == 410
    rig.sweep().once()
    assert files(tmp_path) == []
    assert rig.task(task_id).status is Status.DONE
    assert rig.client.zscore(rig.keys().export_files, padded(task_id)) is None


def test_the_files_of_an_export_that_ends_just_now_are_kept(
    forty: Ingress, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks for expired ones saw it in progress, and then that it is DONE."""
    task_id = ask(forty)
    exports, run = rig.exports(), scripts.run

    def then_it_ends(*call: Any) -> list[Any]:
        replies = run(*call)
        monkeypatch.setattr(export_records.scripts, "run", run)
        rig.drain()
        return replies

    monkeypatch.setattr(export_records.scripts, "run", then_it_ends)
    assert exports.expired(rig.clock()) == []
    assert rig.task(task_id).status is Status.DONE


def test_what_came_to_nothing_goes_with_its_end(forty: Ingress, rig: Rig, tmp_path: Path) -> None:
    """An export that stalls again and again fails, as nothing of it has an effect; its pieces are removed."""
    task_id = ask(forty)
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant))
    for _ in range(rig.settings.max_stalls - 1):
        rig.expire_lease()
        rig.acquire()
    rig.expire_lease()
    rig.drain()
    assert rig.task(task_id).status is Status.FAILED
    assert "given up after 5 attempts" in str(rig.task(task_id).error)
    assert len(files(tmp_path)) == 1
    rig.sweep().once()
    assert files(tmp_path) == []


def test_a_place_that_cannot_be_written_fails_the_export_and_holds_up_nobody(
    forty: Ingress, rig: Rig, tmp_path: Path
) -> None:
    (tmp_path / ACME).write_text("in the way")
    task_id = ask(forty)
    rig.put(*items("next"))
    rig.drain()
    failed = rig.task(task_id)
    assert failed.status is Status.FAILED
    assert str(failed.error).startswith("IngestionError: the export could not be written: ")
    assert "next" in rig.bodies()


def test_only_our_own_links_open_anything(filled: Ingress) -> None:
    task_id = ask(filled)
    filled.rig.drain()
    url = filled.get(f"/v1/tasks/{task_id}")["result"]["url"]
    # Not the last letter: some of its bits stand for nothing.
    forged = url[:-9] + ("A" if url[-9] != "A" else "B") + url[-8:]
    with filled.app.test_client() as client:
        for wrong in (forged, "/v1/exports/x", "/v1/exports/W10.x"):
            assert client.get(wrong).status_code == 404


@pytest.mark.parametrize("url", ["nowhere://bucket/exports", "s3://bucket/exports"])
def test_a_place_that_nobody_knows_is_named_at_once(url: str) -> None:
    """Also one whose package is not installed."""
    with pytest.raises(Misconfigured, match="SLUICE_EXPORTS_URL='" + url):
        ExportFiles(replace(Settings(), exports_url=url))
