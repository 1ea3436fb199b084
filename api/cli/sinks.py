"""``sluice sinks``: deliver catalogs to databases and search engines."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup

from api.cli.catalog_key import key_argument
from api.cli.context import check_known
from api.cli.output import as_json, json_option, table
from api.services import current_services
from shared.clock import iso
from shared.codec import encode_json
from shared.model import NO_SECTION
from shared.sinks.destination import check_sink, connect
from shared.sinks.mapping import DEFAULT, Mapping, Unmappable, document
from shared.sinks.mapping_file import read_mapping
from shared.sinks.sink_lease import discard_dead_letters, read_dead_letters
from shared.sinks.sink_reports import report_sinks
from shared.sinks.sinks import BadSink, SinkName, Sinks
from shared.sinks.verify import KindVerified, Verification

#: Ids of each kind of difference that are named.
SHOWN_IDS = 20
#: Entries of each kind on which a mapping is tried.
TRIED_ENTRIES = 10
#: Longest a destination may take for one call, seconds.
CALL_S = 60.0

name_argument = click.argument("name", metavar="NAME")
mapping_option = click.option(
    "--mapping", "mapping_path", type=click.Path(dir_okay=False, path_type=Path), help="Mapping file, YAML or JSON."
)


@click.group(cls=AppGroup)
def sinks() -> None:
    """Manage sinks: the databases and search engines that a catalog is delivered to."""


@sinks.command("add")
@key_argument
@click.argument("url")
@click.option("--section", default="Products", show_default=True, help="Section to deliver.")
@click.option("--name", default="products", show_default=True, help="Name of the sink and of its table or index.")
@mapping_option
@click.option("--take-over", is_flag=True, help="Replace a table or index of that name that is there already.")
@click.option("--required", is_flag=True, help="Tasks have their index built only once they are delivered here.")
@click.option("--dry-run", is_flag=True, help="Only try the mapping on stored entries.")
def add_sink(
    catalog_key: str,
    url: str,
    section: str,
    name: str,
    mapping_path: Path | None,
    take_over: bool,
    required: bool,
    dry_run: bool,
) -> None:
    """Deliver a section to the database or search engine of a URL from now on; the whole section is copied first."""
    check_known(catalog_key)
    if section == NO_SECTION:
        raise click.BadParameter("a section has a name", param_hint="--section")
    mapping = DEFAULT if mapping_path is None else read_mapping(mapping_path)
    check_sink(url, mapping)
    if dry_run:
        _try(catalog_key, section, mapping)
        return
    services = current_services()
    sink = _sinks(catalog_key).add(
        name,
        url,
        section=section,
        mapping=mapping,
        now_ms=services.clock(),
        take_over=take_over,
        required=required,
    )
    click.echo(f"{sink.name} added: {section} of {catalog_key} to {sink.shown_url}")


@sinks.command("list")
@key_argument
@json_option
def list_sinks(catalog_key: str, json: bool) -> None:
    """List the sinks of a catalog with how far they are, without passwords."""
    check_known(catalog_key)
    services = current_services()
    rows = [
        (one.name.name, one.sink.section, one.sink.shown_url, one.phase, one.state.task_id, round(one.lag_s),
         one.state.entries, one.state.dead, one.state.error)
        for one in report_sinks(services.client, services.clock(), catalog_key=catalog_key)
    ]  # fmt: skip
    table(("NAME", "SECTION", "URL", "STATE", "TASK", "LAG S", "DELIVERED", "DEAD", "ERROR"), rows, json=json)


@sinks.command("pause")
@key_argument
@name_argument
def pause_sink(catalog_key: str, name: str) -> None:
    """Stop delivering to a sink; what changes meanwhile is delivered when it is resumed."""
    _sinks(catalog_key).pause(name)
    click.echo(f"{name} paused")


@sinks.command("resume")
@key_argument
@name_argument
def resume_sink(catalog_key: str, name: str) -> None:
    """Deliver to a sink again: one that was paused, or at once to one that rests after a failure."""
    _sinks(catalog_key).resume(name)
    click.echo(f"{name} resumed")


@sinks.command("resync")
@key_argument
@name_argument
@mapping_option
def resync_sink(catalog_key: str, name: str, mapping_path: Path | None) -> None:
    """Copy the whole section anew, beside what is there, and then put it in its place.

    With a mapping file, that is the sink's mapping from now on.
    """
    if mapping_path is not None:
        mapping = read_mapping(mapping_path)
        check_sink(_sinks(catalog_key).get(name).url, mapping)
        _sinks(catalog_key).remap(name, mapping)
    else:
        _sinks(catalog_key).resync(name)
    click.echo(f"{name} is copied anew")


@sinks.command("undo")
@key_argument
@name_argument
def undo_sink(catalog_key: str, name: str) -> None:
    """Go back to the copy before: its mapping, and its table or index, which is then brought up to date.

    A new copy that is not live yet is given up.  One that was replaced is kept for a day; undo again takes it back.
    """
    sinks = _sinks(catalog_key)
    sink = sinks.get(name)
    destination = connect(sink, catalog_key, timeout_s=CALL_S)
    try:
        copies = destination.look()
    finally:
        destination.close()
    before = copies.live if copies.live and copies.live.version != sink.version else copies.old
    if before is None:
        raise BadSink(f"{name} has no earlier copy; one is kept for a day after another took its place")
    sinks.undo(name, before.version)
    click.echo(f"{name} goes back to the copy before, at task {before.mark.position.task_id}")


@sinks.command("verify")
@key_argument
@name_argument
@click.option("--repair", is_flag=True, help="Mend what is wrong.")
@json_option
def verify_sink(catalog_key: str, name: str, repair: bool, json: bool) -> None:
    """Compare every entry with the destination: those missing, those too many, those that differ.

    Entries that the mapping cannot map are told too, unless they are dead letters.  Ends with status 1 if something is
    wrong and was not mended.  May run beside writes and deliveries.
    """
    client, sink = current_services().client, _sinks(catalog_key).get(name)
    dead = [(letter.kind, letter.id) for letter in read_dead_letters(client, SinkName(catalog_key, name))]
    destination = connect(sink, catalog_key, timeout_s=CALL_S)
    try:
        verified = []
        for found in Verification(client, catalog_key, sink, destination, dead=dead).run(repair=repair):
            verified.append(found)
            if not json:
                _show_verified(found)
    finally:
        destination.close()
    unmappable = sum(len(found.unmappable) for found in verified)
    mendable = sum(found.wrong for found in verified) - unmappable
    if json:
        as_json(verified)
    else:
        if mendable:
            click.echo("mended" if repair else "mend it with --repair")
        if unmappable:
            click.echo("what does not fit the mapping is delivered once the entries or the mapping are mended")
    if unmappable or (mendable and not repair):
        raise click.exceptions.Exit(1)


@sinks.command("remove")
@key_argument
@name_argument
def remove_sink(catalog_key: str, name: str) -> None:
    """Remove a sink; its tables or indices stay as they are."""
    _sinks(catalog_key).remove(name)
    click.echo(f"{name} removed")


@sinks.group("dead-letters", cls=AppGroup)
def dead_letters() -> None:
    """Entries that a sink's destination cannot hold."""


