"""A Lua script: its text, assembled from files, and its arguments by name.

The legend at the top of a script declares its keys and arguments, one a line and in order::

    -- KEYS  the partition (_partition.lua), then
    -- KEYS  HISTORY  list  which tasks touched which entries
    -- ARGV  token    the owner's fencing token
    -- ARGV  facts…   further fields of the task record, name and value in turn

The script uses them by these names: ``local`` lines for them are added behind the legend when the script is read.
The last of the keys and the last of the arguments may end in ``…``: it is a table of all that remain.  Python passes
them by the same names, keys in lower case, as the signature of the script says (`shared.store.signatures`).  A
signature that differs from its legend fails at import.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.resources import files
from operator import itemgetter
from typing import Any, Generic, ParamSpec

from shared.store.wire import Argument, Command

P = ParamSpec("P")

#: Keys of a partition, which come before those that a script names itself: as many as _partition.lua unpacks.
PARTITION_KEYS = 20

_INCLUDE = re.compile(r"^-- include: (_\w+)\n", re.MULTILINE)
_FIELD = re.compile(r"^-- (KEYS|ARGV)  (\w+)(…?)(?:  +\S.*)?$", re.MULTILINE)
_PARTITION = re.compile(r"^-- KEYS  the partition \(_partition\.lua\)", re.MULTILINE)


class WrongSignature(TypeError):
    """Python and Lua name the arguments of a script differently."""


class Script(Generic[P]):
    """A script of ``lua/``, by the name of its signature."""

    def __init__(self, signature: Callable[P, None]) -> None:
        """Read the script.  Raises WrongSignature unless the signature has just the names of the legend."""
        self.name = signature.__name__
        source = _read(self.name)
        flags, _, rest = source.partition("\n")
        legend = "".join(re.findall(r"\A(?:--.*\n)*", rest))
        keys, args = (_Fields(array, legend) for array in ("KEYS", "ARGV"))
        self._in_partition = bool(_PARTITION.search(legend))
        own = [*map(str.lower, keys.single), *args.single]
        rests = [name for name in (keys.rest.lower(), args.rest) if name]
        expected = [*(["partition"] if self._in_partition else []), *own, *rests]
        declared = list(inspect.signature(signature).parameters)
        if sorted(declared) != sorted(expected):
            differing = sorted(set(declared) ^ set(expected)) or declared
            raise WrongSignature(f"{self.name}: signature and legend differ in {', '.join(differing)}")
        first_key = PARTITION_KEYS + 1 if self._in_partition else 1
        names = keys.as_local(first_key) + args.as_local(1)
        #: The flags stay the first line: the server wants them there.
        self.text = f"{flags}\n{legend}{names}{_INCLUDE.sub(lambda match: _read(match[1]), rest[len(legend) :])}"
        self._own, self._rests = frozenset(own), frozenset(rests)
        self._keys, self._args = _picker([name.lower() for name in keys.single]), _picker(args.single)
        self._arg_names = args.single
        self._more_keys, self._more_args = keys.rest.lower(), args.rest

    @cached_property
    def sha(self) -> str:
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def command(self, *partition: P.args, **fields: P.kwargs) -> Command:
        """Write a call of the script.  Raises TypeError for a field that it does not have, or that is missing."""
        if len(fields) != len(self._own) + len(self._rests) or len(partition) != self._in_partition:
            raise TypeError(f"{self.name} takes {', '.join(sorted(self._own | self._rests))}; got {', '.join(fields)}")
        try:
            keys: Sequence[Argument] = (*partition[0], *self._keys(fields)) if partition else self._keys(fields)  # type: ignore[misc]
            if self._more_keys:
                keys = (*keys, *fields[self._more_keys])  # type: ignore[misc]
            args = self._args(fields)
            more: Any = fields[self._more_args] if self._more_args else ()
        except KeyError as missing:
            raise TypeError(f"{self.name} needs {missing.args[0]}") from None
        return ("EVALSHA", self.sha, len(keys), *keys, *args, *more)

    def again(self, call: Command, **fields: Argument) -> Command:
        """Write another call with the keys of one and no arguments but these; for a script without a list of them."""
        keys = 3 + int(call[2])
        return (*call[:keys], *(fields.get(name, "") for name in self._arg_names))

    def __repr__(self) -> str:
        return f"<Script {self.name}>"


class _Fields:
    """The keys, or the arguments, that a legend declares."""

    def __init__(self, array: str, legend: str) -> None:
        self._array = array
        found = [(name, bool(dots)) for which, name, dots in _FIELD.findall(legend) if which == array]
        self.single = [name for name, dots in found if not dots]
        self.rest = next((name for name, dots in found if dots), "")
        if self.rest and found[-1][0] != self.rest:
            raise WrongSignature(f"{self.rest}… is not the last of {array}")

    def as_local(self, first: int) -> str:
        """Write the lines that give the script its names."""
        last = first + len(self.single) - 1
        lines = f"local {', '.join(self.single)} = unpack({self._array}, {first}, {last})\n" if self.single else ""
        return lines + (f"local {self.rest} = {{unpack({self._array}, {last + 1})}}\n" if self.rest else "")


def _picker(names: Sequence[str]) -> Callable[[Any], tuple[Argument, ...]]:
    """Build what takes so many values out of a call, in this order."""
    match names:
        case []:
            return lambda _: ()
        case [name]:
            return lambda fields: (fields[name],)
        case _:
            return itemgetter(*names)


def _read(name: str) -> str:
    return files("shared").joinpath("lua", f"{name}.lua").read_text("utf-8")
