"""A claim, and its lease, between whose steps something else happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.partition.claim import Claim
from shared.partition.lease import Lease
from tests.support.rig import Rig


class Killed(BaseException):
    """The process is gone: nothing that it would have done afterwards happens."""


def interposed(rig: Rig, *, holder: str = "one", **hooks: Callable[[], object]) -> Callable[[str], Claim]:
    """Open claims that call ``before_acquire=…``, ``after_take=…``, ``before_release=…`` and so on, each once."""
    left = dict(hooks)

    def call(moment: str, name: str) -> None:
        if hook := left.pop(f"{moment}_{name}", None):
            hook()

    def around(method: Callable[..., Any], name: str) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            call("before", name)
            answer = method(*args, **kwargs)
            call("after", name)
            return answer

        return wrapped

    def hooked(target: Any) -> Any:
        for name in {hook.partition("_")[2] for hook in hooks}:
            if hasattr(target, name):
                setattr(target, name, around(getattr(target, name), name))
        return target

    class HookedClaim(Claim):
        def lease(self, token: str) -> Lease:
            return hooked(super().lease(token))  # type: ignore[no-any-return]

    def open_claim(catalog_key: str) -> Claim:
        return hooked(HookedClaim(rig.client, rig.settings, holder, catalog_key))  # type: ignore[no-any-return]

    return open_claim


def killed() -> None:
    """A hook that kills."""
    raise Killed
