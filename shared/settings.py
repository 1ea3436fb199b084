"""Every setting: its name, its default, what it means.

They are read from a mapping, so that only a composition root touches the environment.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import BadSetting

PREFIX = "SLUICE_"

#: In the data folder: where the embedded server is, for the command line beside it.
STORE_URL_FILE = "store.url"

MIB = 1024 * 1024
DAY_S = 24 * 3600


def _setting(default: Any, doc: str, *, one_of: tuple[str, ...] = (), at_least: float | None = None) -> Any:
    return dataclasses.field(default=default, metadata={"doc": doc, "one_of": one_of, "at_least": at_least})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process.  Field ``lease_ttl_s`` is the variable ``SLUICE_LEASE_TTL_S``."""

    host: str = _setting("127.0.0.1", "Address the ingress listens on.")
    port: int = _setting(8080, "Port the ingress listens on.", at_least=1)
    threads: int = _setting(8, "Threads per ingress process.", at_least=1)
    ingress: int = _setting(1, "Ingress processes.", at_least=1)
    workers: int = _setting(1, "Drain processes of the Celery worker.", at_least=1)
    redis_url: str | None = _setting(
        None, "Redis ≥7.0 or Valkey, also `redis+cluster://`; when absent, a server of our own is started."
    )
    broker_url: str | None = _setting(None, "Celery's broker; when absent, the next database of the Redis server.")
    data_dir: Path = _setting(Path("var"), "Folder of the embedded server, logs, generated secrets.")
    credentials: str | None = _setting(None, "`key:token[:r|rw]`, comma-separated; added to the stored ones.")
    credentials_file: Path | None = _setting(None, "A file of such credentials, one a line; added to the stored ones.")
    durability: str = _setting(
        "everysec",
        "`everysec`: a crash of the store may lose 2 s of answers; `fsync`: none, and it must be set so.",
        one_of=("everysec", "fsync"),
    )
    min_replicas: int = _setting(
        0, "Replicas that have a batch before its sender is told that it is accepted; else 503.", at_least=0
    )
    max_entries: int = _setting(10_000, "Entries a batch may hold.", at_least=1)
    max_body_bytes: int = _setting(32 * MIB, "Longest body as it arrives.", at_least=1)
    max_inflated_bytes: int = _setting(64 * MIB, "Longest body once inflated.", at_least=1)
    queue_tasks: int = _setting(1000, "Tasks of one catalog that may wait; beyond it 429.", at_least=1)
    queue_bytes: int = _setting(256 * MIB, "Payload bytes of one catalog that may wait; beyond it 429.", at_least=1)
    task_retention_s: int = _setting(30 * DAY_S, "How long a task is kept after it ended.", at_least=1)
    payload_retention_s: int = _setting(7 * DAY_S, "How long a payload is kept after its task ended.", at_least=0)
    payload_bytes: int = _setting(256 * MIB, "Payload bytes of ended tasks kept per catalog.", at_least=0)
    history_bytes: int = _setting(
        8 * MIB, "Bytes kept per catalog to find the tasks that touched an entry, 4 for each; 0: none.", at_least=0
    )
    lease_ttl_s: float = _setting(10.0, "A partition's owner that is silent so long loses it.", at_least=0.5)
    slice_s: float = _setting(0.2, "How long one partition is drained before the others get their turn.", at_least=0.01)
    sweep_s: float = _setting(1.0, "How often a worker looks for partitions that nobody drains.", at_least=0.05)
    max_stalls: int = _setting(5, "Owners lost in a row at one place: the task is given up.", at_least=1)
    safeguard_ratio: float = _setting(0.5, "A task that deletes more of a section fails unless `force`.", at_least=0)
    safeguard_floor: int = _setting(100, "Sections with fewer items than this have no safeguard.", at_least=0)
    ftps_port: int | None = _setting(None, "Port of the FTPS service; when absent, there is none.", at_least=1)
    ftps_passive_ports: str = _setting("30000-30099", "Ports of its data connections.")
    ftps_address: str | None = _setting(None, "Address that clients reach it at, where that is another one than here.")
    ftps_cert: Path | None = _setting(
        None, "PEM file with its certificate and key; when absent, a self-signed one is made in the data folder."
    )
    exports_url: str | None = _setting(
        None, "Where exports are written: a folder, or any URL of fsspec; when absent, `exports` in the data folder."
    )
    changes: str = _setting("on", "The change feed, `/v1/changes`.", one_of=("on", "off"))
    webhook_private: str = _setting(
        "refuse", "Whether webhooks may call private, loopback and link-local addresses.", one_of=("refuse", "allow")
    )
    smtp_url: str | None = _setting(
        None,
        "Where mail goes: `smtp://`, `starttls://` or `smtps://`, `user:password@host:port`; when absent, nowhere.",
    )
    mail_from: str = _setting("sluice@localhost", "Sender of mail.")
    flower_port: int = _setting(5555, "Port of Flower, on loopback.", at_least=1)
    flower_auth: str | None = _setting(None, "Flower's `user:password`; made and kept in the data folder when absent.")
    secret_key: str | None = _setting(
        None,
        "Signs sessions of the Integration page and URLs of exports; made and kept in the data folder when absent.",
    )
    operator_password: str | None = _setting(
        None, "Shows every catalog on the Integration page; made and kept in the data folder when absent."
    )
    metrics_port: int | None = _setting(
        None,
        "Port of the worker's own `/metrics`, for a worker that shares no data folder with the ingress.",
        at_least=1,
    )
    metrics_token: str | None = _setting(None, "`/metrics` of the ingress wants this Bearer token; absent: nobody's.")
    log_level: str = _setting("INFO", "Lowest level that is logged.", one_of=("DEBUG", "INFO", "WARNING", "ERROR"))

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the ``SLUICE_*`` variables of a mapping; an empty one counts as absent.

        Raises BadSetting naming every variable that does not parse.
        """
        values, problems = {}, []
        for field in dataclasses.fields(cls):
            text = environ.get(variable(field), "").strip()
            if text:
                try:
                    values[field.name] = _parse(field, text)
                except ValueError as problem:
                    problems.append(f"{variable(field)}={text!r}: {problem}")
        if problems:
            raise BadSetting("; ".join(problems))
        return cls(**values)


def variable(field: dataclasses.Field[Any]) -> str:
    """Name the environment variable of a setting."""
    return PREFIX + field.name.upper()


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Describe each ``SLUICE_*`` variable that is no setting, with the nearest that is."""
    known = [variable(field) for field in dataclasses.fields(Settings)]
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    near = {name: difflib.get_close_matches(name, known, n=1) for name in unknown}
    return [name + (f" (did you mean {near[name][0]}?)" if near[name] else "") for name in unknown]


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("not a whole number") from None


def _decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("not a number") from None


#: By the annotation as written, which `from __future__ import annotations` keeps as text.
_PARSERS: dict[str, Callable[[str], Any]] = {
    "int": _whole,
    "int | None": _whole,
    "float": _decimal,
    "str": str,
    "str | None": str,
    "Path": Path,
    "Path | None": Path,
}


def _parse(field: dataclasses.Field[Any], text: str) -> Any:
    value = _PARSERS[str(field.type)](text)
    one_of, at_least = field.metadata["one_of"], field.metadata["at_least"]
    if one_of and value not in one_of:
        raise ValueError(f"not one of {', '.join(one_of)}")
    if at_least is not None and not value >= at_least:
        raise ValueError(f"less than {at_least}")
    return value
