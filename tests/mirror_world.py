"""A mirror to test with: an archive in a folder, products with pixels in them, a clock by hand."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox_safe import make_safe
from shapely.geometry import box

from geobservatory.catalog.database import Catalog
from geobservatory.hubs.model import Offer, Product
from geobservatory.hubs.products import make_product
from geobservatory.mirror.archive import Archive
from geobservatory.sandbox.hub_behaviour import TurnedClock
from geobservatory.settings.mirror import Mirror, Stream
from geobservatory.settings.model import Settings
from geobservatory.transfer.digest import digests_of

NOW = datetime(2024, 6, 1, tzinfo=UTC)
FOOTPRINT = box(-9, 30, -7, 32)


def day(days: float) -> datetime:
    """Tell a time, days before or after now."""
    return NOW + timedelta(days=days)


def product_at(start: datetime, crc: str = "") -> Product:
    """Make a product of track 52."""
    stop = start + timedelta(seconds=27)
    crc = crc or f"{random.Random(start.isoformat()).randrange(65_536):04X}"
    orbit = 72 + 52 + 175 * 286
    name = f"S1A_IW_SLC__1SDV_{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}_{orbit:06d}_0609E3_{crc}"
    return make_product(name, FOOTPRINT, start=start, stop=stop)


def archive_of(catalog: Catalog, folder: Path, *streams: Stream, **mirror: Any) -> Archive:
    """Make an archive of 10 MB, with one stream of everything unless told otherwise."""
    given = {"disk_gb": 0.01, "streams": streams or (Stream(name="all"),), **mirror}
    return Archive(Settings(data_dir=folder, mirror=Mirror(**given)), catalog, TurnedClock(NOW))


def safe_at(folder: Path, start: datetime, size: int = 300_000) -> tuple[Path, Offer]:
    """Write a small product, and what a hub says of it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = make_safe(folder, start, size=size)
    product = make_product(path.name, FOOTPRINT, start=start)
    md5 = digests_of(path, ["md5"])
    offer = Offer(product, "upstream", product.name, "", day(-1), True, path.stat().st_size, md5)
    return path, offer
