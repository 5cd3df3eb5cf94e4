"""What is sent to us: no more than is wanted, in time, and nothing that no text has."""

import time

import anyio
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portal.errors import told

_LIMIT_S = 30.0


class _RefusedError(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class LimitedBodies:
    """Refuses bodies that are too large (413) or come too slowly (408).

    Parameters
    ----------
    app
        That answers.
    most_bytes
        The largest.
    """

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app, self._most = app, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            # No text has it; programs in C, and PostgreSQL, end there.
            refusal = await told(request, 400, "an address has no NUL in it")
            await refusal(scope, receive, send)
            return
        said = Headers(scope=scope).get("Content-Length", "0")
        if not said.isdigit() or int(said) > self._most:
            refusal = await told(request, 413, "that is too large")
            await refusal(scope, receive, send)
            return
        begun = whole = False
        refused: _RefusedError | None = None
        received, until = 0, time.monotonic() + _LIMIT_S

        async def limited() -> Message:
            nonlocal received, whole, refused
            if whole:
                # From now on it only waits for whoever asks to go away.
                return await receive()
            try:
                with anyio.fail_after(max(0.0, until - time.monotonic())):
                    message = await receive()
            except TimeoutError:
                refused = _RefusedError(408, "that comes too slowly")
                raise refused from None
            received += len(message.get("body", b""))
            if received > self._most:
                refused = _RefusedError(413, "that is too large")
                raise refused
            whole = not message.get("more_body", False)
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            if refused is None or begun:
                begun = True
                await send(message)
            # Else it is what others made of a body that broke off.

        try:
            await self._app(scope, limited, watched)
        except _RefusedError:
            if begun:
                raise
        if refused is not None and not begun:
            # What is still to come is not read: the connection is of no more use.
            headers = {"Connection": "close"}
            answer = await told(request, refused.status, str(refused), headers)
            await answer(scope, receive, send)
