"""Hubs that speak DHuS: OpenSearch through `sentinelsat`, OData v1 for what it does not tell.

Source: Data Hub Software, user guide (OpenSearch and OData interfaces); `sentinelsat` 1.2.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import requests
import sentinelsat
import shapely
from requests.adapters import HTTPAdapter
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import ConfigurationError
from geobservatory.hubs.asking import CONNECT_S, SILENCE_S, answered, failed
from geobservatory.hubs.model import Offer, Query
from geobservatory.hubs.nodes import NodesInside
from geobservatory.hubs.products import make_product, once_each, read_page, read_wkt
from geobservatory.sentinel1.names import parse_name
from geobservatory.settings.model import Hub
from geobservatory.transfer.http import HttpSource
from geobservatory.transfer.inside import Inside
from geobservatory.transfer.source import HubRefusedError, HubUnreachableError, ProductGoneError

_PAGE = 100
_MOST_PAGES = 10_000
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class DhusConnector:
    """A DHuS; see `Connector`.

    Parameters
    ----------
    hub
        Its address ends before ``search`` and ``odata``; user and password.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub, self._base = hub, hub.address.rstrip("/")
        self._session = requests.Session()
        if hub.password is not None and hub.user is None:
            raise ConfigurationError(f"hub {hub.name}: a password, and no user")

    @property
    def name(self) -> str:
        """See `Connector.name`."""
        return self._hub.name

    def search(self, query: Query) -> Iterator[Sequence[Offer]]:
        """See `Connector.search`."""
        return once_each(query, lambda part: self._pages(_terms(query, part)))

    def find(self, name: str) -> Offer | None:
        """See `Connector.find`."""
        query = Query(product_type=None, mode=None, name=name)
        # Some hubs have a product twice; the later one is the one they mean.
        offers = [offer for page in self.search(query) for offer in page]
        return self._completed(offers[-1]) if offers else None

    def source(self, offer: Offer) -> HttpSource:
        """See `Connector.source`."""
        return HttpSource(
            hub=self.name,
            name=f"{offer.product.name}.zip",
            address=offer.address,
            size=offer.size,
            checksums=offer.checksums,
            headers=self._credentials,
            session=self._session,
        )

    def inside(self, offer: Offer) -> Inside:
        """See `Connector.inside`."""
        return NodesInside(offer.product.name, self.name, self.source(offer), quote="'")

    def _pages(self, terms: dict[str, Any]) -> Iterator[list[Offer]]:
        """Page to the end; the hub's count is a hint, and an empty page is the end."""
        api, told = self._api()
        start = 0
        for _ in range(_MOST_PAGES):
            found = self._say(
                lambda at=start: api.query(
                    **terms, order_by="ingestiondate", limit=_PAGE, offset=at
                )
            )
            if not found:
                return
            yield read_page(self.name, list(found.values()), self._offer)
            start += len(found)
            if len(found) < _PAGE and start >= told.total:
                return
        raise HubUnreachableError(f"{self.name}: pages without end")

    def _completed(self, offer: Offer) -> Offer:
        """Ask what a search does not tell: size, checksum, whether it is online."""
        api, _ = self._api()
        try:
            told = self._say(lambda: api.get_product_odata(offer.id))
        except ProductGoneError:
            return offer
        md5, size = str(told.get("md5") or "").lower(), told.get("size")
        online = told.get("Online")
        return replace(
            offer,
            size=size if isinstance(size, int) and size > 0 else None,
            checksums={"md5": md5} if re.fullmatch(r"[0-9a-f]{32}", md5) else {},
            online=online if isinstance(online, bool) else None,
        )

    def _offer(self, entry: Mapping[str, Any]) -> Offer:
        name, identifier = str(parse_name(entry["identifier"])), str(entry["uuid"])
        if not _UUID.fullmatch(identifier):
            raise ValueError(f"an identifier {identifier[:40]!r}")
        product = make_product(
            name,
            read_wkt(entry["footprint"]),
            start=_utc(entry["beginposition"]),
            stop=_utc(entry["endposition"]),
            relative_orbit=int(entry["relativeorbitnumber"]),
            direction=str(entry.get("orbitdirection", "")),
        )
        address = f"{self._base}/odata/v1/Products('{identifier}')/$value"
        return Offer(product, self.name, identifier, address, _utc(entry["ingestiondate"]))

    def _credentials(self) -> Mapping[str, str]:
        if self._hub.user is None or self._hub.password is None:
            return {}
        pair = f"{self._hub.user}:{self._hub.password.get_secret_value()}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}

    def _api(self) -> tuple[sentinelsat.SentinelAPI, "_Told"]:
        """Make a client of one search: it keeps what was asked last, so threads share none."""
        password = self._hub.password
        api = sentinelsat.SentinelAPI(
            self._hub.user,
            None if password is None else password.get_secret_value(),
            self._base,
            show_progressbars=False,
        )
        for scheme in ("http://", "https://"):
            api.session.mount(scheme, _Patient())
        told = _Told()
        api.session.hooks["response"].append(told.hear)
        return api, told

    def _say(self, asked: Any) -> Any:
        """Ask through `sentinelsat`, and put its errors into ours."""
        try:
            return asked()
        except sentinelsat.UnauthorizedError as error:
            raise HubRefusedError(
                f"{self.name}: the hub does not take user and password; check the account in the"
                " settings"
            ) from error
        except sentinelsat.InvalidKeyError as error:
            raise ProductGoneError(f"{self.name}: it has no such product") from error
        except (sentinelsat.QuerySyntaxError, sentinelsat.QueryLengthError) as error:
            raise HubUnreachableError(
                f"{self.name}: the hub does not understand the query: {error.msg[:200]}"
            ) from error
        except sentinelsat.SentinelAPIError as error:
            if error.response is not None:
                answered(self.name, error.response)
            raise HubUnreachableError(
                f"{self.name}: what it answers is not of a DHuS; maintenance, perhaps"
            ) from error
        except requests.RequestException as error:
            raise failed(self.name, error) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HubUnreachableError(
                f"{self.name}: what it answers is not of a DHuS ({type(error).__name__})"
            ) from error


