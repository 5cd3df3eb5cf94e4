"""An answer whose bytes come as they are brought, and that never looks complete unless it is right.

Until the first byte has come nothing is promised: what goes wrong by then is an error of the
protocol. After that the connection is broken off: fewer bytes come than were announced.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio
from fastapi import Response
from starlette.types import Message, Receive, Scope, Send

from geobservatory.catalog.deliveries import Delivered
from geobservatory.transfer.through import SpoiledError
from portal.programs.limits import Users
from portal.programs.ranges import Span
from portal.programs.relay import LeftError, Relay

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """What is to be delivered to whom.

    Attributes
    ----------
    who
        As limits and records name them.
    name
        Of the product.
    part
        The file inside it; empty for the product itself.
    size
        Bytes of the file; None where nobody knows.
    span
        The bytes wanted; None for all.
    headers
        Of the answer, beside lengths and ranges.
    work
        Brings the bytes, in a thread.
    """

    who: str
    name: str
    part: str
    size: int | None
    span: Span | None
    headers: Mapping[str, str]
    work: Callable[[Relay], None]

    @property
    def key(self) -> str:
        """Name of the file among all."""
        return f"{self.name}/{self.part}"


class Delivery(Response):
    """Such an answer.

    Parameters
    ----------
    order
        What is delivered.
    users
        Counts it.
    refused
        Writes the answer to what went wrong before the first byte.
    record
        Keeps what was delivered.
    """

    def __init__(
        self,
        order: Order,
        users: Users,
        refused: Callable[[Exception], Response],
        record: Callable[[Delivered], Awaitable[None]],
    ) -> None:
        super().__init__()
        self._order, self._users = order, users
        self._refused, self._record = refused, record
        self._sent, self._began = 0, time.monotonic()
        self._first_s: float | None = None
        self._at = datetime.now(UTC)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Deliver."""
        try:
            self._users.begin(self._order.who)
        except Exception as error:  # noqa: BLE001  (whatever the limits say is said to the client)
            await self._refused(error)(scope, receive, send)
            return
        relay = Relay()
        outcome, detail = "left", ""
        try:
            relay.start(self._order.work)
            async with anyio.create_task_group() as group:
                group.start_soon(_leave_with, receive, relay)
                outcome, detail = await self._send(relay, scope, receive, send)
                group.cancel_scope.cancel()
        finally:
            relay.leave()
            self._users.end(self._order.who)
            with anyio.CancelScope(shield=True):
                await self._keep(relay, outcome, detail)

    async def _send(
        self, relay: Relay, scope: Scope, receive: Receive, send: Send
    ) -> tuple[str, str]:
        try:
            piece = await relay.next()
        except LeftError:
            return "left", ""
        except Exception as error:  # noqa: BLE001  (becomes an answer)
            self._note(error)
            await self._refused(error)(scope, receive, send)
            return "broken", str(error)
        self._first_s = time.monotonic() - self._began
        try:
            await send(self._start())
            while piece is not None:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                self._sent += len(piece)
                piece = await relay.next()
        except (LeftError, OSError):
            return "left", ""
        except Exception as error:  # noqa: BLE001  (breaks the connection off: nothing more is sent)
            self._note(error)
            return "broken", str(error)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        span = self._order.span
        # Who goes on to the end has all of it then.
        whole = not self._order.part and (span is None or span.rest)
        return ("whole" if whole else "part"), ""

    def _start(self) -> Message:
        order, headers = self._order, {"Accept-Ranges": "bytes", **self._order.headers}
        status = 200
        if order.size is not None:
            first, stop = 0, order.size
            if order.span is not None:
                first, stop, status = order.span.first, order.span.stop, 206
                headers["Content-Range"] = f"bytes {first}-{stop - 1}/{order.size}"
            headers["Content-Length"] = str(stop - first)
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        return {"type": "http.response.start", "status": status, "headers": raw}

    def _note(self, error: Exception) -> None:
        if isinstance(error, SpoiledError):
            self._users.spoiled(self._order.who, self._order.key)
        _LOG.warning("%s to %s: %s", self._order.name, self._order.who, error)

    async def _keep(self, relay: Relay, outcome: str, detail: str) -> None:
        order = self._order
        await self._record(
            Delivered(
                scene_name=order.name,
                part=order.part,
                who=order.who,
                origin=", ".join(relay.origins),
                began_at=self._at,
                seconds=time.monotonic() - self._began,
                first_byte_s=self._first_s,
                sent_bytes=self._sent,
                outcome=outcome,
                detail=detail[:500],
            )
        )


async def _leave_with(receive: Receive, relay: Relay) -> None:
    """Tell the relay when the client leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass
    relay.leave()
