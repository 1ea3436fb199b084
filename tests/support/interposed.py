"""A partition between whose steps something else happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.partitions import Partition
from tests.support.rig import Rig


class Killed(BaseException):
    """The process is gone: nothing that it would have done afterwards happens."""


def interposed(rig: Rig, **hooks: Callable[[], object]) -> Callable[[str], Partition]:
    """Open partitions that call ``before_take=…``, ``after_take=…``, ``before_release=…`` and so on, each once."""
    left = dict(hooks)

    def call(moment: str, name: str) -> None:
        if hook := left.pop(f"{moment}_{name}", None):
            hook()

    def around(partition: Partition, name: str) -> Callable[..., Any]:
        method = getattr(partition, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            call("before", name)
            answer = method(*args, **kwargs)
            call("after", name)
            return answer

        return wrapped

    def open_partition(catalog_key: str) -> Partition:
        partition = rig.partition(catalog_key)
        for name in {hook.partition("_")[2] for hook in hooks}:
            setattr(partition, name, around(partition, name))
        return partition

    return open_partition


def killed() -> None:
    """A hook that kills."""
    raise Killed
