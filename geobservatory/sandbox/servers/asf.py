"""An archive like the ASF's: the catalogue that `asf_search` asks, Earthdata Login, downloads."""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal
from uuid import UUID

import shapely
from aiohttp import web
from pydantic import Field
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.globe import circle
from geobservatory.sandbox.servers import granules
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.earthdata import Earthdata
from geobservatory.sandbox.servers.faults import Faults
from geobservatory.sandbox.servers.hub import Hub, HubConfig
from geobservatory.sandbox.servers.offers import Offered, OfferPolicy, Shelf
from geobservatory.sandbox.servers.sending import file_body
from geobservatory.sandbox.servers.stock import StockItem
from geobservatory.sandbox.servers.view import View

Test = Callable[[Offered], bool]
Asked = dict[str, list[str]]
_SIGNED_FOR = timedelta(hours=1)
# Parameters that change nothing here: there is one provider, and one order.
_IGNORED = ("page_size", "sort_key[]", "provider", "scroll", "instrument[]")


class AsfConfig(HubConfig):
    """An ASF-like archive."""

    kind: Literal["asf"] = "asf"
    offer: OfferPolicy = OfferPolicy()
    accounts: dict[str, str] = Field(default={"sandbox": "sandbox"}, description="user to password")


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
        self._signatures: dict[str, tuple[UUID, float]] = {}

    def routes(self) -> list[web.RouteDef]:
        """List what it answers."""
        return [
            web.get("/search/granules.umm_json", self._search),
            web.post("/search/granules.umm_json", self._search),
            web.get("/SLC/{satellite}/{file}", self._file),
            web.get("/signed/{signature}/{file}", self._signed),
            *self._earthdata.routes(),
        ]

    def refused(self, request: web.Request, view: View) -> web.Response:
        """Answer a token that ran out."""
        return web.json_response({"errors": ["Token has expired"]}, status=401)

    def state(self) -> dict[str, Any]:
        """Describe it, for the control interface."""
        return {**super().state(), "products": len(self.shelf.at(self.clock.now()))}

    async def _search(self, request: web.Request) -> web.Response:
        view = self.view(request)
        asked: Asked = {}
        for key, value in [*request.query.items(), *(await request.post()).items()]:
            asked.setdefault(key, []).append(str(value))
        try:
            tests = [_test(key, values, asked, view) for key, values in asked.items()]
            size = _count(asked.get("page_size", ["10"])[0])
            after = _count(request.headers.get("CMR-Search-After", "0"))
        except InputError as error:
            return web.json_response({"errors": [str(error)]}, status=400)
        found = [one for one in self.shelf.at(view.listed) if all(test(one) for test in tests)]
        found.sort(key=lambda one: granules.granule_ur(one.item))
        found.sort(key=lambda one: one.item.stop, reverse=True)
        page = found[after : after + size]
        headers = {"CMR-Hits": str(len(found))}
        if page:
            headers["CMR-Search-After"] = str(after + len(page))
        # In a thread: the first time, the orbits of the page are read from the products.
        items = await asyncio.to_thread(
            lambda: [granules.granule(self.url, one, view) for one in page]
        )
        return web.json_response({"hits": len(found), "took": 1, "items": items}, headers=headers)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """Send who is known on to a signed address, and who is not to log in."""
        view = self.view(request)
        item = self._find(request.path, view)
        if item is None:
            return web.Response(status=404, text="The specified key does not exist.")
        if self._earthdata.user(request) is None:
            return self._earthdata.to_login(request)
        signature = secrets.token_hex(16)
        self._signatures[signature] = (item.uuid, view.wall_s + _SIGNED_FOR.total_seconds())
        place = f"/signed/{signature}/{item.name}.zip"
        return web.Response(status=307, headers={"Location": place})

    async def _signed(self, request: web.Request) -> web.StreamResponse:
        view = self.view(request)
        uuid, until = self._signatures.get(request.match_info["signature"], (UUID(int=0), 0.0))
        offered = self.shelf.find(uuid, view.now)
        if offered is None or until <= view.wall_s:
            return web.Response(status=403, text="Request has expired")
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Type": "binary/octet-stream",
            "ETag": f'"{offered.item.md5}"',
        }
        return await self.send(request, file_body(offered.item.path), headers)

    def _find(self, path: str, view: View) -> StockItem | None:
        items = (one.item for one in self.shelf.at(view.now))
        return next((item for item in items if granules.file_path(item) == path), None)


