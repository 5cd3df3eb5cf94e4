"""What somebody can see and change of their own account, on the web."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import Response

from geobservatory.catalog.accounts import check_password
from geobservatory.errors import InputError
from portal.access.doorkeeper import Doorkeeper, WrongCredentialsError
from portal.access.forms import genuine
from portal.access.guard import Whoever, unknown
from portal.access.identity import Identity, Scope, Shown, scopes_of
from portal.access.origin import address_of
from portal.access.pages import page
from portal.access.passwords import hashed
from portal.access.record import note
from portal.access.sessions import remember
from portal.shared import Places, Shared


async def in_person(request: Request, who: Whoever) -> Identity:
    """Let in only people: a token that could make tokens would live for ever."""
    if not who.known:
        raise unknown(request)
    if who.shown not in (Shown.SESSION, Shown.PROXY):
        raise HTTPException(403, "that is for people who have logged in on the web")
    return who


InPerson = Annotated[Identity, Depends(in_person)]


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter(include_in_schema=False)

    @made.api_route("/account", methods=["GET", "HEAD"])
    async def own(request: Request, who: InPerson) -> Response:
        return await _shown(shared, request, who)

    made.include_router(_tokens(shared))
    made.include_router(_password(shared))
    return made


def _tokens(shared: Shared) -> APIRouter:
    """Make the addresses that make and revoke tokens."""
    made = APIRouter(include_in_schema=False)
    most_days = shared.settings.portal.limits.token_days

    @made.post("/account/tokens", dependencies=[Depends(genuine)])
    async def new_token(
        request: Request,
        who: InPerson,
        name: Annotated[str, Form(max_length=100)],
        days: Annotated[int, Form(ge=1)],
        scope: Annotated[tuple[Scope, ...], Form()] = (),
    ) -> Response:
        expires = datetime.now(UTC) + timedelta(days=min(days, most_days))
        allowed, number = [one for one in scope if one in who.scopes], _number(who)
        try:
            token, secret = await shared.ask(
                lambda catalog: catalog.new_token(number, name.strip(), allowed, expires)
            )
        except InputError as error:
            return await _shown(shared, request, who, 400, wrong=f"{error}.")
        await note(request, who, "token.new", f"{token.id} {token.name}")
        return await _shown(shared, request, who, secret=secret)

    @made.post("/account/tokens/{identifier}/revoke", dependencies=[Depends(genuine)])
    async def revoke(request: Request, who: InPerson, identifier: int) -> Response:
        token = await shared.ask(lambda catalog: catalog.revoke_token(identifier, who.name))
        await note(request, who, "token.revoke", f"{token.id} {token.name}")
        said = f"{token.name} is worth nothing any more."
        return await _shown(shared, request, who, said=said)

    return made


def _password(shared: Shared) -> APIRouter:
    """Make the address that changes a password."""
    made, hashing = APIRouter(include_in_schema=False), Places(2)
    hours = shared.settings.portal.limits.session_hours

    @made.post("/account/password", dependencies=[Depends(genuine)])
    async def password(
        request: Request,
        who: InPerson,
        old: Annotated[str, Form(max_length=1000)],
        new: Annotated[str, Form(max_length=1000)],
    ) -> Response:
        door: Doorkeeper = request.app.state.doorkeeper
        try:
            check_password(new)
            await door.by_password(who.name, old, address_of(request))
        except InputError as error:
            return await _shown(shared, request, who, 400, wrong=f"{error}.")
        except WrongCredentialsError:
            await note(request, who, "password", outcome="refused")
            said = "The password now is another."
            return await _shown(shared, request, who, 400, wrong=said)
        digest = await hashing.do(lambda: hashed(new))
        await shared.ask(lambda catalog: catalog.set_password(who.name, digest))
        await note(request, who, "password")
        # All sessions have ended with the old password; this browser gets a new one.
        expires, number = datetime.now(UTC) + timedelta(hours=hours), _number(who)
        session = await shared.ask(lambda catalog: catalog.new_session(number, expires))
        answer = await _shown(shared, request, who, said="The password is changed.")
        remember(request, answer, session, hours)
        return answer

    return made


async def _shown(
    shared: Shared, request: Request, who: Identity, status: int = 200, **about: str
) -> Response:
    """Answer with the page of an account."""
    tokens = await shared.ask(lambda catalog: catalog.tokens(who.name))
    account = await shared.ask(lambda catalog: catalog.account(who.name))
    return page(
        request,
        who,
        "account.html",
        status,
        tokens=tokens,
        ours=account.subject is None,
        scopes=[one for one in Scope if one in scopes_of(who.role)],
        most_days=shared.settings.portal.limits.token_days,
        now=datetime.now(UTC),
        **{"wrong": "", "said": "", "secret": "", **about},
    )


def _number(who: Identity) -> int:
    assert who.account_id is not None  # noqa: S101  who comes in person has one
    return who.account_id
