"""What browsers are told about every answer: load nothing of others, be framed by nobody."""

import base64
import hashlib
import re
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STRICT = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-cache",
}
_TWO_YEARS_S = 63_072_000


def policy(
    *, styles: Iterable[str] = (), scripts: Iterable[str] = (), images: Iterable[str] = ()
) -> str:
    """Write a Content-Security-Policy: what is ours, and what is named.

    Parameters
    ----------
    styles, scripts, images
        Further sources as the header has them: ``'unsafe-inline'``, ``'sha256-…'``, an origin.
    """
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *scripts)),
            " ".join(("style-src 'self'", *styles)),
            " ".join(("img-src 'self' data: blob:", *images)),
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self' blob:",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def policy_for(page: bytes) -> str:
    """Write the policy of a page of ours that has its styles and scripts inside it.

    Each is named by its digest, so that nothing else that got into the page is run.
    """
    return policy(
        styles=["'unsafe-hashes'", *_digests(rb"<style[^>]*>(.*?)</style>", page), *_inline(page)],
        scripts=_digests(rb"<script>(.*?)</script>", page),
    )


def strict(scope: Scope) -> dict[str, str]:
    """Give the headers of an answer to a request."""
    headers = {**_STRICT, "Content-Security-Policy": policy()}
    if scope.get("scheme") == "https":
        headers["Strict-Transport-Security"] = f"max-age={_TWO_YEARS_S}; includeSubDomains"
    return headers


class StrictHeaders:
    """Adds them to every answer that does not say something else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in strict(scope).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


def _digests(pattern: bytes, page: bytes) -> list[str]:
    return [_digest(one) for one in re.findall(pattern, page, re.DOTALL)]


def _inline(page: bytes) -> list[str]:
    return sorted({_digest(one) for one in re.findall(rb'\sstyle="([^"]*)"', page)})


def _digest(text: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"
