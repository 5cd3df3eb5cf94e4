"""Who may: what each address depends on, as in ``who: Operator`` or ``Depends(needs(…))``."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from portal.access.doorkeeper import Doorkeeper, WrongCredentialsError
from portal.access.identity import Identity, Role, Scope
from portal.access.record import note

_BASIC = 'Basic realm="geObservatory", charset="UTF-8"'
# Browsers ask people for a password where they see `Basic`; our pages have a form for it.
_BEARER = 'Bearer realm="geObservatory"'


async def whoever(request: Request) -> Identity:
    """Find out who asks; anonymous if they do not say.

    Raises
    ------
    HTTPException
        401 if what they show is wrong; 403 if a page of another site asks in their name; 429 if
        they ask too much.
    """
    door: Doorkeeper = request.app.state.doorkeeper
    try:
        return await door.identify(request)
    except WrongCredentialsError as error:
        await note(request, error.name, "login", request.url.path, "refused")
        raise unknown(request, "wrong name, password or token") from None


def needs(role: Role, *scopes: Scope) -> Callable[[Request, Identity], Awaitable[Identity]]:
    """Let in only who has a role.

    Parameters
    ----------
    role
        The least.
    scopes
        Of these a token has to allow one; what the role is for, if absent.

    Returns
    -------
    callable
        A dependency: gives who asks; 401 where they have to say who they are, 403 where that is
        not enough.
    """

    async def found(request: Request, who: Annotated[Identity, Depends(whoever)]) -> Identity:
        if who.may(role, *scopes):
            return who
        if not who.known:
            raise unknown(request)
        if who.role is not None and who.role.covers(role):
            raise HTTPException(403, "this token does not allow that")
        raise HTTPException(403, f"that needs the role {role}; {who.name} has not got it")

    return found


def unknown(request: Request, reason: str = "that needs an account") -> HTTPException:
    """Make the answer to who has to say who they are."""
    challenge = _BEARER if "Sec-Fetch-Mode" in request.headers else _BASIC
    return HTTPException(401, reason, headers={"WWW-Authenticate": challenge})


Whoever = Annotated[Identity, Depends(whoever)]
# Who downloads a product has to find it first: a token for the one is for the other.
finding = needs(Role.READER, Scope.READ, Scope.DOWNLOAD)

Reader = Annotated[Identity, Depends(needs(Role.READER))]
Finder = Annotated[Identity, Depends(finding)]
Downloader = Annotated[Identity, Depends(needs(Role.DOWNLOADER))]
Operator = Annotated[Identity, Depends(needs(Role.OPERATOR))]
