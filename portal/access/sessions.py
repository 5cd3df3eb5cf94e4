"""The cookie by which a browser is known after a login."""

from fastapi import Request
from fastapi.responses import Response

# Behind https a browser takes `__Host-` from this very host only: no other site under the same
# domain can set it (RFC 6265bis, 4.1.3.2).
_PLAIN, _SECURE = "geobs_session", "__Host-geobs_session"


def session_of(request: Request) -> str | None:
    """Give the session that a request shows."""
    return request.cookies.get(_name(request))


def remember(request: Request, response: Response, session: str, hours: float) -> None:
    """Let a browser show a session from now on; no script can read it."""
    response.set_cookie(
        _name(request),
        session,
        max_age=int(hours * 3600),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def forget(request: Request, response: Response) -> None:
    """Let a browser forget its session."""
    response.delete_cookie(
        _name(request),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def _name(request: Request) -> str:
    return _SECURE if request.url.scheme == "https" else _PLAIN
