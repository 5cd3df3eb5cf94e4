"""A Copernicus Data Space: OData v4 catalogue, identity service and downloads on one address."""

import re
import time
from collections.abc import Iterable
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode
from uuid import UUID, uuid4

from aiohttp import web
from pydantic import Field

from geobservatory.errors import InputError
from geobservatory.hubs.queries.odata import parse_filter
from geobservatory.sandbox.servers import cdse_products
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.faults import Faults
from geobservatory.sandbox.servers.flows import Flows
from geobservatory.sandbox.servers.hub import Hub, HubConfig
from geobservatory.sandbox.servers.nodes import tree_of
from geobservatory.sandbox.servers.offers import Offered, OfferPolicy, Shelf
from geobservatory.sandbox.servers.sending import SENT, Body, file_body
from geobservatory.sandbox.servers.stock import StockItem
from geobservatory.sandbox.servers.tokens import (
    REALM,
    Identity,
    TokenRefusedError,
    openid_configuration,
)
from geobservatory.sandbox.servers.view import View

_ENTITY = re.compile(r"Products\(([^()]*)\)(?:/(.*))?")
_NODE = re.compile(r"Nodes\(([^()]*)\)/?")
_LIMITS = {"$top": (20, 1000), "$skip": (0, 10_000)}
_ORDERS = ("ContentDate/Start", "ContentDate/End", "PublicationDate", "ModificationDate")
# Past the month's quota: one download at a time, and this speed.
_THROTTLED_BYTES_PER_S = 1e6


class CdseConfig(HubConfig):
    """A Copernicus Data Space."""

    kind: Literal["cdse"] = "cdse"
    offer: OfferPolicy = OfferPolicy()
    accounts: dict[str, str] = Field(default={"sandbox": "sandbox"}, description="user to password")
    access_s: float = Field(default=600, gt=0, description="life of an access token, real seconds")
    session_s: float = Field(default=3600, gt=0, description="life of a session, real seconds")
    max_sessions: int = Field(default=100, ge=1, description="open sessions before a ban")
    ban_s: float = Field(default=900, ge=0, description="how long a ban lasts, real seconds")
    concurrent: int = Field(default=4, ge=1, description="downloads that a user may have at a time")
    linger_s: float = Field(default=2, ge=0, description="how long a broken download still counts")
    quota_bytes: int = Field(default=12_000_000_000_000, ge=0, description="a month's full speed")