def _test(key: str, values: list[str], asked: Asked, view: View) -> Test:
    """Make a test of one parameter; of several values one has to fit, but every attribute."""
    if key.startswith("options[") or key in _IGNORED:
        return lambda one: True
    match key:
        case "attribute[]":
            tests = [_attribute(value, view) for value in values]
            return lambda one: all(test(one.item) for test in tests)
        case "platform[]":
            wanted = {value.upper() for value in values}
            return lambda one: granules.platform(one.item) in wanted
        case "shortName" | "short_name" | "short_name[]":
            return lambda one: granules.collection(one.item) in values
        case "granule_ur[]":
            return lambda one: granules.granule_ur(one.item) in values
        case "readable_granule_name[]":
            by_pattern = asked.get("options[readable_granule_name][pattern]") == ["true"]
            return lambda one: any(_named(one.item, value, by_pattern) for value in values)
        case "orbit_number":
            low, high = _bounds(values[0].split(","), float)
            return lambda one: _within(one.item.name.absolute_orbit, low, high)
        case "temporal":
            return _temporal(values[0])
        case "updated_since":
            since = _time(values[0])
            return lambda one: one.published >= since
        case "point" | "polygon" | "bounding_box" | "line" | "circle":
            areas = [_area(key, value) for value in values]
            return lambda one: any(area.intersects(one.item.footprint) for area in areas)
    raise InputError(f"Parameter [{key}] was not recognized.")


def _attribute(text: str, view: View) -> Callable[[StockItem], bool]:
    """Read ``type,NAME,value`` or ``type,NAME,least,most``, either of which may be empty."""
    kind, name, *limits = text.split(",")
    if kind not in ("string", "int", "float") or not limits:
        raise InputError(f"[{text}] is not a valid attribute")
    if kind == "string":
        return lambda item: granules.attributes(item, view).get(name) == limits[0]
    low, high = _bounds(limits, float)

    def fits(item: StockItem) -> bool:
        value = granules.attributes(item, view).get(name)
        return value is not None and _within(float(value), low, high)

    return fits


def _bounds(texts: list[str], read: Callable[[str], float]) -> tuple[float | None, float | None]:
    try:
        low, high = (read(text) if text else None for text in (texts[0], texts[-1]))
    except ValueError as error:
        raise InputError(f"[{','.join(texts)}] is not a range of numbers") from error
    return low, high


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _named(item: StockItem, wanted: str, by_pattern: bool) -> bool:
    names = (str(item.name), granules.granule_ur(item))
    return any(fnmatchcase(name, wanted) if by_pattern else name == wanted for name in names)


def _temporal(text: str) -> Test:
    start, stop = (_time(part) if part else None for part in [*text.split(","), ""][:2])

    def overlaps(one: Offered) -> bool:
        item = one.item
        return (start is None or item.stop >= start) and (stop is None or item.start <= stop)

    return overlaps


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"[{text}] is not a valid datetime") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _area(kind: str, text: str) -> BaseGeometry:
    try:
        numbers = [float(number) for number in text.split(",")]
        pairs = list(zip(numbers[::2], numbers[1::2], strict=kind != "circle"))
        match kind:
            case "point":
                area: BaseGeometry = shapely.Point(pairs[0])
            case "bounding_box":
                area = shapely.box(*numbers)
            case "circle":
                area = circle(*numbers)
            case "line":
                area = shapely.LineString(pairs)
            case _:
                area = shapely.Polygon(pairs)
        return shapely.make_valid(area)
    except (ValueError, TypeError, IndexError, ShapelyError) as error:
        raise InputError(f"[{text}] is not a valid {kind}") from error


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise InputError(f"[{text[:20]}] is not a number")
    return int(text)
