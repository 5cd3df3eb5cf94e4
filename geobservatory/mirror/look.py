"""Learn what was published since the last look, from every upstream.

Each look at an upstream begins some time before the last publication that was read, by the hub's
own clock: products that become visible late, or out of order, are met again. Now and then all of
the window is read, by the time of sensing, so that what was published with an older date is met
too, and what is listed no longer is noticed. What came before a hub failed counts; how far it has
been read is written only where it answered to the end.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from geobservatory.catalog.mirror import Held
from geobservatory.catalog.mirror_ledger import Look
from geobservatory.errors import GeobservatoryError
from geobservatory.hubs.connector import Connector
from geobservatory.hubs.model import Offer
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.streams import Wanted
from geobservatory.sentinel1.names import parse_name
from geobservatory.settings.model import Hub
from geobservatory.transfer.attempt import outcome_of

_DEADLINE_S = 1800.0
# A hub that lists less than this part of what it had is not believed to have lost the rest.
_BELIEVED, _DOUBTFUL = 0.5, "doubtful"
# A hub that keeps products so long may let them go a day before.
_ROLLS_EARLY = timedelta(days=1)


@dataclass(frozen=True)
class Looked:
    """What a look at one upstream brought.

    Attributes
    ----------
    found
        Products of the stream that it listed.
    new
        Names of those that no upstream had listed before.
    full
        Whether all of the window was asked for.
    failure
        Why it did not come to its end; empty where it did.
    """

    stream: str
    hub: str
    found: int
    new: tuple[str, ...]
    seconds: float
    full: bool
    failure: str = ""


@dataclass
class _Course:
    """What came of a look so far."""

    found: int = 0
    new: list[str] = field(default_factory=list)
    newest: datetime | None = None


def look(
    archive: Archive,
    wanted: Wanted,
    upstreams: Iterable[tuple[Hub, Connector]],
    *,
    full: bool = False,
    told: Callable[[Looked], None] | None = None,
) -> list[Looked] | None:
    """Look at every upstream of a stream, all at once.

    Parameters
    ----------
    full
        Ask for all of the window, due or not.
    told
        Called as each has ended, in threads of their own.

    Returns
    -------
    list or None
        None where another process is looking.
    """
    with archive.catalog.looking(wanted.name) as ours:
        if not ours:
            return None
        known, asked = archive.catalog.looks(wanted.name), list(upstreams)

        def one(upstream: tuple[Hub, Connector]) -> Looked:
            hub, connector = upstream
            looked = _look(archive, wanted, connector, known.get(hub.name), full)
            if told is not None:
                told(looked)
            return looked

        with ThreadPoolExecutor(max(1, len(asked))) as pool:
            done = list(pool.map(one, asked))
        _withdraw(archive, wanted, {hub.name: hub for hub, _ in asked})
        return done


def _look(
    archive: Archive, wanted: Wanted, connector: Connector, known: Look | None, full: bool
) -> Looked:
    now, began, course = archive.now(), time.monotonic(), _Course()
    mirror = archive.settings.mirror
    if known is not None and known.definition != wanted.definition:
        known = None
    since = None
    due = known is None or known.full_at is None or known.seen_until is None
    if known is not None and known.full_at is not None:
        due = due or now - known.full_at >= timedelta(hours=mirror.full_look_hours)
    full = full or due
    if not full and known is not None and known.seen_until is not None:
        since = known.seen_until - timedelta(hours=mirror.overlap_hours)
    failure = ""
    try:
        for page in connector.search(wanted.query(now, since)):
            _take(archive, wanted, connector.name, page, now, full, course)
            if time.monotonic() - began > _DEADLINE_S:
                failure = f"no end after {_DEADLINE_S:.0f} s; the next look goes on"
                break
        if full and known is not None and not failure:
            failure = _doubt(known, course)
    except GeobservatoryError as error:
        failure = f"{outcome_of(error).value}: {error}"
    _keep(archive, wanted, connector.name, known, now, full, course, failure)
    seconds = time.monotonic() - began
    return Looked(
        wanted.name, connector.name, course.found, tuple(course.new), seconds, full, failure
    )


def _take(
    archive: Archive,
    wanted: Wanted,
    hub: str,
    page: Iterable[Offer],
    now: datetime,
    full: bool,
    course: _Course,
) -> None:
    """Enter a page of an upstream's answer."""
    catalog = archive.catalog
    offers = [one for one in page if wanted.wants(one.product, now)]
    if not offers:
        return
    course.found += len(offers)
    published = [one.published for one in offers if one.published is not None]
    # A hub whose clock is ahead is not followed into the future.
    course.newest = max([*published, *([course.newest] if course.newest else [])], default=None)
    fresh = catalog.unknown_offers(hub, wanted.name, offers)
    if fresh:
        catalog.record_offers(fresh)
        course.new += catalog.want(wanted.name, fresh, now)
        if wanted.stream.updated == "replace":
            catalog.supersede(wanted.name, {one.product.acquisition for one in fresh}, now)
            catalog.note_outdated(wanted.name, _outdated(archive, fresh), now)
    if full:
        catalog.note_listed(wanted.name, [one.product.name for one in offers], now)


