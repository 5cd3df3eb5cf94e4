"""Writes down who did what (`geobs audit`)."""

from typing import Literal

from fastapi import Request

from portal.access.identity import Identity
from portal.access.origin import address_of
from portal.shared import Shared

Outcome = Literal["done", "refused", "failed"]


async def note(
    request: Request, who: Identity | str, action: str, of: str = "", outcome: Outcome = "done"
) -> None:
    """Write down that somebody did something, or tried to.

    Parameters
    ----------
    who
        As they are known, or call themselves.
    action
        As ``login`` or ``token.new``.
    of
        What it was done to; no secret.
    """
    shared: Shared = request.app.state.shared
    name = who if isinstance(who, str) else who.name
    address = address_of(request)
    await shared.ask(lambda catalog: catalog.note_audit(name, address, action, of, outcome))
