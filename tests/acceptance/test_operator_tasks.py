"""What an operator has to find out at 3 a.m.: in three commands at most, and in a few clicks on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import structlog
from click.testing import CliRunner
from playwright.sync_api import Browser, Locator, Page, expect

from api.cli.main import sluice
from shared.clock import now_ms
from shared.partition.grants import Grant
from shared.store.client import connect
from shared.waiting import wait_until
from tests.acceptance.customer import Customer
from tests.acceptance.site import Site
from tests.support.batches import items
from tests.support.browser import PATIENCE_MS, open_page, running_browser
from tests.support.by_hand import HandClock
from tests.support.rig import Rig

pytestmark = pytest.mark.timeout(180)
expect.set_options(timeout=PATIENCE_MS)

MOST_COMMANDS = 3
#: Clicks and fields, from the page *Now* on.
MOST_CLICKS = 6


class Terminal:
    """Runs commands where the stack runs, as an operator who may do everything, and counts them."""

    def __init__(self, site: Site, token: str) -> None:
        self._environ = {**site.stack.environ, "SLUICE_URL": site.url, "SLUICE_TOKEN": token}
        self.commands = 0

    def run(self, *words: object, status: int = 0) -> str:
        """Run a command and return what it prints."""
        self.commands += 1
        try:
            ran = CliRunner().invoke(sluice, list(map(str, words)), env=self._environ)
        finally:
            structlog.reset_defaults()
        assert ran.exit_code == status, ran.output
        return ran.output


class Hand:
    """Presses and types on a page, and counts that."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0

    def press(self, what: Locator) -> None:
        self.clicks += 1
        what.click()

    def enter(self, label: str, text: str) -> None:
        """Type into a field and send it."""
        self.clicks += 1
        self.page.get_by_label(label, exact=True).fill(text)
        self.page.keyboard.press("Enter")

    def go_to(self, customer: Customer) -> None:
        """Go to the updates of a catalog."""
        self.enter("Catalog key", customer.catalog_key)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture
def terminal(site: Site, customer: Customer) -> Iterator[Terminal]:
    """Three commands are enough."""
    terminal = Terminal(site, customer.token)
    yield terminal
    assert 0 < terminal.commands <= MOST_COMMANDS


@pytest.fixture
def hand(site: Site, browser: Browser) -> Iterator[Hand]:
    """An operator's, on the page *Now*; a few clicks are enough."""
    with open_page(browser, base_url=site.url) as page:
        page.goto("/integration/login")
        page.get_by_label("API token").fill(site.stack.environ["SLUICE_OPERATOR_PASSWORD"])
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Now")
        hand = Hand(page)
        yield hand
        assert hand.clicks <= MOST_CLICKS


# -- what changed the price of an item, and who sent that? ------------------------------------------------------------


@pytest.fixture
def cheaper(customer: Customer) -> int:
    """A change of a price, behind others; returns its task."""
    customer.put(b'{"id": "sku-42", "name": "Tent", "data": {"price": 19.90}}')
    task_id = customer.patch(b'{"id": "sku-42", "data": {"price": 17.50}}')
    customer.done(customer.patch(b'{"id": "sku-42", "data": {"stock": 3}}'))
    return task_id


def test_a_terminal_tells_what_changed_a_price(customer: Customer, cheaper: int, terminal: Terminal) -> None:
    lines = terminal.run("items", "history", customer.catalog_key, "sku-42").splitlines()
    [line] = [line for line in lines if "price 19.90 → 17.50" in line]
    assert line.split()[0] == str(cheaper)
    assert re.search(r"settings-\w{6}", line)


def test_the_page_tells_what_changed_a_price(customer: Customer, cheaper: int, hand: Hand) -> None:
    hand.go_to(customer)
    hand.enter("Task id, or id of an entry", "sku-42")
    found = hand.page.locator(".event").filter(has_text="sent by settings-").filter(has_text=f"#{cheaper}")
    expect(found).to_have_count(1)
    hand.press(found.get_by_role("link", name=f"#{cheaper}"))
    expect(hand.page.locator("#entries")).to_contain_text("19.90 →became 17.50")


# -- why did a feed fail?  Run it again. ------------------------------------------------------------------------------


@pytest.fixture
def failed(customer: Customer) -> int:
    """A feed that failed for what has been mended since; returns its task."""
    task_id = customer.patch({"id": "late", "data": {"price": 1}})
    assert customer.wait_for(task_id)["status"] == "FAILED"
    customer.done(customer.put({"id": "late", "name": "Late"}))
    return task_id


def test_a_terminal_tells_why_a_feed_failed_and_runs_it_again(
    customer: Customer, failed: int, terminal: Terminal
) -> None:
    listed = terminal.run("tasks", "list", customer.catalog_key, "--status", "FAILED")
    assert f"{failed}   FAILED" in listed
    assert "items not found: 'late'" in listed
    said = terminal.run("tasks", "retry", customer.catalog_key, failed)
    again = int(re.findall(r"task (\d+): accepted", said)[0])
    assert '"DONE"' in terminal.run("tasks", "show", customer.catalog_key, again, "--wait", 20)


def test_the_page_tells_why_a_feed_failed_and_runs_it_again(customer: Customer, failed: int, hand: Hand) -> None:
    hand.go_to(customer)
    hand.press(hand.page.locator("#statuses").get_by_role("link", name="Failed"))
    hand.press(hand.page.get_by_role("link", name=f"#{failed}"))
    expect(hand.page.get_by_role("alert")).to_contain_text("items not found: 'late'")
    hand.press(hand.page.locator("#rerun summary"))
    hand.press(hand.page.get_by_role("button", name="Yes, run it again"))
    expect(hand.page.get_by_role("heading", level=1)).to_contain_text("Done")


