"""What a stream wants, in the words of hubs; and the hubs that it is asked of."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from geobservatory.hubs.model import Product, Query
from geobservatory.settings.mirror import Mirror, Stream
from geobservatory.settings.model import Settings


@dataclass(frozen=True)
class Wanted:
    """A stream, with the area of the mirror where it has none of its own."""

    stream: Stream
    mirror: Mirror

    @property
    def name(self) -> str:
        """Of the stream."""
        return self.stream.name

    @cached_property
    def area(self) -> BaseGeometry | None:
        """Where; None for anywhere. EPSG:4326."""
        area = self.stream.area or self.mirror.area
        return None if area is None else shape(area)

    @cached_property
    def definition(self) -> str:
        """A digest of what is wanted: another one is looked for from the beginning."""
        said = self.stream.model_dump_json(
            include={
                "missions", "product_type", "mode", "polarisation", "relative_orbits", "direction",
                "filter", "area", "window_days", "hubs",
            }
        )  # fmt: skip
        text = said if self.stream.area else f"{said}{self.area}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def window(self, now: datetime) -> datetime:
        """Tell when the window begins: what was sensed before is over."""
        return now - timedelta(days=self.stream.window_days)

    def query(self, now: datetime, published_since: datetime | None = None) -> Query:
        """Say what is looked for, as hubs are asked it."""
        one = self.stream
        return Query(
            missions=one.missions,
            product_type=one.product_type,
            mode=one.mode,
            polarisation=one.polarisation,
            area=self.area,
            start=self.window(now),
            relative_orbit=one.relative_orbits[0] if len(one.relative_orbits) == 1 else None,
            direction=one.direction,
            name=one.filter,
            published_since=published_since,
        )

    def wants(self, product: Product, now: datetime) -> bool:
        """Tell whether a product is of this stream, and of its window."""
        tracks = self.stream.relative_orbits
        if tracks and product.relative_orbit not in tracks:
            return False
        # Of the window by its beginning, as it is evicted.
        return product.start >= self.window(now) and self.query(now).matches(product)


def streams(settings: Settings) -> list[Wanted]:
    """List the streams of the settings."""
    return [Wanted(one, settings.mirror) for one in settings.mirror.streams]


def upstream(settings: Settings, stream: Stream) -> Settings:
    """Give the settings with a stream's own hubs, in its order, and no mirror among them."""
    by_name = {hub.name: hub for hub in settings.hubs}
    hubs = tuple(by_name[name] for name in stream.hubs) or settings.hubs
    return settings.model_copy(update={"hubs": hubs, "mirror": Mirror()})
