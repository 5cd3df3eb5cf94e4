"""The door that speaks STAC: results and products, for `pystac-client`, QGIS and their like.

Source: STAC API 1.0.0 (core, collections, features, item search, sort, fields); STAC 1.1.0.
"""

import json
from collections.abc import Mapping
from copy import copy
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse

from geobservatory.catalog.listing import Wanted
from geobservatory.errors import InputError, NotFoundError
from portal.access.guard import Finder, needs
from portal.access.identity import Identity, Role
from portal.handed_out import ResultFile
from portal.programs import stac_items
from portal.programs.door import checked_path, door_route
from portal.programs.service import Programs
from portal.programs.stac_items import RESULTS, SCENES
from portal.programs.stac_query import StacQuery, read_query
from portal.programs.stac_results import StacResults
from portal.results import ResultFiles, media_type
from portal.shared import Shared

_BASE = "/stac"
_READING = needs(Role.READER)
_METHODS = ["GET", "HEAD"]
_GEOJSON = "application/geo+json"
_MOST_BODY = 1 << 20
_ASKED = (
    "bbox",
    "intersects",
    "datetime",
    "ids",
    "collections",
    "limit",
    "token",
    "sortby",
    "fields",
)
_CONFORMS = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/item-search#sort",
    "https://api.stacspec.org/v1.0.0/item-search#fields",
    "https://api.stacspec.org/v1.0.0/ogcapi-features#fields",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
]
# What is public may be read by pages of others, without their visitors' accounts.
_OPEN = {"Access-Control-Allow-Origin": "*"}


def fault(request: Request, status: int, cause: str, message: str, **headers: str) -> Response:
    """Answer with an error, as STAC API has them."""
    del request
    return JSONResponse({"code": cause, "description": message}, status, headers=headers)


def router(shared: Shared, programs: Programs) -> APIRouter:
    """Make the addresses of this door."""
    made = APIRouter(prefix=_BASE, route_class=door_route(fault), include_in_schema=False)
    door = _Door(shared, programs)

    @made.api_route("", methods=_METHODS)
    async def landing(request: Request, _: Finder) -> Response:
        return _json(door.landing(request))

    @made.api_route("/", methods=_METHODS)
    async def landing_too(request: Request, _: Finder) -> Response:
        return _json(door.landing(request))

    @made.api_route("/conformance", methods=_METHODS)
    async def conformance(_: Finder) -> Response:
        return _json({"conformsTo": _CONFORMS})

    @made.api_route("/api", methods=_METHODS)
    async def description(request: Request, _: Finder) -> Response:
        whole = get_openapi(title="geObservatory STAC", version="1.0.0", routes=_shown(made))
        return _json(whole, "application/vnd.oai.openapi+json;version=3.0")

    @made.api_route("/api.html", methods=_METHODS)
    async def page(_: Finder) -> Response:
        return HTMLResponse(_PAGE)

    @made.api_route("/collections", methods=_METHODS)
    async def collections(request: Request, _: Finder) -> Response:
        return _json(door.collections(request))

    @made.api_route("/collections/{collection}", methods=_METHODS)
    async def one_collection(request: Request, collection: str, _: Finder) -> Response:
        return _json(door.collection(request, collection))

    @made.api_route("/collections/{collection}/items", methods=_METHODS)
    async def items(request: Request, collection: str, who: Finder) -> Response:
        door.collection(request, collection)
        asked = {**_of_address(request), "collections": collection}
        return await door.search(request, who, asked, request.url.path)

    @made.api_route("/collections/{collection}/items/{item:path}", methods=_METHODS)
    async def one_item(request: Request, collection: str, item: str, who: Finder) -> Response:
        identifier, _, file = checked_path(item).partition("/files/")
        if file:
            await _READING(request, who)
            return await door.file(collection, identifier, file)
        return await door.item(request, who, collection, identifier)

    @made.api_route("/search", methods=_METHODS)
    async def search(request: Request, who: Finder) -> Response:
        return await door.search(request, who, _of_address(request), request.url.path)

    @made.post("/search")
    async def search_by_body(request: Request, who: Finder) -> Response:
        body = await _body(request)
        return await door.search(request, who, body, request.url.path, by_body=True)

    return made


