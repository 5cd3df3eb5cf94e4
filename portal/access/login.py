"""Logging in and out on the web."""

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from itsdangerous import BadData, URLSafeTimedSerializer

from geobservatory.catalog.accounts import Account
from geobservatory.errors import TransientError
from portal.access.doorkeeper import Doorkeeper, WrongCredentialsError
from portal.access.forms import genuine
from portal.access.guard import Whoever
from portal.access.identity import Identity
from portal.access.oidc import Begun, LoginRefusedError, Provider
from portal.access.origin import address_of
from portal.access.pages import page
from portal.access.record import note
from portal.access.sessions import forget, remember, session_of
from portal.shared import Places, Shared

_BEGUN, _BEGUN_S = "geobs_login", 600
_WRONG = "Name or password is wrong."
# A path of ours; what browsers read as an address of another host is none.
_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\\]{0,1000}")
NextPath = Annotated[str, Form(max_length=2000)]


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = _by_password(shared)
    wanted = shared.settings.portal
    if wanted.oidc is not None and wanted.public_address is not None:
        back = f"{wanted.public_address.rstrip('/')}/login/oidc/back"
        made.include_router(_by_provider(shared, Provider(wanted.oidc, back)))
    return made


def _by_password(shared: Shared) -> APIRouter:
    """Make the addresses of the form, and of the way out."""
    made = APIRouter(include_in_schema=False)

    @made.api_route("/login", methods=["GET", "HEAD"])
    async def show(request: Request, who: Whoever, next: str = "/") -> Response:
        return _login_page(request, who, next)

    @made.post("/login", dependencies=[Depends(genuine)])
    async def log_in(
        request: Request,
        who: Whoever,
        name: Annotated[str, Form(max_length=100)],
        password: Annotated[str, Form(max_length=1000)],
        next: NextPath = "/",
    ) -> Response:
        door: Doorkeeper = request.app.state.doorkeeper
        try:
            account = await door.by_password(name, password, address_of(request))
        except WrongCredentialsError as error:
            await note(request, error.name, "login", "/login", "refused")
            return _login_page(request, who, next, wrong=_WRONG, name=name, status=401)
        except HTTPException as error:
            if error.status_code != 429:
                raise
            await note(request, name, "login", "too many attempts", "refused")
            said = _login_page(request, who, next, wrong=str(error.detail), name=name, status=429)
            said.headers.update(error.headers or {})
            return said
        return await _begin_session(shared, request, account, next)

    @made.post("/logout", dependencies=[Depends(genuine)])
    async def log_out(request: Request, who: Whoever) -> Response:
        if (session := session_of(request)) is not None:
            await shared.ask(lambda catalog: catalog.end_session(session))
            await note(request, who, "logout")
        answer = _to(request, "/")
        forget(request, answer)
        return answer

    return made


def _by_provider(shared: Shared, provider: Provider) -> APIRouter:
    """Make the addresses of a login at an OpenID provider: there, and back."""
    made, asking = APIRouter(include_in_schema=False), Places(4, 20)

    @made.post("/login/oidc", dependencies=[Depends(genuine)])
    async def leave(request: Request, next: NextPath = "/") -> Response:
        address, begun = await asking.do(lambda: provider.begin(safe_path(next)))
        answer = RedirectResponse(address, 303)
        answer.set_cookie(
            _BEGUN,
            str(_signer(request).dumps(asdict(begun))),
            max_age=_BEGUN_S,
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return answer

    async def account_of(begun: Begun, query: str) -> Account:
        vouched = await asking.do(lambda: provider.end(begun, query))
        account = await shared.ask(
            lambda catalog: catalog.vouched_account(vouched.subject, vouched.name, vouched.role)
        )
        if account.disabled_at is not None:
            raise LoginRefusedError(f"the account {account.name} is disabled")
        return account

    @made.get("/login/oidc/back")
    async def come_back(request: Request, who: Whoever) -> Response:
        try:
            kept = _signer(request).loads(request.cookies.get(_BEGUN, ""), max_age=_BEGUN_S)
            begun = Begun(**kept)
            account = await account_of(begun, request.url.query)
        except (BadData, LoginRefusedError, TransientError) as error:
            said = "This login is too old, or was not begun here; begin it again."
            said = said if isinstance(error, BadData) else f"{error}."
            await note(request, "unknown", "login", f"oidc: {said}", "refused")
            answer = _login_page(request, who, "/", wrong=said, status=403)
        else:
            answer = await _begin_session(shared, request, account, begun.next)
        answer.delete_cookie(_BEGUN, path="/")
        return answer

    return made


def _login_page(
    request: Request, who: Identity, next: str, status: int = 200, **about: str
) -> Response:
    provider = request.app.state.shared.settings.portal.oidc
    shown = {"wrong": "", "name": "", **about, "next": safe_path(next)}
    name = None if provider is None else provider.name
    return page(request, who, "login.html", status, provider=name, **shown)


def _signer(request: Request) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(request.app.state.key(), salt="geobs login")


async def _begin_session(
    shared: Shared, request: Request, account: Account, next_path: str
) -> Response:
    """Begin a session of its own: what the browser showed before ends (session fixation)."""
    hours = shared.settings.portal.limits.session_hours
    expires = datetime.now(UTC) + timedelta(hours=hours)
    if (before := session_of(request)) is not None:
        await shared.ask(lambda catalog: catalog.end_session(before))
    session = await shared.ask(lambda catalog: catalog.new_session(account.id, expires))
    await note(request, account.name, "login")
    answer = _to(request, safe_path(next_path))
    remember(request, answer, session, hours)
    return answer


def safe_path(path: str) -> str:
    """Give the path if it is one of ours, else that of the first page."""
    return path if _PATH.fullmatch(path) else "/"


def _to(request: Request, path: str) -> Response:
    root = request.scope.get("root_path", "")
    return RedirectResponse(path if root and path.startswith(f"{root}/") else f"{root}{path}", 303)
