"""What goes: what is over, what was replaced, and the oldest where there is no room.

Age is counted from the newest product that lies here, so that nothing goes by age while nothing
newer comes. For room the oldest goes, down to the low-water mark: what lies between the two marks
came after it and is safely in. What is pinned, read, or needed by an open activation stays.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from geobservatory.catalog.mirror import READABLE, Held
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.leave import discard, leave, without_pixels
from geobservatory.mirror.priority import needed
from geobservatory.mirror.streams import Wanted

# What is of no stream may have been asked for by a person a moment ago.
_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Going:
    """A product that goes, and why; its annotation stays where it is only reduced."""

    entry: Held
    why: str
    reduced: bool = False


Told = Callable[[Going], None]


def roll(
    archive: Archive, kept: Mapping[str, str] | None = None, told: Told | None = None
) -> list[Going]:
    """Take away what is over or replaced; gives what went.

    Parameters
    ----------
    kept
        What open activations need (`needed`); asked for where None.
    """
    kept = needed(archive) if kept is None else kept
    return [one for one in over(archive, kept) if _go(archive, one, told)]


def over(archive: Archive, kept: Mapping[str, str]) -> Iterator[Going]:
    """Give what is over or was replaced, and may go.

    Parameters
    ----------
    kept
        What open activations need (`needed`).
    """
    for wanted in archive.streams:
        for entry, why in _candidates(archive, wanted):
            if not who_keeps(archive, entry.name, kept):
                reduced = without_pixels(archive, entry) and entry.whole
                yield Going(entry, why, reduced)
    # People and activations fetch without asking the mirror.
    total = sum(archive.catalog.used_bytes().values())
    if total > archive.mark(archive.high, "").total:
        yield from _of_no_stream(archive, total, kept)


def take_over(archive: Archive) -> None:
    """Make what somebody asked for, and a stream wants as well, the stream's after a day.

    Else it would be the first to go for want of room, however new it is, and then be missing.
    """
    names, before = [one.name for one in archive.streams], archive.now() - _A_DAY
    for name in names:
        archive.catalog.take_over(name, names, before)


def drop_abandoned(archive: Archive) -> None:
    """Remove what came so far of products that nobody wants any more."""
    now = archive.now()
    start = min((one.window(now) for one in archive.streams), default=now)
    for name in archive.catalog.abandoned(start, now - _A_DAY):
        with archive.catalog.bringing(name) as ours:
            entry = archive.catalog.inventory_entry(name)
            if ours and entry is not None and entry.state == "coming":
                discard(archive, entry)


def make_room(
    archive: Archive, stream: str, before: datetime, size: int, told: Told | None = None
) -> list[Going]:
    """Take the oldest away until there is room for a newer product; gives what went.

    Parameters
    ----------
    stream
        Whose share is full.
    before
        When the newer product was sensed: nothing newer goes for it.
    size
        Its bytes.
    """
    # Two who count at the same time would take away twice as much.
    with archive.catalog.clearing():
        wanted = for_room(archive, stream, before, size, needed(archive))
        return [going for going in wanted if _go(archive, going, told)]


def make_way(archive: Archive, size: int, told: Told | None = None) -> list[Going]:
    """Take the oldest away, of whatever stream, until there is room for what somebody asked for.

    Unlike the mirror's own products it may be older than all that goes.
    """
    with archive.catalog.clearing():
        wanted = _for_asked(archive, size, needed(archive))
        return [going for going in wanted if _go(archive, going, told)]


def for_room(
    archive: Archive, stream: str, before: datetime, size: int, kept: Mapping[str, str]
) -> Iterator[Going]:
    """Give what would have to go for a newer product: of no stream first, then of its own."""
    used, coming = archive.catalog.used_bytes(), archive.catalog.used_bytes("coming")
    own, total = used.get(stream, 0), sum(used.values())
    high, low = archive.mark(archive.high, stream), archive.mark(archive.low, stream)
    if own + size <= high.stream and total + size <= high.total:
        return
    if total + size > high.total:
        for going in _of_no_stream(archive, total, kept):
            total -= going.entry.size
            yield going
    if own + size <= high.stream and total + size <= high.total:
        return
    # What is only on its way makes nothing go: it may not come.
    sure = own - coming.get(stream, 0)
    for going in _oldest(archive, stream, before, kept):
        # Down to the low-water mark, and not for each product anew.
        if sure <= low.stream and total + size <= high.total:
            return
        sure, total = sure - going.entry.size, total - going.entry.size
        yield going


def _for_asked(archive: Archive, size: int, kept: Mapping[str, str]) -> Iterator[Going]:
    total, high = sum(archive.catalog.used_bytes().values()), archive.mark(archive.high, "").total
    if total + size <= high:
        return
    for going in _of_no_stream(archive, total, kept):
        total -= going.entry.size
        yield going
    streams = {one.name for one in archive.streams}
    for going in _oldest(archive, None, None, kept):
        if total + size <= high:
            return
        if going.entry.stream in streams:
            total -= going.entry.size
            yield going


def _of_no_stream(archive: Archive, total: int, kept: Mapping[str, str]) -> Iterator[Going]:
    """Give what is of no stream until all that lies here is within the low-water mark.

    Somebody asked for it: for a day it stays.
    """
    low, before = archive.mark(archive.low, "").total, archive.now() - _A_DAY
    for entry in archive.catalog.of_no_stream([one.name for one in archive.streams]):
        if total <= low or entry.stored_at > before:
            return
        if not who_keeps(archive, entry.name, kept):
            total -= entry.size
            yield Going(entry, "of no stream, and there was no room")


def who_keeps(archive: Archive, name: str, kept: Mapping[str, str]) -> str:
    """Say who wants a product kept; empty where nobody does."""
    if name in kept:
        return f"activation {kept[name]}"
    return ", ".join(one.holder for one in archive.catalog.pins(archive.now(), name))


def _oldest(
    archive: Archive, stream: str | None, before: datetime | None, kept: Mapping[str, str]
) -> Iterator[Going]:
    """Give the oldest, what was left of others included; of one stream, or of all."""
    for entry in archive.catalog.oldest(stream, before, READABLE):
        if not who_keeps(archive, entry.name, kept):
            reduced = without_pixels(archive, entry) and entry.whole
            yield Going(entry, "the oldest, and there was no room", reduced)


def _candidates(archive: Archive, wanted: Wanted) -> Iterator[tuple[Held, str]]:
    catalog, stream = archive.catalog, wanted.stream
    listed = catalog.replaced(stream.name)
    if stream.withdrawn == "remove":
        listed |= catalog.withdrawn(stream.name)
    for name, why in listed.items():
        entry = catalog.held(name)
        if entry is not None:
            yield entry, why
    newest = catalog.newest_held(stream.name)
    if newest is not None:
        begin = wanted.window(min(archive.now(), newest))
        for entry in catalog.oldest(stream.name, begin, ("held", "part")):
            yield entry, f"older than {stream.window_days} days"
    cut = catalog.last_cut(stream.name)
    low = archive.mark(archive.low, stream.name).stream
    if cut is not None:
        # Pinned when others of its age had to go, or on its way then.
        for entry in catalog.oldest(stream.name, cut, ("held", "part")):
            if catalog.used_bytes().get(stream.name, 0) <= low:
                break
            yield entry, "older than what had to go for want of room"
    keep = timedelta(days=archive.settings.mirror.keep_days)
    for entry in catalog.oldest(stream.name, archive.now() - keep, ("reduced",)):
        yield entry, f"its annotation is older than {keep.days} days"


def _go(archive: Archive, going: Going, told: Told | None) -> bool:
    """Take a product away, unless somebody reads, brings or has pinned it meanwhile."""
    catalog, name = archive.catalog, going.entry.name
    with catalog.bringing(name) as ours, catalog.alone_with(name) as alone:
        entry = catalog.held(name)
        if not (ours and alone) or entry is None or catalog.pins(archive.now(), name):
            return False
        leave(archive, entry, going.why, reduce=going.reduced)
    if told is not None:
        told(going)
    return True
