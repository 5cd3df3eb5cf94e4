"""The door that speaks DHuS: OpenSearch and OData v1, for `sentinelsat` and its like.

Source: Data Hub Software, user guide (OpenSearch and OData interfaces); OData 2.0.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from geobservatory.catalog.listing import Listed, Wanted
from geobservatory.errors import InputError
from geobservatory.hubs.queries.lucene import parse_query
from geobservatory.hubs.queries.odata import parse_filter
from geobservatory.hubs.queries.terms import Everything
from portal.access.guard import Finder, needs
from portal.access.identity import Identity, Role
from portal.programs import dhus_entities, dhus_fields
from portal.programs.dhus_entities import reply, text_reply
from portal.programs.dhus_feed import feed, feed_error, feed_reply
from portal.programs.door import (
    checked_path,
    door_route,
    send_file,
    send_product,
    tree_of,
    uuid_of,
)
from portal.programs.service import Programs, checked_text, term_of
from portal.shared import Shared

_BASE = "/dhus"
_MOST_ROWS, _LONGEST = 100, 8000
_PRODUCT = re.compile(r"Products\('([^']*)'\)(?:/(.*))?")
_NODES = re.compile(r"Nodes\('([^']*)'\)/?")
_ATTRIBUTE = re.compile(r"Attributes\('([^']*)'\)(/Value/\$value)?")
_METHODS = ["GET", "HEAD"]
_DOWNLOADING = needs(Role.DOWNLOADER)
# What OData v1 can be asked for, and what each is in a catalogue.
_FIELDS: Mapping[str, type] = {
    "Id": str,
    "Name": str,
    "ContentLength": int,
    "IngestionDate": datetime,
    "CreationDate": datetime,
    "ModificationDate": datetime,
    "ContentDate/Start": datetime,
    "ContentDate/End": datetime,
    "Online": bool,
}
_MEANING: Mapping[str, str] = {
    "Id": "uuid",
    "Name": "name",
    "IngestionDate": "published",
    "CreationDate": "published",
    "ModificationDate": "published",
    "ContentDate/Start": "start",
    "ContentDate/End": "stop",
}


def fault(request: Request, status: int, cause: str, message: str, **headers: str) -> Response:
    """Answer with an error as a DHuS does, which forbids a download that is one too many."""
    if cause == "MediaRegulationException":
        status = 403
    return dhus_entities.fault(request, status, cause, message, **headers)


def router(shared: Shared, programs: Programs) -> APIRouter:
    """Make the addresses of this door."""
    made = APIRouter(prefix=_BASE, route_class=door_route(fault), include_in_schema=False)
    door = _Door(programs, shared.settings.portal.public_address)

    @made.api_route("/search", methods=_METHODS)
    async def search(request: Request, who: Finder) -> Response:
        return await door.search(request, who)

    @made.api_route("/api/stub/version", methods=_METHODS)
    async def version(_: Finder) -> Response:
        return JSONResponse({"value": "2.4.1"})

    @made.api_route("/odata/v1/{path:path}", methods=_METHODS)
    async def odata(request: Request, path: str, who: Finder) -> Response:
        return await door.odata(request, who, checked_path(path).rstrip("/"))

    return made


class _Door:
    def __init__(self, programs: Programs, address: str | None) -> None:
        self._programs, self._address = programs, address

    def _base(self, request: Request) -> str:
        return (self._address or str(request.base_url)).rstrip("/") + _BASE

    async def search(self, request: Request, who: Identity) -> Response:
        asked = request.query_params
        query, form = asked.get("q", "*"), asked.get("format", "")
        order = asked.get("orderby", "")
        try:
            start, rows = _count(asked.get("start", "0"), "start"), _rows(asked.get("rows", "10"))
            checked_text(query + order, _LONGEST)
            now = datetime.now(UTC)
            wanted = Wanted(
                term_of(lambda: parse_query(query, dhus_fields.KINDS, now)),
                dhus_fields.MEANING,
                dhus_fields.searchable,
                _order(order or "ingestiondate desc", dhus_fields.MEANING),
            )
        except InputError as error:
            if "Request-URI Too Long" in str(error):
                raise
            # As a DHuS does, which says in the answer that it is none; programs of others see 400.
            return feed_reply(feed_error(str(error)), form, 200 if form == "json" else 400)
        found = await self._programs.search(who, f"dhus {order} {query}", wanted, anew=not start)
        page = await self._programs.page(found.names[start : start + rows])
        silent = {"Geobs-Silent-Hubs": ", ".join(found.silent)} if found.silent else None
        written = feed(self._base(request), query, page, len(found.names), start, rows)
        return feed_reply(written, form, headers=silent)

    async def odata(self, request: Request, who: Identity, path: str) -> Response:
        if path in ("Products", "Products/$count"):
            return await self._products(request, who, count=path.endswith("$count"))
        match = _PRODUCT.fullmatch(path)
        if match is None:
            return fault(request, 404, "NotFound", f"Could not find an entity set for '{path}'")
        identifier = uuid_of(match[1])
        listed = None if identifier is None else await self._programs.find(identifier)
        if listed is None:
            key = match[1][:60]
            return _no_key(request, f"Invalid key ({key}) to access Products")
        return await self._entity(request, who, listed, match[2] or "")

    async def _products(self, request: Request, who: Identity, *, count: bool) -> Response:
        asked = request.query_params
        text, order = asked.get("$filter"), asked.get("$orderby", "IngestionDate desc")
        skip, top = _count(asked.get("$skip", "0"), "$skip"), _rows(asked.get("$top", "50"))
        checked_text((text or "") + order, _LONGEST)
        term = Everything() if text is None else term_of(lambda: parse_filter(text, _FIELDS))
        wanted = Wanted(term, _MEANING, _searchable, _order(order, _MEANING, fold=False))
        key = f"odata v1 {order} {text}"
        found = await self._programs.search(who, key, wanted, anew=not skip)
        if count:
            return text_reply(str(len(found.names)))
        page = await self._programs.page(found.names[skip : skip + top])
        known = await self._programs.known(page)
        expand, base = "Attributes" in asked.get("$expand", ""), self._base(request)
        entities = [
            dhus_entities.product(base, one, located, expand=expand)
            for one, located in zip(page, known, strict=True)
        ]
        total = len(found.names) if asked.get("$inlinecount") == "allpages" else None
        return reply(request, dhus_entities.listing(entities, total))

    async def _entity(self, request: Request, who: Identity, listed: Listed, rest: str) -> Response:
        if rest == "$value":
            await _DOWNLOADING(request, who)
            return await send_product(self._programs, request, who, listed, fault)
        if rest.startswith("Nodes"):
            return await self._node(request, who, listed, rest)
        if rest.startswith("Products"):
            # Products of SLC have no quicklook, and no products inside them.
            return _no_key(request, f"Invalid key ({rest[:60]}) to access Products")
        base = self._base(request)
        if rest.startswith("Attributes"):
            return self._attribute(request, listed, rest)
        located = await self._programs.told(listed)
        expand = "Attributes" in request.query_params.get("$expand", "")
        entity = dhus_entities.product(base, listed, located, expand=expand)
        if not rest:
            return reply(request, entity)
        return _property(request, entity, rest)

    def _attribute(self, request: Request, listed: Listed, rest: str) -> Response:
        written = dhus_entities.attributes(self._base(request), listed)
        if rest == "Attributes":
            return reply(request, dhus_entities.listing(written, None))
        match = _ATTRIBUTE.fullmatch(rest)
        found = [one for one in written if match is not None and one["Name"] == match[1]]
        if match is None or not found:
            return _no_key(request, f"Invalid key ({rest[:60]}) to access Attributes")
        return text_reply(found[0]["Value"]) if match[2] else reply(request, found[0])

    async def _node(self, request: Request, who: Identity, listed: Listed, rest: str) -> Response:
        parts, left = tuple(_NODES.findall(rest)), _NODES.sub("", rest).strip("/")
        await _DOWNLOADING(request, who)
        located, tree = await tree_of(self._programs, listed)
        found = tree.node(parts)
        if (parts and found is None) or left not in ("", "Nodes", "Nodes/$count", "$value"):
            return _no_key(request, f"Invalid key ({rest[:200]}) to access Nodes")
        base = self._base(request)
        if left.startswith("Nodes"):
            children = [dhus_entities.node(base, listed.id, one) for one in tree.children(parts)]
            if left.endswith("$count"):
                return text_reply(str(len(children)))
            return reply(request, dhus_entities.listing(children, None))
        if found is None:
            return _no_key(request, f"Invalid key ({rest[:200]}) to access Nodes")
        if left == "":
            return reply(request, dhus_entities.node(base, listed.id, found))
        if not found.is_file:
            return fault(request, 404, "NotFound", f"{found.name} is a folder and has no content")
        return await send_file(self._programs, request, who, listed, located, found, fault)


def _property(request: Request, entity: Mapping[str, Any], rest: str) -> Response:
    """Answer with a property: as an entity, or its bare value."""
    parts = rest.removesuffix("/$value").split("/")
    value: Any = entity.get(parts[0])
    if len(parts) == 2 and isinstance(value, dict):
        value = value.get(parts[1])
    if len(parts) <= 2 and rest.endswith("/$value") and isinstance(value, str | bool):
        return text_reply(str(value).lower() if isinstance(value, bool) else value)
    if len(parts) <= 2 and not rest.endswith("$value") and value is not None:
        return reply(request, value if isinstance(value, dict) else {parts[-1]: value})
    return fault(
        request, 404, "ODataException", f"Could not find property with name: '{rest[:60]}'"
    )


def _no_key(request: Request, message: str) -> Response:
    return fault(request, 404, "InvalidKeyException", message)


def _searchable(listed: Listed) -> dict[str, Any]:
    product = listed.product
    sizes = [one.size for one in listed.offers if one.size is not None]
    return {
        "Id": str(listed.id),
        "Name": product.name,
        "ContentLength": next(iter(sizes), None),
        "IngestionDate": listed.published,
        "CreationDate": listed.published,
        "ModificationDate": listed.published,
        "ContentDate/Start": product.start,
        "ContentDate/End": product.stop,
        "Online": any(one.online is not False for one in listed.offers),
    }


def _order(
    text: str, meaning: Mapping[str, str], *, fold: bool = True
) -> tuple[tuple[str, bool], ...]:
    order = []
    for term in text.split(","):
        name, _, direction = term.strip().partition(" ")
        key = meaning.get(name.lower() if fold else name)
        direction = direction.strip().lower()
        if key is None or key == "footprint" or direction not in ("", "asc", "desc"):
            raise InputError(f"undefined field {name[:60]} to order by")
        order.append((key, direction == "desc"))
    return tuple(order)


def _rows(text: str) -> int:
    return min(_count(text, "rows"), _MOST_ROWS)


def _count(text: str, name: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise InputError(f"Invalid {name}: '{text[:20]}'")
    return int(text)
