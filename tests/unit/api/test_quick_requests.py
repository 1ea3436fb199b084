"""What the receptionist serves itself is short, whatever is in it."""

from __future__ import annotations

import pytest

from api.quick_requests import quick_requests
from shared.settings import Settings

is_quick = quick_requests(Settings(redis_url="redis://store", secret_key="x" * 32))


@pytest.mark.parametrize("path", ["items", "variations", "item_groups"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_small_writes_are_quick(method: str, path: str) -> None:
    assert is_quick(method.encode(), f"/v2/{path}?key=a".encode(), 16_384)


@pytest.mark.parametrize(
    ("method", "target", "body_bytes"),
    [
        (b"PUT", b"/v2/items?key=a", 16_385),
        (b"GET", b"/v2/items?key=a", 0),
        (b"PUT", b"/v2/items?key=a&dry_run=true", 100),
        (b"PUT", b"/v1/items?key=a", 100),
        (b"GET", b"/health/ready", 0),
    ],
)
def test_what_may_take_long_is_not(method: bytes, target: bytes, body_bytes: int) -> None:
    """Long bodies, reads, dry runs, and calls that wait until they are applied."""
    assert not is_quick(method, target, body_bytes)


@pytest.mark.parametrize("settings", [{"redis_url": "rediss://store"}, {"min_replicas": 1}])
def test_no_write_is_quick_whose_calls_can_share_no_connection(settings: dict[str, object]) -> None:
    """TLS, or an answer that waits for replicas."""
    quick = quick_requests(Settings(**{"redis_url": "redis://store", "secret_key": "x" * 32, **settings}))  # type: ignore[arg-type]
    assert not quick(b"PUT", b"/v2/items?key=a", 100)
    assert quick(b"GET", b"/health/live", 0)
