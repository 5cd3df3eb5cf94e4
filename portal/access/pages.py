"""The pages of accounts: login, and what somebody can change of their own."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from portal.access.forms import token
from portal.access.identity import Identity
from portal.people import frame


def page(
    request: Request, who: Identity, template: str, status: int = 200, /, **about: Any
) -> Response:
    """Write a page with forms.

    Parameters
    ----------
    template
        Its name.
    about
        What it shows.
    """
    shared = request.app.state.shared
    answer = frame.page(
        request, shared, who, template, status, **{"form_token": token(request), **about}
    )
    # What is shown to one is nothing for a cache in between, nor for who comes after them.
    answer.headers["Cache-Control"] = "no-store"
    return answer
