"""What activations and people ask for comes into the archive within the mirror's mark, too."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from geobservatory.errors import TransientError
from geobservatory.hubs.access import Fetched, Hubs
from geobservatory.hubs.choice import USUAL_BYTES
from geobservatory.hubs.model import Scene
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.books import settle
from geobservatory.mirror.leave import drop_part
from geobservatory.mirror.roll import Going, make_way

# The room that was made may be taken by another who asks at the same time.
_TRIES = 5


def fetch_asked(
    hubs: Hubs,
    archive: Archive,
    name: str,
    *,
    said: Callable[[str], None] | None = None,
    **how: Any,
) -> Fetched:
    """Fetch a product into the archive, and make the oldest go where there is no room for it.

    Room is reserved for the whole, also where a part is fetched; what is not needed is given back
    as it comes in. Where no mirror is configured it has no mark.

    Parameters
    ----------
    how
        See `Hubs.fetch`.

    Raises
    ------
    TransientError
        If all that lies there is pinned, read, needed by activations, or of a day at most.
    NotFoundError, ConfigurationError, DiskFullError
        See `Hubs.fetch`.
    """
    if archive.streams:
        how["room"] = lambda scene: _room_for(archive, scene, said)
    fetched = hubs.fetch(name, said=said, **how)
    if fetched.path.is_file() and archive.part(name).is_dir():
        drop_part(archive, name)
    return fetched


@contextmanager
def _room_for(archive: Archive, scene: Scene, said: Callable[[str], None] | None) -> Iterator[None]:
    name, catalog = scene.product.name, archive.catalog
    with catalog.bringing(name) as ours:
        # Somebody else brings it and has counted it.
        if not ours:
            yield
            return
        # What a killed process had counted for it is counted anew.
        settle(archive, name)
        _reserve(archive, scene, said)
        try:
            yield
        finally:
            # What came is entered; what did not gives its room back, but for what was begun.
            settle(archive, name)


def _reserve(archive: Archive, scene: Scene, said: Callable[[str], None] | None) -> None:
    product, path = scene.product, archive.whole(scene.product.name)
    size = max((one.size for one in scene.offers if one.size is not None), default=USUAL_BYTES)
    room, there = archive.mark(archive.high, ""), archive.catalog.held(product.name)

    def reserve() -> bool:
        # What is here of it stays, and stays readable, until all has come.
        if there is not None:
            return archive.catalog.count_as(product.name, there.size + size, room)
        return archive.catalog.reserve(
            product.name, "", path, product.start, size, room, archive.now()
        )

    def told(going: Going) -> None:
        if said is not None:
            said(f"{going.entry.name} went to make room")

    for _ in range(_TRIES):
        if reserve():
            return
        make_way(archive, size, told)
    raise TransientError(
        f"{product.name}: no room for {size / 1e9:.3g} GB below the mark of the mirror: what lies"
        " there is pinned, read, needed by activations, or was asked for within a day. Raise"
        " mirror.disk_gb, or see `geobs mirror pin` and `geobs mirror unpin`"
    )
