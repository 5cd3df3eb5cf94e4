"""What the doors have in common: sending a product or a file of it, and saying why it cannot be."""

import logging
import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote
from uuid import UUID

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError

from geobservatory.catalog.listing import Listed
from geobservatory.errors import ConfigurationError, InputError, NotFoundError
from geobservatory.hubs.umbrella import Located
from geobservatory.transfer.source import ProductOfflineError
from portal.access.identity import Identity
from portal.programs.delivery import Order
from portal.programs.limits import TooManyError, TooMuchError
from portal.programs.ranges import BeyondError, Span, wanted_span
from portal.programs.relay import Relay
from portal.programs.service import Programs
from portal.programs.tree import Node, Tree

_LOG = logging.getLogger(__name__)
_COME_AGAIN_S = 30
_PATH_SIGNS = re.compile(r"[\x00-\x1f\x7f\\]")


class Fault(Protocol):
    """Writes an error as a door's clients read it."""

    def __call__(
        self, request: Request, status: int, cause: str, message: str, **headers: str
    ) -> Response:
        """Write it; `cause` is the kind of error in the door's own words."""


def door_route(fault: Fault) -> type[APIRoute]:
    """Make the kind of route that writes whatever goes wrong as a door's clients read it."""

    class Route(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def handled(request: Request) -> Response:
                try:
                    return await handler(request)
                except Exception as error:  # noqa: BLE001  (becomes an answer)
                    return refusal(request, fault, error)

            return handled

    return Route


def refusal(request: Request, fault: Fault, error: Exception) -> Response:
    """Write what went wrong."""
    said = str(error).partition("\n")[0]
    match error:
        case HTTPException():
            status = error.status_code
            cause = HTTPStatus(status).phrase.replace(" ", "")
            return fault(request, status, cause, str(error.detail), **dict(error.headers or {}))
        case ProductOfflineError():
            after = _COME_AGAIN_S if error.retry_after_s is None else round(error.retry_after_s)
            return fault(
                request, 202, "ProductOffline", said, **{"Retry-After": str(max(1, after))}
            )
        case TooManyError():
            return fault(request, 429, "MediaRegulationException", said, **{"Retry-After": "2"})
        case TooMuchError():
            return fault(request, 429, "QuotaException", said, **{"Retry-After": "3600"})
        case BeyondError():
            return fault(request, 416, "RangeNotSatisfiable", said)
        case InputError():
            status = 414 if "Request-URI Too Long" in said else 400
            return fault(request, status, "InvalidQuery", said)
        case NotFoundError():
            return fault(request, 404, "NotFound", said)
        case ConfigurationError():
            _LOG.error("%s", said)
            return fault(request, 502, "HubRefused", "a hub does not take this portal's account")
        case TimeoutError():
            said = "the catalogue does not answer in time"
        case SQLAlchemyError():
            _LOG.warning("the catalogue refused a question: %s", said)
            said = "the catalogue cannot be read just now"
    known = type(error).__module__.startswith("geobservatory")
    if known or isinstance(error, TimeoutError | SQLAlchemyError):
        return fault(request, 503, "Unavailable", said, **{"Retry-After": str(_COME_AGAIN_S)})
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return fault(request, 500, "Error", "something went wrong here; it is in the log")


def uuid_of(text: str) -> UUID | None:
    """Read a product's identifier; None where it is none."""
    try:
        return UUID(text) if len(text) in (32, 36) else None
    except ValueError:
        return None


def checked_path(path: str) -> str:
    """Give the path of an address, if it may be one.

    Raises
    ------
    InputError
        If it has signs that no address here has.
    """
    if len(path) > 2000 or _PATH_SIGNS.search(path):
        raise InputError("an address that is too long, or has signs that none has")
    return path


async def tree_of(programs: Programs, listed: Listed) -> tuple[Located, Tree]:
    """Read the files inside a product."""
    located = await programs.locate(listed)
    return located, Tree(f"{listed.product.name}.SAFE", await programs.members(located))


async def send_product(
    programs: Programs, request: Request, who: Identity, listed: Listed, fault: Fault
) -> Response:
    """Send a product, or bytes of it."""
    name, located = listed.product.name, await programs.locate(listed)
    tag = next(iter(located.version.checksums.values()), "")
    headers = _headers(f"{name}.zip", tag)

    def work(span: Span | None) -> Callable[[Relay], None]:
        first, stop = _bounds(span)
        return lambda relay: programs.umbrella().hand_on(located, relay, first, stop)

    size = located.version.size
    return await _send(programs, request, who, name, "", size, headers, work, fault)


async def send_file(
    programs: Programs,
    request: Request,
    who: Identity,
    listed: Listed,
    located: Located,
    node: Node,
    fault: Fault,
) -> Response:
    """Send a file inside a product, or bytes of it."""
    tag = next(iter(located.version.checksums.values()), "")
    headers = _headers(quote(node.name), f"{tag}/{quote(node.member)}" if tag else "")

    def work(span: Span | None) -> Callable[[Relay], None]:
        first, stop = _bounds(span)
        return lambda relay: programs.umbrella().hand_on_member(
            located, node.member, relay, first, stop
        )

    name = listed.product.name
    return await _send(programs, request, who, name, node.member, node.size, headers, work, fault)


async def _send(
    programs: Programs,
    request: Request,
    who: Identity,
    name: str,
    part: str,
    size: int | None,
    headers: dict[str, str],
    work: Callable[[Span | None], Callable[[Relay], None]],
    fault: Fault,
) -> Response:
    if request.method == "HEAD":
        length = {} if size is None else {"Content-Length": str(size)}
        return Response(headers={**headers, "Accept-Ranges": "bytes", **length})
    await programs.allowed(who)
    span = None
    if size is not None:
        try:
            span = wanted_span(request, size, headers.get("ETag", ""))
        except BeyondError as error:
            more = {"Content-Range": f"bytes */{size}"}
            return fault(request, 416, "RangeNotSatisfiable", str(error), **more)
    order = Order(who.name, name, part, size, span, headers, work(span))
    if span is None or not span.first:
        programs.users.begins_anew(who.name, order.key)
    elif span.rest and programs.users.has_spoiled(who.name, order.key):
        return fault(
            request,
            409,
            "Spoiled",
            f"{part or name}: what was sent of it was not right; take it from the beginning",
        )
    return programs.deliver(order, lambda error: refusal(request, fault, error))


def _bounds(span: Span | None) -> tuple[int, int | None]:
    if span is None:
        return 0, None
    return span.first, None if span.rest else span.stop


def _headers(filename: str, tag: str) -> dict[str, str]:
    headers = {
        "Content-Disposition": f'inline;filename="{filename}"',
        "Content-Type": "application/octet-stream",
    }
    return {**headers, "ETag": f'"{tag}"'} if tag else headers
