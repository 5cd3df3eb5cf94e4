"""Serving the portal with uvicorn, to clients that dawdle, too."""

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

# A request has to begin, and its head to be here, in this time ("slowloris").
HEAD_LIMIT_S = 15.0
# More at once are told to come again (503).
_MOST_CONNECTIONS = 2000
# Whoever is still being answered when it is to end.
_GRACE_S = 5


class Punctual(H11Protocol):
    """Ends connections on which no request comes, or only the beginning of one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at a connection."""
        super().connection_made(transport)
        self._seen: object = None
        self._look_again()

    def _look_again(self) -> None:
        self.loop.call_later(HEAD_LIMIT_S, self._look)

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self.cycle is self._seen:
            # None was begun since the last look.
            self.transport.close()
            return
        self._seen = self.cycle
        self._look_again()


def server(app: Any, host: str, port: int) -> uvicorn.Server:
    """Make the server; the portal looks itself at what proxies say, and at whose word that is."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=Punctual,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
