"""Path converters for ids."""

from __future__ import annotations

from werkzeug.routing import BaseConverter


class AnythingConverter(BaseConverter):
    """The rest of a path, with any characters: slashes, newlines, a leading slash.

    Flask's own ``path`` does not match newlines, and redirects a leading ``%2F``.
    """

    regex = "(?s:.+)"
    part_isolating = False
    #: Heavier than any other converter: all other matching routes win.
    weight = 1000
