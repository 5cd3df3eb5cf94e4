"""Forms that only pages of ours can send (CSRF).

A page that shows a form has `token(request)` in it, as the hidden field ``form_token``; what takes
the form depends on `genuine`. The token is a signature (HMAC) of a random cookie and of the session
(OWASP's signed double-submit cookie): a page of others can neither read the cookie nor sign.
Where the browser says what page a request comes from, that is looked at too.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from fastapi import HTTPException, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geobservatory.errors import ConfigurationError
from portal.access.origin import is_ours
from portal.access.sessions import session_of
from portal.shared import Shared

FIELD, HEADER = "form_token", "X-Form-Token"
_COOKIE = "geobs_form"
_NEW = "new_form_cookie"


def token(request: Request) -> str:
    """Give the token of a form on the page that is about to be answered."""
    cookie = request.cookies.get(_COOKIE) or getattr(request.state, _NEW, None)
    if cookie is None:
        cookie = secrets.token_urlsafe(32)
        # Sent by `FormCookie`.
        setattr(request.state, _NEW, cookie)
    return _signed(request, cookie)


async def genuine(request: Request) -> None:
    """Refuse a form that no page of ours has sent.

    Raises
    ------
    HTTPException
        403.
    """
    shared: Shared = request.app.state.shared
    if is_ours(request, shared.settings.portal) is False:
        raise HTTPException(403, "this form was sent by a page of another site")
    given = request.headers.get(HEADER)
    if given is None:
        field = (await request.form()).get(FIELD)
        given = field if isinstance(field, str) else ""
    cookie = request.cookies.get(_COOKIE, "")
    expected = _signed(request, cookie).encode()
    if not cookie or not hmac.compare_digest(given.encode(), expected):
        raise HTTPException(403, "this form is too old, or not of ours; load the page again")


class FormCookie:
    """Sends the cookie that a form on the answered page needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def with_cookie(message: Message) -> None:
            new = scope.get("state", {}).get(_NEW)
            if message["type"] == "http.response.start" and new is not None:
                secure = "; Secure" if scope.get("scheme") == "https" else ""
                MutableHeaders(scope=message).append(
                    "Set-Cookie", f"{_COOKIE}={new}; Path=/; HttpOnly; SameSite=Lax{secure}"
                )
            await send(message)

        await self._app(scope, receive, with_cookie)


def key_of(data_dir: Path) -> bytes:
    """Read the key that the portal signs with; it is made when it is first needed.

    Raises
    ------
    ConfigurationError
        If it cannot be read or written.
    """
    path = data_dir / "portal.key"
    try:
        if not path.exists():
            data_dir.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(32))
            # Whole or not at all, and whoever comes second takes what is there.
            try:
                path.hardlink_to(beside)
            except FileExistsError:
                pass
            finally:
                beside.unlink()
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the portal's key cannot be read or made ({error.strerror})"
        ) from error


def _signed(request: Request, cookie: str) -> str:
    # So that no form of before a login is of use after it.
    signed = f"form\0{cookie}\0{session_of(request) or ''}"
    key: bytes = request.app.state.key()
    return hmac.new(key, signed.encode(), hashlib.sha256).hexdigest()