# -- rotate a token ---------------------------------------------------------------------------------------------------


@pytest.fixture
def leaked(site: Site, customer: Customer) -> str:
    """A token that somebody has seen who should not have."""
    return Terminal(site, "").run("credentials", "create", "feed", customer.catalog_key).splitlines()[0]


def statuses(customer: Customer, *tokens: str) -> list[int]:
    return [Customer(customer.url, customer.catalog_key, token).call("GET", "/v1/tasks").status for token in tokens]


@contextmanager
def revoked_soon(customer: Customer, old: str) -> Iterator[None]:
    """Hold that a token is refused a little later."""
    wait_until(lambda: statuses(customer, old) == [200], "the token is known", timeout_s=30)
    yield
    wait_until(lambda: statuses(customer, old) == [401], "the old token is refused", timeout_s=30)


def test_a_terminal_rotates_a_token(customer: Customer, leaked: str, terminal: Terminal) -> None:
    with revoked_soon(customer, leaked):
        new = terminal.run("credentials", "rotate", "feed", "--overlap", "0").splitlines()[0]
        wait_until(lambda: statuses(customer, new) == [200], "the new token is accepted", timeout_s=30)


def test_the_page_rotates_a_token(customer: Customer, leaked: str, hand: Hand) -> None:
    with revoked_soon(customer, leaked):
        hand.go_to(customer)
        hand.press(hand.page.get_by_role("link", name="Tokens"))
        row = hand.page.locator("tr").filter(has_text="feed").first
        hand.press(row.locator("summary").filter(has_text="Rotate"))
        hand.clicks += 1
        row.get_by_label("The old one ends").select_option("at once")
        hand.press(row.get_by_role("button", name="Yes, rotate it"))
        new = hand.page.locator("#made pre").inner_text()
        wait_until(lambda: statuses(customer, new) == [200], "the new token is accepted", timeout_s=30)


# -- which catalog is stuck?  Let it go on. ---------------------------------------------------------------------------


def get_stuck(rig: Rig, catalog_key: str) -> int | None:
    """Lose one owner after the other behind the first chunk of a task; None if the worker was quicker."""
    rig.put(*items("a", "b"), chunk_entries=1, catalog_key=catalog_key)
    grant = rig.claim(catalog_key).acquire()
    if not isinstance(grant, Grant):
        return None
    rig.take(grant, rig.plan(grant, catalog_key)[:1])
    for _ in range(rig.settings.max_stalls):
        rig.expire_lease(catalog_key)
        rig.claim(catalog_key).acquire()
    return grant.window[0].task_id if rig.state(catalog_key).stuck else None


@pytest.fixture
def stuck(site: Site, customer: Customer) -> Iterator[int]:
    """A task whose partition no worker touches before somebody has looked."""
    with connect(site.stack.environ["SLUICE_REDIS_URL"]) as client:
        rig = Rig(client, clock=HandClock(now_ms()))
        yield wait_until(partial(get_stuck, rig, customer.catalog_key), "a partition is stuck", timeout_s=60) or 0


def test_a_terminal_names_what_is_stuck(customer: Customer, stuck: int, terminal: Terminal) -> None:
    """And the command that lets it go on."""
    said = terminal.run("doctor", status=1)
    assert f"{customer.catalog_key} is stuck" in said
    [advised] = re.findall(rf"`sluice (partitions retry {customer.catalog_key})`", said)
    terminal.run(*advised.split())
    customer.done(stuck)


def test_the_page_names_the_catalog_that_is_stuck(
    customer: Customer, stuck: int, hand: Hand, terminal: Terminal
) -> None:
    """First in the list, with the command that lets it go on."""
    row = hand.page.locator(f"#partition-{customer.catalog_key}")
    expect(row).to_contain_text(f"stuck at #{stuck}")
    expect(hand.page.locator("#partitions tbody tr").first).to_contain_text("stuck at")
    hand.press(row.get_by_role("link", name=f"#{stuck}"))
    command = hand.page.locator("#stuck code").first.inner_text()
    terminal.run(*command.split()[1:])
    customer.done(stuck)


# -- did our batch arrive?  Prove it. ---------------------------------------------------------------------------------


@pytest.fixture
def sent(customer: Customer) -> int:
    task_id = customer.put({"id": "a", "name": "A"}, {"id": "b", "name": "B"}, c="PIM 3.1")
    customer.done(task_id)
    return task_id


def test_a_terminal_proves_that_a_batch_arrived(customer: Customer, sent: int, terminal: Terminal) -> None:
    """When, from whom and from where, how much; and what became of each entry."""
    shown = terminal.run("tasks", "show", customer.catalog_key, sent)
    for part in ('"submission_time"', '"token_name": "settings-', '"client": "PIM 3.1"', '"address": "127.0.0.1"',
                 '"bytes"', '"status": "DONE"'):  # fmt: skip
        assert part in shown, part
    listed = terminal.run("tasks", "entries", customer.catalog_key, sent)
    assert [line.split()[1:3] for line in listed.splitlines()[1:]] == [["created", "a"], ["created", "b"]]


def test_the_page_proves_that_a_batch_arrived(customer: Customer, sent: int, hand: Hand) -> None:
    """With what was sent, byte for byte, to be handed on."""
    hand.go_to(customer)
    hand.press(hand.page.get_by_role("link", name=f"#{sent}"))
    expect(hand.page.locator("#timeline")).to_contain_text("from 127.0.0.1")
    expect(hand.page.locator("#facts")).to_contain_text("PIM 3.1")
    with hand.page.expect_download() as download:
        hand.press(hand.page.get_by_role("link", name="What was sent"))
    assert download.value.path().read_bytes().startswith(b'{"items": [{"id"')
