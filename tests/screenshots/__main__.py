"""Takes all pictures anew: ``python -m tests.screenshots``, or ``make screenshots``."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, TimeoutError
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from deploy.stack.ports import LOOPBACK, free_port
from deploy.stack.services import Name
from deploy.stack.stack import Stack
from shared.settings import Settings
from shared.store.client import connect
from shared.waiting import wait_until
from tests.acceptance.customer import Customer
from tests.acceptance.site import environment
from tests.screenshots.camera import FOLDER, SCALE, Camera, save
from tests.screenshots.scenery import ITEM, PRICES, SHOP, SHOPS, Scenery, TickingClock
from tests.support.browser import open_page, running_browser
from tests.support.rig import Rig

PASSWORD = "for-the-pictures"
#: An update that is half applied stays so while its pictures are taken.
LEASE_S = 3600


def main() -> None:
    """Set up a stack, let an hour pass in it, and take the pictures."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="sluice-pictures-"))
    settings = {
        "operator_password": PASSWORD,
        "lease_ttl_s": LEASE_S,
        "flower_auth": f"operator:{PASSWORD}",
        "flower_port": free_port(LOOPBACK, 0),
    }
    try:
        with Stack(environment(folder, **settings)) as stack, running_browser() as browser:
            scenery = set_up(stack)
            camera = Camera(browser, stack.api_url, PASSWORD)
            take_pages(camera, scenery)
            take_flower(browser, stack)
            take_top(browser, stack)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def set_up(stack: Stack) -> Scenery:
    """Fill the store of a stack while its worker stands still; then let that work too."""
    url = stack.environ["SLUICE_REDIS_URL"]
    rig = Rig(connect(url), clock=TickingClock(0), settings=replace(Settings(), slice_s=60.0, lease_ttl_s=LEASE_S))
    scenery = Scenery(rig, url)
    stack.stop_service(Name.WORKER)
    scenery.tokens()
    scenery.an_hour()
    scenery.followers()
    scenery.sinks()
    rig.count_fields()
    stack.start_service(Name.WORKER)
    for shop in set(SHOPS) - {SHOP, "velo-werk"}:
        customer = Customer(stack.api_url, shop, PRICES[0])
        for number in range(8):
            customer.done(customer.patch({"id": f"sku-{number}", "data": {"price": number + 0.9}}))
    # Or it would take what is to be left half applied.
    stack.stop_service(Name.WORKER)
    scenery.at_work()
    stack.start_service(Name.WORKER)
    return scenery


def take_pages(camera: Camera, scenery: Scenery) -> None:
    """Take every kind of page."""
    shop = f"/integration/c/{SHOP}"
    camera.shoot("sign-in", "/integration/login")
    camera.shoot("now", "/integration/now")
    camera.shoot("now-phone", "/integration/now", phone=True)
    camera.shoot("updates", f"{shop}/updates")
    camera.shoot("update-running", f"{shop}/updates/{scenery.running}")
    camera.shoot("update-failed", f"{shop}/updates/{scenery.failed}?outcome=failed")
    camera.shoot("update-changes", f"{shop}/updates/{scenery.priced}?outcome=updated")
    camera.shoot("all-updates", "/integration/updates")
    camera.shoot("fields", f"{shop}/fields")
    camera.shoot("followers", f"{shop}/followers")
    camera.shoot("tokens", f"{shop}/tokens")
    camera.shoot("sinks", f"{shop}/sinks")
    camera.shoot("found", f"{shop}/updates?q={ITEM}")
    camera.shoot("catalog", f"{shop}/catalog?q=sku-4")
    camera.shoot("entry", f"{shop}/catalog/entry?id={ITEM}&section=Products")
    camera.shoot("updates-phone", f"{shop}/updates", phone=True)
    camera.shoot("update-phone", f"{shop}/updates/{scenery.failed}?outcome=failed", phone=True)


def take_flower(browser: Browser, stack: Stack) -> None:
    """Take Flower's two pages, as somebody who knows its password."""
    url, size = stack.flower_url.replace("://", f"://operator:{PASSWORD}@"), {"width": 1240, "height": 560}
    customer = Customer(stack.api_url, "kids-corner", PRICES[0])
    with open_page(browser, base_url=url, viewport=size) as page:

        def knows_a_worker() -> bool:
            # A worker is rung for unless it is awake, and Flower shows what has come in since it started.
            customer.done(customer.patch({"id": "sku-1", "data": {"price": 9.90}}))
            page.reload()
            with contextlib.suppress(TimeoutError):
                page.locator("tbody tr", has_text="worker@").first.wait_for(timeout=3_000)
                return True
            return False

        for name in ("workers", "tasks"):
            page.goto(f"/{name}")
            wait_until(knows_a_worker, "Flower has heard of a worker", timeout_s=60, every_s=2.0)
            save(page, f"flower-{name}")


def take_top(browser: Browser, stack: Stack) -> None:
    """Take what `sluice top` writes into a terminal."""
    environ = {**os.environ, **stack.environ, "FORCE_COLOR": "1", "COLUMNS": "104", "LINES": "20"}
    command = [sys.executable, "-c", "from api.cli.main import main; main()", "top", "--once"]
    written = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60).stdout
    terminal = Console(record=True, width=104, file=io.StringIO())
    terminal.print(Text.from_ansi(written))
    with open_page(browser, viewport={"width": 920, "height": 300}, device_scale_factor=SCALE) as page:
        page.set_content(terminal.export_html(theme=SVG_EXPORT_THEME, inline_styles=True))
        page.add_style_tag(
            content="body {padding: 0.6rem 0.9rem} pre {font-family: 'JetBrains Mono', monospace !important}"
        )
        save(page, "top")


if __name__ == "__main__":
    main()
