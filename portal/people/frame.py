"""The frame of all pages, and how they are written: templates, numbers, times, the policy."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from geobservatory import __version__
from portal.access.identity import Identity, Role
from portal.headers import policy
from portal.people.assets import WEB, maps_are_there, version
from portal.shared import Shared

# What stands at the top, and the least role that sees it.
_PLACES = (
    ("", "Activations", Role.READER),
    ("hubs", "Hubs", Role.READER),
    ("mirror", "Mirror", Role.READER),
    ("numbers", "In numbers", Role.READER),
    ("subscribe", "Be told", Role.READER),
    ("request", "Ask for a map", Role.OPERATOR),
)
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def page(
    request: Request,
    shared: Shared,
    who: Identity,
    template: str,
    status: int = 200,
    /,
    **about: Any,
) -> Response:
    """Write a page.

    Parameters
    ----------
    template
        Its name.
    about
        What it shows; `unsure` where a session was shown that cannot be looked up just now.
    """
    root = request.scope.get("root_path", "")
    base = shared.settings.portal.base_map
    text = (
        _environment()
        .get_template(template)
        .render(
            root=root,
            static=f"{root}/static/{version()}",
            here=request.url.path.removeprefix(root),
            places=[one for one in _PLACES if who.may(one[2])],
            who=who,
            version=__version__,
            maps=maps_are_there(),
            base=base,
            **{"unsure": False, **about},
        )
    )
    headers = {"Vary": "Cookie"}
    if base.tiles is not None:
        headers["Content-Security-Policy"] = policy(images=[_origin(base.tiles)])
    return HTMLResponse(text, status, headers)


def size(count: float) -> str:
    """Write a size: ``1.4 MB``; thousands, as hubs and disks count."""
    number = 0
    while count >= 999.5 and number < len(_UNITS) - 1:
        count, number = count / 1000, number + 1
    return f"{count:.0f} {_UNITS[number]}" if number == 0 else f"{count:.3g} {_UNITS[number]}"


def utc(time: datetime, seconds: bool = False) -> str:
    """Write a time."""
    return f"{time:%Y-%m-%d %H:%M:%S}" if seconds else f"{time:%Y-%m-%d %H:%M}"


def place(latitude: float, longitude: float, digits: int = 2) -> str:
    """Write a place: ``31.06° N, 8.39° W``."""
    north, east = "N" if latitude >= 0 else "S", "E" if longitude >= 0 else "W"
    return f"{abs(latitude):.{digits}f}° {north}, {abs(longitude):.{digits}f}° {east}"


def begun(text: str) -> str:
    """Write what a line begins with: with a capital, names in it as they are (``31.0° N``)."""
    return text[:1].upper() + text[1:]


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(WEB / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters.update(size=size, utc=utc, query=_query, place=place, begun=begun)
    made.globals["place"] = place
    # As they are written: layers have an order.
    made.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return made


def _query(given: Mapping[str, Any]) -> str:
    return urlencode({name: one for name, one in given.items() if one}, doseq=True)


def _origin(address: str) -> str:
    """Give the origin of a tile address, with a star where servers are numbered."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.replace('{s}.', '*.')}"
