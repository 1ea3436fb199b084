"""All settings: names, defaults, meanings.

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
#: Read by the commands that call an ingress; they are no settings of a process.
CLIENT_VARIABLES = (PREFIX + "URL", PREFIX + "TOKEN")

#: In the data folder: where the embedded server is, for the command line beside it.
STORE_URL_FILE = "store.url"
#: The file in the data folder with the first credential, which `make up` makes unless some are configured.
FIRST_CREDENTIAL_FILE = "credentials"
#: In the data folder: the path of the file whose credentials the ingress takes, or nothing.
CREDENTIALS_PATH_FILE = "credentials.path"

MIB = 1024 * 1024
DAY_S = 24 * 3600


def _setting(default: Any, doc: str, *, one_of: tuple[str, ...] = (), at_least: float | None = None) -> Any:
    return dataclasses.field(default=default, metadata={"doc": doc, "one_of": one_of, "at_least": at_least})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process.  Field ``lease_ttl_s`` is the variable ``SLUICE_LEASE_TTL_S``."""

    host: str = _setting("127.0.0.1", "Address that the ingress listens on.")
    port: int = _setting(8080, "Port that the ingress listens on.", at_least=1)
    threads: int = _setting(8, "Requests that each ingress process serves at once.", at_least=1)
    ingress: int = _setting(1, "Ingress processes.", at_least=1)
    uploads: int = _setting(
        4, "Catalogue files and exports in transfer that are served at once, per ingress process.", at_least=1
    )
    connections: int = _setting(8192, "Open connections, per ingress process; beyond it 503.", at_least=1)
    connections_per_address: int = _setting(
        4096, "Open connections of one address, per ingress process; beyond it 429.", at_least=1
    )
    client_timeout_s: float = _setting(
        15.0, "Seconds that a client has to send the head of a request; and see the next setting.", at_least=0.1
    )
    client_min_bytes_s: int = _setting(
        1000, "Least speed, in bytes a second, at which clients send bodies and read answers.", at_least=1
    )
    client_bytes: int = _setting(
        64 * MIB, "Bytes held in memory for slow clients, per ingress process; beyond it the slowest go.", at_least=1
    )
    keepalive_s: float = _setting(30.0, "Seconds that an idle connection is kept.", at_least=0.1)
    trusted_proxies: str | None = _setting(
        None,
        "Addresses and networks of the proxies in front, comma-separated, `unix` for Unix sockets: what they say of "
        "their clients (`X-Forwarded-For`, `-Proto`, `-Host`) is believed.",
    )
    public_url: str | None = _setting(
        None, "`https://host[:port]` under which clients reach the ingress; if unset, as they ask for it."
    )
    tls_cert: Path | None = _setting(
        None,
        "PEM file with a certificate: the ingress speaks TLS by itself. `self-signed`: `make up` makes one in the data "
        "folder, for trials.",
    )
    tls_key: Path | None = _setting(None, "PEM file with its key; if unset, the key is in the certificate's file.")
    workers: int = _setting(1, "Processes of the Celery worker that drain partitions.", at_least=1)
    sinks: int = _setting(
        0, "Sinks that are delivered to at once by the sink worker; 0: there is no such worker.", at_least=0
    )
    redis_url: str | None = _setting(
        None, "URL of Redis ≥7.0 or Valkey, also `redis+cluster://`; if unset, an embedded server is started."
    )
    broker_url: str | None = _setting(None, "URL of Celery's broker; if unset, the next database of the Redis server.")
    data_dir: Path = _setting(Path("var"), "Folder of the embedded server's data, logs and generated secrets.")
    credentials: str | None = _setting(
        None, "Credentials `key:token[:r|rw[:name]]`, comma-separated, besides the stored ones."
    )
    credentials_file: Path | None = _setting(None, "File with such credentials, one per line, besides the stored ones.")
    durability: str = _setting(
        "everysec",
        "`everysec`: a crash of the store may lose batches accepted in the last 2 s. `fsync`: none; requires "
        "`appendfsync always` in the store.",
        one_of=("everysec", "fsync"),
    )
    min_replicas: int = _setting(
        0, "Replicas that must have a batch before it is accepted; otherwise the answer is 503.", at_least=0
    )
    max_entries: int = _setting(10_000, "Most entries of a batch.", at_least=1)
    max_body_bytes: int = _setting(32 * MIB, "Most bytes of a body as received.", at_least=1)
    max_inflated_bytes: int = _setting(64 * MIB, "Most bytes of a body once inflated.", at_least=1)
    queue_tasks: int = _setting(1000, "Most queued tasks of one catalog; beyond it the answer is 429.", at_least=1)
    queue_bytes: int = _setting(256 * MIB, "Most queued payload bytes of one catalog; beyond it 429.", at_least=1)
    task_retention_s: int = _setting(30 * DAY_S, "Seconds for which a task is kept after it ended.", at_least=1)
    payload_retention_s: int = _setting(
        7 * DAY_S, "Seconds for which a payload is kept after its task ended.", at_least=0
    )
    payload_bytes: int = _setting(256 * MIB, "Most payload bytes of ended tasks kept per catalog.", at_least=0)
    history_bytes: int = _setting(
        8 * MIB, "Bytes per catalog for the index of tasks by entry, 4 for each; 0 switches it off.", at_least=0
    )
    lease_ttl_s: float = _setting(
        10.0, "Seconds without a sign of life after which a worker loses its partition.", at_least=0.5
    )
    slice_s: float = _setting(
        0.2, "Seconds for which one partition is drained before others take turns.", at_least=0.01
    )
    sweep_s: float = _setting(
        1.0, "Seconds between a worker's searches for partitions that nobody drains.", at_least=0.05
    )
    max_stalls: int = _setting(5, "Workers lost in a row at the same task before it is given up.", at_least=1)
    safeguard_ratio: float = _setting(
        0.5, "Share of the entries of a kind; a task that deletes more fails unless `force`.", at_least=0
    )
    safeguard_floor: int = _setting(100, "Fewer entries of a kind than this have no such safeguard.", at_least=0)
    ftps_port: int | None = _setting(None, "Port of the FTPS service; if unset, there is none.", at_least=1)
    ftps_passive_ports: str = _setting("30000-30099", "Ports of FTPS data connections.")
    ftps_address: str | None = _setting(
        None, "Address at which clients reach the FTPS service, if it differs from the local one."
    )
    ftps_cert: Path | None = _setting(
        None, "PEM file with the certificate and key of FTPS; if unset, a self-signed one is made in the data folder."
    )
    exports_url: str | None = _setting(
        None, "Where exports are written: a folder or an fsspec URL; if unset, `exports` in the data folder."
    )
    changes: str = _setting("on", "Whether to keep the change feed, `/v1/changes`.", one_of=("on", "off"))
    field_stats: str = _setting(
        "on", "Whether workers count the fields of items, `/v1/items_fields_stats`.", one_of=("on", "off")
    )
    webhook_private: str = _setting(
        "refuse", "Whether webhooks may call private, loopback and link-local addresses.", one_of=("refuse", "allow")
    )
    smtp_url: str | None = _setting(
        None,
        "Mail server: `smtp://`, `starttls://` or `smtps://`, then `user:password@host:port`; if unset, no mail is "
        "sent.",
    )
    mail_from: str = _setting("sluice@localhost", "Sender address of e-mails.")
    flower_port: int = _setting(5555, "Port of Flower, on loopback.", at_least=1)
    flower_auth: str | None = _setting(
        None, "Flower's `user:password`; if unset, generated and kept in the data folder."
    )
    secret_key: str | None = _setting(
        None,
        "Key that signs sessions of the Integration page and export URLs; if unset, generated and kept in the data "
        "folder.",
    )
    operator_password: str | None = _setting(
        None,
        "Password that shows all catalogs on the Integration page; if unset, generated and kept in the data folder.",
    )
    metrics_port: int | None = _setting(
        None,
        "Port of the worker's own `/metrics`; for workers that share no data folder with the ingress.",
        at_least=1,
    )
    metrics_token: str | None = _setting(
        None, "Bearer token required for `/metrics` of the ingress; if unset, none is."
    )
    log_level: str = _setting("INFO", "Lowest level of log lines.", one_of=("DEBUG", "INFO", "WARNING", "ERROR"))

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the ``SLUICE_*`` variables of a mapping; an empty one counts as unset.

        Raises BadSetting with every variable that is invalid.
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
    """Return the environment variable of a setting."""
    return PREFIX + field.name.upper()


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """List the ``SLUICE_*`` variables that are no settings, each with the nearest setting."""
    known = [*(variable(field) for field in dataclasses.fields(Settings)), *CLIENT_VARIABLES]
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


#: Parsers by annotation, which `from __future__ import annotations` keeps as text.
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


def settings_table() -> str:
    """Write the table of settings in Markdown."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for field in dataclasses.fields(Settings):
        default = "" if field.default is None else f"`{field.default}`"
        choices = field.metadata["one_of"]
        meaning = field.metadata["doc"] + (f" One of {', '.join(choices)}." if choices else "")
        rows.append(f"| `{variable(field)}` | {default} | {meaning} |")
    return "\n".join(rows)
