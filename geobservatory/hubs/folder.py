"""A folder of SAFE products as a hub: an archive on this machine, or mounted from another."""

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.hubs.model import Offer, Product, Query
from geobservatory.hubs.products import make_product
from geobservatory.sentinel1.safe import SafeProduct, open_product
from geobservatory.sentinel1.storage import DAMAGE
from geobservatory.sentinel1.xml import parse
from geobservatory.settings.model import Hub
from geobservatory.transfer.inside import Inside
from geobservatory.transfer.source import HubUnreachableError, ProductGoneError, Reply, Source

_PIECE = 1 << 20


class FolderConnector:
    """A folder; see `Connector`. Only zips can be had whole; of unpacked products, single files.

    Parameters
    ----------
    hub
        Its address is the folder; products lie in it at any depth.
    """

    def __init__(self, hub: Hub) -> None:
        self._name, self._folder = hub.name, Path(hub.address).expanduser()
        self._known: dict[Path, tuple[float, Offer | None]] = {}

    @property
    def name(self) -> str:
        """See `Connector.name`."""
        return self._name

    def search(self, query: Query) -> Iterator[Sequence[Offer]]:
        """See `Connector.search`."""
        since = query.published_since
        found = [
            offer
            for offer in self._offers(query.name)
            if query.matches(offer.product)
            and (since is None or (offer.published is not None and offer.published >= since))
        ]
        yield sorted(found, key=lambda one: one.published or datetime.min.replace(tzinfo=UTC))

    def find(self, name: str) -> Offer | None:
        """See `Connector.find`."""
        return next((one for one in self._offers(name) if one.product.name == name), None)

    def source(self, offer: Offer) -> Source:
        """See `Connector.source`."""
        return FileSource(self._name, Path(offer.address))

    def inside(self, offer: Offer) -> Inside:
        """See `Connector.inside`."""
        return FolderInside(offer.product.name, self._name, Path(offer.address))

    def _offers(self, name: str | None) -> Iterator[Offer]:
        if not self._folder.is_dir():
            raise HubUnreachableError(f"{self._name}: {self._folder} is no folder; is it mounted?")
        try:
            # A partial product, or what a transfer has not finished, has another name.
            paths = sorted(self._folder.rglob(re.sub(r"\*+", "*", f"{name or 'S1'}*")))
        except OSError as error:
            raise HubUnreachableError(f"{self._name}: {self._folder}: {error.strerror}") from error
        for path in paths:
            if path.suffix in (".zip", ".SAFE") and (offer := self._offer(path)) is not None:
                yield offer

    def _offer(self, path: Path) -> Offer | None:
        try:
            changed = path.stat().st_mtime
        except OSError:
            return None
        known = self._known.get(path)
        if known is None or known[0] != changed:
            known = self._known[path] = changed, self._read(path, changed)
        return known[1]

    def _read(self, path: Path, changed: float) -> Offer | None:
        """Read a product's manifest; what is damaged or no Sentinel-1 SLC is not offered."""
        try:
            opened = open_product(path)
            if opened.problems or (path / "partial.json").exists():
                return None
            product = read_product(opened)
            size = path.stat().st_size if path.is_file() else None
        except (InputError, ValueError, OSError):
            return None
        return Offer(
            product,
            self._name,
            product.name,
            str(path),
            published=datetime.fromtimestamp(changed, UTC),
            online=True,
            size=size,
        )


@dataclass(frozen=True)
class FileSource:
    """A file on this machine; see `Source`."""

    hub: str
    path: Path
    checksums: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """See `Source`."""
        return self.path.name

    @property
    def size(self) -> int | None:
        """See `Source`."""
        try:
            return self.path.stat().st_size
        except OSError:
            return None

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        """See `Source.open`."""
        try:
            size = self.path.stat().st_size
            file = self.path.open("rb")
        except FileNotFoundError as error:
            raise ProductGoneError(f"{self.name} from {self.hub}: it is gone") from error
        except OSError as error:
            raise HubUnreachableError(f"{self.name} from {self.hub}: {error.strerror}") from error
        file.seek(first_byte)
        last = size if stop is None else min(stop, size)
        return Reply(first_byte, size, _pieces(self, file, last - first_byte), file.close)


@dataclass(frozen=True)
class _MemberSource:
    """A file inside a zip or an unpacked product."""

    hub: str
    product: SafeProduct
    name: str
    checksums: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.product.members[self.name]

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        try:
            file = self.product.storage.open(self.name)
            file.seek(first_byte)
        except DAMAGE as error:
            raise HubUnreachableError(f"{self.name} from {self.hub}: {error}") from error
        last = self.size if stop is None else min(stop, self.size)
        return Reply(first_byte, self.size, _pieces(self, file, last - first_byte), file.close)


@dataclass(frozen=True)
class FolderInside:
    """The files inside a product on this machine; see `Inside`."""

    name: str
    hub: str
    path: Path

    def members(self) -> Mapping[str, int]:
        """See `Inside.members`."""
        return self._opened().members

    def source(self, member: str) -> Source:
        """See `Inside.source`."""
        product = self._opened()
        if member not in product.members:
            raise ProductGoneError(f"{self.name} from {self.hub}: it holds no {member}")
        return _MemberSource(self.hub, product, member)

    def _opened(self) -> SafeProduct:
        try:
            return open_product(self.path)
        except InputError as error:
            raise ProductGoneError(f"{self.name} from {self.hub}: {error}") from error


def _pieces(source: Source, file: IO[bytes], count: int) -> Iterator[bytes]:
    left = count
    try:
        while left > 0:
            piece = file.read(min(_PIECE, left))
            if not piece:
                raise HubUnreachableError(f"{source.name} from {source.hub}: it is cut short")
            left -= len(piece)
            yield piece
    except (OSError, zipfile.BadZipFile) as error:
        raise HubUnreachableError(f"{source.name} from {source.hub}: {error}") from error
    finally:
        file.close()


def read_product(opened: SafeProduct) -> Product:
    """Read what a product is from its manifest; `InputError`, `ValueError` where damaged."""
    manifest = parse(opened.read("manifest.safe"), f"{opened.path}/manifest.safe")
    start, stop = (
        manifest.one(f".//{{*}}acquisitionPeriod/{{*}}{key}").time().astype("datetime64[us]").item()
        for key in ("startTime", "stopTime")
    )
    return make_product(
        str(opened.name),
        _footprint(manifest.text(".//{*}footPrint/{*}coordinates")),
        start=start.replace(tzinfo=UTC),
        stop=stop.replace(tzinfo=UTC),
        relative_orbit=opened.relative_orbit,
        direction=manifest.text(".//{*}pass"),
    )


def _footprint(text: str) -> BaseGeometry:
    corners = [tuple(map(float, pair.split(","))) for pair in text.split()]
    return Polygon([(longitude, latitude) for latitude, longitude in corners])
