"""The door that speaks as a Copernicus Data Space: OData v4, tokens, downloads and nodes.

Source: the Data Space's documentation of its OData interface; recorded answers.
"""

import re
from typing import Annotated, Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import JSONResponse

from geobservatory.catalog.listing import Listed, Wanted
from geobservatory.errors import InputError
from geobservatory.hubs.queries.odata import parse_filter
from geobservatory.hubs.queries.terms import Everything
from portal.access.guard import finding, needs
from portal.access.identity import Identity, Role
from portal.programs import dataspace_entities
from portal.programs.dataspace_access import Access
from portal.programs.door import (
    checked_path,
    door_route,
    send_file,
    send_product,
    tree_of,
    uuid_of,
)
from portal.programs.service import Programs, checked_text, term_of
from portal.programs.tokens import REALM, openid_configuration
from portal.shared import Shared

_LONGEST = 16_000
_ENTITY = re.compile(r"Products\(([^()]*)\)(?:/(.*))?")
_NODE = re.compile(r"Nodes\(([^()]*)\)/?")
_LIMITS = {"$top": (20, 1000), "$skip": (0, 10_000)}
_ORDERS = {
    "ContentDate/Start": "start",
    "ContentDate/End": "stop",
    "PublicationDate": "published",
    "ModificationDate": "published",
}
_METHODS = ["GET", "HEAD"]
_DOWNLOADING = needs(Role.DOWNLOADER)


def fault(request: Request, status: int, cause: str, message: str, **headers: str) -> Response:
    """Answer with an error, as a Data Space does."""
    del request
    detail = {"message": message, "code": cause, "request_id": uuid4().hex}
    return JSONResponse({"detail": detail}, status, headers=headers)


def router(shared: Shared, programs: Programs) -> APIRouter:
    """Make the addresses of this door."""
    made = APIRouter(route_class=door_route(fault), include_in_schema=False)
    door = _Door(programs, shared.settings.portal.public_address)
    access = Access(shared)

    Asking = Annotated[Identity, Depends(access.identify)]

    @made.api_route(f"{REALM}/.well-known/openid-configuration", methods=_METHODS)
    async def openid(request: Request) -> Response:
        return JSONResponse(openid_configuration(door.base(request)))

    @made.api_route(f"{REALM}/protocol/openid-connect/certs", methods=_METHODS)
    async def certs() -> Response:
        return JSONResponse(access.tokens.keys())

    @made.post(f"{REALM}/protocol/openid-connect/token")
    async def token(
        request: Request,
        client_id: Annotated[str, Form(max_length=200)] = "",
        grant_type: Annotated[str, Form(max_length=200)] = "",
        username: Annotated[str, Form(max_length=300)] = "",
        password: Annotated[str, Form(max_length=1000)] = "",
        refresh_token: Annotated[str, Form(max_length=4000)] = "",
    ) -> Response:
        issuer = door.base(request) + REALM
        if grant_type == "password":
            return await access.log_in(request, client_id, username, password, issuer)
        if grant_type == "refresh_token":
            return await access.go_on(client_id, refresh_token, issuer)
        return access.refused(400, "unsupported_grant_type", "Unsupported grant_type")

    @made.api_route(f"/odata/v1/Attributes({dataspace_entities.COLLECTION})", methods=_METHODS)
    async def attributes(request: Request, who: Asking) -> Response:
        await finding(request, who)
        kinds = dataspace_entities.KINDS.items()
        return JSONResponse([{"Name": name, "ValueType": kind} for name, kind in kinds])

    @made.api_route("/odata/v1/{path:path}", methods=_METHODS)
    async def odata(request: Request, path: str, who: Asking) -> Response:
        await finding(request, who)
        checked = checked_path(path).rstrip("/")
        if checked in ("Products", "Products/$count"):
            return await door.products(request, who, count=checked.endswith("$count"))
        return await door.entity(request, who, checked)

    return made


