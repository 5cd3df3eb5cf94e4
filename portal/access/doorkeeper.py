"""Finds out who asks: by token, password, session, or the word of a proxy that is trusted."""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from fastapi import HTTPException, Request
from sqlalchemy.exc import SQLAlchemyError

from geobservatory.catalog.accounts import Account
from geobservatory.catalog.tokens import TOKEN_PREFIX
from geobservatory.errors import GeobservatoryError, NotFoundError
from geobservatory.settings.portal import ProxyLogin, Role, RoleRule
from portal.access.identity import Identity, Scope, Shown, anonymous, scopes_of
from portal.access.limits import Limits
from portal.access.origin import address_of, comes_from, is_ours, neighbourhood
from portal.access.passwords import matches
from portal.access.sessions import session_of
from portal.shared import Places, Shared

_SAFE = ("GET", "HEAD", "OPTIONS")
# DHuS clients send the password with each request, and to check one takes long on purpose.
_REMEMBERED_S, _MOST_REMEMBERED = 300.0, 1000


class WrongCredentialsError(Exception):
    """What was shown is not right; what of it is not said.

    Parameters
    ----------
    name
        As who shows it calls themselves.
    """

    def __init__(self, name: str) -> None:
        super().__init__("wrong name, password or token")
        self.name = name


