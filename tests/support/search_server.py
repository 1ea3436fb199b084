"""Search engines for tests, started once for a module, and read by plain HTTP."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import requests

from shared.model import Kind
from tests.support.rig import Rig
from tests.support.sinks import DeliveryRig


class OsmemProcess:
    """A running osmem-server, an emulator of OpenSearch; all it has is in memory."""

    def __init__(self) -> None:
        from osmem_server import resolve_binary

        # It ends when its standard input does.
        self.process = subprocess.Popen(
            [resolve_binary(), "-no-ja"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url: str = json.loads(self.process.stdout.readline())["url"]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


class OpenSearchRig(DeliveryRig):
    """A sink in OpenSearch."""

    def __init__(self, rig: Rig, base: str) -> None:
        self.base = base
        super().__init__(rig, "opensearch+" + base)
        self.http = requests.Session()

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = self.http.request(method, self.base + path, json=body, timeout=20)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def documents(self, kind: Kind = Kind.ITEMS) -> dict[str, Any]:
        """What readers find: documents by id."""
        name = "products" if kind is Kind.ITEMS else "products_variations"
        self.ask("POST", f"/{name}/_refresh")
        query = {"size": 10_000, "query": {"match_all": {}}, "version": True}
        hits = self.ask("POST", f"/{name}/_search", query)["hits"]["hits"]
        return {hit["_id"]: hit["_source"] for hit in hits}

    def rows(self, kind: Kind = Kind.ITEMS) -> dict[str, Any]:
        return {entry_id: source["body"] for entry_id, source in self.documents(kind).items()}

    def ledger(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", "/sluice_sinks/_doc/products")["_source"]
        return found

    def position(self) -> tuple[int, bool]:
        live = self.ledger()["live"]
        return live["task_id"], live["exact"]

    def indices(self) -> list[str]:
        return sorted(self.ask("GET", "/_settings"))

    def clear(self) -> None:
        """Remove everything."""
        for index in self.indices():
            self.ask("DELETE", f"/{index}")

    def close(self) -> None:
        super().close()
        self.http.close()
