"""What the next run would do, and why; nothing is done."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from geobservatory.catalog.mirror_plan import FETCH, Limits, Turn, Turns
from geobservatory.hubs.choice import USUAL_BYTES
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.priority import needed
from geobservatory.mirror.roll import Going, for_room, over
from geobservatory.mirror.streams import Wanted, upstream

_SHOWN = 200


@dataclass(frozen=True)
class StreamPlan:
    """What the next run would do for a stream.

    Attributes
    ----------
    looks
        Hub to what is asked of it: all of the window, or since when.
    turns
        What is fetched, what is tried again later, and how many products are of which kind.
    goes
        What is taken away to make room; at most 200.
    """

    stream: str
    looks: dict[str, str]
    turns: Turns
    goes: tuple[Going, ...]


@dataclass(frozen=True)
class Plan:
    """What the next run would do.

    Attributes
    ----------
    over
        What goes because its time is over, or another took its place; at most 200.
    """

    streams: tuple[StreamPlan, ...]
    over: tuple[Going, ...]


def plan(archive: Archive) -> Plan:
    """Say what the next run would do, by what is known now: what a look brings is not."""
    kept = needed(archive)
    going = []
    for one in over(archive, kept):
        going.append(one)
        if len(going) == _SHOWN:
            break
    streams = tuple(_stream(archive, one, kept) for one in archive.streams)
    return Plan(streams, tuple(going))


def limits(archive: Archive, wanted: Wanted) -> Limits:
    """Say what bounds a stream now."""
    now = archive.now()
    # Another machine's clock may be ahead: what it let go by age is not fetched again by this one.
    newest = archive.catalog.newest_held(wanted.name) or now
    low, high = (archive.mark(one, wanted.name).stream for one in (archive.low, archive.high))
    return Limits(
        stream=wanted.name,
        start=wanted.window(max(now, newest)),
        now=now,
        low=low,
        high=high,
        back=low - (high - low) // 2,
        usual=USUAL_BYTES,
    )


def turns(archive: Archive, wanted: Wanted, first: Collection[str], *, most: int = _SHOWN) -> Turns:
    """Say which of a stream's products are fetched next."""
    newest = wanted.stream.first == "newest"
    return archive.catalog.turns(limits(archive, wanted), first, newest=newest, most=most)


def why(turn: Turn) -> str:
    """Say in words why a product is fetched."""
    said = ["an open activation waits for it"] if turn.first else []
    if turn.outdated:
        said.append(turn.outdated)
    elif turn.there == "coming":
        said.append("it was begun")
    elif turn.there == "quarantined":
        said.append("it was damaged")
    elif turn.there in ("part", "reduced"):
        said.append("only a part of it is here")
    elif turn.evicted_at is not None:
        said.append("it had to go, and there is room again")
    else:
        said.append("it is missing")
    if turn.attempts:
        said.append(f"{turn.attempts} times it could not be had: {turn.reason}")
    return "; ".join(said)


def _stream(archive: Archive, wanted: Wanted, kept: dict[str, str]) -> StreamPlan:
    found = turns(archive, wanted, kept)
    _, size = found.totals.get(FETCH, (0, 0))
    newest = max((one.sensed_at for one in found.fetch), default=archive.now())
    goes = []
    for one in for_room(archive, wanted.name, newest, size, kept):
        goes.append(one)
        if len(goes) == _SHOWN:
            break
    return StreamPlan(wanted.name, _looks(archive, wanted), found, tuple(goes))


def _looks(archive: Archive, wanted: Wanted) -> dict[str, str]:
    now, mirror = archive.now(), archive.settings.mirror
    known = archive.catalog.looks(wanted.name)
    said = {}
    for hub in upstream(archive.settings, wanted.stream).hubs:
        one = known.get(hub.name)
        if one is None or one.full_at is None or one.seen_until is None:
            said[hub.name] = "all of the window: it was never read to the end"
        elif one.definition != wanted.definition:
            said[hub.name] = "all of the window: the stream is another"
        elif now - one.full_at >= timedelta(hours=mirror.full_look_hours):
            said[hub.name] = f"all of the window: last {_plain(one.full_at)}"
        else:
            since = one.seen_until - timedelta(hours=mirror.overlap_hours)
            said[hub.name] = f"what it published since {_plain(since)}"
        if one is not None and one.failure:
            said[hub.name] += f"; the last look failed: {one.failure}"
    return said


def _plain(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
