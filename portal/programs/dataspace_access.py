"""Logging in as clients of a Data Space do: a name and a password for tokens."""

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.responses import JSONResponse

from geobservatory.catalog.accounts import Account, digest_of
from geobservatory.catalog.database import Catalog
from geobservatory.catalog.tokens import TOKEN_PREFIX
from geobservatory.errors import NotFoundError
from portal.access.doorkeeper import Doorkeeper, identity
from portal.access.guard import whoever
from portal.access.identity import Identity, Role, Scope, Shown
from portal.programs.tokens import CLIENT, Holder, Tokens
from portal.shared import Shared


class Access:
    """Sessions of clients.

    Parameters
    ----------
    shared
        What the parts of the portal share.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.tokens = Tokens()

    async def log_in(
        self, request: Request, client: str, name: str, password: str, issuer: str
    ) -> Response:
        """Give tokens for a name and a password (or an API token in its place)."""
        if client != CLIENT:
            return self.refused(401, "invalid_client", "Invalid client")
        # Looked up before the password is checked: if it changes meanwhile the session is none.
        proof = await self._shared.ask(lambda catalog: _proof(catalog, name, password))
        try:
            who = await _shown(request, name, password)
        except HTTPException as error:
            if error.status_code != 401:
                raise
            return self.refused(401, "invalid_grant", "Invalid user credentials")
        if not who.may(Role.READER, Scope.READ, Scope.DOWNLOAD):
            return self.refused(401, "invalid_grant", "Invalid user credentials")
        return _answer(self.tokens.open(Holder(who, *proof), issuer))

    async def go_on(self, client: str, refresh_token: str, issuer: str) -> Response:
        """Give the next tokens of a session."""
        session = self.tokens.session(refresh_token) if client == CLIENT else None
        if session is None:
            return self.refused(400, "invalid_grant", "Token is not active")
        if await self._still(self.tokens.holder(session)) is None:
            self.tokens.end(session)
            return self.refused(400, "invalid_grant", "Token is not active")
        return _answer(self.tokens.renew(session, issuer))

    async def identify(self, request: Request) -> Identity:
        """Find out who asks: by a token of a session, or as anywhere in the portal.

        Raises
        ------
        HTTPException
            401 if what they show is wrong, or ran out; 429 if they ask too much.
        """
        token = request.headers.get("Authorization", "").partition(" ")[2].strip()
        if not token or not self.tokens.is_ours(token):
            return await whoever(request)
        shown = self.tokens.identify(token)
        who = None if shown is None else await self._still(shown)
        if who is None:
            raise HTTPException(401, "Token is expired")
        door: Doorkeeper = request.app.state.doorkeeper
        door.limits.ask(f"user {who.name}")
        return who

    async def _still(self, holder: Holder) -> Identity | None:
        """Give somebody as they are now; None where what they logged in with is worth nothing."""
        who = holder.who

        def find(catalog: Catalog) -> Account | None:
            if holder.token is not None and not catalog.token_lives(
                holder.token, datetime.now(UTC)
            ):
                return None
            return _account(catalog, who.name)

        account = await self._shared.ask(find)
        if account is None or account.disabled_at is not None or account.id != who.account_id:
            return None
        if holder.token is None and account.password != holder.password:
            return None
        now = identity(account, Shown.TOKEN)
        return replace(now, scopes=now.scopes & who.scopes)

    def refused(self, status: int, error: str, description: str) -> Response:
        """Say that there are none (RFC 6749, section 5.2)."""
        return _answer({"error": error, "error_description": description}, status)


def _proof(catalog: Catalog, name: str, password: str) -> tuple[str | None, str | None]:
    """Give the digest of the password or, where that is one, of the API token."""
    if password.startswith(TOKEN_PREFIX):
        return None, digest_of(password)
    # What cannot be a name is not looked up; it is refused with the password.
    account = _account(catalog, name.strip().lower()[:100]) if name.isprintable() else None
    return None if account is None else account.password, None


def _account(catalog: Catalog, name: str) -> Account | None:
    try:
        return catalog.account(name)
    except NotFoundError:
        return None


async def _shown(request: Request, name: str, password: str) -> Identity:
    """Find out who that is, by the rules for whoever shows a name and a password."""
    shown = b64encode(f"{name}:{password}".encode())
    kept = [one for one in request.scope["headers"] if one[0] not in (b"authorization", b"cookie")]
    headers = [*kept, (b"authorization", b"Basic " + shown)]
    return await whoever(Request({**request.scope, "headers": headers}))


def _answer(content: dict[str, Any], status: int = 200) -> Response:
    # RFC 6749, section 5.1.
    return JSONResponse(content, status, headers={"Cache-Control": "no-store"})
