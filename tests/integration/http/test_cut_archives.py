"""Whatever damages a container in transit, all rows of all its files count, or nothing does."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.model import Kind
from tests.support.files import BOUNDARY, MULTIPART, archive, multipart
from tests.support.ingress import Ingress

SEED = 20261128
ROWS = 300


def _files() -> dict[str, bytes]:
    """Write files that do not shrink to nothing."""
    chance = random.Random(SEED)
    names = [f"{chance.getrandbits(64):x}" for _ in range(ROWS)]
    return {
        "items.csv": ("id,item_name\n" + "".join(f"i{i:03d},{name}\n" for i, name in enumerate(names))).encode(),
        "variations.csv": ("variation_id,item_id\n" + "".join(f"v{i:03d},i{i:03d}\n" for i in range(ROWS))).encode(),
        "item_groups.csv": b"parent_id,id,name\n,g,G\n",
    }


FILES = _files()
TARRED = gzip.decompress(archive(FILES))
EVERYTHING = (ROWS, ROWS, 1)


def send(ingress: Ingress, filename: str, packed: bytes) -> tuple[int, ...] | None:
    """Sync what is packed so and return how many of each kind are there then; None if it was refused."""
    body = multipart([(filename, filename, packed)])
    answer = ingress.send("PUT", "/v1/catalog", body, headers=MULTIPART, force=1)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert not list(ingress.rig.client.scan_iter("*:upload:*"))
        return None
    ingress.rig.drain()
    assert ingress.get(f"/v1/tasks/{answer.json['task_id']}")["status"] == "DONE"
    return tuple(ingress.get(f"/v2/{kind}", num_results_per_page=1)["total_count"] for kind in Kind)


def spliced(data: st.DataObject, packed: bytes) -> bytes:
    """Cut, double, swap or garble a stretch at any byte."""
    places = sorted(data.draw(st.tuples(*[st.integers(0, len(packed))] * 2)))
    start, end = places
    head, stretch, tail = packed[:start], packed[start:end], packed[end:]
    how: list[Callable[[], bytes]] = [
        lambda: head,
        lambda: tail,
        lambda: head + tail,
        lambda: head + stretch + stretch + tail,
        lambda: packed + stretch,
        lambda: stretch + packed,
        lambda: head + bytes(len(stretch)) + tail,
        lambda: head + stretch[::-1] + tail,
        lambda: tail + stretch + head,
    ]
    return data.draw(st.sampled_from(how))()


@pytest.mark.parametrize("level", ["the gzip", "the tar in it", "members of gzip"])
def test_a_cut_or_spliced_archive_counts_whole_or_not_at_all(ingress: Ingress, level: str) -> None:
    """At any byte, of either of its layers; a cut between two gzip members is no cut."""

    @settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        if level == "the gzip":
            packed = spliced(data, gzip.compress(TARRED, mtime=0))
        elif level == "the tar in it":
            # It has no check sums over its files: what is changed inside of one, and packed again, nobody can tell.
            at = data.draw(st.integers(0, len(TARRED) - 1))
            cut = data.draw(st.sampled_from([TARRED[:at], TARRED + TARRED[at:], TARRED[:at] + TARRED]))
            packed = gzip.compress(cut, mtime=0)
        else:
            at = data.draw(st.integers(0, len(TARRED)))
            packed = gzip.compress(TARRED[:at], mtime=0) + gzip.compress(TARRED[at:], mtime=0)
        there = send(ingress, "acme_Products_sync.tar.gz", packed)
        if there is None:
            assert level != "members of gzip"
            return
        assert there == EVERYTHING

    check()


@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
def test_a_cut_or_spliced_file_counts_whole_or_not_at_all(ingress: Ingress, encoding: str) -> None:
    """One that is compressed itself, or whose form is compressed on the way."""
    pack = zstandard.ZstdCompressor(write_checksum=True).compress if encoding == "zstd" else gzip.compress
    file = FILES["items.csv"]
    whole = pack(multipart([("items", "items.csv", file)]) if encoding else file)
    headers = {**MULTIPART, "Content-Encoding": encoding or "identity"}

    @settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        packed = spliced(data, whole)
        if packed.count(whole) > 1:  # two whole files in one, which gzip allows
            return
        body = packed if encoding else multipart([("items", "items.csv.gz", packed)])
        answer = ingress.send("PUT", "/v1/catalog", body, headers=headers, force=1)
        assert answer.status_code in (200, 400), answer.text
        if answer.status_code == 200:
            ingress.rig.drain()
            assert ingress.get("/v2/items", num_results_per_page=1)["total_count"] == ROWS
        assert not list(ingress.rig.client.scan_iter("*:upload:*"))

    check()


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress])
def test_a_cut_or_spliced_body_counts_whole_or_not_at_all(ingress: Ingress, compress: Callable[[bytes], bytes]) -> None:
    """Of JSON too, and of any number of members."""
    entries = [{"id": f"i{i:03d}", "name": f"{random.Random(i).getrandbits(64):x}"} for i in range(ROWS)]
    body = json.dumps({"items": entries}).encode()
    encoding = "gzip" if compress is gzip.compress else "zstd"
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}

    @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(body)))
        whole = compress(body[:at]) + compress(body[at:])
        assert ingress.send("PUT", "/v2/items", whole, headers=headers).status_code == 200
        garbled = spliced(data, whole)
        answer = ingress.send("PUT", "/v2/items", garbled, headers=headers)
        if answer.status_code == 200:
            ingress.rig.drain()
            sent = ingress.send("GET", f"/v1/tasks/{answer.json['task_id']}/payload").data
            assert sorted(map(str, json.loads(sent)["items"])) == sorted(map(str, entries))

    check()


def test_a_form_that_is_cut_at_any_byte_is_refused(ingress: Ingress) -> None:
    body = multipart({name.removesuffix(".csv"): text for name, text in FILES.items()})
    last = len(body) - len(f"--{BOUNDARY}--\r\n")
    chance = random.Random(SEED)
    for at in [*(chance.randrange(last) for _ in range(100)), *range(last, len(body) - 2)]:
        answer = ingress.send("PUT", "/v1/catalog", body[:at], headers=MULTIPART, force=1)
        assert answer.status_code == 400, body[at - 40 : at]
    assert ingress.get("/v1/tasks")["total_count"] == 0
