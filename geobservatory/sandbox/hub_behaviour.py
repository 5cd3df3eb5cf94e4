"""Hubs with known behaviour, on a clock that is turned by hand: a month of probing in a minute.

They are asked through the same interface as real ones (`geobservatory.hubs.connector`), and have
what real ones have: hours at which they are slow, outages of several kinds, delays, gaps, lies.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random

from shapely.geometry import box

from geobservatory.hubs.model import Offer, Product, Query
from geobservatory.hubs.products import make_product
from geobservatory.transfer.source import HubUnreachableError, ProductGoneError, Reply

_PAGE = 100
_PIECE = 1 << 20
_HANGS_S = 60.0
_ANNOTATION = b"<product/>" * 100
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


class TurnedClock:
    """A clock that stands still but for what is waited for; see `probing.clock.Clock`."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        """Tell what time it is, UTC."""
        return self._now

    def elapsed(self) -> float:
        """Give seconds since some moment."""
        return (self._now - _EPOCH).total_seconds()

    def wait(self, seconds: float) -> None:
        """Turn it on by so much."""
        self._now += timedelta(seconds=seconds)

    def turn_to(self, now: datetime) -> None:
        """Turn it on to a time; never back."""
        self._now = max(self._now, now)


class Failing(StrEnum):
    """How a hub is out of order."""

    REFUSES = "refuses"  # nobody listens
    HANGS = "hangs"  # it takes the question and never answers
    MAINTENANCE = "maintenance"  # a web page in place of the answer
    FORGETS = "forgets"  # it answers that it has nothing
    BREAKS = "breaks"  # downloads end in the middle
    DAMAGES = "damages"  # files are not as their checksums say
    STANDS = "stands"  # nothing new is listed


@dataclass(frozen=True)
class Spell:
    """A time in which a hub is out of order."""

    start: datetime
    stop: datetime
    how: Failing


@dataclass(frozen=True)
class Behaviour:
    """What a hub is like.

    Attributes
    ----------
    search_s, search_spread
        Median time to an answer, and the standard deviation of its logarithm.
    slow_hours
        Hour of day (UTC) to by how much everything is slower then.
    bytes_per_s, speed_spread
        Median speed of downloads, and the standard deviation of its logarithm.
    drift
        Date to by how much it is slower from then on.
    failure_rate
        Of single questions, in good times.
    delay_h, delay_spread
        Median time from sensing to publication, and the standard deviation of its logarithm.
    share
        Of the products it ever gets.
    rolling_days
        How long it keeps them; for ever where None.
    lies
        From when to when its dates of publication are how many hours off.
    """

    search_s: float = 1.0
    search_spread: float = 0.3
    slow_hours: Mapping[int, float] = field(default_factory=dict)
    bytes_per_s: float = 20e6
    speed_spread: float = 0.2
    drift: tuple[datetime, float] | None = None
    failure_rate: float = 0.0
    delay_h: float = 3.0
    delay_spread: float = 0.3
    share: float = 1.0
    rolling_days: float | None = None
    spells: tuple[Spell, ...] = ()
    lies: tuple[tuple[datetime, datetime, float], ...] = ()


class BehavingHub:
    """A hub that behaves as told; see `Connector`.

    Parameters
    ----------
    name
        Of the hub.
    behaviour
        What it is like.
    products
        What there is, in the order of sensing.
    clock
        By which it acts; it is turned on by what its answers take.
    seed
        Of its chance.
    """

    def __init__(
        self,
        name: str,
        behaviour: Behaviour,
        products: Sequence[Product],
        clock: TurnedClock,
        seed: int = 0,
    ) -> None:
        self._name, self.behaviour, self._clock = name, behaviour, clock
        self._chance = Random(f"{name}{seed}")  # noqa: S311  (no secret)
        self.published: dict[str, tuple[datetime, Product]] = {}
        for product in products:
            lot = Random(f"{name}{product.name}")  # noqa: S311
            if lot.random() < behaviour.share:
                hours = lot.lognormvariate(math.log(behaviour.delay_h), behaviour.delay_spread)
                self.published[product.name] = product.stop + timedelta(hours=hours), product

    @property
    def name(self) -> str:
        """See `Connector.name`."""
        return self._name

    def search(self, query: Query) -> Iterator[Sequence[Offer]]:
        """See `Connector.search`."""
        self._answer()
        since = query.published_since
        found = [
            self._offer(product, at)
            for at, product in self._listed()
            if (since is None or self.dated(at) >= since) and query.matches(product)
        ]
        for start in range(0, len(found), _PAGE):
            yield found[start : start + _PAGE]

    def find(self, name: str) -> Offer | None:
        """See `Connector.find`."""
        self._answer()
        return next((self._offer(one, at) for at, one in self._listed() if one.name == name), None)

    def source(self, offer: Offer) -> "BehavingFile":
        """See `Connector.source`."""
        return BehavingFile(self, offer.product.name, offer.size or 0, {})

    def inside(self, offer: Offer) -> "BehavingInside":
        """See `Connector.inside`."""
        return BehavingInside(self, offer.product.name)

    def speed(self, at: datetime) -> float:
        """Give the median speed at a time, bytes a second: what an oracle knows."""
        slower = self.behaviour.slow_hours.get(at.hour, 1.0)
        if self.behaviour.drift is not None and at >= self.behaviour.drift[0]:
            slower *= self.behaviour.drift[1]
        return self.behaviour.bytes_per_s / slower

    def dated(self, published: datetime) -> datetime:
        """Give the date that it tells of what it published at a time."""
        for start, stop, hours in self.behaviour.lies:
            if start <= published < stop:
                return published + timedelta(hours=hours)
        return published

    def is_failing(self, *hows: Failing) -> bool:
        """Tell whether it is out of order now in one of some ways."""
        now = self._clock.now()
        return any(
            spell.start <= now < spell.stop and spell.how in hows for spell in self.behaviour.spells
        )

    def sends(self, content: int) -> Iterator[bytes]:
        """Send so many bytes, in the time that takes."""
        speed = self.speed(self._clock.now())
        speed *= self._chance.lognormvariate(0, self.behaviour.speed_spread)
        self._clock.wait(self._took())
        sent = 0
        while sent < content:
            if sent and self.is_failing(Failing.BREAKS):
                raise HubUnreachableError(f"{self._name}: broken off after {sent} bytes")
            piece = min(_PIECE, content - sent)
            self._clock.wait(piece / speed)
            sent += piece
            yield bytes(piece)

    def _answer(self) -> None:
        """Take the time an answer takes, and fail where it is time to fail."""
        if self.is_failing(Failing.HANGS):
            self._clock.wait(_HANGS_S)
            raise HubUnreachableError(f"{self._name}: it does not answer")
        if self.is_failing(Failing.REFUSES):
            raise HubUnreachableError(f"{self._name}: ConnectionError: refused")
        self._clock.wait(self._took())
        if self.is_failing(Failing.MAINTENANCE):
            raise HubUnreachableError(f"{self._name}: it answers with text/html in place of JSON")
        if self._chance.random() < self.behaviour.failure_rate:
            raise HubUnreachableError(f"{self._name}: the hub answers 502 Bad Gateway")

    def _took(self) -> float:
        slower = self.behaviour.slow_hours.get(self._clock.now().hour, 1.0)
        usual = math.log(self.behaviour.search_s * slower)
        return self._chance.lognormvariate(usual, self.behaviour.search_spread)

    def _listed(self) -> list[tuple[datetime, Product]]:
        if self.is_failing(Failing.FORGETS):
            return []
        now = self._clock.now()
        standing = [
            one.start
            for one in self.behaviour.spells
            if one.how is Failing.STANDS and one.start <= now < one.stop
        ]
        until = min(standing, default=now)
        days = self.behaviour.rolling_days
        kept = None if days is None else now - timedelta(days=days)
        return sorted(
            (
                (at, product)
                for at, product in self.published.values()
                if at <= until and (kept is None or product.start >= kept)
            ),
            key=lambda one: (one[0], one[1].name),
        )

    def _offer(self, product: Product, at: datetime) -> Offer:
        dated = self.dated(at)
        return Offer(product, self._name, product.name, "", dated, True, 4_000_000_000, {})


@dataclass(frozen=True)
class BehavingFile:
    """A file of a hub that behaves as told; see `Source`."""

    of: BehavingHub
    name: str
    size: int
    checksums: Mapping[str, str]
    content: bytes | None = None

    @property
    def hub(self) -> str:
        """See `Source`."""
        return self.of.name

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        """See `Source.open`."""
        if self.of.is_failing(Failing.REFUSES, Failing.HANGS, Failing.MAINTENANCE):
            raise HubUnreachableError(f"{self.hub}: it does not answer")
        count = (self.size if stop is None else min(stop, self.size)) - first_byte
        chunks = self.of.sends(count) if self.content is None else iter((self.content,))
        return Reply(first_byte, self.size, chunks, lambda: None)


@dataclass(frozen=True)
class BehavingInside:
    """The files inside a product of a hub that behaves as told; see `Inside`."""

    of: BehavingHub
    name: str

    @property
    def hub(self) -> str:
        """See `Inside`."""
        return self.of.name

    def members(self) -> Mapping[str, int]:
        """See `Inside.members`."""
        return {"annotation/s1a-iw1.xml": len(_ANNOTATION)}

    def source(self, member: str) -> BehavingFile:
        """See `Inside.source`."""
        if member not in self.members():
            raise ProductGoneError(f"{self.name} from {self.hub}: it holds no {member}")
        md5 = hashlib.md5(_ANNOTATION, usedforsecurity=False).hexdigest()
        content = _ANNOTATION
        if self.of.is_failing(Failing.DAMAGES):
            content = b"?" + _ANNOTATION[1:]
        return BehavingFile(self.of, member, len(_ANNOTATION), {"md5": md5}, content)


def make_products(start: datetime, stop: datetime, every: timedelta) -> list[Product]:
    """Make products that are sensed one after the other."""
    made, at, number = [], start, 0
    while at < stop:
        end = at + timedelta(seconds=27)
        name = (
            f"S1A_IW_SLC__1SDV_{at:%Y%m%dT%H%M%S}_{end:%Y%m%dT%H%M%S}"
            f"_{50_000 + number // 15:06d}_{number:06X}_{number % 65_536:04X}"
        )
        made.append(make_product(name, box(-8, 30, -6, 32), start=at, stop=end))
        at, number = at + every, number + 1
    return made