class _Patient(HTTPAdapter):
    """Requests that do not wait for ever: `sentinelsat` sets no time limit."""

    def send(self, request: Any, *, timeout: Any = None, **how: Any) -> requests.Response:  # type: ignore[override]
        return super().send(request, timeout=timeout or (CONNECT_S, SILENCE_S), **how)


class _Told:
    """How many results a hub says there are."""

    total = 0

    def hear(self, answer: requests.Response, **_: object) -> None:
        try:
            self.total = int(answer.json()["feed"]["opensearch:totalResults"])
        except (ValueError, KeyError, TypeError):
            self.total = 0


def _terms(query: Query, area: BaseGeometry | None) -> dict[str, Any]:
    terms: dict[str, Any] = {
        "platformname": "Sentinel-1",
        "producttype": query.product_type,
        "sensoroperationalmode": query.mode,
        "polarisationmode": query.polarisation,
        "relativeorbitnumber": query.relative_orbit,
        "orbitdirection": query.direction and query.direction.upper(),
        "beginposition": (None, query.stop) if query.stop else None,
        "endposition": (query.start, None) if query.start else None,
        "ingestiondate": (query.published_since, None) if query.published_since else None,
    }
    if query.name is not None:
        terms["identifier"] = query.name
    elif query.missions:
        terms["identifier"] = {f"{mission}_*" for mission in query.missions}
    terms = {key: value for key, value in terms.items() if value is not None}
    if area is not None:
        # Coarser where it would be too long for a DHuS; answers are held against the area itself.
        for shape in (area, area.simplify(0.01), area.convex_hull, area.envelope):
            terms["area"] = shapely.to_wkt(shape, rounding_precision=5)
            text = sentinelsat.SentinelAPI.format_query(**terms)
            if sentinelsat.SentinelAPI.check_query_length(text) < 0.9:
                break
    return terms


def _utc(time: Any) -> datetime:
    if not isinstance(time, datetime):
        raise ValueError(f"a time {time!r}")
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
