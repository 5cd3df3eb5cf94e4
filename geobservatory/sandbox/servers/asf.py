"""An archive like the ASF's: the catalogue that `asf_search` asks, Earthdata Login, downloads.

Single bursts are cut out of the products when they are asked for; see `asf_bursts`.
"""

import asyncio
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal
from uuid import UUID

from aiohttp import web
from pydantic import Field

from geobservatory.errors import InputError, NotFoundError
from geobservatory.sandbox.servers import granules
from geobservatory.sandbox.servers.asf_bursts import PATH, BurstExtractor
from geobservatory.sandbox.servers.burst_granules import burst_entries
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.earthdata import Earthdata
from geobservatory.sandbox.servers.faults import Faults
from geobservatory.sandbox.servers.granule_query import (
    Asked,
    about_bursts,
    parameter_test,
    read_count,
)
from geobservatory.sandbox.servers.granules import Entry
from geobservatory.sandbox.servers.hub import Hub, HubConfig
from geobservatory.sandbox.servers.offers import OfferPolicy, Shelf
from geobservatory.sandbox.servers.sending import file_body
from geobservatory.sandbox.servers.stock import StockItem
from geobservatory.sandbox.servers.view import View

_SIGNED_FOR_S = timedelta(hours=1).total_seconds()


class AsfConfig(HubConfig):
    """An ASF-like archive."""

    kind: Literal["asf"] = "asf"
    offer: OfferPolicy = OfferPolicy()
    accounts: dict[str, str] = Field(default={"sandbox": "sandbox"}, description="user to password")
    extraction_s: float = Field(
        default=1.0, ge=0, description="real seconds from asking for a burst until it is cut out"
    )


@dataclass(frozen=True)
class _Signed:
    """A file that whoever knows its address may have until a time, and the product it is of."""

    uuid: UUID
    until_s: float
    path: Path
    tag: str


class AsfHub(Hub[AsfConfig]):
    """One such server.

    Parameters
    ----------
    stock
        All products there are.
    """

    kind: ClassVar[str] = "asf"

    def __init__(
        self, config: AsfConfig, clock: SandboxClock, faults: Faults, stock: Iterable[StockItem]
    ) -> None:
        super().__init__(config, clock, faults)
        self.shelf = Shelf(config.name, config.offer, stock)
        self._earthdata = Earthdata(config.accounts)
        self._signatures: dict[str, _Signed] = {}
        self._extractor = BurstExtractor(config.extraction_s)

    def routes(self) -> list[web.RouteDef]:
        """List what it answers."""
        return [
            web.get("/search/granules.umm_json", self._search),
            web.post("/search/granules.umm_json", self._search),
            web.get("/SLC/{satellite}/{file}", self._file),
            web.get("/signed/{signature}/{file}", self._signed),
            web.get(PATH, self._burst),
            *self._earthdata.routes(),
        ]

    def refused(self, request: web.Request, view: View) -> web.Response:
        """Answer a token that ran out."""
        return web.json_response({"errors": ["Token has expired"]}, status=401)

    def state(self) -> dict[str, Any]:
        """Describe it, for the control interface."""
        return {**super().state(), "products": len(self.shelf.at(self.clock.now()))}

    async def close(self) -> None:
        """Stop, end what is under way, and remove the bursts that were cut out."""
        await super().close()
        self._extractor.close()

    async def _search(self, request: web.Request) -> web.Response:
        view = self.view(request)
        asked: Asked = {}
        for key, value in [*request.query.items(), *(await request.post()).items()]:
            asked.setdefault(key, []).append(str(value))
        try:
            tests = [parameter_test(key, values, asked, view) for key, values in asked.items()]
            size = read_count(asked.get("page_size", ["10"])[0])
            after = read_count(request.headers.get("CMR-Search-After", "0"))
        except InputError as error:
            return web.json_response({"errors": [str(error)]}, status=400)
        # In a thread: the first time, bursts and orbits are read from the products.
        entries = await asyncio.to_thread(self._entries, view, about_bursts(asked))
        found = [one for one in entries if all(test(one) for test in tests)]
        found.sort(key=lambda one: one.ur)
        found.sort(key=lambda one: one.stop, reverse=True)
        page = found[after : after + size]
        headers = {"CMR-Hits": str(len(found))}
        if page:
            headers["CMR-Search-After"] = str(after + len(page))
        items = await asyncio.to_thread(lambda: [one.write(self.url, view) for one in page])
        return web.json_response({"hits": len(found), "took": 1, "items": items}, headers=headers)

    def _entries(self, view: View, bursts: bool) -> list[Entry]:
        offered = self.shelf.at(view.listed)
        if bursts:
            return [entry for one in offered for entry in burst_entries(one)]
        return [granules.product_entry(one) for one in offered]

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """Send who is known on to a signed address, and who is not to log in."""
        view = self.view(request)
        item = self._find(request.path, view)
        if item is None:
            return web.Response(status=404, text="The specified key does not exist.")
        if self._earthdata.user(request) is None:
            return self._earthdata.to_login(request)
        signed = _Signed(item.uuid, view.wall_s + _SIGNED_FOR_S, item.path, item.md5)
        response = self._send_on(signed, f"{item.name}.zip")
        self._earthdata.remember(request, response)
        return response

    async def _burst(self, request: web.Request) -> web.StreamResponse:
        """Have a burst cut out; who asks is known by the cookie alone."""
        view = self.view(request)
        if not self._earthdata.has_cookie(request):
            return self._earthdata.to_login(request)
        if self._earthdata.user_of_cookie(request) is None:
            return web.json_response({"message": "Forbidden"}, status=403)
        granule = request.match_info["granule"]
        items = (one.item for one in self.shelf.at(view.now))
        item = next((item for item in items if str(item.name) == granule), None)
        if item is None:
            return web.json_response({"message": "Granule not found"}, status=404)
        wanted = [request.match_info[key] for key in ("swath", "polarisation", "file")]
        try:
            path = await self._extractor.extract(item, *wanted)
        except (NotFoundError, InputError) as error:
            return web.json_response({"message": str(error)}, status=404)
        if path is None:
            return web.json_response({"message": "Extraction in progress"}, status=202)
        tag = f"{item.md5}-{path.name}"
        return self._send_on(_Signed(item.uuid, view.wall_s + _SIGNED_FOR_S, path, tag), path.name)

    def _send_on(self, signed: _Signed, name: str) -> web.Response:
        signature = secrets.token_hex(16)
        self._signatures[signature] = signed
        return web.Response(status=307, headers={"Location": f"/signed/{signature}/{name}"})

    async def _signed(self, request: web.Request) -> web.StreamResponse:
        view = self.view(request)
        signed = self._signatures.get(request.match_info["signature"])
        if (
            signed is None
            or signed.until_s <= view.wall_s
            or self.shelf.find(signed.uuid, view.now) is None
        ):
            return web.Response(status=403, text="Request has expired")
        kinds = {".tiff": "image/tiff", ".xml": "application/xml"}
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Type": kinds.get(signed.path.suffix, "binary/octet-stream"),
            "ETag": f'"{signed.tag}"',
        }
        return await self.send(request, file_body(signed.path), headers)

    def _find(self, path: str, view: View) -> StockItem | None:
        items = (one.item for one in self.shelf.at(view.now))
        return next((item for item in items if granules.file_path(item) == path), None)
