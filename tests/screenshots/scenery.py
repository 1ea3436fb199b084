"""An hour in the life of five shops, for the pictures: made up, but accepted and applied by the real thing."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from shared.clock import now_ms
from shared.credentials import Credential, Credentials, Scope, digest_of
from shared.model import Kind, Status
from shared.outbox.outbox import Attempt, DeliveryOutcome, Outbox, OutboxEntry, Trouble
from shared.outbox.webhooks import Webhooks
from shared.sinks.destination import DeadLetter
from shared.sinks.mapping import DEFAULT
from shared.sinks.sink_lease import SinkFacts, SinkLease
from shared.sinks.sinks import SinkName, Sinks
from tests.support.by_hand import HandClock
from tests.support.ingress import Ingress
from tests.support.rig import Rig

SEED = 20_240_229

#: The shop that most pictures show.
SHOP = "north-outfitters"
#: Entries that each shop sends in a minute, more or less.
SHOPS = {SHOP: 900, "atelier-miro": 260, "harbor-books": 640, "kids-corner": 120, "velo-werk": 380}
#: Who sends: name of the token, and what the client calls itself.
PIM, PRICES, STOCK = ("pim-sync", "cio-python-1.9"), ("price-feed", "cio-node-5.4"), ("warehouse", "curl/8.5.0")

#: The item whose history is shown.
ITEM = "sku-42"

COLOURS = ("moss", "navy", "rust", "sand", "slate")
THINGS = ("Anorak", "Backpack", "Beanie", "Boots", "Fleece", "Hiking socks", "Rain shell", "Tent")

_MINUTES = 62
_DAY_MS = 24 * 3600 * 1000

Entry = dict[str, Any]


class TickingClock(HandClock):
    """Runs a few milliseconds with every look, so that things take their time."""

    def __init__(self, start_ms: int) -> None:
        super().__init__(start_ms)
        self._chance = random.Random(SEED)

    def __call__(self) -> int:
        self.now_ms += self._chance.randrange(9)
        return self.now_ms


class Scenery:
    """Everything that has happened when the pictures are taken."""

    def __init__(self, rig: Rig, store_url: str) -> None:
        self.rig = rig
        self.ingress = Ingress(rig, store_url)
        self._chance = random.Random(SEED)
        #: The update that failed, the one that is being applied, and one that changed prices.
        self.failed = self.running = self.priced = 0

    def tokens(self) -> None:
        """Give every sender a token, which is called like the sender."""
        credentials = Credentials(self.rig.client, (), clock=self.rig.clock)
        for days, (name, _) in enumerate((PIM, PRICES, STOCK)):
            made_ms = now_ms() - (90 - 30 * days) * _DAY_MS
            scopes = dict.fromkeys(SHOPS, Scope.READ_WRITE)
            credentials.store(Credential(name, digest_of(name), scopes, created_ms=made_ms))
        made_ms = now_ms() - 6 * _DAY_MS
        credentials.store(
            Credential("agency", digest_of("agency"), {SHOP: Scope.READ}, created_ms=made_ms,
                       expires_ms=made_ms + 30 * _DAY_MS)
        )  # fmt: skip

    def an_hour(self) -> None:
        """Let an hour pass; it ends now."""
        self.rig.clock.now_ms = now_ms() - _MINUTES * 60_000
        self._send(SHOP, PIM, "PUT", list(map(self._item, range(2000))))
        self._send(SHOP, PIM, "PUT", list(self._variations(600)), kind="variations")
        for shop in SHOPS:
            self._send(shop, PIM, "PUT", list(map(self._item, range(1000))))
        for minute in range(_MINUTES):
            start = now_ms() - (_MINUTES - minute) * 60_000
            self.rig.clock.now_ms = max(self.rig.clock.now_ms, start)
            for shop, size in SHOPS.items():
                self._feed(shop, size, minute)
            if event := self._events().get(minute):
                event()

    def followers(self) -> None:
        """Let a search engine and a mailer be told of the last updates, and an indexer keep its position."""
        client, now = self.rig.client, now_ms()
        webhooks, outbox = Webhooks(client, SHOP), Outbox(client, SHOP)
        search = webhooks.add("https://search.shop.example/sluice", private=True, now_ms=now - 3 * _DAY_MS)
        mailer = webhooks.add_once(
            "https://mailer.shop.example/hooks/failed", private=True, now_ms=now - _DAY_MS, statuses=(Status.FAILED,)
        )[0]
        for ago, task_id in enumerate(range(self.failed - 3, self.failed + 1)):
            told = Attempt(
                task_id, search.id, 1, now - (9 - ago) * 20_000, 34 + 3 * ago, DeliveryOutcome.DELIVERED, 204
            )
            outbox.settle(OutboxEntry(task_id, search.id), told)
        away = Attempt(self.failed, mailer.id, 3, now - 40_000, 1_212, DeliveryOutcome.FAILED, 503, "answered with 503",
                       now + 95_000, "upstream timed out")  # fmt: skip
        trouble = Trouble(3, now - 61_000, "answered with 503")
        outbox.settle(OutboxEntry(self.failed, mailer.id, 2), away, trouble, now + 95_000)
        page = self.ingress.get(
            "/v1/changes", after=str(self.failed - 4), num_results_per_page=2, token=PIM[0], key=SHOP
        )
        position = {"after": page["next_after"]}
        answer = self.ingress.send("PUT", "/v1/changes/cursors/indexer", position, token=PIM[0], key=SHOP)
        assert answer.status_code == 200, answer.text

    def sinks(self) -> None:
        """Let the shop be delivered to a database and a search engine."""
        client, now, sinks = self.rig.client, now_ms(), Sinks(self.rig.client, SHOP)
        letters = [DeadLetter(Kind.ITEMS, "sku-77", "price: 'on request' is no numeric")]
        for name, url, dead in (
            ("products", "postgresql://sluice:secret@db.shop.example/shop", letters),
            ("search", "opensearch+https://sluice:secret@search.shop.example", []),
        ):
            sinks.add(name, url, section="Products", mapping=DEFAULT, now_ms=now - 3 * _DAY_MS, required=not dead)
            lease = SinkLease(client, self.rig.settings, "sinks-1", SinkName(SHOP, name))
            lease.hold()
            facts = SinkFacts("live", "1", self.failed, at_ms=now, checked_ms=now - 900_000, wrong=0)
            lease.settle(facts, dead=dead, delivered=48_211, release=True)

    def at_work(self) -> None:
        """Leave an update half applied, and others that wait behind it."""
        self.rig.clock.now_ms = now_ms()
        many = [self._item(number) for number in range(2000, 12_000)]
        self.running = self._send(SHOP, PIM, "PUT", many, drain=False)
        self._send(SHOP, PRICES, "PATCH", [self._price(number) for number in range(800)], drain=False)
        self._send(SHOP, STOCK, "DELETE", [{"id": f"sku-{number}"} for number in range(90, 96)], drain=False)
        grant = self.rig.acquire(SHOP, holder="ingest-1:4127")
        self.rig.take(grant, self.rig.plan(grant, SHOP)[:6])
        self._send("velo-werk", PRICES, "PATCH", [self._price(number) for number in range(400)], drain=False)
        self.rig.acquire("velo-werk", holder="ingest-2:4131")

    # -- what is sent ---------------------------------------------------------------------------------------------

    def _feed(self, shop: str, size: int, minute: int) -> None:
        wave = 1 + 0.55 * math.sin(minute / 7 + len(shop)) + 0.25 * self._chance.random()
        numbers = self._chance.sample(range(1000), min(1000, round(size * wave)))
        if minute % 3 == len(shop) % 3:
            self._send(shop, PIM, "PUT", list(map(self._item, numbers)))
        elif minute % 2:
            task_id = self._send(shop, PRICES, "PATCH", list(map(self._price, numbers)))
            self.priced = task_id if shop == SHOP else self.priced
        else:
            self._send(shop, STOCK, "PATCH", [{"id": f"sku-{n}", "data": {"stock": n % 40}} for n in numbers])

    def _events(self) -> dict[int, Any]:
        return {
            12: lambda: self._send(SHOP, PIM, "PUT", [self._item(1) | {"name": "About us"}], section="Content"),
            25: lambda: self._send(SHOP, STOCK, "DELETE", [{"id": "sku-1998"}, {"id": "sku-1999"}]),
            31: lambda: self._send("harbor-books", PRICES, "PATCH", [self._price(n) for n in (5, 4000, 4001)]),
            44: self._take_back_and_forth,
            53: self._cancel_one,
            58: self._fail_one,
            60: self._run_again,
        }

    def _fail_one(self) -> None:
        numbers = [*range(11, 19), 20_117, *range(20, 31), 20_118]
        self.failed = self._send(SHOP, PRICES, "PATCH", list(map(self._price, numbers)))

    def _run_again(self) -> None:
        again = self._send(SHOP, PRICES, "PATCH", [self._price(n) for n in (300, 301, 21_000)])
        self._send(SHOP, PIM, "PUT", [self._item(21_000)])
        self._change(again, "QUEUED")
        self.rig.drain(SHOP)

    def _take_back_and_forth(self) -> None:
        self._send(SHOP, STOCK, "DELETE", [{"id": ITEM}])
        self._send(SHOP, PIM, "PUT", [self._item(42), self._item(43), self._item(42)])

    def _cancel_one(self) -> None:
        task_id = self._send(SHOP, STOCK, "DELETE", [{"id": f"sku-{n}"} for n in range(500, 740)], drain=False)
        self._change(task_id, "CANCELED")

    def _change(self, task_id: int, status: str) -> None:
        answer = self.ingress.send("PATCH", f"/v1/tasks/{task_id}", {"status": status}, token=PIM[0], key=SHOP)
        assert answer.status_code == 200, answer.text

    def _send(
        self, shop: str, sender: tuple[str, str], method: str, entries: Sequence[Entry], *, kind: str = "items",
        drain: bool = True, **query: str,
    ) -> int:  # fmt: skip
        token, client = sender
        task_id = self.ingress.write(
            method, f"/v2/{kind}", {kind: entries}, token=token, key=shop, c=client, **query
        )  # fmt: skip
        self.rig.clock.advance(self._chance.randrange(20, 700))
        if drain:
            self.rig.drain(shop)
        return task_id

    def _item(self, number: int) -> Entry:
        colour, thing = self._chance.choice(COLOURS), THINGS[number % len(THINGS)]
        return {
            "id": f"sku-{number}",
            "name": f"{thing} {colour}",
            "suggested_score": self._chance.randrange(1000),
            "data": {
                "url": f"https://shop.example/p/sku-{number}",
                "price": self._chance.randrange(900, 30_000) / 100,
                "stock": self._chance.randrange(60),
                "facets": {"Colour": [colour], "Kind": [thing]},
                "keywords": ["outdoor", colour],
            },
        }

    def _price(self, number: int) -> Entry:
        return {"id": f"sku-{number}", "data": {"price": self._chance.randrange(900, 30_000) / 100}}

    def _variations(self, count: int) -> Iterator[Entry]:
        for number in range(count):
            size = ("S", "M", "L")[number % 3]
            yield {"id": f"sku-{number // 3 + 40}-{size}", "item_id": f"sku-{number // 3 + 40}", "name": f"Size {size}"}