class _Door:
    def __init__(self, shared: Shared, programs: Programs) -> None:
        self._shared, self._programs = shared, programs
        self._address = shared.settings.portal.public_address
        self._results, self._files = StacResults(shared), ResultFiles(shared)

    def landing(self, request: Request) -> dict[str, Any]:
        """Write the landing page."""
        base = self._base(request)
        links = [
            _link("self", base),
            _link("root", base),
            _link("conformance", f"{base}/conformance"),
            _link("data", f"{base}/collections"),
            _link("search", f"{base}/search", _GEOJSON, method="GET"),
            _link("search", f"{base}/search", _GEOJSON, method="POST"),
            _link("service-desc", f"{base}/api", "application/vnd.oai.openapi+json;version=3.0"),
            _link("service-doc", f"{base}/api.html", "text/html"),
        ]
        children = [
            _link("child", f"{base}/collections/{name}", title=name) for name in (RESULTS, SCENES)
        ]
        return {
            "type": "Catalog",
            "stac_version": stac_items.VERSION,
            "id": "geobservatory",
            "title": "geObservatory",
            "description": "Maps of how the ground moved, and the Sentinel-1 products that hubs"
            " offer.",
            "conformsTo": _CONFORMS,
            "links": [*links, *children],
        }

    def collections(self, request: Request) -> dict[str, Any]:
        """Write all collections."""
        base = self._base(request)
        links = [_link("self", f"{base}/collections"), _link("root", base), _link("parent", base)]
        return {"collections": stac_items.collections(base), "links": links}

    def collection(self, request: Request, name: str) -> dict[str, Any]:
        """Write a collection; `NotFoundError` where there is none."""
        for one in stac_items.collections(self._base(request)):
            if one["id"] == name:
                return one
        raise NotFoundError(f"there is no collection {name[:60]}")

    async def item(
        self, request: Request, who: Identity, collection: str, identifier: str
    ) -> Response:
        """Answer with an item."""
        self.collection(request, collection)
        query = StacQuery(ids=(identifier,), collections=(collection,))
        found = await self._found(request, who, query, anew=True)
        items = await self._items(request, found[:1])
        if not items:
            raise NotFoundError(f"{collection} has no item {identifier[:120]}")
        return _json(items[0], _GEOJSON)

    async def file(self, collection: str, identifier: str, name: str) -> Response:
        """Answer with a file of a result; ranges as asked."""
        if collection != RESULTS:
            raise NotFoundError("only results have files here")
        result = await self._files.item(identifier)
        _, path = await self._files.file(result, name)
        headers = {**_OPEN, "X-Content-Type-Options": "nosniff"}
        return ResultFile(
            self._shared, result.activation, path,
            each_range=False, media_type=media_type(name), headers=headers,
        )  # fmt: skip

    async def search(
        self,
        request: Request,
        who: Identity,
        asked: Mapping[str, Any],
        path: str,
        *,
        by_body: bool = False,
    ) -> Response:
        """Answer a search, a page of it."""
        query = read_query(asked)
        found = await self._found(request, who, query, anew=not query.start)
        page = found[query.start : query.start + query.limit]
        items = [query.shown.of(one) for one in await self._items(request, page)]
        base = self._base(request)
        own = base.removesuffix(_BASE) + path
        links = [_link("root", base), _link("self", own, _GEOJSON)]
        after = query.start + len(page)
        if after < len(found):
            links.append(_next(own, asked, after, by_body=by_body))
        answer = {
            "type": "FeatureCollection",
            "features": items,
            "links": links,
            "numberMatched": len(found),
            "numberReturned": len(items),
        }
        return _json(answer, _GEOJSON)

    async def _found(
        self, request: Request, who: Identity, query: StacQuery, *, anew: bool
    ) -> list[tuple[str, str]]:
        """Find the items that are looked for: results first, then products."""
        wanted = query.collections or (RESULTS, SCENES)
        found: list[tuple[str, str]] = []
        # A token that is for downloads of products finds these, and reads no results.
        if RESULTS in wanted and who.may(Role.READER):
            made = await self._programs.kept(
                who, f"stac results {query.key}", lambda: self._results.found(query), anew=anew
            )
            found += [(RESULTS, one) for one in made.names]
        if SCENES in wanted:
            asked = Wanted(query.term(), stac_items.MEANING, stac_items.searchable, query.order)
            results = await self._programs.search(who, f"stac {query.key}", asked, anew=anew)
            found += [(SCENES, one) for one in results.names]
        return found

    async def _items(self, request: Request, page: list[tuple[str, str]]) -> list[dict[str, Any]]:
        base = self._base(request)
        results = [name for collection, name in page if collection == RESULTS]
        listed = await self._programs.page(
            tuple(name for collection, name in page if collection == SCENES)
        )
        known = await self._programs.known(listed)
        door = base.removesuffix(_BASE)
        return [
            *(await self._results.items(base, results)),
            *(
                stac_items.scene_item(base, door, one, located)
                for one, located in zip(listed, known, strict=True)
            ),
        ]

    def _base(self, request: Request) -> str:
        return (self._address or str(request.base_url)).rstrip("/") + _BASE


