"""Where a request comes from: the address of whoever asks, through proxies that are trusted."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from geobservatory.settings.portal import Portal

_PEER = "geobs.peer"


class Origin:
    """Keeps who is connected, then believes `X-Forwarded-*` of trusted proxies, of nobody else.

    Parameters
    ----------
    app
        That answers.
    portal
        The settings: the proxies, and the path under which people reach the portal.
    """

    def __init__(self, app: ASGIApp, portal: Portal) -> None:
        proxies = list(portal.trusted_proxies)
        # The library tells ASGI's parts apart by other types.
        inner: Any = app
        self._app: Any = ProxyHeadersMiddleware(inner, proxies) if proxies else app
        public = urlsplit(portal.public_address or "")
        self._root, self._secure = public.path.rstrip("/"), public.scheme == "https"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        client = scope.get("client")
        scope[_PEER] = client[0] if client else ""
        scope["root_path"] = self._root
        if self._secure:
            # Where a proxy forgets to say so: cookies are for https only.
            scope["scheme"] = "https"
        await self._app(scope, receive, send)


def address_of(request: Request) -> str:
    """Give the address of whoever asks."""
    return request.client.host if request.client else "unknown"


def comes_from(request: Request, networks: Sequence[str]) -> bool:
    """Say whether whoever is connected to us, a proxy or not, is in one of the networks."""
    try:
        peer = ipaddress.ip_address(request.scope.get(_PEER, ""))
    except ValueError:
        return False
    mapped = getattr(peer, "ipv4_mapped", None)
    return any((mapped or peer) in ipaddress.ip_network(network) for network in networks)


@lru_cache(4096)
def neighbourhood(address: str) -> str:
    """Give what limits are counted by: an address, or the /64 that one IPv6 host may roam in."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def is_ours(request: Request, portal: Portal) -> bool | None:
    """Say whether a page of ours sent a request; None if the browser, or program, does not say.

    Browsers say it themselves (Fetch Metadata, https://www.w3.org/TR/fetch-metadata/), older ones
    in `Origin`; no page can write either.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin is None:
        return None
    own = urlsplit(portal.public_address or str(request.base_url))
    return origin == f"{own.scheme}://{own.netloc}"
