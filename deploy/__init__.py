"""Run Sluice: the stack under one command, the embedded store, the demo."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (said in words, instead of a syntax error further down)
    sys.exit(f"Sluice needs Python 3.11 or newer; this is {sys.version.split()[0]}")
