"""A ground segment that publishes day after day, and upstreams that pass it on as told.

Asked through the same interface as real hubs (`geobservatory.hubs.connector`), at a time that is
turned by hand, so that a year takes minutes. What is published, when, where it becomes visible and
what its bytes are follows from a seed alone: whoever asks later knows what should have come. What
strikes a question or a download is drawn anew each time.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from random import Random, SystemRandom

from shapely.geometry import Polygon, box

from geobservatory.hubs.model import Offer, Product, Query
from geobservatory.probing.clock import Clock
from geobservatory.transfer.inside import Inside
from geobservatory.transfer.source import (
    HubBusyError,
    HubUnreachableError,
    ProductGoneError,
    ProductOfflineError,
    Reply,
)

_PAGE, _PIECE = 100, 700
# Longest time from sensing to the last that becomes visible anywhere.
_LATEST = timedelta(days=12)
HOME, FAR = box(18, 34, 28, 42), box(120, 0, 123, 2)
_ELSEWHERE = tuple(box(x, y, x + 3, y + 2) for x in (-120, -60, 60, 120) for y in (-40, 0, 50))


@dataclass(frozen=True)
class Published:
    """A product of the ground segment.

    Attributes
    ----------
    ready
        When the ground segment has it.
    gone
        When it is withdrawn everywhere; None where it stays.
    changed
        When another content takes its place under the same name; None where none does.
    """

    product: Product
    ready: datetime
    gone: datetime | None = None
    changed: datetime | None = None

    def content(self, at: datetime) -> bytes:
        """Give the bytes of it at a time."""
        return content_of(self.product.name, self.changed is not None and at >= self.changed)


@dataclass(frozen=True)
class Segment:
    """What is published.

    Attributes
    ----------
    a_day, at_home
        Products a day in all, and of these over the area `HOME`.
    again
        Part of those at home that are processed again a day later, under another name.
    withdrawn, changed
        Parts that are withdrawn after two days, or get another content after one.
    """

    a_day: int = 2000
    at_home: int = 20
    again: float = 0.02
    withdrawn: float = 0.01
    changed: float = 0.01
    seed: int = 0

    def __hash__(self) -> int:
        """Segments of one seed are one."""
        return hash((self.a_day, self.at_home, self.seed))

    @lru_cache(maxsize=80)  # noqa: B019  (segments are few, and live as long as the process)
    def day(self, date: datetime) -> tuple[Published, ...]:
        """List what is sensed on a day (UTC midnight), processed again included."""
        chance, made = Random(f"{self.seed}{date:%F}"), []  # noqa: S311
        for number in range(self.a_day):
            home = number < self.at_home
            at = date + timedelta(seconds=chance.randrange(86_400))
            area = HOME if home else chance.choice(_ELSEWHERE)
            product = _product(at, number, chance.randrange(65_536), area)
            ready = product.stop + timedelta(hours=chance.uniform(0.5, 3))
            fate = chance.random()
            gone = ready + timedelta(days=2) if home and fate < self.withdrawn else None
            changed = (
                ready + timedelta(days=1)
                if home and self.withdrawn <= fate < self.withdrawn + self.changed
                else None
            )
            made.append(Published(product, ready, gone, changed))
            if home and fate > 1 - self.again:
                again = _product(at, number, chance.randrange(65_536), area)
                made.append(Published(again, ready + timedelta(days=1)))
        return tuple(made)


@dataclass(frozen=True)
class Habits:
    """What an upstream is like; probabilities are of each question, page or download.

    Attributes
    ----------
    delay_h
        Usual hours from the ground segment to its listing.
    late, backdated
        Parts that become visible up to a day, or up to ten days, after the publication that the
        listing tells of them.
    share
        Of the products that it ever gets.
    checksums
        Whether it tells them.
    fails, breaks, damages, lies
        Of questions that fail, of downloads that break off, that come damaged, and of checksums
        that are wrong.
    stale, forgets
        Of listings as they were a day ago, and of empty ones.
    offline, gone
        Of downloads that are on tape, or that it does not have though it lists them.
    away
        Part of the days that it is away all day.
    """

    delay_h: float = 1.0
    late: float = 0.05
    backdated: float = 0.01
    share: float = 0.9
    checksums: bool = True
    fails: float = 0.05
    breaks: float = 0.05
    damages: float = 0.02
    lies: float = 0.02
    stale: float = 0.01
    forgets: float = 0.005
    offline: float = 0.01
    gone: float = 0.01
    away: float = 0.03
    seed: int = 0


@dataclass(frozen=True)
class Listed:
    """A product in an upstream's listing: what it tells, and when it becomes visible."""

    of: Published
    published: datetime
    visible: datetime


