"""One round of questions to one hub: what is asked, in which order, and what it may cost."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from shapely.geometry import shape

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.measurements import Kind, Measured
from geobservatory.hubs.connector import HasTokenService
from geobservatory.hubs.model import Offer, Query
from geobservatory.probing import probes
from geobservatory.probing.certificate import certificate
from geobservatory.probing.clock import Clock
from geobservatory.probing.dates import dates
from geobservatory.settings.model import Hub, Settings
from geobservatory.transfer.attempt import Measurement, Outcome
from geobservatory.transfer.slots import Slots

PART = "probe"
# One failure may be a hiccup: asked again after so many seconds, unless trouble is known.
_AGAIN_S = (2.0, 5.0)
# Publication times are the hub's own: what was published about when it was last asked comes again.
_OVERLAP = timedelta(hours=2)
_FIRST_LOOK, LONGEST_LOOK = timedelta(days=2), timedelta(days=10)
# Of what the hub is asked for by name: new enough to be there, old enough to be there everywhere.
_NEWEST, _OLDEST = timedelta(hours=1), timedelta(days=10)
_CANARIES = 50
# Compared are products first published within this time.
_COMPARED_FROM, _COMPARED_TO = timedelta(days=6), timedelta(days=1)
_FEWEST_COMPARED = 5

Told = Callable[[Measured], None]


@dataclass(frozen=True)
class Means:
    """By what hubs are probed.

    Attributes
    ----------
    chance
        By which products are picked.
    slots
        Places for transfers, shared with all other traffic.
    """

    settings: Settings
    catalog: Catalog
    clock: Clock
    chance: Random
    slots: Slots


class Round:
    """One round of questions to one hub.

    Parameters
    ----------
    asked
        The hub.
    told
        Called with each measurement as it is made.

    Attributes
    ----------
    made
        What is not recorded yet.
    all
        Everything that was measured.
    """

    def __init__(self, means: Means, hub: Hub, asked: probes.Asked, told: Told | None) -> None:
        self._hub, self._asked, self._told = hub, asked, told
        self._settings, self._catalog = means.settings, means.catalog
        self._clock, self._chance, self._slots = means.clock, means.chance, means.slots
        self._down = {one.aspect for one in self._catalog.open_incidents(hub.name)}
        self._now = self._clock.now()
        self.made: list[Measured] = []
        self.all: list[Measured] = []

    def run(self, wanted: Collection[Kind]) -> None:
        """Ask what is wanted; of a hub that does not answer a search nothing more."""
        if Kind.SEARCH in wanted and not self._search():
            return
        if "reachable" in self._down:
            # A hub that has lost its products answers searches: it is well when it knows one again.
            wanted = {Kind.METADATA}
        service = self._asked.connector
        if Kind.TOKEN in wanted and isinstance(service, HasTokenService) and service.renewable:
            renewing = service
            self._twice(lambda: probes.token(self._asked, renewing), "token")
        if wanted & {Kind.METADATA, Kind.TRANSFER, Kind.INTEGRITY}:  # type: ignore[operator]
            self._of_a_product(wanted)
        if Kind.CERTIFICATE in wanted and self._hub.address.startswith("https:"):
            self._keep(certificate(self._asked, self._hub.address))
        if Kind.WINDOW in wanted:
            self._keep(probes.window(self._asked, self._query(), self._now))
        if Kind.COMPLETENESS in wanted:
            self._completeness()

    def _search(self) -> bool:
        """Search for what is new; tells whether the hub answered."""
        name = self._hub.name
        last = self._catalog.last_by(
            name, Kind.SEARCH, self._now - LONGEST_LOOK, self._now, PART, well=True
        )
        query = replace(self._query(), published_since=self._since(last))
        found: list[Offer] = []

        def ask() -> Measured:
            measured, offers = probes.search(self._asked, query)
            found.extend(offers)
            return replace(measured, detail={**measured.detail, "by": PART})

        answered = self._twice(ask, "reachable").ok
        # What comes after an outage is dated before it: that is no lie.
        if answered and not {"reachable", "stale"} & self._down:
            known = self._catalog.offered(name, [one.product.name for one in found])
            off = dates(name, found, known, last, self._clock.now())
            if off is not None:
                self._keep(off)
        # What a hub told before it broke off counts.
        self._catalog.record_offers(found)
        return answered

    def _since(self, last: datetime | None) -> datetime:
        """Tell from which date on what is published may be new."""
        newest = self._catalog.newest_publication(self._hub.name)
        if last is None:
            return self._now - (_FIRST_LOOK if newest is None else LONGEST_LOOK)
        # A hub's clock may be behind: what comes next is dated after what came last, at least.
        since = last - _OVERLAP if newest is None else min(last - _OVERLAP, newest)
        return max(since, self._now - LONGEST_LOOK)

    def _of_a_product(self, wanted: Collection[Kind]) -> None:
        canaries = self._catalog.known_offers(
            self._hub.name, self._now - _OLDEST, self._now - _NEWEST, _CANARIES
        )
        if not canaries:
            return
        found: Offer | None = None

        def ask() -> Measured:
            nonlocal found
            held = self._chance.choice(canaries)
            measured, found = probes.metadata(self._asked, held)
            return replace(measured, product_type=held.product_type)

        if not self._twice(ask, "reachable").ok or found is None:
            return
        kind = found.product.product_type
        if (told := probes.online(found, self._now)) is not None:
            self._keep(replace(told, product_type=kind))
        if found.online is False or "token" in self._down:
            return
        if Kind.TRANSFER in wanted:
            self._sample(found)
        if Kind.INTEGRITY in wanted:
            offer = found
            self._twice(
                lambda: replace(probes.integrity(self._asked, offer), product_type=kind),
                "integrity",
            )

    def _sample(self, offer: Offer) -> None:
        size = int(self._settings.probing.sample_mb * 1e6)
        if offer.size is not None:
            size = min(size, offer.size)
        if size > self._allowed_bytes():
            return
        for pause in (0.0, *_AGAIN_S):
            self._clock.wait(pause)
            with self._place() as free:
                # All places taken is traffic, which tells more than a sample.
                if not free:
                    return
                first = self._chance.randrange(max(1, (offer.size or size) - size + 1))
                measured = probes.sample(self._asked, offer, first, size)
            self._catalog.record_transfer(offer, measured, PART)
            ok = measured.outcome is Outcome.DONE
            cause = "" if ok else measured.outcome.value
            self._tell(
                Measured(
                    self._hub.name,
                    Kind.TRANSFER,
                    measured.at,
                    _speed(measured),
                    ok,
                    cause,
                    offer.product.product_type,
                    {"first_byte_s": measured.first_byte_s},
                )
            )
            if ok or "download" in self._down:
                return

    @contextmanager
    def _place(self) -> Iterator[bool]:
        release = self._slots.take(self._hub.name)
        try:
            yield release is not None
        finally:
            if release is not None:
                release()

    def _allowed_bytes(self) -> float:
        """Tell how many bytes samples may take yet of the day's and the month's share."""
        share, left = self._settings.probing.quota_share, []
        for quota, days in ((self._hub.daily_quota_gb, 1), (self._hub.monthly_quota_gb, 30)):
            if quota is not None:
                since = self._now - timedelta(days=days)
                used = self._catalog.received_bytes(self._hub.name, since, PART)
                left.append(share * quota * 1e9 - used)
        return min(left, default=float("inf"))

    def _completeness(self) -> None:
        names = [hub.name for hub in self._settings.hubs]
        if len(names) < 2 or not self._catalog.was_asked(
            self._hub.name, Kind.SEARCH, self._now - _COMPARED_FROM
        ):
            return
        area = None if self._hub.area is None else shape(self._hub.area)
        counts: dict[str | None, list[int]] = {}
        for held, kind, footprint in self._catalog.held_by(
            self._hub.name, names, self._now - _COMPARED_FROM, self._now - _COMPARED_TO
        ):
            if area is not None and not area.intersects(shape(footprint)):
                continue
            for key in (None, kind):
                of = counts.setdefault(key, [0, 0])
                of[0] += held
                of[1] += 1
        for key, (there, every) in counts.items():
            if every >= _FEWEST_COMPARED:
                detail = {"held": there, "of": every}
                self._keep(
                    Measured(
                        self._hub.name,
                        Kind.COMPLETENESS,
                        self._now,
                        there / every,
                        product_type=key,
                        detail=detail,
                    )
                )

    def _query(self) -> Query:
        area = self._settings.mirror.area
        return Query(product_type=None, mode=None, area=None if area is None else shape(area))

    def _twice(self, ask: Callable[[], Measured], aspect: str) -> Measured:
        """Ask, and where that fails again at once: whether it is trouble shall soon be known."""
        measured = self._keep(ask())
        for pause in _AGAIN_S:
            if measured.ok or aspect in self._down:
                break
            self._clock.wait(pause)
            measured = self._keep(ask())
        return measured

    def _keep(self, measured: Measured) -> Measured:
        self.made.append(measured)
        self._tell(measured)
        return measured

    def _tell(self, measured: Measured) -> None:
        self.all.append(measured)
        if self._told is not None:
            self._told(measured)


def _speed(measured: Measurement) -> float | None:
    if measured.sustained is not None:
        return measured.sustained
    return measured.bytes / measured.seconds if measured.bytes and measured.seconds else None
