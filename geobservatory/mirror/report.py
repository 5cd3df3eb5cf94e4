"""How the mirror does: what it holds, what it lacks and why, its disk, its pace, how late it is."""

import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from geobservatory.catalog.mirror_figures import Change
from geobservatory.catalog.mirror_ledger import Look
from geobservatory.catalog.mirror_plan import HELD, Day
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.plan import limits, turns
from geobservatory.mirror.streams import Wanted

_WEEK = timedelta(days=7)
# What an operator should hear of.
_NOTABLE = ("damaged", "lost", "withdrawn", "superseded", "updated", "returned", "found")


@dataclass(frozen=True)
class StreamStatus:
    """How a stream does.

    Attributes
    ----------
    window
        When its window begins.
    held, reduced, others
        Products that lie here whole; of which the annotation stayed; that come or are damaged.
    missing
        Products of the window that are not here whole, by what is to be done: ``fetch`` (now),
        ``later`` (could not be had), ``no room``.
    used, low, high
        Bytes on the disk, and its water marks.
    in_a_day, out_a_day
        Bytes that came and went a day, of the last week.
    full_at
        When its disk will reach the high-water mark at this pace; None where it never will.
    completeness
        Held of what upstreams have in the window; 1 where they have nothing.
    latency
        Median, 90 and 95 % of the time from publication to here, of the last week, seconds.
    looks
        How far each upstream was followed.
    """

    stream: str
    window: datetime
    held: int
    reduced: int
    others: int
    missing: dict[str, int]
    used: int
    low: int
    high: int
    in_a_day: float
    out_a_day: float
    full_at: datetime | None
    completeness: float
    latency: tuple[float, float, float] | None
    looks: tuple[Look, ...]


@dataclass(frozen=True)
class Status:
    """How the mirror does.

    Attributes
    ----------
    disk, used, free
        Bytes: that are the mirror's, that lie there, that the file system has left.
    other
        Bytes of no stream: what was fetched by hand or for an activation.
    changes
        What happened last that an operator should hear of.
    """

    at: datetime
    disk: int
    used: int
    free: int
    other: int
    streams: tuple[StreamStatus, ...]
    changes: tuple[Change, ...]


def status(archive: Archive) -> Status:
    """Tell how the mirror does."""
    used = archive.catalog.used_bytes()
    archive.folder.mkdir(parents=True, exist_ok=True)
    names = {one.name for one in archive.streams}
    return Status(
        at=archive.now(),
        disk=archive.disk,
        used=sum(used.values()),
        free=shutil.disk_usage(archive.folder).free,
        other=sum(size for stream, size in used.items() if stream not in names),
        streams=tuple(_stream(archive, one) for one in archive.streams),
        changes=tuple(archive.catalog.last_changes(20, _NOTABLE)),
    )


def completeness(archive: Archive, wanted: Wanted, days: float | None = None) -> list[Day]:
    """Tell of each day of sensing how much of what upstreams have is here, and why not all.

    Parameters
    ----------
    days
        How far back; all of the window where None.
    """
    bounds = limits(archive, wanted)
    since = bounds.start if days is None else archive.now() - timedelta(days=days)
    return archive.catalog.days(bounds, since)


def _stream(archive: Archive, wanted: Wanted) -> StreamStatus:
    now, name = archive.now(), wanted.name
    lying = {
        state: one for (stream, state), one in archive.catalog.lying().items() if stream == name
    }
    counts = Counter({state: one.products for state, one in lying.items()})
    used = sum(one.bytes for one in lying.values())
    bounds = limits(archive, wanted)
    totals = turns(archive, wanted, (), most=1).totals
    held, known = totals.get(HELD, (0, 0))[0], sum(count for count, _ in totals.values())
    arrived, gone = _pace(archive, name)
    return StreamStatus(
        stream=name,
        window=bounds.start,
        held=counts["held"],
        reduced=counts["reduced"],
        others=counts["coming"] + counts["leaving"] + counts["quarantined"] + counts["part"],
        missing={turn: count for turn, (count, _) in totals.items() if turn != HELD},
        used=used,
        low=bounds.low,
        high=bounds.high,
        in_a_day=arrived,
        out_a_day=gone,
        full_at=forecast(now, used, bounds.high, arrived - gone),
        completeness=held / known if known else 1.0,
        latency=archive.catalog.mirror_latency(name, now - _WEEK),
        looks=tuple(archive.catalog.looks(name).values()),
    )


def forecast(now: datetime, used: int, high: int, a_day: float) -> datetime | None:
    """Tell when a disk will be full at a pace, bytes a day; None where that is out of sight."""
    if used >= high:
        return now
    if a_day <= 0 or (days := (high - used) / a_day) > 3650:
        return None
    return now + timedelta(days=days)


def _pace(archive: Archive, stream: str) -> tuple[float, float]:
    """Bytes a day that came and went, of the last week or of as long as there is a mirror."""
    now = archive.now()
    first = archive.catalog.first_change("came") or now
    days = max(1.0, min(_WEEK, now - first) / timedelta(days=1))
    changed = archive.catalog.changed_bytes(now - timedelta(days=days))
    arrived, gone = (changed.get((stream, what), (0, 0))[1] for what in ("came", "evicted"))
    return arrived / days, gone / days
