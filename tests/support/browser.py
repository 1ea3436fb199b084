"""A headless Chromium, driven as a person would: what is seen, what is pressed, what the console complains of."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

BINARIES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

WIDE = {"width": 1200, "height": 800}
PHONE = {"width": 390, "height": 844}

#: Milliseconds for anything that should happen on a page.
PATIENCE_MS = 20_000


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Start the browser.  Without one: skip at home, fail in CI."""
    binary = next((path for name in BINARIES if (path := shutil.which(name))), None)
    if binary is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is missing: apt-get install chromium")
        pytest.skip("without chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def open_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """Open a page with cookies of its own; what scripts or the safety policy complained of fails the test."""
    context = browser.new_context(**{"viewport": WIDE, "color_scheme": "light", "timezone_id": "UTC", **options})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
    page.on("console", lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None)
    try:
        yield page
        assert complaints == []
    finally:
        context.close()
