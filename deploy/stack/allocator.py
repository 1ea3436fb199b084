"""Memory settings for glibc; other C libraries ignore them."""

from __future__ import annotations

#: Chunks of half a megabyte come and go a hundred times a second.  As it is, each would be given back to the kernel and
#: asked for again, page by page: a millisecond of 3 to 8 that a chunk costs the worker, and as much of the store's.
#: Bytes kept at hand, a block that is always the kernel's own, and arenas of processes whose threads take turns anyway.
MALLOC = {
    "MALLOC_TRIM_THRESHOLD_": str(64 * 1024 * 1024),
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_ARENA_MAX": "2",
}
