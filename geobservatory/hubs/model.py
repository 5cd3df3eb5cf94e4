"""What is asked of hubs, and what they offer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal

from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError

# What goes into hubs' queries as it is.
_WORD = re.compile(r"[A-Z0-9_]{1,20}")
_PATTERN = re.compile(r"[A-Za-z0-9_*?]{1,100}")

Direction = Literal["ascending", "descending"]


@dataclass(frozen=True)
class Query:
    """What is looked for; None and empty are anything.

    Attributes
    ----------
    missions
        ``S1A`` … ``S1D``; all of Sentinel-1 if empty.
    product_type, mode, polarisation
        As ``SLC``, ``IW``, ``VV`` (the product has this channel, perhaps others).
    area
        EPSG:4326 within ±180 degrees; the footprint meets it. An area over the antimeridian is in
        two parts.
    start, stop
        Sensing meets this time, UTC.
    relative_orbit, direction
        Track, and whether the satellite flies north or south.
    name
        The product's name, or a pattern of the shell (``*``, ``?``).
    published_since
        Published at the hub then or later, UTC.
    """

    missions: tuple[str, ...] = ()
    product_type: str | None = "SLC"
    mode: str | None = "IW"
    polarisation: str | None = None
    area: BaseGeometry | None = None
    start: datetime | None = None
    stop: datetime | None = None
    relative_orbit: int | None = None
    direction: Direction | None = None
    name: str | None = None
    published_since: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what no hub could answer."""
        for what in ("start", "stop", "published_since"):
            time: datetime | None = getattr(self, what)
            if time is not None and time.tzinfo is None:
                raise InputError(f"{what} {time} has no time zone; say UTC")
        if self.start is not None and self.stop is not None and self.start >= self.stop:
            raise InputError(f"start {self.start} is not before stop {self.stop}")
        if self.relative_orbit is not None and not 1 <= self.relative_orbit <= 175:
            raise InputError(f"relative orbit {self.relative_orbit} is not within 1 and 175")
        for word in (*self.missions, self.product_type, self.mode, self.polarisation):
            if word is not None and not _WORD.fullmatch(word):
                raise InputError(f"{word!r} is no word of a product's name")
        if self.name is not None and not _PATTERN.fullmatch(self.name):
            raise InputError(f"{self.name!r} is neither a product's name nor a pattern of one")
        if self.area is not None:
            self._check(self.area)

    @staticmethod
    def _check(area: BaseGeometry) -> None:
        if area.is_empty or not area.is_valid:
            raise InputError("the area is empty or crosses itself")
        west, south, east, north = area.bounds
        if west < -180 or east > 180 or south < -90 or north > 90:
            raise InputError(f"the area ({west}, {south}, {east}, {north}) is not in degrees")

    def matches(self, product: "Product") -> bool:
        """Tell whether a product is what is looked for, `published_since` aside.

        Hubs answer more than was asked, or ask less than was meant (a bounding box for an area, a
        day for a time): what they answer is held against the query again.
        """
        wanted = (
            (self.relative_orbit, product.relative_orbit),
            (self.direction, product.direction),
            (self.product_type, product.product_type),
            (self.mode, product.mode),
        )
        return (
            all(one is None or other is None or one == other for one, other in wanted)
            and (not self.missions or product.mission in self.missions)
            and (self.polarisation is None or self.polarisation in product.polarisations)
            and (self.start is None or product.stop >= self.start)
            and (self.stop is None or product.start <= self.stop)
            and (self.name is None or fnmatchcase(product.name, self.name))
            and (self.area is None or bool(product.footprint.intersects(self.area)))
        )


@dataclass(frozen=True)
class Product:
    """What a product is, whoever holds it.

    Attributes
    ----------
    name
        Without ``.SAFE``: its identity over all hubs.
    start, stop
        Sensing, UTC.
    footprint
        EPSG:4326 within ±180 degrees; in two parts over the antimeridian.
    acquisition
        What products of one acquisition share, however often it was processed.
    """

    name: str
    mission: str
    mode: str
    product_type: str
    polarisations: tuple[str, ...]
    start: datetime
    stop: datetime
    absolute_orbit: int
    relative_orbit: int | None
    direction: Direction | None
    footprint: BaseGeometry = field(repr=False)
    acquisition: str = field(default="", repr=False)


@dataclass(frozen=True)
class Offer:
    """A product at a hub.

    Attributes
    ----------
    hub
        Name of the hub in the settings.
    id
        What the hub calls it.
    address
        Where it is downloaded; for messages and connectors, it may not outlive the search.
    published
        When the hub had it, by the hub's clock; None where it does not tell.
    online
        Whether it can be had at once; None where the hub does not tell.
    size
        Bytes of the download; None where the hub does not tell, or only roughly.
    checksums
        Of the download: algorithm (``md5``, ``blake3``, ``sha256``) to lower-case digits.
    """

    product: Product
    hub: str
    id: str
    address: str = field(repr=False)
    published: datetime | None = None
    online: bool | None = None
    size: int | None = None
    checksums: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Scene:
    """A product with the offers of every hub that has it.

    Attributes
    ----------
    offers
        In the order of the hubs in the settings.
    supersedes
        Names of older products of the same acquisition: it was processed again.
    """

    product: Product
    offers: tuple[Offer, ...]
    supersedes: tuple[str, ...] = ()

    @property
    def online(self) -> bool | None:
        """Whether any hub has it at once; None where none that may have it tells."""
        said = {offer.online for offer in self.offers}
        return True if True in said else None if None in said else False
