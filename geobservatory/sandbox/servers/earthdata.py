"""Earthdata Login, as clients of the ASF meet it: tokens, and a cookie fetched by redirects."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

from aiohttp import web

from geobservatory.sandbox.servers.basic import basic_user

COOKIE = "asf-urs"
_LIFE = timedelta(days=60)


class Earthdata:
    """Accounts, with the tokens and cookies given out to them.

    Parameters
    ----------
    accounts
        User to password.
    """

    def __init__(self, accounts: Mapping[str, str]) -> None:
        self._accounts = dict(accounts)
        self._tokens: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        self._cookies: dict[str, str] = {}

    def routes(self) -> list[web.RouteDef]:
        """List what it answers."""
        return [
            web.post("/api/users/find_or_create_token", self._find_token),
            web.post("/oauth/tokens/user", self._check_token),
            web.get("/oauth/authorize", self._authorize),
            web.get("/login", self._login),
        ]

    def user(self, request: web.Request) -> str | None:
        """Find who asks, by token or by cookie; None for nobody known."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._tokens.get(token.strip())
        return self.user_of_cookie(request)

    def has_cookie(self, request: web.Request) -> bool:
        """Tell whether a request has a cookie, be it good or not."""
        return COOKIE in request.cookies

    def user_of_cookie(self, request: web.Request) -> str | None:
        """Find who asks by cookie alone: some services know no tokens."""
        return self._cookies.get(request.cookies.get(COOKIE, ""))

    def remember(self, request: web.Request, response: web.Response) -> None:
        """Give who came with a token a cookie with the answer."""
        user = self.user(request)
        if user is not None and self.user_of_cookie(request) != user:
            self._give_cookie(user, response)

    def to_login(self, request: web.Request) -> web.Response:
        """Send a client to log in, and back to what it asked for."""
        back = quote(f"{request.url.origin()}/login", safe="")
        state = quote(request.path_qs, safe="")
        return web.Response(
            status=302,
            headers={
                "Location": "/oauth/authorize?client_id=sandbox&response_type=code"
                f"&redirect_uri={back}&state={state}"
            },
        )

    async def _find_token(self, request: web.Request) -> web.Response:
        user = basic_user(request, self._accounts)
        if user is None:
            return _unknown()
        token = next((t for t, owner in self._tokens.items() if owner == user), None)
        token = token or f"sandbox-{secrets.token_hex(24)}"
        self._tokens[token] = user
        expires = f"{datetime.now().astimezone() + _LIFE:%m/%d/%Y}"
        return web.json_response(
            {"access_token": token, "token_type": "Bearer", "expiration_date": expires}
        )

    async def _check_token(self, request: web.Request) -> web.Response:
        token = str((await request.post()).get("token", ""))
        if token not in self._tokens:
            return web.json_response({"error": "invalid_token"}, status=401)
        return web.json_response({"uid": self._tokens[token]})

    async def _authorize(self, request: web.Request) -> web.Response:
        user = basic_user(request, self._accounts)
        if user is None:
            return _unknown()
        code = secrets.token_hex(16)
        self._codes[code] = user
        back = request.query.get("redirect_uri", "/login")
        state = quote(request.query.get("state", ""), safe="")
        return web.Response(status=302, headers={"Location": f"{back}?code={code}&state={state}"})

    async def _login(self, request: web.Request) -> web.Response:
        user = self._codes.pop(request.query.get("code", ""), None)
        if user is None:
            return web.Response(status=400, text="Invalid code")
        back = request.query.get("state", "")
        # Only back to this server: a login must not send anyone elsewhere.
        inside = back.startswith("/") and not back.startswith("//")
        response = web.Response(
            status=302 if inside else 200, headers={"Location": back} if inside else {}
        )
        self._give_cookie(user, response)
        return response

    def _give_cookie(self, user: str, response: web.Response) -> None:
        cookie = secrets.token_hex(24)
        self._cookies[cookie] = user
        response.set_cookie(COOKIE, cookie, httponly=True)


def _unknown() -> web.Response:
    return web.Response(
        status=401,
        text="HTTP Basic: Access denied.",
        headers={"WWW-Authenticate": 'Basic realm="Please enter your Earthdata Login credentials"'},
    )
