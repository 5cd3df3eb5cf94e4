"""The archive as a hub: it answers from the inventory, and nobody has to walk a million files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.mirror_shelf import Shelved
from geobservatory.hubs.folder import FileSource, FolderInside
from geobservatory.hubs.model import Offer, Query
from geobservatory.settings.model import MIRROR_HUB, Hub, HubKind, Settings
from geobservatory.transfer.archive import archive_folder
from geobservatory.transfer.inside import Inside
from geobservatory.transfer.source import ProductGoneError, Reply, Source


def with_mirror(settings: Settings) -> tuple[Hub, ...]:
    """Give the hubs of the settings, and before them the archive where they have a mirror."""
    if not settings.mirror.streams:
        return settings.hubs
    archive = Hub(
        name=MIRROR_HUB,
        kind=HubKind.MIRROR,
        address=str(archive_folder(settings.data_dir)),
        max_concurrent_downloads=64,
    )
    return (archive, *settings.hubs)


class MirrorConnector:
    """The archive; see `Connector`.

    Parameters
    ----------
    hub
        Its name; what lies where the catalogue knows.
    catalog
        With the inventory.
    """

    def __init__(self, hub: Hub, catalog: Catalog) -> None:
        self._name, self._catalog = hub.name, catalog

    @property
    def name(self) -> str:
        """See `Connector.name`."""
        return self._name

    def search(self, query: Query) -> Iterator[Sequence[Offer]]:
        """See `Connector.search`; only what is there whole is offered."""
        for page in self._catalog.shelved(query):
            yield [self._offer(one) for one in page]

    def find(self, name: str) -> Offer | None:
        """See `Connector.find`."""
        query = Query(product_type=None, mode=None, name=name)
        return next((one for page in self.search(query) for one in page), None)

    def source(self, offer: Offer) -> Source:
        """See `Connector.source`."""
        file = FileSource(self._name, Path(offer.address), offer.checksums)
        return _Guarded(file, offer.product.name, self._catalog)

    def inside(self, offer: Offer) -> Inside:
        """See `Connector.inside`."""
        name, path = offer.product.name, Path(offer.address)
        return _GuardedInside(FolderInside(name, self._name, path), self._catalog)

    def _offer(self, one: Shelved) -> Offer:
        algorithm, _, digits = one.held.checksum.partition(":")
        return Offer(
            one.product,
            self._name,
            one.product.name,
            str(one.held.path),
            published=one.held.stored_at,
            online=True,
            size=one.held.size,
            checksums={algorithm: digits},
        )


@dataclass(frozen=True)
class _Guarded:
    """A file of a product that is not taken away while it is read; see `Source`."""

    file: Source
    product: str
    catalog: Catalog

    @property
    def hub(self) -> str:
        return self.file.hub

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def size(self) -> int | None:
        return self.file.size

    @property
    def checksums(self) -> Mapping[str, str]:
        return self.file.checksums

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        with ExitStack() as stack:
            path = stack.enter_context(self.catalog.reading(self.product))
            if path is None:
                raise ProductGoneError(f"{self.name} from {self.hub}: it was taken away")
            reply = self.file.open(first_byte, stop)
            held = stack.pop_all()
        held.callback(reply.close)
        return Reply(reply.first_byte, reply.total, _to_the_end(reply.chunks, held), held.close)


@dataclass(frozen=True)
class _GuardedInside:
    inside: Inside
    catalog: Catalog

    @property
    def name(self) -> str:
        return self.inside.name

    @property
    def hub(self) -> str:
        return self.inside.hub

    def members(self) -> Mapping[str, int]:
        with self.catalog.reading(self.name):
            return self.inside.members()

    def source(self, member: str) -> Source:
        return _Guarded(self.inside.source(member), self.name, self.catalog)


def _to_the_end(chunks: Iterator[bytes], held: ExitStack) -> Iterator[bytes]:
    """Give the bytes; nobody has to remember to close what was read to its end."""
    try:
        yield from chunks
    finally:
        held.close()
