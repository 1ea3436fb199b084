"""Every command in README and docs is run against a real stack, and prints what the page says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.acceptance.conftest import OpenSite, open_site  # noqa: F401  (a fixture)
from tests.acceptance.site import Site
from tests.docs.commands import Command, commands, prints, run
from tests.docs.pages import PAGES, ROOT, fences, name_of
from tests.support import postgres_server

pytestmark = pytest.mark.timeout(180)

#: Commands that are not run here: page, how they begin, and why.
NOT_RUN = [
    ("README.md", "make demo", "starts a stack of its own, for a minute: tests/acceptance/test_demo.py"),
    ("README.md", "make up", "starts a stack that stays up: tests/acceptance/test_up.py"),
    ("docs/tutorial.md", "make up", "starts a stack that stays up: tests/acceptance/test_up.py"),
    ("docs/tutorial-table.md", "make .venv/ready", "installs: tests/unit/deploy/test_deployment.py"),
    ("docs/tutorial-table.md", "SLUICE_SINKS=1 make up", "starts a stack that stays up: tests/acceptance/test_up.py"),
    ("docs/how-to/scale-out.md", "SLUICE_REDIS_URL=", "serves until it is stopped: tests/acceptance/test_run.py"),
    ("docs/how-to/back-up.md", "valkey-server", "on a server's host: tests/integration/partition/test_backup.py"),
    ("docs/how-to/back-up.md", "valkey-cli", "on a server's host: tests/integration/partition/test_backup.py"),
    (
        "docs/how-to/operate.md",
        "sluice partitions retry",
        "nothing is stuck: tests/integration/partition/test_stuck.py",
    ),
    ("docs/how-to/operate.md", "sluice partitions skip", "nothing is stuck: tests/integration/partition/test_stuck.py"),
]
#: What the pages write for an address, a key and a token that every reader has of their own.
ADDRESS, KEY, TOKEN = "http://127.0.0.1:8080", "key_…", "tok_…"
MY_KEY, MY_TOKEN = "docs", "docs-token"

#: The page that delivers to a database.
WITH_POSTGRES = "docs/tutorial-table.md"

LANGUAGES = {"", "console", "json", "python", "text", "yaml"}


def reason(page: Path, command: Command) -> str | None:
    """Say why a command is not run."""
    return next((why for name, begin, why in NOT_RUN if name == name_of(page) and command.text.startswith(begin)), None)


def with_commands(language: str) -> list[Path]:
    return [page for page in PAGES if fences(page.read_text(encoding="utf-8"), language)]


@pytest.fixture
def site(
    open_site: OpenSite,  # noqa: F811
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """A stack of its own for each page: the pages count tasks from 1."""
    sinks, server = 0, None
    if name_of(request.node.callspec.params["page"]) == WITH_POSTGRES:
        server, sinks = postgres_server.start(tmp_path_factory.mktemp("postgres")), 1
        if server is None:
            if os.environ.get("CI") == "true":
                pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
            pytest.skip("PostgreSQL is not installed")
        # As on a machine where it runs as one expects.
        monkeypatch.setenv("PGHOST", server.host)
        monkeypatch.setenv("PGUSER", "bench")
    with contextlib.ExitStack() as ending:
        if server is not None:
            ending.callback(server.stop)
        yield ending.enter_context(open_site(credentials=f"{MY_KEY}:{MY_TOKEN}", sinks=sinks))


def mine(text: str, site: Site) -> str:
    """Put the address, the key and the token of this stack into a text."""
    return text.replace(ADDRESS, site.url).replace(KEY, MY_KEY).replace(TOKEN, MY_TOKEN)


@pytest.mark.parametrize("page", with_commands("console"), ids=name_of)
def test_the_commands_of_a_page_print_what_it_says(page: Path, site: Site, tmp_path: Path) -> None:
    """In one shell, in the order of the page; `…` stands for anything."""
    found = [one for one in commands(page.read_text(encoding="utf-8")) if reason(page, one) is None]
    (tmp_path / ".venv").symlink_to(sys.prefix)
    path = f"{Path(sys.prefix) / 'bin'}:{site.stack.environ['PATH']}"
    environ = {**site.stack.environ, "PATH": path, "LANG": "C.UTF-8"}
    ran = run([mine(one.text, site) for one in found], tmp_path, environ)
    assert len(ran) == len(found)
    for command, result in zip(found, ran, strict=True):
        if result.status or not prints(mine(command.shown, site), result.printed):
            pytest.fail(f"status {result.status}: {command.text}\n{result.printed}", pytrace=False)


@pytest.mark.parametrize("page", with_commands("python"), ids=name_of)
def test_the_programs_of_a_page_run(page: Path, site: Site) -> None:
    for program in fences(page.read_text(encoding="utf-8"), "python"):
        said = subprocess.run([sys.executable, "-c", mine(program, site)], cwd=ROOT, capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
        assert said.stdout


def test_what_is_not_run_is_still_there() -> None:
    """Each exception is needed, and has its reason."""
    every = [(name_of(page), one.text) for page in PAGES for one in commands(page.read_text(encoding="utf-8"))]
    for name, begin, why in NOT_RUN:
        assert [text for page, text in every if page == name and text.startswith(begin)], (name, begin)
        for path in re.findall(r"tests/[\w/]+\.py", why):
            assert (ROOT / path).is_file(), path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_block_is_one_that_is_looked_at(page: Path) -> None:
    """Commands stand in ``console`` blocks, so that none is left out; JSON is JSON, and YAML is YAML."""
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"^```(\w*)$", text, re.MULTILINE)) <= LANGUAGES
    for block in fences(text, "json"):
        json.loads(block)
    for block in fences(text, "yaml"):
        assert yaml.safe_load(block)