class _Door:
    def __init__(self, programs: Programs, address: str | None) -> None:
        self._programs, self._address = programs, address

    def base(self, request: Request) -> str:
        """Address that clients are given."""
        return (self._address or str(request.base_url)).rstrip("/")

    async def products(self, request: Request, who: Identity, *, count: bool) -> Response:
        """Answer a search."""
        asked = request.query_params
        if wrong := [one for name in _LIMITS if (one := _out_of_bounds(asked.get(name), name))]:
            return JSONResponse({"detail": wrong}, 422)
        top, skip = (int(asked.get(name, default)) for name, (default, _) in _LIMITS.items())
        expand = [name.split("(")[0].strip() for name in asked.get("$expand", "").split(",")]
        text, order = asked.get("$filter"), asked.get("$orderby", "ContentDate/Start asc")
        checked_text((text or "") + order, _LONGEST)
        fields = dataspace_entities.FIELDS
        wanted = Wanted(
            Everything() if text is None else term_of(lambda: parse_filter(text, fields)),
            dataspace_entities.MEANING,
            dataspace_entities.searchable,
            (_order(order),),
        )
        found = await self._programs.search(who, f"v4 {order} {text}", wanted, anew=not skip)
        if count:
            return Response(str(len(found.names)), media_type="text/plain")
        page = await self._programs.page(found.names[skip : skip + top])
        known = await self._programs.known(page)
        answer: dict[str, Any] = {"@odata.context": "$metadata#Products"}
        if asked.get("$count", "").lower() == "true":
            answer["@odata.count"] = len(found.names)
        answer["value"] = [
            dataspace_entities.product(one, located, expand)
            for one, located in zip(page, known, strict=True)
        ]
        if skip + top < len(found.names) and skip + top <= _LIMITS["$skip"][1] and top:
            following = {**asked, "$top": str(top), "$skip": str(skip + top)}
            answer["@odata.nextLink"] = (
                f"{self.base(request)}/odata/v1/Products?"
                f"{urlencode(following, quote_via=quote, safe='$')}"
            )
        silent = {"Geobs-Silent-Hubs": ", ".join(found.silent)} if found.silent else None
        return JSONResponse(answer, headers=silent)

    async def entity(self, request: Request, who: Identity, path: str) -> Response:
        """Answer for a product, its bytes or the files inside it."""
        match = _ENTITY.fullmatch(path)
        if match is None:
            return fault(request, 404, "NotFound", "Not Found")
        identifier, rest = uuid_of(match[1].strip("'")), match[2] or ""
        if identifier is None:
            return fault(request, 422, "DAT-ZIP-111", "Product id is not a UUID")
        listed = await self._programs.find(identifier)
        if listed is None:
            return fault(request, 404, "NotFound", "Product not found in catalogue")
        if not rest:
            located = await self._programs.told(listed)
            expand = request.query_params.get("$expand", "").split(",")
            entity = dataspace_entities.product(listed, located, expand)
            return JSONResponse({"@odata.context": "$metadata#Products/$entity", **entity})
        await _DOWNLOADING(request, who)
        if rest == "$value":
            return await send_product(self._programs, request, who, listed, _download_fault)
        return await self._node(request, who, listed, rest)

    async def _node(self, request: Request, who: Identity, listed: Listed, rest: str) -> Response:
        parts, left = tuple(_NODE.findall(rest)), _NODE.sub("", rest)
        if left not in ("", "Nodes", "$value") or "'" in rest:
            return fault(request, 400, "DAT-ZIP-104", "Malformed OData request path")
        located, tree = await tree_of(self._programs, listed)
        found = tree.node(parts)
        base = self.base(request)
        if left == "Nodes" and (found is not None or not parts):
            nodes = [dataspace_entities.node(base, listed.id, n) for n in tree.children(parts)]
            return JSONResponse({"result": nodes})
        if found is None:
            return fault(request, 404, "NotFound", "Not Found")
        if left == "":
            return JSONResponse(dataspace_entities.node(base, listed.id, found))
        if not found.is_file:
            return fault(request, 400, "DAT-ZIP-104", "Malformed OData request path")
        return await send_file(
            self._programs, request, who, listed, located, found, _download_fault
        )


def _download_fault(
    request: Request, status: int, cause: str, message: str, **headers: str
) -> Response:
    """Answer with an error of a download: what is offline is 422 there, and has been ordered."""
    if status == 202:
        message, status = f"Product is offline; {message}", 422
    return fault(request, status, cause, message, **headers)


def _order(text: str) -> tuple[str, bool]:
    name, _, direction = text.strip().partition(" ")
    direction = direction.strip().lower()
    if name not in _ORDERS or direction not in ("", "asc", "desc"):
        raise InputError(f"Invalid orderby: {text[:60]}")
    return _ORDERS[name], direction == "desc"


def _out_of_bounds(text: str | None, name: str) -> dict[str, Any] | None:
    """Say what is wrong with a number among the parameters, as the real service does."""
    if text is None:
        return None
    most = _LIMITS[name][1]
    problem = {"loc": ["query", name], "input": text[:40]}
    if not re.fullmatch(r"\d{1,9}", text):
        return {"type": "int_parsing", **problem, "msg": "Input should be a valid integer"}
    if int(text) <= most:
        return None
    message = f"Input should be less than or equal to {most}"
    return {"type": "less_than_equal", **problem, "msg": message, "ctx": {"le": most}}
