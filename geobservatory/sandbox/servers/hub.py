"""What every server of the sandbox has: a port, a log, and faults between it and its clients."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any, ClassVar, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from geobservatory.errors import ConfigurationError
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.faults import (
    ExpiredToken,
    Faults,
    Latency,
    Maintenance,
    Status,
    Strike,
    WrongLength,
)
from geobservatory.sandbox.servers.sending import SENT, Body, bytes_body, send
from geobservatory.sandbox.servers.view import View

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
STRIKES = web.RequestKey("strikes", tuple[Strike, ...])
ENTRY = web.RequestKey("entry", dict[str, Any])

_MAINTENANCE = """<!doctype html>
<html lang="en"><head><title>Data hub</title></head>
<body><h1>The data hub will be back soon</h1>
<p>We are sorry: some maintenance is under way at the moment.</p></body></html>
"""


class HubConfig(BaseModel):
    """What every hub needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="unique in the world; faults go by it")
    port: int = Field(default=0, ge=0, le=65535, description="0 for any that is free")


Config = TypeVar("Config", bound=HubConfig)


class Hub(ABC, Generic[Config]):
    """A server on a port of its own.

    Parameters
    ----------
    config
        Its name, port and habits.
    clock
        The sandbox's.
    faults
        What goes wrong with it.
    """

    kind: ClassVar[str]

    def __init__(self, config: Config, clock: SandboxClock, faults: Faults) -> None:
        self.config, self.clock, self._faults = config, clock, faults
        self.log: deque[dict[str, Any]] = deque(maxlen=1000)
        self._port = config.port
        self._requests = self._busy = 0
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._door = asyncio.Lock()

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """List what it answers."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.config.name

    @property
    def url(self) -> str:
        """Address, without a slash at the end; known once it is open."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def address(self) -> str:
        """Address that a client is given."""
        return self.url

    def refused(self, request: web.Request, view: View) -> web.Response:
        """Answer credentials that ran out; hubs that have none answer 401 all the same."""
        return web.Response(status=401, text="Unauthorized")

    def state(self) -> dict[str, Any]:
        """Describe it, for the control interface."""
        return {
            "name": self.name,
            "kind": self.kind,
            "address": self.address,
            "open": self._site is not None,
            "requests": self._requests,
            "busy": self._busy,
        }

    async def open(self) -> None:
        """Begin to answer.

        Raises
        ------
        ConfigurationError
            If the port is taken.
        """
        app = web.Application(middlewares=[self._through_faults])
        app.add_routes(self.routes())
        app.on_response_prepare.append(self._stamp)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=0.2
        )
        await self._runner.setup()
        await self._open_door()

    async def close(self) -> None:
        """Stop, and end what is under way."""
        await self._close_door()
        if self._runner is not None:
            await self._runner.cleanup()

    async def mind_door(self) -> None:
        """Close or open the port as the faults have it."""
        async with self._door:
            refused = self._faults.refuses(self.name)
            if refused and self._site is not None:
                await self._close_door()
            elif not refused and self._site is None:
                # Should the port have been taken meanwhile, the next round tries again.
                with suppress(ConfigurationError):
                    await self._open_door()

    def view(self, request: web.Request) -> View:
        """Look at the world as this request gets to see it."""
        return View.under(request.get(STRIKES, ()), self.clock.now())

    async def send(
        self,
        request: web.Request,
        body: Body,
        headers: Mapping[str, str],
        *,
        bytes_per_s: float | None = None,
    ) -> web.StreamResponse:
        """Answer with a body, in ranges, through the faults of the wire."""
        return await send(request, body, headers, request[STRIKES], bytes_per_s=bytes_per_s)

    async def _open_door(self) -> None:
        assert self._runner is not None  # noqa: S101
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        try:
            await site.start()
        except OSError as error:
            raise ConfigurationError(
                f"sandbox hub {self.name}: port {self._port} cannot be opened ({error.strerror})"
            ) from error
        self._site = site
        # A port that was left to chance stays the same when it is closed and opened again.
        self._port = self._runner.addresses[0][1]

    async def _close_door(self) -> None:
        site, self._site = self._site, None
        if site is None or self._runner is None:
            return
        await site.stop()
        if self._runner.server is not None:
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    async def _stamp(self, request: web.Request, response: web.StreamResponse) -> None:
        wall = datetime.fromtimestamp(self.view(request).wall_s, UTC)
        response.headers["Date"] = format_datetime(wall, usegmt=True)
        request[ENTRY]["status"] = response.status

    @web.middleware
    async def _through_faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        strikes = self._faults.strike(self.name, request.method, request.path)
        request[STRIKES] = strikes
        self._requests += 1
        self._busy += 1
        entry: dict[str, Any] = {
            "time": self.clock.now().isoformat(),
            "method": request.method,
            "path": request.path_qs,
            "range": request.headers.get("Range"),
            "status": None,
            "faults": [strike.rule for strike in strikes],
        }
        request[ENTRY] = entry
        self.log.append(entry)
        try:
            return await self._answer(request, handler, strikes)
        except ConnectionError:
            # The client went, or a fault cut the wire: nobody is left to answer.
            entry["broken"] = True
            return web.Response()
        finally:
            entry["sent"] = request.get(SENT)
            self._busy -= 1

    async def _answer(
        self, request: web.Request, handler: Handler, strikes: tuple[Strike, ...]
    ) -> web.StreamResponse:
        for strike in strikes:
            if isinstance(strike.fault, Latency):
                await asyncio.sleep(strike.fault.seconds)
        response = self._error(request, strikes)
        if response is None:
            try:
                handled = await handler(request)
            except web.HTTPException as error:
                handled = web.Response(status=error.status, text=error.text)
            if handled.prepared or not isinstance(handled, web.Response):
                return handled
            response = handled
        if not strikes or not isinstance(response.body, bytes):
            return response
        headers = {k: v for k, v in response.headers.items() if k != "Content-Length"}
        # A wrong length is what such an answer tells of a product, not its own.
        strikes = tuple(s for s in strikes if not isinstance(s.fault, WrongLength))
        return await send(
            request, bytes_body(response.body), headers, strikes, status=response.status
        )

    def _error(self, request: web.Request, strikes: tuple[Strike, ...]) -> web.Response | None:
        for strike in strikes:
            match strike.fault:
                case Status(code=code, retry_after_s=wait):
                    headers = {} if wait is None else {"Retry-After": str(wait)}
                    phrase = HTTPStatus(code).phrase if code in set(HTTPStatus) else "Error"
                    return web.Response(status=code, headers=headers, text=phrase)
                case Maintenance():
                    return web.Response(text=_MAINTENANCE, content_type="text/html")
                case ExpiredToken():
                    return self.refused(request, self.view(request))
        return None