class CdseHub(Hub[CdseConfig]):
    """One such server.

    Parameters
    ----------
    stock
        All products there are.
    """

    kind: ClassVar[str] = "cdse"

    def __init__(
        self, config: CdseConfig, clock: SandboxClock, faults: Faults, stock: Iterable[StockItem]
    ) -> None:
        super().__init__(config, clock, faults)
        self._stock = list(stock)
        self.shelf = Shelf(config.name, config.offer, self._stock)
        self._flows = Flows(config.linger_s)
        self._identity = Identity(
            config.accounts, config.access_s, config.session_s, config.max_sessions, config.ban_s
        )
        self._used: dict[tuple[str, str], int] = {}

    def routes(self) -> list[web.RouteDef]:
        """List what it answers."""
        return [
            web.get(f"{REALM}/.well-known/openid-configuration", self._openid),
            web.get(f"{REALM}/protocol/openid-connect/certs", self._certs),
            web.post(f"{REALM}/protocol/openid-connect/token", self._token),
            web.get("/odata/v1/Products", self._products),
            web.get(f"/odata/v1/Attributes({cdse_products.COLLECTION})", self._attributes),
            web.get("/odata/v1/{path:.+}", self._entity),
        ]

    def refused(self, request: web.Request, view: View) -> web.Response:
        """Answer a token that ran out."""
        if request.path.startswith(REALM):
            error = {"error": "invalid_grant", "error_description": "Token is not active"}
            return web.json_response(error, status=400)
        return _zip_error(401, "DAT-ZIP-109", "Token is expired")

    def state(self) -> dict[str, Any]:
        """Describe it, for the control interface."""
        users = self.config.accounts
        return {
            **super().state(),
            "products": len(self.shelf.at(self.clock.now())),
            "sessions": {user: self._identity.sessions(user, time.time()) for user in users},
        }

    async def _openid(self, request: web.Request) -> web.Response:
        return web.json_response(openid_configuration(self.url))

    async def _certs(self, request: web.Request) -> web.Response:
        return web.json_response(self._identity.keys())

    async def _token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        status, answer = self._identity.grant(form, self.url + REALM, self.view(request).wall_s)
        return web.json_response(answer, status=status)

    async def _attributes(self, request: web.Request) -> web.Response:
        return web.json_response(cdse_products.attribute_kinds(self._stock))

    async def _products(self, request: web.Request) -> web.Response:
        view, query = self.view(request), request.query
        if invalid := [problem for name in _LIMITS if (problem := _out_of_bounds(query, name))]:
            return web.json_response({"detail": invalid}, status=422)
        top, skip = (int(query.get(name, default)) for name, (default, _) in _LIMITS.items())
        expand = [name.split("(")[0] for name in query.get("$expand", "").split(",") if name]
        try:
            found = self._found(query.get("$filter"), query.get("$orderby"), view)
        except InputError as error:
            detail = {"message": str(error), "request_id": str(uuid4())}
            return web.json_response({"detail": detail}, status=400)
        answer: dict[str, Any] = {"@odata.context": "$metadata#Products"}
        if expand:
            answer["@odata.context"] += f"({','.join(f'{name}()' for name in expand)})"
        if query.get("$count", "").lower() == "true":
            answer["@odata.count"] = len(found)
        answer["value"] = [
            cdse_products.product(one, view, expand) for one in found[skip : skip + top]
        ]
        if skip + top < len(found) and skip + top <= _LIMITS["$skip"][1]:
            following = {**query, "$top": top, "$skip": skip + top}
            answer["@odata.nextLink"] = f"{self.url}/odata/v1/Products?{urlencode(following)}"
        return web.json_response(answer)

    def _found(self, text: str | None, order: str | None, view: View) -> list[Offered]:
        matches = parse_filter(text, cdse_products.FIELDS) if text is not None else None
        fields = [(cdse_products.searchable(one, view), one) for one in self.shelf.at(view.listed)]
        found = [(field, one) for field, one in fields if matches is None or matches(field)]
        name, _, direction = (order or "ContentDate/Start asc").strip().partition(" ")
        direction = direction.strip().lower()
        if name not in _ORDERS or direction not in ("", "asc", "desc"):
            raise InputError(f"Invalid orderby: {order}")
        found.sort(key=lambda pair: (pair[0][name], pair[0]["Name"]), reverse=direction == "desc")
        return [one for _, one in found]

    async def _entity(self, request: web.Request) -> web.StreamResponse:
        match = _ENTITY.fullmatch(request.match_info["path"].rstrip("/"))
        if match is None:
            return web.json_response({"detail": "Not Found"}, status=404)
        view, rest = self.view(request), match[2] or ""
        try:
            offered = self.shelf.find(UUID(match[1]), view.now)
        except ValueError:
            return _zip_error(422, "DAT-ZIP-111", "Product id is not a UUID")
        if offered is None:
            return web.json_response({"detail": "Product not found in catalogue"}, status=404)
        if not rest:
            expand = request.query.get("$expand", "").split(",")
            entity = cdse_products.product(offered, view, expand)
            return web.json_response({"@odata.context": "$metadata#Products/$entity", **entity})
        if rest == "$value":
            item = offered.item
            return await self._download(
                request, view, offered, file_body(item.path), f"{item.name}.zip", item.md5
            )
        return await self._node(request, view, offered, rest)

    async def _node(
        self, request: web.Request, view: View, offered: Offered, rest: str
    ) -> web.StreamResponse:
        parts = tuple(_NODE.findall(rest))
        left = _NODE.sub("", rest)
        if left not in ("", "Nodes", "$value") or "'" in rest:
            return _zip_error(400, "DAT-ZIP-104", "Malformed OData request path")
        tree = tree_of(offered.item.path)
        found = tree.node(parts)
        if found is None:
            return web.json_response({"detail": "Not Found"}, status=404)
        if left == "$value":
            if not found.is_file:
                return _zip_error(400, "DAT-ZIP-104", "Malformed OData request path")
            return await self._download(
                request, view, offered, tree.body(found), found.name, found.tag
            )
        if left == "Nodes":
            nodes = [cdse_products.node(self.url, offered.item, n) for n in tree.children(parts)]
            return web.json_response({"result": nodes})
        return web.json_response(cdse_products.node(self.url, offered.item, found))

    async def _download(
        self, request: web.Request, view: View, offered: Offered, body: Body, name: str, tag: str
    ) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return _zip_error(401, "DAT-ZIP-604", "Token not found")
        try:
            user = self._identity.user_of(token.strip(), view.wall_s)
        except TokenRefusedError as error:
            return _zip_error(401, "DAT-ZIP-109", str(error))
        if not offered.online or view.offline:
            return web.json_response({"detail": "Product is offline; order it first"}, status=422)
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Type": "application/octet-stream",
            "ETag": f'"{tag}"',
        }
        if request.method == "HEAD":
            return await self.send(request, body, headers)
        month = (user, f"{view.now:%Y-%m}")
        slow = self._used.get(month, 0) > self.config.quota_bytes
        async with self._flows.one(user):
            if self._flows.count(user) > (1 if slow else self.config.concurrent):
                return _zip_error(429, "DAT-ZIP-100", "Max session number exceeded")
            try:
                return await self.send(
                    request, body, headers, bytes_per_s=_THROTTLED_BYTES_PER_S if slow else None
                )
            finally:
                self._used[month] = self._used.get(month, 0) + request.get(SENT, 0)


def _zip_error(status: int, code: str, message: str) -> web.Response:
    trace = {"trace-id": uuid4().hex, "code": code, "message": message}
    return web.json_response(trace, status=status)


def _out_of_bounds(query: Any, name: str) -> dict[str, Any] | None:
    """Say what is wrong with a number among the parameters, as the real service does."""
    text, most = query.get(name, "0"), _LIMITS[name][1]
    problem = {"loc": ["query", name], "input": text}
    if not re.fullmatch(r"\d{1,9}", text):
        return {"type": "int_parsing", **problem, "msg": "Input should be a valid integer"}
    if int(text) <= most:
        return None
    message = f"Input should be less than or equal to {most}"
    return {"type": "less_than_equal", **problem, "msg": message, "ctx": {"le": most}}
