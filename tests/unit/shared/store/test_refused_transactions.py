"""A transaction that is refused when it is to be carried out is refused for a reason, as a command is."""

from __future__ import annotations

import pytest
from redis.exceptions import ExecAbortError, OutOfMemoryError, ReadOnlyError, ResponseError

from shared.store import scripts


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", OutOfMemoryError),
        ("READONLY You can't write against a read only replica.", ReadOnlyError),
        ("MISCONF Errors writing to the AOF file", ResponseError),
    ],
)
def test_the_reason_is_raised(text: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    aborted = ExecAbortError(f"Transaction discarded because of: {text}")
    monkeypatch.setattr(scripts, "exchange", lambda *_: ["OK", "QUEUED", aborted])
    with pytest.raises(error, match=text[:10]) as raised:
        scripts._send(None, [("MULTI",), ("HSET", "h", "f", "v"), ("EXEC",)])  # type: ignore[arg-type]
    assert type(raised.value) is error
