"""OGC API Features, part 1 (OGC 17-069r4): landing page, conformance, collections, items."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse

from geobservatory.catalog.browsing import Sought
from geobservatory.catalog.paging import Page
from portal.access.guard import needs
from portal.access.identity import Role
from portal.api.asking import AskedEvents, address, next_page
from portal.api.problems import problems
from portal.ogc.collections import COLLECTIONS, CRS, Collection
from portal.shared import Shared

_CONFORMS = tuple(
    f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}" for name in ("core", "geojson")
)
_JSON, _GEOJSON = "application/json", "application/geo+json"
_OPENAPI = "application/vnd.oai.openapi+json;version=3.1"


CollectionId = Annotated[str, Path(json_schema_extra={"enum": list(COLLECTIONS)})]


class GeoJson(JSONResponse):
    """A feature, or a collection of them."""

    media_type = _GEOJSON


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter(prefix="/ogc", tags=["features"], dependencies=[Depends(needs(Role.READER))])

    @made.get("/", include_in_schema=False)
    @made.get("", responses=problems())
    async def landing(request: Request) -> dict[str, Any]:
        """Lead to the collections: the address that QGIS and GDAL are given."""
        return _landing(request)

    @made.get("/conformance", responses=problems())
    async def conformance() -> dict[str, list[str]]:
        """List what this conforms to."""
        return {"conformsTo": list(_CONFORMS)}

    @made.get("/collections", responses=problems())
    async def collections(request: Request) -> dict[str, Any]:
        """List the collections."""
        return {
            "links": [_link(request, "self", _JSON, "/ogc/collections", "The collections")],
            "collections": [_told(request, one) for one in COLLECTIONS.values()],
        }

    @made.get("/collections/{collection_id}", responses=problems(404))
    async def collection(request: Request, collection_id: CollectionId) -> dict[str, Any]:
        """Tell of a collection."""
        return _told(request, _known(collection_id))

    @made.get("/collections/{collection_id}/items", responses=problems(404), response_class=GeoJson)
    async def items(
        request: Request, collection_id: CollectionId, asked: Annotated[AskedEvents, Query()]
    ) -> dict[str, Any]:
        """Give features, page by page; of interferograms, those that are complete."""
        wanted = _known(collection_id)
        sought = Sought(**asked.about())
        if wanted.id == "interferograms":
            sought = replace(sought, states=("complete",))
        page = await shared.ask(
            lambda catalog: wanted.browse(catalog, sought, asked.limit, asked.after)
        )
        return _page(request, wanted, asked, page)

    @made.get(
        "/collections/{collection_id}/items/{feature_id}",
        responses=problems(404),
        response_class=GeoJson,
    )
    async def item(
        request: Request, collection_id: CollectionId, feature_id: str
    ) -> dict[str, Any]:
        """Give one feature."""
        wanted = _known(collection_id)
        found = await shared.ask(lambda catalog: wanted.find(catalog, feature_id))
        return _feature(request, wanted, found)

    return made


def _known(identifier: str) -> Collection:
    if identifier not in COLLECTIONS:
        raise HTTPException(404, "there is no such collection")
    return COLLECTIONS[identifier]


def _landing(request: Request) -> dict[str, Any]:
    return {
        "title": "geObservatory",
        "description": "Events, areas that are looked at, interferograms",
        "links": [
            _link(request, "self", _JSON, "/ogc", "This document"),
            _link(request, "service-desc", _OPENAPI, "/api/openapi.json", "OpenAPI document"),
            _link(request, "service-doc", "text/html", "/api/docs", "OpenAPI documentation"),
            _link(request, "conformance", _JSON, "/ogc/conformance", "What this conforms to"),
            _link(request, "data", _JSON, "/ogc/collections", "The collections"),
        ],
    }


def _page(
    request: Request, wanted: Collection, asked: AskedEvents, page: Page[Any]
) -> dict[str, Any]:
    path = f"/ogc/collections/{wanted.id}/items"
    given = asked.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    links = [
        {"rel": "self", "type": _GEOJSON, "href": address(request, path, **given)},
        _link(request, "collection", _JSON, f"/ogc/collections/{wanted.id}", wanted.title),
    ]
    following = next_page(request, path, asked, page.after)
    if following is not None:
        links.append({"rel": "next", "type": _GEOJSON, "href": following})
    # The number is left out where it is not known (7.15.6).
    counted = {} if page.matched is None else {"numberMatched": page.matched}
    return {
        "type": "FeatureCollection",
        "features": [wanted.feature(request, one) for one in page.items],
        "links": links,
        "timeStamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        **counted,
        "numberReturned": len(page.items),
    }


def _feature(request: Request, wanted: Collection, found: Any) -> dict[str, Any]:
    feature = wanted.feature(request, found)
    place = f"/ogc/collections/{wanted.id}"
    own = f"{place}/items/{quote(feature['id'], safe='')}"
    links = [
        _link(request, "self", _GEOJSON, own, feature["id"]),
        _link(request, "collection", _JSON, place, wanted.title),
    ]
    return {**feature, "links": links}


def _told(request: Request, one: Collection) -> dict[str, Any]:
    place = f"/ogc/collections/{one.id}"
    return {
        "id": one.id,
        "title": one.title,
        "description": one.description,
        "itemType": "feature",
        "crs": [CRS],
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]], "crs": CRS},
            "temporal": {"interval": [[None, None]]},
        },
        "links": [
            _link(request, "self", _JSON, place, one.title),
            _link(request, "items", _GEOJSON, f"{place}/items", one.title),
        ],
    }


def _link(request: Request, rel: str, kind: str, path: str, title: str) -> dict[str, str]:
    return {"rel": rel, "type": kind, "title": title, "href": address(request, path)}
