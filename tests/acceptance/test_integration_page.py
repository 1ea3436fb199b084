"""The Integration page in a real browser, over a running stack: what an operator does with it, and who can use it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.customer import Customer
from tests.acceptance.site import TOKEN, Site
from tests.support.batches import items
from tests.support.browser import PATIENCE_MS, PHONE, WIDE, open_page, running_browser
from tests.support.npm import install_package

pytestmark = pytest.mark.timeout(180)
expect.set_options(timeout=PATIENCE_MS)

AXE = "4.10.2"

Open = Callable[..., contextlib.AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("axe")
    install_package(folder, "axe-core", AXE)
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def signed_in(browser: Browser, site: Site) -> Open:
    """Opens a page of somebody who has signed in, with a browser set up as asked."""

    @contextlib.contextmanager
    def opened(path: str = "/now", **options: Any) -> Iterator[Page]:
        with open_page(browser, base_url=site.url, **options) as page:
            page.goto("/integration/login")
            sign_in(page, TOKEN)
            page.goto("/integration" + path)
            yield page

    return opened


def sign_in(page: Page, secret: str) -> None:
    page.get_by_label("API token").fill(secret)
    page.get_by_role("button", name="Sign in").click()


def updates(customer: Customer) -> str:
    return f"/c/{customer.catalog_key}/updates"


def mark(page: Page) -> None:
    """Leave a mark that a reload would take away."""
    page.evaluate("window.marked = true")


def is_marked(page: Page) -> bool:
    return bool(page.evaluate("window.marked === true"))


def failing(customer: Customer) -> int:
    """Send what must fail, and wait for it."""
    task_id = customer.patch(*items("a", "missing-42"))
    assert customer.wait_for(task_id)["status"] == "FAILED"
    return task_id


# -- what an operator does --------------------------------------------------------------------------------------------


def test_one_signs_in_with_a_token_and_is_where_one_wanted_to_go(browser: Browser, customer: Customer) -> None:
    with open_page(browser, base_url=customer.url) as page:
        page.goto("/integration" + updates(customer))
        sign_in(page, "wrong")
        expect(page.get_by_role("alert")).to_contain_text("neither a valid token")
        sign_in(page, TOKEN)
        expect(page).to_have_url(customer.url + "/integration" + updates(customer))
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_batch_goes_from_queued_to_done_before_ones_eyes(site: Site, customer: Customer, signed_in: Open) -> None:
    """In the list and on its own page, without a reload."""
    with site.without_worker(), signed_in(updates(customer)) as listing, signed_in(updates(customer)) as single:
        mark(listing)
        expect(listing.locator("#updates")).to_contain_text(f"/v2/items?key={customer.catalog_key}")
        task_id = customer.put(*items("a", "b"))
        row = listing.locator(f"#task-{task_id}")
        expect(row).to_contain_text("Queued")
        single.goto(f"/integration{updates(customer)}/{task_id}")
        mark(single)
        expect(single.locator("#progress")).to_contain_text("no worker is running")
        site.start_worker()
        expect(row).to_contain_text("Done")
        expect(listing.locator("#statuses")).to_contain_text("Done 1")
        expect(single.get_by_role("heading", level=1)).to_contain_text("Done")
        expect(single.locator("#timeline")).to_contain_text("in the same step")
        expect(single.locator("#timeline li").first).to_contain_text("where you are")
        expect(single.locator("#entries .tag.created")).to_have_count(2)
        assert is_marked(listing)
        assert is_marked(single)


def test_one_opens_a_failed_update_and_reads_why(customer: Customer, signed_in: Open) -> None:
    customer.done(customer.put(*items("a")))
    task_id = failing(customer)
    with signed_in(updates(customer)) as page:
        page.get_by_role("link", name="Failed").click()
        page.get_by_role("link", name=f"#{task_id}").click()
        expect(page.get_by_role("alert")).to_contain_text("items not found: 'missing-42'")
        page.get_by_role("link", name="failed 1").click()
        expect(page.locator("#entries li")).to_have_count(1)
        expect(page.locator("#entries")).to_contain_text("its id does not exist")
        expect(page.locator("#entries pre")).to_contain_text('"name": "Item missing-42"')


def test_one_runs_a_failed_update_again_once_its_cause_is_mended(customer: Customer, signed_in: Open) -> None:
    task_id = failing(customer)
    customer.done(customer.put(*items("a", "missing-42")))
    with signed_in(f"{updates(customer)}/{task_id}") as page:
        page.get_by_text("Run again").click()
        page.get_by_role("button", name="Yes, run it again").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Done")
        expect(page.locator("#timeline")).to_contain_text(f"re-run of #{task_id}, asked for by settings-")
        page.get_by_role("link", name=f"#{task_id}").click()
        expect(page.locator("#timeline")).to_contain_text("Run again as #")


def test_one_finds_what_happened_to_an_entry(customer: Customer, signed_in: Open) -> None:
    customer.put(*items("sku-42", "other"))
    customer.patch({"id": "sku-42", "data": {"price": 17.5}})
    customer.done(customer.delete({"id": "sku-42"}))
    with signed_in(updates(customer)) as page:
        page.keyboard.press("/")
        page.keyboard.type("sku-42")
        page.keyboard.press("Enter")
        lines = page.locator(".event")
        expect(lines).to_have_count(3)
        expect(lines.nth(0).locator("time")).to_have_attribute("title", re.compile("UTC · .* where you are"))
        expect(lines.nth(0)).to_contain_text("deleted")
        expect(lines.nth(1)).to_contain_text("updated")
        lines.nth(1).locator("summary").click()
        expect(lines.nth(1).locator("pre")).to_contain_text('"price": 17.5')
        expect(lines.nth(2)).to_contain_text("created")
        page.get_by_role("link", name="Catalog").click()
        page.get_by_role("searchbox").fill("oth")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="other").click()
        expect(page.locator("#history .event")).to_have_count(1)


def test_what_the_reader_does_survives_what_comes_in(customer: Customer, signed_in: Open) -> None:
    """Open details stay open, and the focus stays where it is."""
    first = customer.put(*items("a"))
    customer.done(first)
    with signed_in(f"/c/{customer.catalog_key}/catalog/entry?id=a") as page:
        opened = page.locator(".event details").first
        opened.locator("summary").click()
        link = page.locator(".event").first.get_by_role("link", name=f"#{first}")
        link.focus()
        customer.done(customer.patch({"id": "a", "data": {"n": 1}}))
        expect(page.locator(".event")).to_have_count(2)
        expect(page.locator(".event").nth(1).locator("details")).to_have_attribute("open", "")
        expect(page.locator(".event").nth(1).get_by_role("link", name=f"#{first}")).to_be_focused()


def test_now_moves_while_one_looks(customer: Customer, signed_in: Open) -> None:
    with signed_in("/now") as page:
        mark(page)
        customer.done(customer.put(*items(*(f"a{number}" for number in range(100)))))
        expect(page.locator(f"#partition-{customer.catalog_key}")).to_be_visible()
        failing(customer)
        expect(page.locator("#failures")).to_contain_text("missing-42")
        assert is_marked(page)


@pytest.fixture(scope="class")
def no_worker(site: Site) -> Iterator[None]:
    with site.without_worker():
        yield


@pytest.mark.usefixtures("no_worker")
class TestWhileBatchesWait:
    """What can be done about a batch before its turn."""

    def test_one_cancels_with_the_keyboard_alone(self, customer: Customer, signed_in: Open) -> None:
        task_id = customer.put(*items("a"))
        with signed_in(f"{updates(customer)}/{task_id}") as page:
            page.locator("#cancel summary").focus()
            page.keyboard.press("Enter")
            expect(page.get_by_text("Take this update back?")).to_be_visible()
            page.keyboard.press("Escape")
            expect(page.get_by_text("Take this update back?")).to_be_hidden()
            page.keyboard.press("Enter")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            expect(page.get_by_role("heading", level=1)).to_contain_text("Canceled")
            expect(page.locator("#timeline")).to_contain_text("by settings-")
        assert customer.task(task_id)["canceled_by"].startswith("settings-")

    def test_one_cancels_and_finds_on_a_phone(self, customer: Customer, signed_in: Open) -> None:
        with signed_in(updates(customer), viewport=PHONE, has_touch=True, is_mobile=True) as page:
            task_id = customer.put(*items("sku-42"))
            page.get_by_role("link", name=f"#{task_id}").tap()
            page.locator("#cancel summary").tap()
            page.get_by_role("button", name="Yes, cancel it").tap()
            expect(page.get_by_role("heading", level=1)).to_contain_text("Canceled")
            page.get_by_role("link", name="Updates", exact=True).tap()
            page.get_by_role("searchbox").fill("sku-42")
            page.get_by_role("button", name="Find").tap()
            expect(page.locator(".event")).to_have_count(1)

    def test_all_of_it_works_without_javascript(self, customer: Customer, signed_in: Open) -> None:
        with signed_in(updates(customer), java_script_enabled=False) as page:
            task_id = customer.put(*items("a"))
            page.reload()
            page.get_by_role("link", name=f"#{task_id}").click()
            page.locator("#cancel summary").click()
            page.get_by_role("button", name="Yes, cancel it").click()
            expect(page.get_by_role("heading", level=1)).to_contain_text("Canceled")
            page.get_by_role("link", name="Updates", exact=True).click()
            page.get_by_role("searchbox").fill("a")
            page.get_by_role("button", name="Find").click()
            expect(page.locator(".event")).to_have_count(1)


# -- who can use it ---------------------------------------------------------------------------------------------------


@pytest.fixture
def everything(customer: Customer) -> list[str]:
    """A catalog with some of everything; answers the paths of pages that show it."""
    customer.done(customer.put(*items(*(f"sku-{number}" for number in range(60)), data={"long": "word" * 100})))
    customer.done(customer.put({"id": "sku-1-red", "item_id": "sku-1", "name": "Red"}, kind="variations"))
    failed = failing(customer)
    assert customer.send("PUT", [{"id": ""}]).status == 400
    customer.call("PUT", "/v1/changes/cursors/indexer", body={"after": "0"}).ok()
    customer.call("POST", "/v1/webhooks", body={"url": "https://shop.example/" + "hook" * 30}).ok()
    customer.call("PUT", "/v1/guards/items", body={"mode": "warn", "max_deleted": 0.1}).ok()
    base = f"/c/{customer.catalog_key}"
    return [
        "/now",
        "/updates",
        f"{base}/updates",
        f"{base}/updates?operation=patch",
        f"{base}/updates?q=sku-1",
        f"{base}/updates/1",
        f"{base}/updates/{failed}",
        f"{base}/catalog",
        f"{base}/guards",
        f"{base}/followers",
        f"{base}/sinks",
        f"{base}/catalog/entry?id=sku-1",
        f"{base}/fields",
        f"{base}/refused",
        f"{base}/tokens",
        "/nowhere",
    ]


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [("light", {**WIDE, "width": 1600}), ("dark", {**PHONE, "width": 360})],
    ids=["light, 1600 px", "dark, 360 px"],
)
def test_axe_finds_nothing_serious(
    everything: list[str], signed_in: Open, axe: str, scheme: str, viewport: dict[str, int]
) -> None:
    """Contrast, names, roles, order: as far as a machine can tell."""
    with signed_in(color_scheme=scheme, viewport=viewport) as page:
        for path in everything:
            page.goto("/integration" + path)
            for summary in page.locator("summary").all()[:2]:
                summary.click()
            assert serious(page, axe) == [], path
        page.get_by_role("button", name="Sign out").click()
        assert serious(page, axe) == []


def serious(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})")
    return [
        f"{problem['id']}: {problem['help']}: {node['html']} {node.get('failureSummary', '')}"
        for problem in found["violations"]
        if problem["impact"] in ("serious", "critical")
        for node in problem["nodes"]
    ]


def test_in_colours_of_the_readers_own_nothing_is_said_by_a_background_alone(
    everything: list[str], signed_in: Open
) -> None:
    """Such a reader sees borders, outlines and text; backgrounds are one colour."""
    style = """element => {
        const style = getComputedStyle(element);
        return [style.borderTopStyle, style.outlineStyle, style.backgroundColor];
    }"""
    with signed_in(forced_colors="active") as page:
        for path in everything[:-1]:
            page.goto("/integration" + path)
            for kind in (".chip", ".tag", ".chips a", "button:not(.quiet)", "a.button"):
                for element in page.locator(f"main {kind}").all()[:5]:
                    border, _, _ = element.evaluate(style)
                    assert border == "solid", (path, kind)
            for current in page.locator(".chips [aria-current], .top nav [aria-current]").all():
                _, outline, _ = current.evaluate(style)
                assert outline == "solid", path
            backgrounds = {element.evaluate(style)[2] for element in page.locator("main .chip, main .tag").all()[:20]}
            assert len(backgrounds) <= 1, path


def test_at_no_width_is_anything_cut_off(everything: list[str], signed_in: Open) -> None:
    """From a small phone to a wide screen, at both sides of where the layout changes."""
    with signed_in(viewport={**PHONE, "width": 360}, has_touch=True, is_mobile=True) as page:
        for path in everything:
            page.goto("/integration" + path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            for width in (360, 735, 737, 1024, 1600):
                page.set_viewport_size({**PHONE, "width": width})
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (path, width)


@pytest.mark.parametrize("width", [360, 1024])
def test_a_question_is_asked_where_it_can_be_read(everything: list[str], signed_in: Open, width: int) -> None:
    """What a button opens lies within the window, wherever the button is."""
    with signed_in(viewport={**PHONE, "width": width}) as page:
        asked = 0
        for path in everything:
            page.goto("/integration" + path)
            for question in page.locator("details.confirm").all():
                question.locator("summary").click()
                box = question.locator(".popup").bounding_box()
                assert box is not None
                assert box["x"] >= 0, (path, question.inner_text())
                assert box["x"] + box["width"] <= width, (path, question.inner_text())
                page.keyboard.press("Escape")
                asked += 1
        assert asked >= 6


def test_html_in_what_is_sent_does_nothing(customer: Customer, signed_in: Open) -> None:
    """In names, ids, data, sections and errors; also when it comes in by itself while one looks."""
    nasty = ["<img src=x onerror=hacked=1>", "<script>hacked=1</script>", '"><svg onload=hacked=1>']
    entries = [{"id": text, "name": f"N{text}", "data": {text: text}} for text in nasty]
    base = f"/integration/c/{customer.catalog_key}"
    with signed_in(f"/c/{customer.catalog_key}/updates") as page:
        done = customer.put(*entries, section=nasty[0])
        failed = customer.patch(*({"id": text + "?", "name": "n"} for text in nasty), section=nasty[0])
        customer.wait_for(failed)
        expect(page.locator(f"#task-{failed}")).to_contain_text("onerror")
        quoted = [quote(text) for text in nasty]
        for path in (
            "/integration/now",
            f"{base}/updates/{done}",
            f"{base}/updates/{failed}",
            f"{base}/catalog?section={quoted[0]}",
            *(f"{base}/updates?q={text}" for text in quoted),
            *(f"{base}/updates/{done}?find={text}" for text in quoted),
            *(f"{base}/catalog?q={text}" for text in quoted),
            *(f"{base}/catalog/entry?section={quoted[0]}&id={text}" for text in quoted),
        ):
            page.goto(path)
            expect(page.locator("main")).to_contain_text("hacked=1")
            expect(page.locator("main :is(img, script, [onload])")).to_have_count(0)
        assert page.evaluate("typeof hacked") == "undefined"