class Doorkeeper:
    """Knows who asks.

    Parameters
    ----------
    shared
        What the parts of the portal share.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._portal = shared.settings.portal
        self.limits = Limits(self._portal.limits)
        # Questions of who somebody is wait for no other; two passwords at once fill two cores.
        self._knowing, self._checking = Places(6), Places(2)
        self._key = secrets.token_bytes(32)
        self._remembered: dict[bytes, tuple[float, str]] = {}

    async def identify(self, request: Request) -> Identity:
        """Find out who asks, and count the request.

        Raises
        ------
        WrongCredentialsError
            If what they show is wrong.
        HTTPException
            429 if they ask too much; 403 if a page of another site asks in their name.
        """
        who = await self._identify(request)
        request.state.who = who
        counted = f"user {who.name}" if who.known else neighbourhood(address_of(request))
        path = request.url.path
        self.limits.ask(counted, picture="/maps/" in path and path.endswith(".png"))
        return who

    async def presumed(self, request: Request) -> Identity | None:
        """Tell who asks, for a page that needs no leave; None if that cannot be found out now.

        Nothing is counted: it is asked once more of a request that went wrong.
        """
        known: Identity | None = getattr(request.state, "who", None)
        if known is not None:
            return known
        try:
            return await self._identify(request)
        except (WrongCredentialsError, HTTPException):
            return anonymous(self._portal.public_reading)
        except (GeobservatoryError, SQLAlchemyError, TimeoutError):
            return None

    async def by_password(self, name: str, password: str, address: str) -> Account:
        """Find the account of a name and a password.

        Raises
        ------
        WrongCredentialsError
            If there is none with these, or it is disabled.
        HTTPException
            429 after too many attempts.
        """
        name = name.strip().lower()[:100]
        account = await self._account(name)
        usable = account is not None and account.disabled_at is None
        digest = account.password if account is not None and usable else None
        known = hmac.new(self._key, f"{name}\0{password}".encode(), hashlib.sha256).digest()
        remembered = self._remembered.get(known)
        fresh = remembered is not None and time.monotonic() - remembered[0] < _REMEMBERED_S
        if account is not None and remembered is not None and fresh and remembered[1] == digest:
            return account
        self.limits.log_in(name, address)
        try:
            right = await self._checking.do(lambda: matches(digest, password[:1000]))
        except TimeoutError:
            raise HTTPException(503, "too many log in just now") from None
        if not right or account is None or digest is None:
            raise WrongCredentialsError(name)
        self.limits.logged_in(name, address)
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[known] = time.monotonic(), digest
        return account

    async def _identify(self, request: Request) -> Identity:
        shown = request.headers.get("Authorization")
        if shown is not None:
            return await self._authorized(request, shown)
        if (session := session_of(request)) is not None:
            now = datetime.now(UTC)
            account = await self._shared.ask(
                lambda catalog: catalog.whose_session(session, now), self._knowing
            )
            if account is not None:
                self._refuse_forged(request, must_say=True)
                return identity(account, Shown.SESSION)
        vouched = self._portal.proxy_login
        if vouched is not None and comes_from(request, vouched.proxies):
            who = await self._vouched(request, vouched)
            if who is not None:
                self._refuse_forged(request, must_say=True)
                return who
        return anonymous(self._portal.public_reading)

    async def _authorized(self, request: Request, shown: str) -> Identity:
        kind, _, value = shown.partition(" ")
        address = address_of(request)
        match kind.lower():
            case "bearer":
                return await self._by_token(value.strip(), address)
            case "basic":
                # A browser that was asked for a password sends it for pages of other sites too.
                self._refuse_forged(request, must_say=False)
                name, password = _basic(value.strip())
                if password.startswith(TOKEN_PREFIX):
                    who = await self._by_token(password, address)
                    if who.name != name.strip().lower():
                        raise WrongCredentialsError(name)
                    return who
                return identity(await self.by_password(name, password, address), Shown.PASSWORD)
        raise WrongCredentialsError("unknown")

    async def _by_token(self, secret: str, address: str) -> Identity:
        now = datetime.now(UTC)
        found = await self._shared.ask(
            lambda catalog: catalog.whose_token(secret, now), self._knowing
        )
        if found is None:
            # Nobody guesses 256 bits; who tries is to keep nobody else waiting.
            self.limits.log_in("token", address)
            raise WrongCredentialsError("a token")
        account, token = found
        scopes = scopes_of(account.role) & {Scope(one) for one in token.scopes if one in set(Scope)}
        return Identity(account.name, account.role, frozenset(scopes), Shown.TOKEN, account.id)

    async def _vouched(self, request: Request, vouched: ProxyLogin) -> Identity | None:
        names = request.headers.getlist(vouched.user_header)
        if not names or not names[0].strip():
            return None
        if len(names) > 1 or len(names[0]) > 300 or not names[0].isprintable():
            # One of them is not the proxy's.
            raise HTTPException(400, f"{vouched.user_header} is there twice, or is no name")
        told = request.headers.get(vouched.role_header, "") if vouched.role_header else ""
        values = [one.strip() for one in told.split(";")]
        role = role_by(vouched.roles, vouched.default_role, values)
        if role is None:
            raise HTTPException(403, f"{names[0]} has no role here")
        name = names[0].strip()
        account = await self._shared.ask(
            lambda catalog: catalog.vouched_account(f"proxy {name.lower()}", name, role),
            self._knowing,
        )
        if account.disabled_at is not None:
            raise HTTPException(403, f"the account {account.name} is disabled")
        return identity(account, Shown.PROXY)

    async def _account(self, name: str) -> Account | None:
        try:
            return await self._shared.ask(lambda catalog: catalog.account(name), self._knowing)
        except NotFoundError:
            return None

    def _refuse_forged(self, request: Request, *, must_say: bool) -> None:
        """Refuse what changes something, where a page of another site may have sent it."""
        if request.method in _SAFE:
            return
        ours = is_ours(request, self._portal)
        if ours is False or (ours is None and must_say):
            raise HTTPException(403, "this was sent by a page of another site, or does not say")


def identity(account: Account, shown: Shown) -> Identity:
    """Make the identity of somebody who has all that their role allows."""
    return Identity(account.name, account.role, scopes_of(account.role), shown, account.id)


def role_by(rules: Sequence[RoleRule], default: Role | None, values: Sequence[str]) -> Role | None:
    """Find the highest role that what another says of somebody gives; None for no way in."""
    given = [rule.role for rule in rules if rule.value in values]
    return max(given, default=default)


def _basic(value: str) -> tuple[str, str]:
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise WrongCredentialsError("unknown") from None
    if not colon or "\0" in name:
        raise WrongCredentialsError("unknown")
    return name, password
