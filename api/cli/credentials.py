"""``sluice credentials``: create, list and revoke tokens."""

from __future__ import annotations

import re

import click
from flask.cli import AppGroup

from api.cli.output import as_json, json_option, table
from api.services import Services, current_services
from shared.clock import iso
from shared.credential_changes import CredentialAct, CredentialChange
from shared.credentials import BAD_NAME, CATALOG_KEY, NAME, Credential, Scope, digest_of, new_token
from shared.errors import CredentialEnded, TryAgain

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+", re.ASCII)
HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS


@click.group(cls=AppGroup)
def credentials() -> None:
    """Manage the tokens that may read and write catalogs."""


@credentials.command("create")
@click.argument("name")
@click.argument("catalog_keys", metavar="KEY...", nargs=-1, required=True)
@click.option("--read-only", is_flag=True, help="Allow reading only.")
@click.option("--days", type=click.FloatRange(0, min_open=True), help="Refuse the token after so many days.")
@click.option(
    "--notify",
    multiple=True,
    metavar="ADDRESS",
    help="Send an e-mail to ADDRESS if a file sent over FTPS fails; repeatable.",
)
@json_option
def create_credential(
    name: str, catalog_keys: tuple[str, ...], read_only: bool, days: float | None, notify: tuple[str, ...], json: bool
) -> None:
    """Create a token for one or more catalogs and print it."""
    if not NAME.fullmatch(name):
        raise click.BadParameter(BAD_NAME)
    for catalog_key in catalog_keys:
        if not CATALOG_KEY.fullmatch(catalog_key):
            raise click.BadParameter(f"{catalog_key!r}: a key has 1 to 100 characters of A-Z a-z 0-9 _ . -")
    for address in notify:
        if not _ADDRESS.fullmatch(address):
            raise click.BadParameter(f"{address!r} is not an e-mail address")
    services, token = current_services(), new_token()
    scope, now_ms = Scope.READ if read_only else Scope.READ_WRITE, services.clock()
    expires_ms = None if days is None else now_ms + int(days * DAY_MS)
    made = Credential(name, digest_of(token), dict.fromkeys(catalog_keys, scope), notify, now_ms, expires_ms)
    services.credentials.store(made)
    _show(token, made, json=json)
    _note(services, CredentialAct.CREATED, made)


@credentials.command("list")
@json_option
def list_credentials(json: bool) -> None:
    """List the credentials, those of the settings too, without their tokens."""
    services = current_services()
    used = services.credentials.last_used()
    rows = [
        (
            each.id,
            each.name,
            catalog_key,
            scope,
            _date(each.created_ms),
            _date(used.get(each.id)),
            _date(each.expires_ms) if json else _end(each, services),
        )
        for each in (*services.credentials.all(), *services.credentials.fixed())
        for catalog_key, scope in sorted(each.scopes.items())
    ]
    table(("ID", "NAME", "KEY", "SCOPE", "CREATED", "LAST USED", "EXPIRES"), rows, json=json)


@credentials.command("rotate")
@click.argument("wanted", metavar="ID|NAME")
@click.option(
    "--overlap",
    default=24.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Hours the old token stays good.",
)
@json_option
def rotate_credential(wanted: str, overlap: float, json: bool) -> None:
    """Create a new token in the place of another and print it; the old one is refused after some time.

    If the old one was to expire, the new one expires then.
    """
    services = current_services()
    found = services.credentials.find_stored(wanted)
    if not found:
        raise _not_stored(services, wanted)
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise click.ClickException(f"{len(found)} credentials are named {wanted!r}; name one by its ID: {ids}")
    token, now_ms = new_token(), services.clock()
    try:
        new = services.credentials.rotate(found[0], digest_of(token), now_ms=now_ms, overlap_ms=int(overlap * HOUR_MS))
    except CredentialEnded as error:
        raise click.ClickException(f"{error}; `sluice credentials create` makes another") from error
    _show(token, new, json=json)
    _note(services, CredentialAct.ROTATED, found[0], new.id)


@credentials.command("revoke")
@click.argument("wanted", metavar="ID|NAME")
def revoke_credential(wanted: str) -> None:
    """Revoke the token with this ID, or all with this name; running processes refuse them within a second."""
    services = current_services()
    found = services.credentials.find_stored(wanted)
    revoked = services.credentials.revoke(wanted)
    for each in found:
        _note(services, CredentialAct.REVOKED, each)
    if not revoked:
        raise _not_stored(services, wanted)
    click.echo(f"revoked {revoked}")


def _not_stored(services: Services, wanted: str) -> click.ClickException:
    if any(wanted in (each.id, each.name) for each in services.credentials.fixed()):
        return click.ClickException(
            f"{wanted!r} is in the settings, and is changed there: SLUICE_CREDENTIALS, or its file"
        )
    return click.ClickException(f"there is no stored credential with the ID or name {wanted!r}")


def _note(services: Services, act: CredentialAct, credential: Credential, new_id: str = "") -> None:
    """Note a change for the Integration page; the change stays made if that fails."""
    keys = tuple(sorted(credential.scopes))
    try:
        services.credential_changes.note(
            CredentialChange(services.clock(), act, credential.id, credential.name, "a shell", keys, new_id)
        )
    except TryAgain as error:
        click.echo(f"The page Tokens will not tell that {credential.id} was {act}: {error}", err=True)


def _show(token: str, made: Credential, *, json: bool) -> None:
    if json:
        as_json({"id": made.id, "name": made.name, "token": token, "expires": _date(made.expires_ms)})
    else:
        click.echo(token)
    click.echo("Only the token's hash is stored: it cannot be shown again.", err=True)


def _date(ms: int | None) -> str | None:
    return iso(ms) if ms else None


def _end(credential: Credential, services: Services) -> str | None:
    ended = credential.has_ended(services.clock())
    return f"{_date(credential.expires_ms)} (expired)" if ended else _date(credential.expires_ms)
