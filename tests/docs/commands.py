"""The commands in ``console`` blocks, what they are said to print, and how that is compared."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import fences

#: Stands for anything in what a command is said to print.
ANYTHING = "…"

_HERE_DOCUMENT = re.compile(r"<<'(\w+)'")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
#: Written by the shell behind each command, around its status.
_MARK = "\x1e"


@dataclass(frozen=True)
class Command:
    """One command of a page."""

    text: str
    #: What it prints, as far as the page says; '' says nothing.
    shown: str


def commands(text: str) -> list[Command]:
    """List the commands of a page, in order."""
    return [command for block in fences(text, "console") for command in _of_block(block)]


def _of_block(block: str) -> Iterator[Command]:
    lines = iter(block.splitlines())
    line = next(lines, None)
    while line is not None:
        if not line.startswith("$ "):
            raise ValueError(f"a console block begins with a command, not with {line!r}")
        text, end = [line.removeprefix("$ ")], None
        while True:
            if found := _HERE_DOCUMENT.search(text[-1]):
                end = found[1]
            if end is None and not text[-1].endswith(("\\", "|")):
                break
            text.append(next(lines))
            if text[-1] == end:
                break
        shown = []
        while (line := next(lines, None)) is not None and not line.startswith("$ "):
            shown.append(line)
        yield Command("\n".join(text), "\n".join(shown))


@dataclass(frozen=True)
class Ran:
    """What a command printed, on both outputs, and its status."""

    printed: str
    status: int


def run(texts: Sequence[str], folder: Path, environ: Mapping[str, str]) -> list[Ran]:
    """Run commands in one shell, one after the other, as somebody who reads the page would."""
    script = folder / "commands.sh"
    lines = ["exec 2>&1", *(f"{text}\nprintf '{_MARK}%d{_MARK}' $?" for text in texts)]
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = subprocess.run(
        ["bash", script.name], cwd=folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=100,
    )  # fmt: skip
    parts = said.stdout.split(_MARK)
    return [Ran(printed, int(status)) for printed, status in zip(parts[::2], parts[1::2], strict=False)]


def prints(shown: str, printed: str) -> bool:
    """Tell whether a command printed what is shown; white space and times do not count."""
    if not shown.strip():
        return True
    wanted, found = (re.sub(r"\s", "", _TIME.sub("TIME", text)) for text in (shown, printed))
    return bool(re.fullmatch(".*".join(map(re.escape, wanted.split(ANYTHING))), found))
