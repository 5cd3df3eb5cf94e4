"""The Copernicus Data Space, and hubs that speak its OData v4.

Source: the Data Space's documentation of its OData interface; recorded answers.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
import shapely
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import ConfigurationError
from geobservatory.hubs.asking import ask
from geobservatory.hubs.model import Offer, Query
from geobservatory.hubs.nodes import NodesInside
from geobservatory.hubs.products import (
    make_product,
    once_each,
    read_geojson,
    read_page,
    read_time,
    read_wkt,
)
from geobservatory.hubs.tokens import TokenKeeper
from geobservatory.sentinel1.names import parse_name
from geobservatory.settings.model import Hub
from geobservatory.transfer.http import HttpSource, no_headers
from geobservatory.transfer.inside import Inside
from geobservatory.transfer.source import HubUnreachableError, ProductGoneError

_PAGE, _FURTHEST = 200, 10_000
_MOST_PAGES = 10_000
_LONGEST_AREA = 4000
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TOKEN = "/auth/realms/CDSE/protocol/openid-connect/token"  # noqa: S105  (an address)
_WKT = re.compile(r"geography'SRID=4326;(.*)'")


class DataspaceConnector:
    """A Copernicus Data Space; see `Connector`.

    Parameters
    ----------
    hub
        Its address is the catalogue's; where that begins with ``catalogue.``, downloads and tokens
        are at ``download.`` and ``identity.`` of the same domain, else at the same address.
    folder
        Where tokens are kept.
    """

    def __init__(self, hub: Hub, folder: Path) -> None:
        self._hub = hub
        self._catalogue = hub.address.rstrip("/")
        self._download = _beside(self._catalogue, "download")
        self._session = requests.Session()
        self._keeper = None
        if hub.password is not None:
            if hub.user is None:
                raise ConfigurationError(f"hub {hub.name}: a password, and no user")
            self._keeper = TokenKeeper(
                hub.name,
                _beside(self._catalogue, "identity") + _TOKEN,
                hub.user,
                hub.password.get_secret_value(),
                folder,
            )

    @property
    def name(self) -> str:
        """See `Connector.name`."""
        return self._hub.name

    def search(self, query: Query) -> Iterator[Sequence[Offer]]:
        """See `Connector.search`."""
        return once_each(query, lambda part: self._pages(query, part))

    def find(self, name: str) -> Offer | None:
        """See `Connector.find`."""
        query = Query(product_type=None, mode=None, name=name)
        offers = [offer for page in self.search(query) for offer in page]
        return offers[-1] if offers else None

    def source(self, offer: Offer) -> HttpSource:
        """See `Connector.source`."""
        proof = None if self._keeper is None else _Proof(self._keeper)
        return HttpSource(
            hub=self.name,
            name=f"{offer.product.name}.zip",
            address=offer.address,
            size=offer.size,
            checksums=offer.checksums,
            headers=no_headers if proof is None else proof.headers,
            renew=None if proof is None else proof.renew,
            session=self._session,
        )

    @property
    def renewable(self) -> bool:
        """See `HasTokenService.renewable`."""
        return self._keeper is not None

    def renew_token(self) -> None:
        """See `HasTokenService.renew_token`."""
        if self._keeper is None:
            raise ConfigurationError(f"hub {self.name} has no account")
        self._keeper.renew()

    def inside(self, offer: Offer) -> Inside:
        """See `Connector.inside`."""
        return NodesInside(offer.product.name, self.name, self.source(offer))

    def _pages(self, query: Query, part: BaseGeometry | None) -> Iterator[list[Offer]]:
        """Page to the end; where that is further than the hub pages, go on from a later time."""
        since, skip = query.published_since, 0
        for _ in range(_MOST_PAGES):
            asked = {
                "$filter": _filter(query, part, since),
                "$orderby": "PublicationDate asc",
                "$expand": "Attributes",
                "$top": str(_PAGE),
                "$skip": str(skip),
            }
            entries = self._entries(asked)
            offers = read_page(self.name, entries, self._offer)
            yield offers
            if len(entries) < _PAGE:
                return
            skip += _PAGE
            if skip + _PAGE > _FURTHEST:
                latest = max((one.published for one in offers if one.published), default=None)
                if latest is None or latest == since:
                    raise HubUnreachableError(
                        f"{self.name}: more products at one time than it pages"
                    )
                since, skip = latest, 0
        raise HubUnreachableError(f"{self.name}: pages without end")

    def _entries(self, asked: Mapping[str, str]) -> list[Mapping[str, Any]]:
        try:
            answer = ask(self._session, self.name, f"{self._catalogue}/odata/v1/Products", asked)
        except ProductGoneError as error:
            raise HubUnreachableError(f"{error}; is this a Data Space's address?") from error
        entries = answer.get("value") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise HubUnreachableError(f"{self.name}: what it answers is no list of products")
        return entries

    def _offer(self, entry: Mapping[str, Any]) -> Offer:
        # First of all: auxiliary files have no footprint, and are no damage.
        name, identifier = str(parse_name(entry["Name"])), str(entry["Id"])
        if not _UUID.fullmatch(identifier):
            raise ValueError(f"an identifier {identifier[:40]!r}")
        told = {one["Name"]: one["Value"] for one in entry.get("Attributes") or ()}
        product = make_product(
            name,
            _footprint(entry),
            start=read_time(entry["ContentDate"]["Start"]),
            stop=read_time(entry["ContentDate"]["End"]),
            relative_orbit=told.get("relativeOrbitNumber"),
            direction=told.get("orbitDirection"),
        )
        online, size = entry.get("Online"), entry.get("ContentLength")
        return Offer(
            product,
            self.name,
            identifier,
            f"{self._download}/odata/v1/Products({identifier})/$value",
            published=read_time(entry["PublicationDate"]),
            online=online if isinstance(online, bool) else None,
            size=size if isinstance(size, int) and size > 0 else None,
            checksums={
                str(one["Algorithm"]).lower(): str(one["Value"]).lower()
                for one in entry.get("Checksum") or ()
                if one.get("Algorithm") and one.get("Value")
            },
        )


class _Proof:
    """What one download shows of the account, and what it does when that is refused."""

    def __init__(self, keeper: TokenKeeper) -> None:
        self._keeper, self._shown = keeper, ""

    def headers(self) -> Mapping[str, str]:
        self._shown = self._keeper.header()
        return {"Authorization": self._shown}

    def renew(self) -> None:
        self._keeper.refused(self._shown)


def _filter(query: Query, part: BaseGeometry | None, since: datetime | None) -> str:
    terms = ["Collection/Name eq 'SENTINEL-1'"]
    if query.name is not None:
        terms.append(_named(query.name))
    elif query.missions:
        terms.append(_any([f"startswith(Name,'{mission}_')" for mission in query.missions]))
    if query.product_type is not None:
        # Product types of the Data Space have mode and level in them; the name has the type alone.
        terms.append(f"contains(Name,'_{query.product_type}')")
    attributes: list[tuple[str, str, str | int | None]] = [
        ("String", "operationalMode", query.mode),
        ("String", "orbitDirection", query.direction and query.direction.upper()),
        ("Integer", "relativeOrbitNumber", query.relative_orbit),
    ]
    for kind, name, value in attributes:
        if value is not None:
            written = f"'{value}'" if isinstance(value, str) else value
            terms.append(
                f"Attributes/OData.CSC.{kind}Attribute/any(att:att/Name eq '{name}'"
                f" and att/OData.CSC.{kind}Attribute/Value eq {written})"
            )
    if query.start is not None:
        terms.append(f"ContentDate/End ge {_iso(query.start)}")
    if query.stop is not None:
        terms.append(f"ContentDate/Start le {_iso(query.stop)}")
    if since is not None:
        terms.append(f"PublicationDate ge {_iso(since)}")
    if part is not None:
        terms.append(f"OData.CSC.Intersects(area=geography'SRID=4326;{_area(part)}')")
    return " and ".join(terms)


def _named(name: str) -> str:
    """Ask for a pattern by the parts of it that are certain; the answers are held against it."""
    if not set(name) & set("*?"):
        return _any([f"Name eq '{name}.SAFE'", f"Name eq '{name}'"])
    first, *others = re.split(r"[*?]+", name)
    terms = [f"startswith(Name,'{first}')"] if first else []
    terms += [f"contains(Name,'{one}')" for one in others if one]
    return " and ".join(terms) or "startswith(Name,'S1')"


def _any(terms: Sequence[str]) -> str:
    return f"({' or '.join(terms)})"


def _area(part: BaseGeometry) -> str:
    for shape in (part, part.simplify(0.01), part.convex_hull):
        text: str = shapely.to_wkt(shape, rounding_precision=5)
        if len(text) < _LONGEST_AREA:
            return text
    return str(shapely.to_wkt(part.envelope, rounding_precision=5))


def _footprint(entry: Mapping[str, Any]) -> BaseGeometry:
    if entry.get("GeoFootprint"):
        return read_geojson(entry["GeoFootprint"])
    match = _WKT.fullmatch(str(entry["Footprint"]))
    if match is None:
        raise ValueError("a footprint that is no well-known text")
    return read_wkt(match[1])


def _beside(address: str, service: str) -> str:
    parts = urlsplit(address)
    host = parts.netloc
    if host.startswith("catalogue."):
        host = f"{service}.{host.removeprefix('catalogue.')}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _iso(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
