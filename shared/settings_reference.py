"""The settings as a table for people, written from their declarations."""

from __future__ import annotations

import dataclasses

from shared.settings import Settings, variable


def settings_table() -> str:
    """Write the table, in Markdown."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for field in dataclasses.fields(Settings):
        default = "" if field.default is None else f"`{field.default}`"
        choices = field.metadata["one_of"]
        meaning = field.metadata["doc"] + (f" One of {', '.join(choices)}." if choices else "")
        rows.append(f"| `{variable(field)}` | {default} | {meaning} |")
    return "\n".join(rows)
