"""Ids in paths."""

from __future__ import annotations

from werkzeug.routing import BaseConverter


class AnythingConverter(BaseConverter):
    """The rest of a path, whatever it holds: slashes, newlines, a leading slash.

    Flask's own ``path`` misses newlines and redirects a leading ``%2F``.
    """

    regex = "(?s:.+)"
    part_isolating = False