def _outdated(archive: Archive, offers: list[Offer]) -> dict[str, str]:
    """Find what is held and has been published again with another content."""
    found = {}
    for offer in offers:
        entry = archive.catalog.held(offer.product.name)
        if entry is not None and entry.whole and (why := other_content(entry, offer)):
            found[entry.name] = why
    return found


def other_content(entry: Held, offer: Offer) -> str:
    """Say how what a hub offers differs from what is held under the name; empty where it does not.

    Only of what was published after all that was known when it came: a hub that tells a wrong
    checksum of the same product is no reason to fetch it again.
    """
    known = entry.upstream.get("published")
    if known is None or offer.published is None or offer.published <= datetime.fromisoformat(known):
        return ""
    sums = {**entry.upstream.get("checksums", {})}
    own, _, digits = entry.checksum.partition(":")
    sums[own] = [digits]
    for name, value in offer.checksums.items():
        if name in sums and value.lower() not in sums[name]:
            return f"{offer.hub} published it again {offer.published:%F %H:%M} UTC: another {name}"
    if offer.size is not None and offer.size != entry.size:
        return f"{offer.hub} published it again {offer.published:%F %H:%M} UTC: another size"
    return ""


def _doubt(known: Look, course: _Course) -> str:
    if known.full_at is not None and course.found < _BELIEVED * known.found:
        return f"{_DOUBTFUL}: it lists {course.found} products, and {known.found} the last time"
    return ""


def _keep(
    archive: Archive,
    wanted: Wanted,
    hub: str,
    known: Look | None,
    now: datetime,
    full: bool,
    course: _Course,
    failure: str,
) -> None:
    seen = known.seen_until if known else None
    full_at = known.full_at if known else None
    before = known.full_before_at if known else None
    if not failure:
        seen = max((at for at in (seen, course.newest) if at is not None), default=None)
        seen = None if seen is None else min(seen, now)
        if full:
            full_at, before = now, full_at
    # How many there are is told by a full look alone; what was doubted is believed the next time.
    counts = full and (not failure or failure.startswith(_DOUBTFUL))
    found = course.found if counts else known.found if known else 0
    archive.catalog.keep_look(
        Look(wanted.name, hub, wanted.definition, seen, now, full_at, before, found, failure[:500])
    )


def _withdraw(archive: Archive, wanted: Wanted, hubs: dict[str, Hub]) -> None:
    """Notice what no upstream has listed in two full looks, though it would still keep it."""
    now, looks = archive.now(), archive.catalog.looks(wanted.name)
    times = [looks[name].full_before_at if name in looks else None for name in hubs]
    told = [one for one in times if one is not None]
    if len(told) < len(hubs) or not told:
        return
    unlisted = archive.catalog.unlisted(wanted.name, min(told), wanted.window(now))
    gone = []
    for name, had in unlisted.items():
        entry_age = now - parse_name(name).start
        if any(_would_keep(hubs[hub], entry_age) for hub in had if hub in hubs):
            gone.append(name)
    if gone:
        archive.catalog.withdraw(
            wanted.name, gone, now, "no upstream lists it any more, in two looks at all"
        )


def _would_keep(hub: Hub, age: timedelta) -> bool:
    return hub.rolling_days is None or age < timedelta(days=hub.rolling_days) - _ROLLS_EARLY
