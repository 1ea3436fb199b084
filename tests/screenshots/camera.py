"""Takes pictures of pages: light and dark, wide and of a phone, as small WebP files."""

from __future__ import annotations

import base64
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.support.browser import PHONE, open_page

#: Where README and docs show them from.
FOLDER = Path(__file__).parents[2] / "deploy" / "screenshots"

WIDE = {"width": 1240, "height": 860}
#: Sharp on dense screens, without the bytes of twice as many points.
SCALE = 1.5
QUALITY = 72


class Camera:
    """Pictures of what somebody sees who has signed in."""

    def __init__(self, browser: Browser, url: str, password: str) -> None:
        self._browser = browser
        self._url = url
        self._password = password

    def shoot(self, name: str, path: str, *, phone: bool = False, press: str = "") -> None:
        """Take a page in light and in dark, once something was pressed."""
        viewport = PHONE if phone else WIDE
        with open_page(self._browser, base_url=self._url, viewport=viewport, device_scale_factor=SCALE) as page:
            if name != "sign-in":
                page.goto("/integration/login")
                page.get_by_label("API token").fill(self._password)
                page.get_by_role("button", name="Sign in").click()
            page.goto(path)
            if press:
                page.locator(press).first.click()
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                page.mouse.move(0, 0)
                save(page, f"{name}-{scheme}")


def save(page: Page, name: str) -> None:
    """Write what a page shows into the folder of pictures."""
    shot = page.context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.webp").write_bytes(base64.b64decode(shot["data"]))
