"""A DHuS: OpenSearch, OData v1 and a long-term archive behind basic authentication."""

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Literal
from uuid import UUID

from aiohttp import web
from pydantic import Field

from geobservatory.errors import InputError
from geobservatory.hubs.queries.lucene import parse_query
from geobservatory.sandbox.servers import dhus_odata, dhus_search
from geobservatory.sandbox.servers.basic import basic_user
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.dhus_odata import (
    entity_reply,
    fault_reply,
    media_headers,
    text_reply,
)
from geobservatory.sandbox.servers.faults import Faults
from geobservatory.sandbox.servers.flows import Flows
from geobservatory.sandbox.servers.hub import Hub, HubConfig
from geobservatory.sandbox.servers.nodes import tree_of
from geobservatory.sandbox.servers.offers import Offered, OfferPolicy, Shelf
from geobservatory.sandbox.servers.sending import file_body
from geobservatory.sandbox.servers.stock import StockItem
from geobservatory.sandbox.servers.view import View

_BASE = "/dhus"
_MAX_ROWS = 100
_PRODUCT = re.compile(r"Products\('([^']*)'\)(?:/(.*))?")
_NODES = re.compile(r"(?:Nodes\('([^']*)'\)/?)")
_HTML_401 = """<!doctype html><html lang="en"><head><title>HTTP Status 401 – Unauthorized</title>
</head><body><h1>HTTP Status 401 – Unauthorized</h1><p><b>Message</b> Unauthorized</p>
<p><b>Description</b> The request has not been applied because it lacks valid authentication
credentials for the target resource.</p></body></html>"""


class DhusConfig(HubConfig):
    """A DHuS."""

    kind: Literal["dhus"] = "dhus"
    offer: OfferPolicy = OfferPolicy()
    accounts: dict[str, str] = Field(default={"sandbox": "sandbox"}, description="user to password")
    concurrent: int = Field(default=2, ge=1, description="downloads that a user may have at a time")
    retrievals: int = Field(
        default=20, ge=0, description="orders from the archive under way at a time"
    )


