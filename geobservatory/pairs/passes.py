"""Products as passes: the slices that one satellite took of one track without a pause."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from geobservatory.hubs.model import Direction, Product

# Slices of one pass follow each other within seconds; what is farther apart is another place.
_PAUSE = timedelta(minutes=2)


@dataclass(frozen=True)
class Pass:
    """One satellite over one track, once.

    Attributes
    ----------
    slices
        In order of time, the newest processing of each.
    start, stop
        Of sensing, UTC.
    """

    mission: str
    relative_orbit: int
    direction: Direction
    slices: tuple[Product, ...] = field(repr=False)

    @property
    def start(self) -> datetime:
        """When the first slice begins, UTC."""
        return self.slices[0].start

    @property
    def stop(self) -> datetime:
        """When the last slice ends, UTC."""
        return max(one.stop for one in self.slices)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the slices."""
        return tuple(one.name for one in self.slices)

    @property
    def polarisations(self) -> frozenset[str]:
        """What all slices have."""
        return frozenset.intersection(*(frozenset(one.polarisations) for one in self.slices))

    @cached_property
    def footprint(self) -> BaseGeometry:
        """Of all slices, EPSG:4326."""
        return shapely.union_all([one.footprint for one in self.slices])

    def over(self, area: BaseGeometry) -> "Pass | None":
        """Keep the slices that meet an area; None where none does."""
        kept = tuple(one for one in self.slices if one.footprint.intersects(area))
        if not kept:
            return None
        return Pass(self.mission, self.relative_orbit, self.direction, kept)


def group_passes(products: Iterable[Product]) -> list[Pass]:
    """Group products into passes, the oldest first.

    Products of modes other than IW or kinds other than SLC are left out, and so are those of which
    no hub tells the track.
    """
    newest: dict[str, Product] = {}
    for product in sorted(products, key=lambda one: one.name):
        if (product.product_type, product.mode) != ("SLC", "IW"):
            continue
        if product.relative_orbit is None or product.direction is None:
            continue
        newest[product.acquisition] = product

    def track(one: Product) -> tuple[str, int, str]:
        return one.mission, one.relative_orbit or 0, one.direction or ""

    passes = []
    ordered = sorted(newest.values(), key=lambda one: (*track(one), one.start, one.name))
    for (mission, orbit, _), members in groupby(ordered, key=track):
        for slices in _runs(list(members)):
            direction = slices[0].direction
            assert direction is not None  # noqa: S101  those without were left out
            passes.append(Pass(mission, orbit, direction, tuple(slices)))
    return sorted(passes, key=lambda one: (one.start, one.mission, one.relative_orbit))


def share(area: BaseGeometry, *seen: BaseGeometry) -> float:
    """Share of an area that all of some footprints cover, 0 to 1, of ground not of degrees."""
    common = area
    for one in seen:
        common = shapely.intersection(common, one)
    whole = _size(area)
    return min(1.0, _size(common) / whole) if whole > 0 else 0.0


def _size(area: BaseGeometry) -> float:
    """Area on the sphere, square degrees at the equator: longitude times the sine of latitude."""

    def equal_area(places: np.ndarray) -> np.ndarray:
        return np.column_stack([places[:, 0], np.degrees(np.sin(np.radians(places[:, 1])))])

    return float(shapely.transform(area, equal_area).area)


def _runs(slices: Sequence[Product]) -> list[list[Product]]:
    """Split at pauses; one track of one satellite is seen again after days."""
    runs: list[list[Product]] = []
    for one in slices:
        if runs and one.start - runs[-1][-1].stop < _PAUSE:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs
