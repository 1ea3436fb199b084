"""Fill a view with the replies of the store, in the order of the commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.catalog.effects import View
from shared.catalog.merging import lay_over
from shared.codec import STAMP_DIGITS
from shared.keys import split_link


def take_values(view: View, ids: Sequence[str], values: Sequence[bytes | None]) -> None:
    """Add entries."""
    view.values |= _unstamped(ids, values)


def take_patches(view: View, ids: Sequence[str], patches: Sequence[bytes | None]) -> None:
    """Add patches, and merge them into the values that the view has."""
    view.patches = _unstamped(ids, patches)
    for id_ in view.values.keys() & view.patches.keys():
        view.values[id_] = lay_over(view.values[id_], view.patches[id_])


def take_more_values(view: View, ids: Sequence[str], values: Sequence[bytes | None]) -> None:
    """Add the values of entries with known patches; forget the patches of entries that do not exist."""
    view.values |= _unstamped(ids, values)
    for id_ in filter(view.patches.__contains__, ids):
        if id_ in view.values:
            view.values[id_] = lay_over(view.values[id_], view.patches[id_])
        else:
            del view.patches[id_]


def patch_seen(view: View, ids: Sequence[str], patches: Sequence[bytes | None]) -> None:
    """Merge patches into the entries that readers see."""
    for id_, patch in zip(ids, patches, strict=True):
        if patch is not None and id_ in view.seen_values:
            view.seen_values[id_] = patched(view.seen_values[id_], patch)


def take_variations(view: View, ids: Sequence[str], values: Sequence[bytes | None]) -> None:
    """Add variations of items."""
    view.variations |= _unstamped(ids, values)


def _unstamped(ids: Sequence[str], values: Sequence[bytes | None]) -> dict[str, bytes]:
    return {id_: value[STAMP_DIGITS:] for id_, value in zip(ids, values, strict=True) if value is not None}


def take_items(view: View, ids: Sequence[str], scores: Sequence[float | None]) -> None:
    """Add the existing items: those with a score."""
    view.items = {id_ for id_, score in zip(ids, scores, strict=True) if score is not None}


def take_all_ids(view: View, ids: Sequence[bytes]) -> None:
    """Add the ids of all entries."""
    view.all_ids = {id_.decode() for id_ in ids}


def take_present(view: View, ids: Sequence[str], scores: Sequence[float | None]) -> None:
    """Add the entries that exist in the written generation: those with a score."""
    view.present = {id_ for id_, score in zip(ids, scores, strict=True) if score is not None}


def take_seen_values(view: View, ids: Sequence[str], values: Sequence[bytes | None]) -> None:
    """Add entries as readers see them."""
    view.seen_values |= {id_: value for id_, value in zip(ids, values, strict=True) if value is not None}


def take_links(view: View, limit: int, reply: Sequence[Any]) -> None:
    """Add the variations of items."""
    complete, *links = reply
    # They are ordered by item: the rest after a cut is left to the next page.
    if not view.links_complete or (links and sum(map(len, view.links.values())) >= limit):
        view.links_complete = False
        return
    view.links_complete = bool(complete)
    for link in links:
        item_id, variation_id = split_link(link.decode())
        view.links.setdefault(item_id, []).append(variation_id)


def patched(value: bytes, patch: bytes | None) -> bytes:
    """Merge a patch into a value, both with their update times; the later time stays."""
    if patch is None:
        return value
    return patch[:STAMP_DIGITS] + lay_over(value[STAMP_DIGITS:], patch[STAMP_DIGITS:])
