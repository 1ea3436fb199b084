"""An archive is read file by file, however it arrives; one that is not whole is no archive."""

from __future__ import annotations

import gzip
import random
import tarfile
from collections.abc import Iterator
from functools import partial

import pytest

from api.files.archives import PIECE_BYTES, BrokenArchive, gunzip, read_archive
from tests.support.files import archive

CHANCE = random.Random(7)
#: Longer than a piece, and than what may lie between two files; they do not shrink.
FILES = {"items.csv": CHANCE.randbytes(300_000), "folder/variations.csv": b"", "item_groups.csv": CHANCE.randbytes(700)}
TARRED = gzip.decompress(archive(FILES))
packed = partial(gzip.compress, compresslevel=1, mtime=0)


def pieces(body: bytes, size: int = 8_192) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def contents(body: bytes, size: int = 8_192) -> dict[str, bytes]:
    return {str(member.path): b"".join(member.pieces) for member in read_archive(pieces(body, size))}


@pytest.mark.parametrize("size", [100, 4_096, 10**6])
def test_the_files_are_those_that_were_packed_however_they_arrive(size: int) -> None:
    assert contents(packed(TARRED), size) == FILES
    for member in read_archive(pieces(packed(TARRED), size)):
        assert max(map(len, member.pieces), default=0) <= PIECE_BYTES


def test_a_file_that_nobody_reads_is_passed_over() -> None:
    """Whole, or the rest of it."""
    assert [str(member.path) for member in read_archive(pieces(packed(TARRED)))] == list(FILES)
    assert [next(member.pieces, b"")[:9] for member in read_archive(pieces(packed(TARRED)))] == [
        text[:9] for text in FILES.values()
    ]


def test_an_archive_ends_with_zeros_and_nothing_else() -> None:
    """As many as there are; what was cut off there may have been another file."""
    end = len(TARRED.rstrip(b"\0"))
    files_end = end + -end % tarfile.BLOCKSIZE
    assert contents(packed(TARRED[: files_end + tarfile.BLOCKSIZE])) == FILES
    assert contents(packed(TARRED + bytes(300_000))) == FILES
    for cut in [*range(0, end, 9_973), *range(files_end - 600, files_end + tarfile.BLOCKSIZE, 53)]:
        with pytest.raises(BrokenArchive, match="truncated"):
            contents(packed(TARRED[:cut]))
    for behind in (b"x", bytes(300_000) + b"x", TARRED):
        with pytest.raises(BrokenArchive, match=r"^archive: data follows the end .*: are these two archives in one\?$"):
            contents(packed(TARRED + behind))


def test_what_is_not_packed_is_no_archive() -> None:
    with pytest.raises(BrokenArchive, match=r"^archive: not a tar.gz archive, or truncated or corrupted in transit$"):
        contents(TARRED)


def test_an_archive_may_have_a_hundred_members() -> None:
    """Folders count; of names and the like between two files there may be no more than a few."""
    many: dict[str, bytes | str | tarfile.TarInfo] = {f"f{i}": b"x" for i in range(99)}
    folder = tarfile.TarInfo("folder")
    folder.type = tarfile.DIRTYPE
    assert len(contents(archive({"folder": folder, **many}))) == 99
    with pytest.raises(BrokenArchive, match="more than 100 members"):
        contents(archive({"folder": folder, **many, "one more": b""}))


def test_a_packed_file_is_whole_or_broken() -> None:
    whole = packed(FILES["items.csv"])
    assert b"".join(gunzip(pieces(whole), "items.csv.gz")) == FILES["items.csv"]
    for broken, reason in (
        (whole[:-1], "or truncated or corrupted in transit$"),
        (b"x" + whole, "not a gzip file"),
        (gzip.compress(bytes(10**7)), "far"),
    ):
        with pytest.raises(BrokenArchive, match=f"^items.csv.gz: .*{reason}"):
            list(gunzip(pieces(broken), "items.csv.gz"))


@pytest.mark.parametrize("name", ["../items.csv", "a/../items.csv", "/items.csv", "../" + "x" * 300])
def test_no_name_points_outside(name: str) -> None:
    """It is told, as far as it is not too long."""
    with pytest.raises(BrokenArchive, match=rf"^archive: the name '{name[:200]}' points outside the archive$"):
        contents(archive({name: b"x"}))


@pytest.mark.parametrize("name", ["items.csv", "x" * 300])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE])
def test_only_files_and_folders_are_in_an_archive(kind: bytes, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.type = kind
    with pytest.raises(BrokenArchive, match=rf"^archive: '{name[:200]}' is not a regular file$"):
        contents(archive({name: member}))


def test_an_archive_inflates_no_further_than_files_do() -> None:
    """Its files, and the names between them."""
    named = tarfile.TarInfo("x")
    named.type, named.size = tarfile.GNUTYPE_LONGNAME, 10_000_000
    name = CHANCE.randbytes(400_000)
    files_end = len(TARRED.rstrip(b"\0")) // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE + tarfile.BLOCKSIZE
    behind = TARRED[:files_end] + named.tobuf() + name
    for bomb in (packed(named.tobuf() + name), packed(behind), archive({"items.csv": bytes(10**7)})):
        with pytest.raises(BrokenArchive, match=r"^archive: inflates to far more than catalogue files do$"):
            contents(bomb)
