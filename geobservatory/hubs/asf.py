"""The archive of the Alaska Satellite Facility, and what speaks like it: search by `asf_search`.

The catalogue is searched without an account; downloads go through Earthdata Login. Source: CMR
search API; UMM-G 1.6.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geobservatory.hubs.asf_catalogue import search_pages
from geobservatory.hubs.earthdata import Earthdata, find_places
from geobservatory.hubs.model import Offer, Query
from geobservatory.hubs.products import make_product, read_page, read_time
from geobservatory.settings.model import Hub
from geobservatory.transfer.asf_bursts import BurstService
from geobservatory.transfer.http import HttpSource
from geobservatory.transfer.remote_zip import RemoteZip
from geobservatory.transfer.source import HubUnreachableError

_LEVELS = {
    "SLC": ["SLC"],
    "GRD": ["GRD_HD", "GRD_HS", "GRD_MD", "GRD_MS", "GRD_FD"],
    "RAW": ["RAW"],
    "OCN": ["OCN"],
}
_PLATFORMS = {f"S1{letter}": f"SENTINEL-1{letter}" for letter in "ABCD"}
_CHANNELS = {
    "VV": ["VV", "VV+VH"],
    "VH": ["VH", "VV+VH"],
    "HH": ["HH", "HH+HV"],
    "HV": ["HV", "HH+HV"],
}
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
# Without an end, `asf_search` asks up to now by the clock here, which may be behind.
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class AsfConnector:
    """An archive like the ASF's; see `Connector`.

    Parameters
    ----------
    hub
        Its address is the catalogue's: ``https://cmr.earthdata.nasa.gov``, or the one address of
        an archive that has all on one. A token, or user and password, of Earthdata Login.
    deadline_s
        How long a page of a search may take in all.
    """

    def __init__(self, hub: Hub, deadline_s: float = 60.0) -> None:
        self._hub, self._deadline_s = hub, deadline_s
        self._places = find_places(hub.address)
        self._account = Earthdata(hub, self._places)
        self._session = requests.Session()

    @property
    def name(self) -> str:
        """See `Connector.name`."""
        return self._hub.name

    def search(self, query: Query) -> Iterator[Sequence[Offer]]:
        """See `Connector.search`; the order is that of sensing, the latest first."""
        terms = _terms(query)
        if terms is None:
            return
        seen: set[str] = set()
        for box in _boxes(query.area):
            area = {} if box is None else {"intersectsWith": shapely.to_wkt(box, -1)}
            pages = search_pages(
                self.name, self._places.catalogue, self._deadline_s, **terms, **area
            )
            for page in pages:
                offers = read_page(self.name, map(_entry, page), self._offer)
                fresh = [one for one in offers if one.id not in seen]
                seen.update(one.id for one in fresh)
                yield [one for one in fresh if query.matches(one.product)]

    def find(self, name: str) -> Offer | None:
        """See `Connector.find`."""
        query = Query(product_type=None, mode=None, name=name)
        return next((offer for page in self.search(query) for offer in page), None)

    def source(self, offer: Offer) -> HttpSource:
        """See `Connector.source`."""
        if not self._places.owns(offer.address):
            raise HubUnreachableError(
                f"{offer.product.name} from {self.name}: the address is not of this archive"
            )
        return HttpSource(
            hub=self.name,
            name=f"{offer.product.name}.zip",
            address=offer.address,
            size=offer.size,
            checksums=offer.checksums,
            headers=self._account.headers,
            renew=self._account.renew if self._account.renewable else None,
            trusted=self._places.trusted,
            login=f"{self._places.login}/oauth/",
            session=self._session,
        )

    @property
    def renewable(self) -> bool:
        """See `HasTokenService.renewable`; a token of the settings is the only one."""
        return self._account.renewable

    def renew_token(self) -> None:
        """See `HasTokenService.renew_token`."""
        self._account.ask()

    def inside(self, offer: Offer) -> RemoteZip:
        """See `Connector.inside`; what is compressed in the zip comes from its beginning."""
        return RemoteZip(offer.product.name, self.source(offer))

    def bursts(self, offer: Offer) -> BurstService:
        """Give a product as the burst service has it: single bursts, cut out on demand.

        The service knows who asks by a cookie alone, which the archive gives to whoever comes for
        a download with a token.
        """
        session = requests.Session()

        def enter() -> None:
            replace(self.source(offer), session=session).open(0, 1).close()

        def open_file(name: str, path: str) -> HttpSource:
            return HttpSource(
                hub=self.name,
                name=name,
                address=f"{self._places.bursts}/{offer.product.name}/{path}",
                headers=self._account.headers,
                renew=enter,
                trusted=self._places.trusted,
                login=f"{self._places.login}/oauth/",
                session=session,
            )

        return BurstService(self.name, offer.product.name, open_file)

    def _offer(self, entry: Mapping[str, Any]) -> Offer:
        umm = entry["umm"]
        told = {one["Name"]: one["Values"][0] for one in umm["AdditionalAttributes"]}
        span = umm["TemporalExtent"]["RangeDateTime"]
        links = [one["URL"] for one in umm["RelatedUrls"] if one["Type"] == "GET DATA"]
        own = [link for link in links if self._places.owns(link)]
        if not own:
            raise ValueError("no download at an address of the archive")
        size, md5 = told.get("BYTES", ""), told.get("MD5SUM", "")
        product = make_product(
            _identifier(umm),
            _footprint(umm),
            start=read_time(span["BeginningDateTime"]),
            stop=read_time(span["EndingDateTime"]),
            relative_orbit=int(told["PATH_NUMBER"]),
            direction=told.get("ASCENDING_DESCENDING"),
        )
        return Offer(
            product,
            self.name,
            id=str(umm["GranuleUR"]),
            address=own[0],
            published=_published(entry),
            online=True,
            size=int(size) if size.isdecimal() and int(size) > 0 else None,
            checksums={"md5": md5.lower()} if _MD5.fullmatch(md5) else {},
        )


def _terms(query: Query) -> dict[str, Any] | None:
    """Say a query in the words of `asf_search`; None where the archive has no such products."""
    kinds = _LEVELS if query.product_type is None else {query.product_type}
    levels = [level for kind in kinds for level in _LEVELS.get(kind, ())]
    platforms = [_PLATFORMS[one] for one in query.missions or _PLATFORMS if one in _PLATFORMS]
    if not levels or not platforms:
        return None
    start, stop = query.start, query.stop
    terms = {
        "platform": platforms,
        "processingLevel": levels,
        "beamMode": query.mode,
        "polarization": query.polarisation and _CHANNELS.get(query.polarisation, []),
        "relativeOrbit": query.relative_orbit,
        "flightDirection": query.direction and query.direction.upper(),
        # In whole seconds, of which the fraction is cut off: one more at the end.
        "start": start and start.astimezone(UTC),
        "end": stop.astimezone(UTC) + timedelta(seconds=1) if stop else start and _LATEST,
        "granule_list": query.name,
        "processingDate": query.published_since and f"{query.published_since.astimezone(UTC)}",
    }
    if terms["polarization"] == []:
        return None
    return {key: value for key, value in terms.items() if value is not None}


def _boxes(area: BaseGeometry | None) -> list[BaseGeometry | None]:
    """Put boxes about an area, one on each side where it goes round the Earth or over ±180.

    The edges of a polygon are great circles to a CMR, and parallels and meridians to the rest of
    us: a box is the same to both, and what it has too much is left out of the answer.
    """
    if area is None:
        return [None]
    west, _, east, _ = area.bounds
    if east - west <= 180:
        return [area.envelope]
    sides = [area.intersection(shapely.box(at, -90, at + 180, 90)) for at in (-180, 0)]
    return [side.envelope for side in sides if not side.is_empty]


def _entry(product: Any) -> Mapping[str, Any]:
    return {"umm": product.umm, "meta": product.meta}


def _identifier(umm: Mapping[str, Any]) -> str:
    names = {one["IdentifierType"]: one for one in umm["DataGranule"]["Identifiers"]}
    return str(names["ProducerGranuleId"]["Identifier"])


def _footprint(umm: Mapping[str, Any]) -> BaseGeometry:
    geometry = umm["SpatialExtent"]["HorizontalSpatialDomain"]["Geometry"]
    rings = [
        [(float(one["Longitude"]), float(one["Latitude"])) for one in part["Boundary"]["Points"]]
        for part in geometry["GPolygons"]
    ]
    try:
        parts = [Polygon(ring) for ring in rings]
    except shapely.errors.ShapelyError as error:
        raise ValueError(f"a footprint that is none: {error}") from error
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _published(entry: Mapping[str, Any]) -> datetime | None:
    """Tell when the archive took a product in; where it does not say, its entry's last change."""
    for date in entry["umm"].get("ProviderDates", ()):
        if date["Type"] == "Insert":
            return read_time(date["Date"])
    revised = entry["meta"].get("revision-date")
    return None if revised is None else read_time(revised)
