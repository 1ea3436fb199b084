"""Every Redis key: its spelling, its type, its lifetime.

Names are percent-encoded where they may hold any character; the catalog key is the hash tag, so that all keys of one
partition lie in one slot and a script may use them together.
"""

from __future__ import annotations

from urllib.parse import quote

from shared.model import NO_SECTION, Kind, Status

# -- across catalogs: written by calls of their own, so always a superset of what the partitions hold; in one slot ----

#: zset, for ever: every catalog that ever got a batch; score = when it was first seen, ms.
CATALOGS = "{sluice}:catalogs"
#: zset, member removed when its stream is empty: catalogs with a backlog; score = waiting since, ms.
BACKLOG = "{sluice}:backlog"
#: string with TTL: some worker goes through the backlog and will look at it again.
AWAKE = "{sluice}:awake"
#: zset of one member, removed by the worker that it wakes: a batch was submitted, for whichever worker lingers.
CALL = "{sluice}:call"
#: hash, for ever: SHA-256 of a token → JSON {name, catalog keys, scope}.
CREDENTIALS = "{sluice}:credentials"
#: string, for ever: counts the changes of CREDENTIALS.
CREDENTIALS_VERSION = "{sluice}:credentials:version"
#: zset, member removed when nothing waits in its outbox, nor can soon: catalogs to deliver for; score = since when, ms.
OUTBOXES = "{sluice}:outboxes"
#: zset, members removed a minute after they were last heard of: workers; score = last heard of, ms.
WORKERS = "{sluice}:workers"
#: hash, for ever: id of a run of the server → its number; last: the highest; asked: how often one was asked for.
STORE_RUNS = "{sluice}:store_runs"


class CatalogKeys:
    """The keys of one catalog."""

    __slots__ = (
        "deliveries", "ended", "export_files", "exports", "fence", "history", "lease", "outbox", "partition",
        "payloads", "position", "prefix", "rung", "sections", "seq", "store_run", "stream", "tasks", "waiting",
        "webhooks",
    )  # fmt: skip

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
        #: hash, for ever: {applied, held, run, lost, reach, careful, stuck}: last commit, token of its owner, run of
        #: the server it was given by, tokens of owners lost there, last task handed out, up to which to be careful,
        #: left to an operator.
        self.position = prefix + "position"
        #: hash, for ever: {tasks, bytes, entries, kept_bytes, history_bytes, last_ms, untold}: waiting, payloads and
        #: history kept, last submission, the last task of which the change feed can no longer tell.
        self.waiting = prefix + "waiting"
        #: hash, for ever: section → generation its readers and writers use; NO_SECTION → that of the item groups.
        self.sections = prefix + "sections"
        #: zset, until delivered or given up: what is to be told outside, see shared/outbox.py; score = due, ms.
        self.outbox = prefix + "outbox"
        #: hash, until removed: webhook id → JSON {id, url, secret, created_ms}.
        self.webhooks = prefix + "webhooks"
        #: stream, the last thousand: attempts to tell something outside.
        self.deliveries = prefix + "deliveries"
        #: list, lines removed with their tasks or beyond a cap: which tasks touched which entries; shared/history.py.
        self.history = prefix + "history"
        #: zset, members removed with the task: the tasks that are exports; score = submission, ms.
        self.exports = prefix + "exports"
        #: zset, members removed with the files: exports that have files, or may; score = when they go, ms; 0: with
        #: the end of the task.
        self.export_files = prefix + "exports:files"
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
        """List of chunk frames, explicit delete some time after the end."""
        return f"{self.prefix}payload:{task_id}"

    def also_changed(self, task_id: int | str) -> str:
        """List, deleted with the payload: what a task changed that is no entry of its payload."""
        return f"{self.prefix}also_changed:{task_id}"

    def report(self, task_id: int | str) -> str:
        """String, deleted with the task: one outcome byte per entry, then reasons, as far as known."""
        return f"{self.prefix}report:{task_id}"

    def pieces(self, task_id: int | str) -> str:
        """List, deleted with the files: their names, in order."""
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
        return f"{self.prefix}links:{generation}:{quote(section, safe='')}"


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
