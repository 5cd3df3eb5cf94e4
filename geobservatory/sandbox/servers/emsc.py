"""Earthquake news as EMSC sends it: a WebSocket for what is new, an FDSN service for what was.

A recorded conversation is replayed by the sandbox's clock: each message goes out when the clock
reaches its ``lastupdate``, so that the clock's speed is the speed of the replay.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from aiohttp import WSMsgType, web
from pydantic import Field

from geobservatory.errors import InputError
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.faults import Faults, Reset
from geobservatory.sandbox.servers.fdsn import select
from geobservatory.sandbox.servers.hub import STRIKES, Hub, HubConfig
from geobservatory.sandbox.servers.sending import reset

_POLL_S = 0.02


class EmscConfig(HubConfig):
    """An EMSC feed."""

    kind: Literal["emsc"] = "emsc"
    conversation: Path = Field(description="messages, one a line (JSONL), as EMSC sends them")
    lag_s: float = Field(default=60, ge=0, description="how far FDSN is behind, sandbox seconds")
    idle_s: float = Field(
        default=60, gt=0, description="silence that ends a WebSocket, real seconds"
    )


@dataclass(frozen=True)
class Message:
    """A message of the conversation, and when it goes out."""

    time: datetime
    text: str
    feature: Mapping[str, Any]


def read_conversation(path: Path) -> list[Message]:
    """Read a conversation, in order of time.

    Raises
    ------
    InputError
        If it cannot be read, or a line is not a message; the error names the line.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no conversation can be read there ({error})") from error
    messages = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            feature = json.loads(line)["data"]
            time = datetime.fromisoformat(feature["properties"]["lastupdate"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}, line {number}: not a message of EMSC ({error!r})") from error
        messages.append(Message(time.replace(tzinfo=UTC), line.strip(), feature))
    return sorted(messages, key=lambda message: message.time)


class EmscHub(Hub[EmscConfig]):
    """One such feed."""

    kind: ClassVar[str] = "emsc"

    def __init__(self, config: EmscConfig, clock: SandboxClock, faults: Faults) -> None:
        super().__init__(config, clock, faults)
        self._messages = read_conversation(config.conversation)

    def routes(self) -> list[web.RouteDef]:
        """List what it answers."""
        return [
            web.get("/standing_order/websocket", self._socket),
            web.get("/fdsnws/event/1/query", self._query),
        ]

    def state(self) -> dict[str, Any]:
        """Describe it, for the control interface."""
        now = self.clock.now()
        sent = sum(message.time <= now for message in self._messages)
        return {**super().state(), "messages": len(self._messages), "sent": sent}

    async def _query(self, request: web.Request) -> web.Response:
        """Answer with the newest state of each event, as far as the service has caught up."""
        until = self.view(request).listed - timedelta(seconds=self.config.lag_s)
        newest: dict[str, Mapping[str, Any]] = {}
        for message in self._messages:
            if message.time <= until:
                newest[message.feature["properties"]["unid"]] = message.feature
        try:
            found = select(list(newest.values()), dict(request.query))
        except InputError as error:
            return web.Response(status=400, text=f"Error 400: Bad request\n\n{error}\n")
        if found is None:
            return web.Response(status=204)
        return web.json_response(found)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        view = self.view(request)
        ahead = view.listed - self.clock.now()
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        news = asyncio.create_task(self._tell(request, socket, view.listed, ahead))
        try:
            await self._listen(socket)
        finally:
            news.cancel()
            await asyncio.gather(news, return_exceptions=True)
        return socket

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        """Answer pings, until the client goes or falls silent."""
        while not socket.closed:
            try:
                message = await socket.receive(timeout=self.config.idle_s)
            except TimeoutError:
                await socket.close()
                return
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)

    async def _tell(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        since: datetime,
        ahead: timedelta,
    ) -> None:
        """Send what becomes news after a time, as the clock comes to it."""
        limits = [
            strike.fault.after_bytes or 0
            for strike in request[STRIKES]
            if isinstance(strike.fault, Reset)
        ]
        sent = 0
        for message in self._messages:
            if message.time <= since:
                continue
            while message.time > self.clock.now() + ahead:
                await asyncio.sleep(_POLL_S)
            sent += len(message.text)
            if limits and sent > min(limits) and request.transport is not None:
                await reset(request.transport)
                return
            await socket.send_str(message.text)
