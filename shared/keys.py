"""All Redis keys: spelling, type, lifetime.

Names with arbitrary characters are percent-encoded.  The catalog key is the hash tag, so that all keys of one partition
are in one slot and a script may use them together.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

from shared.model import NO_SECTION, Kind, Status

# -- across catalogs: written by calls of their own, so always a superset of what the partitions hold; in one slot ----

#: zset, for ever: every catalog that ever got a batch; score = when it was first seen, ms.
CATALOGS = "{sluice}:catalogs"
#: zset, member removed when its stream is empty: catalogs with a backlog; score = waiting since, ms.
BACKLOG = "{sluice}:backlog"
#: string with TTL: some worker goes through the backlog and will look at it again.
AWAKE = "{sluice}:awake"
#: zset, member removed by the worker that it wakes, all by one that looks at the backlog: catalogs to which a batch was
#: submitted, for whichever worker lingers.
CALL = "{sluice}:call"
#: hash, for ever: SHA-256 of a token → JSON {name, catalog keys, scope}.
CREDENTIALS = "{sluice}:credentials"
#: hash, field removed with its credential: id of a credential → when it was last used, ms, give or take a minute.
CREDENTIALS_USED = "{sluice}:credentials:used"
#: list, the last 200: who created, rotated and revoked which token, newest first, JSON.
CREDENTIALS_CHANGES = "{sluice}:credentials:changes"
#: string, for ever: counts the changes of CREDENTIALS.
CREDENTIALS_VERSION = "{sluice}:credentials:version"
#: zset, member removed when nothing waits in its outbox, nor can soon: catalogs to deliver for; score = since when, ms.
OUTBOXES = "{sluice}:outboxes"
#: zset, member removed with its last sink: catalogs that have sinks; score = since when, ms.
SINKS = "{sluice}:sinks"
#: zset, member removed with its last one: catalogs with cursors of the change feed; score = since when, ms.
CURSORS = "{sluice}:cursors"
#: zset, members removed a minute after they were last heard of: workers; score = last heard of, ms.
WORKERS = "{sluice}:workers"
#: hash, for ever: id of a run of the server → its number; and last: the highest number; asked: how often a number was
#: requested; alive_ms: when the server was last seen alive, by its own clock.
STORE_RUNS = "{sluice}:store_runs"
#: string with TTL: the worker that counts the fields of items; one at a time does.
COUNTER = "{sluice}:counter"
#: string, for ever: memory that the waiting tasks of all catalogs will take once they are applied, bytes.  Not in a
#: cluster, where no script could write it.
RESERVED = "{sluice}:reserved"

#: stream, never seen: made and deleted by the script that tries what the store allows.
TRIAL = "{sluice}:trial"


class CatalogKeys:
    """The keys of one catalog."""

    __slots__ = (
        "aside", "cursors", "deliveries", "ended", "export_files", "exports", "fence", "field_stats", "guard_changes",
        "guards", "history", "lease", "outbox", "partition", "payloads", "position", "prefix", "refused_writes",
        "reserved", "rung", "sections", "seq", "sinks", "store_run", "stream", "targets", "tasks", "troubles",
        "waiting", "webhooks",
    )  # fmt: skip

    # Long, since it is the list of the keys; the table in the docs is made of its comments.
    def __init__(self, catalog_key: str) -> None:
        self.prefix = prefix = f"sluice:{{{catalog_key}}}:"
        #: string, for ever: the last task id given out.
        self.seq = prefix + "seq"
        #: string, for ever: ``<run id> <number>`` of the server's run that gave it out.
        self.store_run = prefix + "store_run"
        #: stream, an entry until its last commit: accepted batches, oldest first; ids ``<task id>-0``.
        self.stream = prefix + "stream"
        #: zset, members removed with the task: all tasks, zero-padded ids; score = submission, ms, never going back.
        self.tasks = prefix + "tasks"
        #: zset, members removed with the task: ended tasks; score = end, ms.
        self.ended = prefix + "ended"
        #: zset, members removed with the payload: payloads kept for audit; score = end, ms.
        self.payloads = prefix + "payloads"
        #: hash with TTL: {token, holder}; absent while nobody owns the partition.
        self.lease = prefix + "lease"
        #: string, for ever: the fencing counter.
        self.fence = prefix + "fence"
        #: string with TTL: a wake-up for it is on its way, another is needless.
        self.rung = prefix + "rung"
        #: hash, for ever: applied: the last commit; held: its owner's token; run: the server's run that gave the token;
        #: lost: tokens of owners lost there; reach: the last task handed out; careful: up to which task to go one
        #: chunk at a time; stuck: waits for an operator; guards: a name for the present state of ``guards``, if it has
        #: any; aside: within one transaction, which key ``aside`` is.
        self.position = prefix + "position"
        #: hash, for ever: tasks, bytes, entries: what waits; reserved: memory that it will take; kept_bytes: payloads
        #: kept; history_bytes: history kept; last_ms: the last submission; untold: the last task that the change feed
        #: cannot report any more; gaps: ids that were passed over.
        self.waiting = prefix + "waiting"
        #: string, for ever, in a cluster only: as RESERVED, of this catalog.
        self.reserved = prefix + "reserved"
        #: hash, within one transaction: ``entries`` or ``patches``, while much is written into it, see lua/_aside.lua;
        #: after a restart of the server, until the next commit, what was written in vain.
        self.aside = prefix + "aside"
        #: hash, for ever: section → generation its readers and writers use; NO_SECTION → that of the item groups.
        self.sections = prefix + "sections"
        #: zset, until it is known who is to be told: ended tasks, see shared/outbox/outbox.py; score = due, ms.
        self.outbox = prefix + "outbox"
        #: zset, member removed when nothing waits for it: who is to be told; score = not before, ms.
        self.targets = prefix + "outbox:targets"
        #: hash, until the next success: target → JSON {failures, since_ms, reason, given_up}.
        self.troubles = prefix + "outbox:troubles"
        #: hash, until removed: webhook id → JSON {id, url, secret, created_ms, what it wants, …}.
        self.webhooks = prefix + "webhooks"
        #: hash, until removed: name of a sink → JSON {id, url, section, mapping, …}.
        self.sinks = prefix + "sinks"
        #: hash, until removed: name of a cursor of the change feed → JSON {task_id, mark, pieces,
        #: updated_ms}.
        self.cursors = prefix + "cursors"
        #: stream, the last thousand: attempts to tell something outside.
        self.deliveries = prefix + "deliveries"
        #: list, lines removed with their tasks or beyond a cap: which tasks touched which entries.
        self.history = prefix + "history"
        #: hash, until removed: ``<kind>:<section>`` → guard as JSON, see shared/guards/guard_records.py.
        self.guards = prefix + "guards"
        #: list, the last twenty: changes of ``guards``, newest first.
        self.guard_changes = prefix + "guards:changes"
        #: zset, members removed with the task: the tasks that are exports; score = submission, ms.
        self.exports = prefix + "exports"
        #: zset, members removed with the files: exports that have files, or may; score = when they go, ms; 0: with
        #: the end of the task.
        self.export_files = prefix + "exports:files"
        #: stream with TTL: the last 200 writes that were refused at the door, a sample of them where there were many.
        self.refused_writes = prefix + "refused_writes"
        #: hash, for ever: section → statistics of the fields of its items; '' → the last commit when all were counted.
        self.field_stats = prefix + "field_stats"
        #: What every script of a partition gets as KEYS, in the order of lua/_partition.lua.
        self.partition = (
            self.seq, self.store_run, self.stream, self.tasks, self.ended, self.payloads, self.lease, self.fence,
            self.rung, self.position, self.waiting, self.sections, self.outbox, self.webhooks,
            self.task(""), self.payload(""), self.also_changed(""), self.report(""), self.by_status(""), self.nonce(""),
        )  # fmt: skip

    def task(self, task_id: int | str) -> str:
        """Hash, explicit delete a retention after the end: the task record."""
        return f"{self.prefix}task:{task_id}"

    def payload(self, task_id: int | str) -> str:
        """List, explicit delete some time after the end: chunk frames."""
        return f"{self.prefix}payload:{task_id}"

    def also_changed(self, task_id: int | str) -> str:
        """List, deleted with the payload: what a task changed that is no entry of its payload."""
        return f"{self.prefix}also_changed:{task_id}"

    def report(self, task_id: int | str) -> str:
        """String, deleted with the task: one outcome byte per entry, then reasons, as far as known."""
        return f"{self.prefix}report:{task_id}"

    def pieces(self, task_id: int | str) -> str:
        """List, deleted with the files: names of an export's files, in order."""
        return f"{self.prefix}pieces:{task_id}"

    def upload(self, nonce: str) -> str:
        """List with TTL: chunk frames on their way in, renamed to the payload by submit."""
        return f"{self.prefix}upload:{nonce}"

    def nonce(self, nonce: str) -> str:
        """String with TTL: the answer a script gave to the caller of this nonce."""
        return f"{self.prefix}nonce:{nonce}"

    def idempotency(self, digest: str) -> str:
        """String with TTL: the task that a request with this Idempotency-Key became."""
        return f"{self.prefix}idempotency:{digest}"

    def target(self, target: str) -> str:
        """Zset, until delivered or given up: what one target is to be told; score = due, ms."""
        return f"{self.prefix}outbox:to:{target}"

    def sink_lease(self, sink: str) -> str:
        """Hash with TTL: {token, holder}; absent while nobody delivers to this sink."""
        return f"{self.prefix}sink:lease:{sink}"

    def sink_rung(self, sink: str) -> str:
        """String with TTL: a job for this sink is on its way, another is needless."""
        return f"{self.prefix}sink:rung:{sink}"

    def sink_state(self, sink: str) -> str:
        """Hash, deleted with the sink: how far it is, and its failures."""
        return f"{self.prefix}sink:state:{sink}"

    def dead_letters(self, sink: str) -> str:
        """Hash, deleted with the sink, at most 1,000: ``<kind>:<id>`` → JSON {reason, task_id, at_ms}."""
        return f"{self.prefix}sink:dead:{sink}"

    def other_dead_letters(self, sink: str, version: str) -> str:
        """Hash with TTL: as ``dead_letters``, those of a copy of another version, for an undo."""
        return f"{self.prefix}sink:dead:{sink}:{version}"

    def by_status(self, status: Status | str) -> str:
        """Zset, members removed with the task: as ``tasks``, those of one status."""
        return f"{self.prefix}tasks:{status}"

    def minutes(self, hour: int | str) -> str:
        """String with TTL: entries accepted, then entries applied, in each minute of an hour (ms // 3,600,000)."""
        return f"{self.prefix}minutes:{hour}"

    def entries(self, kind: Kind, section: str, generation: int) -> str:
        """Hash, as long as its generation: id → 13 digits of update time in ms, then the entry's JSON.

        Item groups lie in NO_SECTION, whatever is asked for.
        """
        return f"{self.prefix}{kind}:{generation}:{_place(kind, section)}"

    def index(self, kind: Kind, section: str, generation: int) -> str:
        """Zset, as long as its generation: the ids of ``entries``, all scores 0, so ordered by their bytes."""
        return f"{self.prefix}{kind}:ids:{generation}:{_place(kind, section)}"

    def patches(self, kind: Kind, section: str, generation: int) -> str:
        """Hash, as long as its generation: id → 13 digits of time in ms, then what was PATCHed since, as one PATCH.

        Since the entry in ``entries`` was written, that is: what readers see is that with this merged into it.
        """
        return f"{self.prefix}{kind}:patches:{generation}:{_place(kind, section)}"

    def links(self, section: str, generation: int) -> str:
        """Zset, as long as its generation, all scores 0: which variations an item has, see `link`."""
        return f"{self.prefix}links:{generation}:{_place(Kind.VARIATIONS, section)}"


@lru_cache(maxsize=2000)
def keys_of(catalog_key: str) -> CatalogKeys:
    """Return the keys of a catalog that is written to often; they are not to be changed."""
    return CatalogKeys(catalog_key)


@lru_cache(maxsize=2000)
def _place(kind: Kind, section: str) -> str:
    return NO_SECTION if kind is Kind.ITEM_GROUPS else quote(section, safe="")


def link(item_id: str, variation_id: str) -> str:
    """Name a variation of an item in ``links``; the item id's length comes first, so no prefix is ambiguous."""
    return link_prefix(item_id) + variation_id


def link_prefix(item_id: str) -> str:
    """Begin the name of every variation of an item in ``links``."""
    return f"{len(item_id):03d}:{item_id}:"


def split_link(name: str) -> tuple[str, str]:
    """Take the item id and the variation id out of the name of a link."""
    length = int(name[:3])
    return name[4 : 4 + length], name[5 + length :]


def padded(task_id: int) -> str:
    """Write a task id so that text order is number order; a task id has at most ten digits."""
    return f"{task_id:010d}"