def _next(own: str, asked: Mapping[str, Any], token: int, *, by_body: bool) -> dict[str, Any]:
    if by_body:
        link = _link("next", own, _GEOJSON, method="POST")
        return {**link, "body": {**asked, "token": str(token)}}
    kept = {
        name: json.dumps(value) if isinstance(value, dict) else value
        for name, value in asked.items()
        if not (name == "collections" and own.endswith("/items"))
    }
    query = urlencode({**kept, "token": token}, quote_via=quote)
    return _link("next", f"{own}?{query}", _GEOJSON, method="GET")


def _of_address(request: Request) -> dict[str, Any]:
    asked: dict[str, Any] = {
        name: request.query_params[name] for name in _ASKED if name in request.query_params
    }
    if "intersects" in asked:
        try:
            asked["intersects"] = json.loads(asked["intersects"])
        except (ValueError, RecursionError) as error:
            raise InputError("intersects: it is no JSON") from error
    return asked


async def _body(request: Request) -> dict[str, Any]:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > _MOST_BODY:
            raise InputError(f"a search of more than {_MOST_BODY} bytes")
    try:
        read = json.loads(bytes(content) or b"{}")
    except (ValueError, RecursionError) as error:
        raise InputError("the search is no JSON") from error
    if not isinstance(read, dict):
        raise InputError("the search is no JSON object")
    return {name: read[name] for name in _ASKED if read.get(name) is not None}


def _json(content: Any, kind: str = "application/json") -> Response:
    return JSONResponse(content, media_type=kind, headers=_OPEN)


def _link(rel: str, href: str, kind: str = "application/json", **more: str) -> dict[str, Any]:
    return {"rel": rel, "href": href, "type": kind, **more}


def _shown(made: APIRouter) -> list[Any]:
    """List the addresses as they are described: they are left out of the portal's own document."""
    shown = []
    for one in made.routes:
        kept = copy(one)
        kept.include_in_schema = True  # type: ignore[attr-defined]
        kept.methods = one.methods - {"HEAD"}  # type: ignore[attr-defined]
        shown.append(kept)
    return shown


_PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>STAC of geObservatory</title>
<h1>STAC of geObservatory</h1>
<p>Open <code>/stac</code> in pystac-client, QGIS or a STAC browser; <a href="api">the
interface</a> is described as OpenAPI has it.</p>
</html>
"""