class Upstream:
    """An upstream; see `Connector`. Of a query it knows area, start and publication alone.

    Parameters
    ----------
    clock
        By which it acts.
    chance
        What strikes; of the system where None.
    """

    def __init__(
        self,
        name: str,
        habits: Habits,
        segment: Segment,
        clock: Clock,
        chance: Random | None = None,
    ) -> None:
        self._name, self.habits, self._segment, self._clock = name, habits, segment, clock
        self._chance = chance or SystemRandom()
        self.opened = 0

    @property
    def name(self) -> str:
        """See `Connector.name`."""
        return self._name

    def search(self, query: Query) -> Iterator[Sequence[Offer]]:
        """See `Connector.search`."""
        self._answer()
        now = self._clock.now()
        if self._strikes(self.habits.forgets):
            return
        if self._strikes(self.habits.stale):
            now -= timedelta(days=1)
        first = query.start or now - timedelta(days=60)
        found = [one for one in self._listed(query, now) if one.of.product.stop >= first]
        found.sort(key=lambda one: one.published)
        for start in range(0, len(found), _PAGE):
            if start and self._strikes(self.habits.fails):
                raise HubUnreachableError(f"{self._name}: broken off after {start} products")
            yield [self._offer(one) for one in found[start : start + _PAGE]]

    def find(self, name: str) -> Offer | None:
        """See `Connector.find`."""
        self._answer()
        now, sensed = self._clock.now(), _sensed(name)
        listed = (self.listed(one) for one in self._segment.day(midnight(sensed)))
        for one in listed:
            if one is not None and one.of.product.name == name and _is_visible(one, now):
                return self._offer(one)
        return None

    def source(self, offer: Offer) -> "UpstreamFile":
        """See `Connector.source`."""
        return UpstreamFile(self, offer)

    def inside(self, offer: Offer) -> Inside:
        """See `Connector.inside`; this one has none."""
        raise ProductGoneError(f"{self._name}: {offer.product.name} can be had whole only")

    def listed(self, one: Published) -> Listed | None:
        """Tell when a product is listed; None where it never is."""
        lot = Random(f"{self._name}{self.habits.seed}{one.product.name}")  # noqa: S311
        if lot.random() >= self.habits.share:
            return None
        published = one.ready + timedelta(hours=self.habits.delay_h * lot.uniform(0.5, 1.5))
        late, fate = timedelta(0), lot.random()
        if fate < self.habits.backdated:
            late = timedelta(days=lot.uniform(3, 10))
        elif fate < self.habits.backdated + self.habits.late:
            late = timedelta(hours=lot.uniform(1, 24))
        return Listed(one, published, published + late)

    def content(self, name: str) -> bytes:
        """Give the bytes of a product as they are now; strikes as its habits are."""
        self.opened += 1
        now = self._clock.now()
        if self.is_away(now):
            raise HubUnreachableError(f"{self._name}: connection refused")
        if self._strikes(self.habits.fails):
            raise HubBusyError(f"{self._name}: 503, come back later", 0.0)
        if self._strikes(self.habits.offline):
            raise ProductOfflineError(f"{self._name}: {name} is on tape", 0.0)
        if self._strikes(self.habits.gone):
            raise ProductGoneError(f"{self._name}: it has no {name}")
        for one in self._segment.day(midnight(_sensed(name))):
            if one.product.name == name:
                content = one.content(now)
                if self._strikes(self.habits.damages):
                    at = self._chance.randrange(len(content))
                    content = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
                return content
        raise ProductGoneError(f"{self._name}: it has no {name}")

    def breaks(self) -> bool:
        """Tell whether this download breaks off."""
        return self._strikes(self.habits.breaks)

    def is_away(self, at: datetime) -> bool:
        """Tell whether nobody answers on a day."""
        lot = Random(f"{self._name}{self.habits.seed}{at:%F}")  # noqa: S311
        return lot.random() < self.habits.away

    def _answer(self) -> None:
        if self.is_away(self._clock.now()) or self._strikes(self.habits.fails):
            raise HubUnreachableError(f"{self._name}: it does not answer")

    def _strikes(self, probability: float) -> bool:
        return self._chance.random() < probability

    def _listed(self, query: Query, now: datetime) -> Iterator[Listed]:
        since = query.published_since
        first = query.start or now - timedelta(days=60)
        if since is not None:
            first = max(first, since - _LATEST)
        day = midnight(first)
        while day <= now:
            for one in self.day(day, query.area):
                if _is_visible(one, now) and (since is None or _stamp(one, now) >= since):
                    yield one
            day += timedelta(days=1)

    @lru_cache(maxsize=160)  # noqa: B019
    def day(self, date: datetime, area: Polygon | None = None) -> tuple[Listed, ...]:
        """List what is sensed on a day, meets an area, and is ever listed here."""
        met = (
            one
            for one in self._segment.day(date)
            if area is None or _meets(area, one.product.footprint)
        )
        listed = (self.listed(one) for one in met)
        return tuple(one for one in listed if one is not None)

    def _offer(self, listed: Listed) -> Offer:
        now, one = self._clock.now(), listed.of
        content = one.content(now)
        sums = {}
        if self.habits.checksums:
            sums["md5"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if self._strikes(self.habits.lies):
                sums["md5"] = sums["md5"][::-1]
        return Offer(
            one.product,
            self._name,
            f"{self._name}/{one.product.name}",
            "",
            _stamp(listed, now),
            True,
            len(content),
            sums,
        )


@dataclass(frozen=True)
class UpstreamFile:
    """A product of an upstream; see `Source`."""

    of: Upstream
    offer: Offer
    checksums: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Tell what the offer tells."""
        object.__setattr__(self, "checksums", self.offer.checksums)

    @property
    def hub(self) -> str:
        """See `Source`."""
        return self.of.name

    @property
    def name(self) -> str:
        """See `Source`."""
        return f"{self.offer.product.name}.SAFE.zip"

    @property
    def size(self) -> int | None:
        """See `Source`."""
        return self.offer.size

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        """See `Source.open`."""
        content = self.of.content(self.offer.product.name)[:stop]
        breaks = self.of.breaks()

        def pieces() -> Iterator[bytes]:
            for start in range(first_byte, len(content), _PIECE):
                if breaks and start > first_byte:
                    raise HubUnreachableError(f"{self.hub}: connection reset")
                yield content[start : start + _PIECE]

        return Reply(first_byte, len(content), pieces(), lambda: None)


@cache
def content_of(name: str, changed: bool) -> bytes:
    """Make the bytes of a product: a small SAFE zip."""
    chance = Random(f"{name}{changed}")  # noqa: S311
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for member, content in (
            ("manifest.safe", b"<xfdu/>"),
            ("annotation/s1a-iw1-slc-vv.xml", b"<product/>"),
            ("measurement/s1a-iw1-slc-vv.tiff", chance.randbytes(chance.randint(1000, 4000))),
        ):
            entry = zipfile.ZipInfo(f"{name}.SAFE/{member}", (2024, 1, 1, 0, 0, 0))
            archive.writestr(entry, content)
    return made.getvalue()


def _product(at: datetime, number: int, crc: int, area: Polygon) -> Product:
    stop = at + timedelta(seconds=27)
    take = f"{at:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}_{50_000 + number % 175:06d}_{number:06X}"
    start = f"S1A_IW_SLC__1SDV_{take}"
    return Product(
        name=f"{start}_{crc:04X}",
        mission="S1A",
        mode="IW",
        product_type="SLC",
        polarisations=("VV", "VH"),
        start=at,
        stop=stop,
        absolute_orbit=50_000 + number % 175,
        relative_orbit=number % 175 + 1,
        direction="ascending",
        footprint=area,
        acquisition=start,
    )


@cache
def _meets(area: Polygon, footprint: Polygon) -> bool:
    return bool(area.intersects(footprint))


def _stamp(listed: Listed, now: datetime) -> datetime:
    """Tell the publication that is listed: of the content that is there now."""
    changed = listed.of.changed
    if changed is not None and now >= changed:
        return max(listed.published, changed)
    return listed.published


def _is_visible(listed: Listed, now: datetime) -> bool:
    return listed.visible <= now and (listed.of.gone is None or now < listed.of.gone)


def _sensed(name: str) -> datetime:
    return datetime.strptime(name[17:32], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def midnight(at: datetime) -> datetime:
    """Tell when the day of a time began."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