class DhusHub(Hub[DhusConfig]):
    """One such server.

    Parameters
    ----------
    stock
        All products there are.
    """

    kind: ClassVar[str] = "dhus"

    def __init__(
        self, config: DhusConfig, clock: SandboxClock, faults: Faults, stock: Iterable[StockItem]
    ) -> None:
        super().__init__(config, clock, faults)
        self.shelf = Shelf(config.name, config.offer, stock)
        self._flows = Flows()

    @property
    def address(self) -> str:
        """Address that a client is given."""
        return self.url + _BASE

    def routes(self) -> list[web.RouteDef]:
        """List what it answers."""
        return [
            web.get(f"{_BASE}/search", self._search),
            web.get(f"{_BASE}/api/stub/version", self._version),
            web.get(_BASE + "/odata/v1/{path:.+}", self._odata),
        ]

    def refused(self, request: web.Request, view: View) -> web.Response:
        """Answer wrong credentials, in HTML as Tomcat does."""
        realm = "OData service" if "/odata/" in request.path else "Data hub search"
        return web.Response(
            status=401,
            text=_HTML_401,
            content_type="text/html",
            headers={"WWW-Authenticate": f'Basic realm="{realm}"', "Pragma": "no-cache"},
        )

    def state(self) -> dict[str, Any]:
        """Describe it, for the control interface."""
        return {**super().state(), "products": len(self.shelf.at(self.clock.now()))}

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"value": "2.4.1"})

    async def _search(self, request: web.Request) -> web.Response:
        view = self.view(request)
        if basic_user(request, self.config.accounts) is None:
            return self.refused(request, view)
        query = request.query.get("q", "")
        try:
            start = _count(request.query.get("start", "0"), "start")
            rows = min(_count(request.query.get("rows", "10"), "rows"), _MAX_ROWS)
            found = self._found(query, request.query.get("orderby", ""), view)
        except InputError as error:
            return web.json_response(dhus_search.feed_error(400, str(error)))
        page = found[start : start + rows]
        return web.json_response(
            dhus_search.feed(self.address, query, page, len(found), start, rows, view)
        )

    def _found(self, query: str, order: str, view: View) -> list[Offered]:
        matches = parse_query(query, dhus_search.KINDS, view.now)
        fields = [(dhus_search.searchable(one), one) for one in self.shelf.at(view.listed)]
        found = [(field, one) for field, one in fields if matches(field)]
        # The last key first: sorting is stable.
        for term in reversed(
            [term for term in order.split(",") if term.strip()] or ["ingestiondate desc"]
        ):
            name, _, direction = term.strip().partition(" ")
            key = name.lower()
            if key == "footprint" or any(key not in field for field, _ in found):
                raise InputError(f"undefined field {name}")
            found.sort(key=lambda pair: pair[0][key], reverse=direction.strip().lower() == "desc")
        return [one for _, one in found]

    async def _odata(self, request: web.Request) -> web.StreamResponse:
        view = self.view(request)
        user = basic_user(request, self.config.accounts)
        if user is None:
            return self.refused(request, view)
        path = request.match_info["path"].rstrip("/")
        if path == "Products":
            return self._listing(request, view)
        match = _PRODUCT.fullmatch(path)
        if match is None:
            return fault_reply(
                request, 404, "NotFound", f"Could not find an entity set for '{path}'"
            )
        key, rest = match[1], match[2] or ""
        offered = self._find(key, view)
        if offered is None:
            return fault_reply(
                request,
                404,
                "InvalidKeyException",
                f"Invalid key ({key}) to access Products",
            )
        return await self._entity(request, view, user, offered, rest)

    async def _entity(
        self, request: web.Request, view: View, user: str, offered: Offered, rest: str
    ) -> web.StreamResponse:
        item = offered.item
        entity = dhus_odata.product(
            self.address, offered, view, expand="Attributes" in request.query.get("$expand", "")
        )
        if not rest:
            return entity_reply(entity)
        if rest == "$value":
            return await self._download(request, view, user, offered)
        if rest.startswith("Nodes"):
            return await self._node(request, view, user, offered, rest)
        attributes = {one["Name"]: one for one in dhus_odata.attributes(self.address, offered)}
        if rest == "Attributes":
            return entity_reply({"results": list(attributes.values())})
        if found := re.fullmatch(r"Attributes\('([^']*)'\)(/Value/\$value)?", rest):
            if found[1] not in attributes:
                return fault_reply(request, 404, "InvalidKeyException", f"Invalid key ({found[1]})")
            attribute = attributes[found[1]]
            return text_reply(attribute["Value"]) if found[2] else entity_reply(attribute)
        if rest == "Checksum":
            return entity_reply(entity["Checksum"])
        name = rest.removesuffix("/$value").split("/")
        value = entity.get(name[0])
        if len(name) == 2 and isinstance(value, dict):
            value = value.get(name[1])
        if rest.endswith("/$value") and isinstance(value, str | bool):
            return text_reply(str(value).lower() if isinstance(value, bool) else value)
        return fault_reply(
            request,
            404,
            "ODataException",
            f"Could not find property with name: '{item.uuid}/{rest}'",
        )

    def _listing(self, request: web.Request, view: View) -> web.Response:
        if "$filter" in request.query:
            return fault_reply(
                request, 501, "NotImplemented", "the sandbox answers no $filter; search"
            )
        try:
            skip = _count(request.query.get("$skip", "0"), "$skip")
            top = min(_count(request.query.get("$top", "50"), "$top"), _MAX_ROWS)
        except InputError as error:
            return fault_reply(request, 400, "ODataException", str(error))
        page = self.shelf.at(view.listed)[skip : skip + top]
        return entity_reply(
            {"results": [dhus_odata.product(self.address, one, view, expand=False) for one in page]}
        )

    async def _node(
        self, request: web.Request, view: View, user: str, offered: Offered, rest: str
    ) -> web.StreamResponse:
        item = offered.item
        tree = tree_of(item.path)
        parts = tuple(_NODES.findall(rest))
        left = _NODES.sub("", rest).strip("/")
        found = tree.node(parts)
        if found is None or left not in ("", "Nodes", "$value"):
            return fault_reply(
                request, 404, "InvalidKeyException", f"Invalid key ({rest}) to access Nodes"
            )
        if left == "Nodes" or not parts:
            children = [dhus_odata.node(self.address, item, one) for one in tree.children(parts)]
            return entity_reply({"results": children})
        if left == "":
            return entity_reply(dhus_odata.node(self.address, item, found))
        if not found.is_file:
            return fault_reply(request, 404, "NotFound", f"{found.name} has no content")
        if not offered.online or view.offline:
            return self._order(request, view, user, offered)
        headers = media_headers(found.name, found.tag)
        async with self._flows.one(user):
            if self._flows.count(user) > self.config.concurrent:
                return self._too_many(request, user)
            return await self.send(request, tree.body(found), headers)

    async def _download(
        self, request: web.Request, view: View, user: str, offered: Offered
    ) -> web.StreamResponse:
        if not offered.online or view.offline:
            return self._order(request, view, user, offered)
        item = offered.item
        headers = media_headers(f"{item.name}.zip", item.md5)
        if "Range" not in request.headers:
            # A DHuS tells the range even where none was asked for, with status 200.
            headers["Content-Range"] = f"bytes 0-{item.size - 1}/{item.size}"
        if request.method == "HEAD":
            return await self.send(request, file_body(item.path), headers)
        async with self._flows.one(user):
            if self._flows.count(user) > self.config.concurrent:
                return self._too_many(request, user)
            return await self.send(request, file_body(item.path), headers)

    def _too_many(self, request: web.Request, user: str) -> web.Response:
        return fault_reply(
            request,
            403,
            "MediaRegulationException",
            "An exception occured while creating a stream: Maximum number of "
            f'{self.config.concurrent} concurrent flows achieved by the user "{user}"',
        )

    def _order(self, request: web.Request, view: View, user: str, offered: Offered) -> web.Response:
        item = offered.item
        if request.method != "HEAD":
            if self.shelf.retrieving(view.now) >= self.config.retrievals:
                return fault_reply(
                    request,
                    403,
                    "DataStoreException",
                    f"User '{user}' offline products retrieval quota exceeded "
                    f"({self.config.retrievals} fetches max) trying to fetch product {item.name} "
                    f"({item.size} bytes compressed)",
                )
            self.shelf.retrieve(item.uuid, view.now)
        return fault_reply(
            request,
            202,
            "ProductOffline",
            f"Product {item.name} is offline; its retrieval is under way",
        )

    def _find(self, key: str, view: View) -> Offered | None:
        try:
            uuid = UUID(key)
        except ValueError:
            return None
        # What was listed once stays reachable: only listings grow stale.
        return self.shelf.find(uuid, view.now)


def _count(text: str, name: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise InputError(f"Invalid {name}: '{text[:20]}'")
    return int(text)
