"""The official Node client, installed where it can be, and driven through a script beside this file."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.acceptance.customer import Customer
from tests.support.npm import install_package

PACKAGE = "@constructor-io/constructorio-node"
SCRIPT = Path(__file__).with_suffix(".js")

#: The present client.
CURRENT = "5.4.1"
#: The last one that speaks the synchronous Items API.
WITH_V1_ITEMS = "3.10.1"


class NodeRefused(Exception):
    """A call of the client was rejected."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class NodeClient:
    """One module of a client of one customer; all calls go through one process of Node."""

    folder: Path
    customer: Customer
    module: str = "catalog"

    def call(self, method: str, *parameters: Any, **changed: str) -> Any:
        """Make one call; ``changed`` are options by their names.  Raises NodeRefused if it is rejected."""
        [answer] = self.calls([method, *parameters], **changed)
        if "error" in answer:
            raise NodeRefused(answer["error"]["message"], answer["error"].get("status"))
        return answer.get("value")

    def calls(self, *calls: list[Any], **changed: str) -> list[dict[str, Any]]:
        """Make several calls, one after the other, and return what the script wrote."""
        options = {
            "apiKey": self.customer.catalog_key,
            "apiToken": self.customer.token,
            "serviceUrl": self.customer.url,
        }
        job = {"folder": str(self.folder), "module": self.module, "calls": calls, **options, **changed}
        node = _node(os.environ.get("NODE_EXTRA_CA_CERTS"))
        assert node.stdin
        assert node.stdout
        node.stdin.write(json.dumps(job) + "\n")
        node.stdin.flush()
        found: list[dict[str, Any]] = json.loads(node.stdout.readline())
        return found


@cache
def _node(_: str | None) -> subprocess.Popen[str]:
    """Start the script, once for each certificate that it is to trust; it ends with its input, as this process does."""
    return subprocess.Popen(["node", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def install_node_client(folder: Path, version: str) -> None:
    """Install a version of the client in a folder.  Without node or its registry: skip at home, fail in CI."""
    install_package(folder, PACKAGE, version)
