"""Enter what came into the archive's inventory."""

from datetime import datetime
from pathlib import Path

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.mirror import Held
from geobservatory.hubs.model import Scene
from geobservatory.transfer.archive import bytes_in
from geobservatory.transfer.digest import digests_of

OWN = "blake3"


def keep_product(
    catalog: Catalog, scene: Scene, path: Path, at: datetime, said: str, stream: str = ""
) -> Held:
    """Enter a product that lies in the archive, whole and verified or in part.

    The checksum that is recorded is computed from what lies on the disk: what upstream told is kept
    beside it. A part of a product that is there whole changes nothing.

    Parameters
    ----------
    path
        Its zip, or the folder of a part.
    at
        Now, UTC.
    said
        Where it came from, in words.
    stream
        Whose it is; the one that is known where empty.
    """
    name = scene.product.name
    whole = path.is_file()
    there = catalog.inventory_entry(name)
    if there is not None and there.whole and (not whole or there.size == bytes_in(path)):
        return there
    entry = Held(
        name=name,
        stream=stream,
        state="held" if whole else "part",
        path=path,
        size=bytes_in(path),
        checksum=f"{OWN}:{digests_of(path, [OWN])[OWN]}" if whole else "",
        upstream=told_of(scene),
        sensed_at=scene.product.start,
        stored_at=at,
        verified_at=at if whole else None,
    )
    catalog.keep_entry(entry, "came", said)
    return entry


def told_of(scene: Scene) -> dict[str, object]:
    """Gather what upstream tells of a product, to know it again when it is another."""
    published = [one.published for one in scene.offers if one.published is not None]
    sums: dict[str, list[str]] = {}
    for offer in scene.offers:
        for name, value in offer.checksums.items():
            sums.setdefault(name, []).append(value.lower())
    return {
        "published": max(published).isoformat() if published else None,
        "sizes": sorted({one.size for one in scene.offers if one.size is not None}),
        "checksums": {name: sorted(set(values)) for name, values in sums.items()},
    }