@dead_letters.command("list")
@key_argument
@name_argument
@json_option
def list_dead_letters(catalog_key: str, name: str, json: bool) -> None:
    """List them, with the reasons.  One goes when a later version of its entry is delivered."""
    _sinks(catalog_key).get(name)
    letters = read_dead_letters(current_services().client, SinkName(catalog_key, name))
    rows = [(letter.kind, letter.id, letter.task_id, iso(letter.at_ms), letter.reason) for letter in letters]
    table(("KIND", "ID", "TASK", "AT", "REASON"), rows, json=json)


@dead_letters.command("retry")
@key_argument
@name_argument
def retry_dead_letters(catalog_key: str, name: str) -> None:
    """Deliver them again, as their entries are now; those that are refused once more stay."""
    count = len(read_dead_letters(current_services().client, SinkName(catalog_key, name)))
    _sinks(catalog_key).retry(name)
    click.echo(f"{count} are delivered again")


@dead_letters.command("discard")
@key_argument
@name_argument
@click.argument("ids", metavar="[ID]...", nargs=-1)
def discard_letters(catalog_key: str, name: str, ids: tuple[str, ...]) -> None:
    """Forget them, or those of the ids given; their entries count as missing until they change."""
    _sinks(catalog_key).get(name)
    count = discard_dead_letters(current_services().client, SinkName(catalog_key, name), ids)
    click.echo(f"{count} forgotten")


def _try(catalog_key: str, section: str, mapping: Mapping) -> None:
    """Map the first stored entries of each kind, and show what comes of them."""
    catalog = current_services().catalog(catalog_key)
    for kind in mapping.kinds:
        for entry in catalog.page_from(kind, section, b"", size=TRIED_ENTRIES).entries:
            try:
                columns = encode_json(document(mapping, kind, entry).columns).decode()
            except Unmappable as problem:
                columns = f"dead letter: {problem}"
            click.echo(f"{kind} {entry.id}: {columns}")


def _show_verified(found: KindVerified) -> None:
    unfit = f", {len(found.unmappable)} do not fit the mapping" if found.unmappable else ""
    click.echo(
        f"{found.kind}: {found.compared} compared as of task {found.task_id}, {len(found.missing)} missing,"
        f" {len(found.extra)} too many, {len(found.stale)} differ{unfit}"
    )
    listed = (
        ("missing", found.missing), ("too many", found.extra), ("differs", found.stale),
        ("does not fit", found.unmappable),
    )  # fmt: skip
    for what, ids in listed:
        for entry_id in ids[:SHOWN_IDS]:
            click.echo(f"  {what}: {entry_id}")


def _sinks(catalog_key: str) -> Sinks:
    return Sinks(current_services().client, catalog_key)
