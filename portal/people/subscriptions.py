"""Being told: people subscribe, confirm by mail, and end it with one click."""

import logging
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response
from limits import RateLimitItemPerHour
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from starlette.background import BackgroundTask
from starlette.datastructures import FormData

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.subscriptions import Subscription
from geobservatory.errors import GeobservatoryError, InputError
from geobservatory.events.geojson import to_geojson
from geobservatory.globe import area_km2, bounding_box
from geobservatory.notify.deliver import deliver, queue_confirmation
from portal.access.forms import genuine, token
from portal.access.guard import Reader, Whoever
from portal.access.origin import address_of, neighbourhood
from portal.people.areas import area_of, circle_of, number_of, text_of
from portal.people.frame import page, place
from portal.shared import Places, Shared

_LOG = logging.getLogger(__name__)
_EARTH = box(-180, -90, 180, 90)
_FIELDS = ("address", "where", "latitude", "longitude", "radius_km", "magnitude", "area")
# Wishes from one network; more is not a person who fills in a form.
_WISHES = RateLimitItemPerHour(20)
_SENDING_S = 120.0
# The address of these pages is a secret: it goes nowhere.
_SECRET = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter(include_in_schema=False)
    made.include_router(_wishes(shared))
    made.include_router(_links(shared))
    return made


def _wishes(shared: Shared) -> APIRouter:
    """Make the address of the form."""
    made = APIRouter(include_in_schema=False)
    wishes, sending = MovingWindowRateLimiter(MemoryStorage()), Places(1, _SENDING_S)
    settings = shared.settings
    mail = settings.notification
    offered = None not in (settings.portal.public_address, mail.smtp_host, mail.sender)

    async def send() -> None:
        """Send it now; what fails is tried again by the flows."""
        try:
            await shared.ask(lambda catalog: deliver(settings, catalog), sending)
        except (GeobservatoryError, TimeoutError) as error:
            _LOG.warning("a confirmation waits: %s", error)

    def form_page(request: Request, who: Reader, status: int = 200, **about: object) -> Response:
        shown = {"given": dict.fromkeys(_FIELDS, ""), "wrong": "", "sent": "", **about}
        return page(
            request, shared, who, "subscribe.html", status,
            offered=offered, form_token=token(request), **shown,
        )  # fmt: skip

    @made.api_route("/subscribe", methods=["GET", "HEAD"])
    async def show(request: Request, who: Reader) -> Response:
        return form_page(request, who)

    @made.post("/subscribe", dependencies=[Depends(genuine)])
    async def wish(request: Request, who: Reader) -> Response:
        form = await request.form()
        if not offered:
            raise HTTPException(404, "subscriptions are not offered here: no mail server is set")
        if not wishes.hit(_WISHES, neighbourhood(address_of(request))):
            raise HTTPException(429, "too many subscriptions from here; try again in an hour")
        try:
            address, magnitude, area = await _read(form)
            told = text_of(form, "address", 254)
            await shared.ask(lambda catalog: _wish(shared, catalog, address, area, magnitude))
        except InputError as error:
            given = {name: _shown(form, name) for name in _FIELDS}
            return form_page(request, who, 400, wrong=str(error), given=given)
        answer = form_page(request, who, sent=told)
        # Whether the address was known already, nobody learns.
        answer.background = BackgroundTask(send)
        return answer

    return made


def _links(shared: Shared) -> APIRouter:
    """Make the address that mails lead to: it confirms, shows and ends."""
    made = APIRouter(include_in_schema=False)

    def answered(request: Request, who: Whoever, found: list[Subscription], done: str) -> Response:
        answer = page(
            request, shared, who, "subscription.html",
            own=found[0] if found else None, found=found, done=done, described=_described,
        )  # fmt: skip
        answer.headers.update(_SECRET)
        return answer

    async def of_token(request: Request, who: Whoever, secret: UUID, done: str = "") -> Response:
        found = await shared.ask(lambda catalog: catalog.subscriptions_of(secret))
        return answered(request, who, found, done)

    @made.api_route("/subscriptions/{secret}", methods=["GET", "HEAD"])
    async def look(request: Request, who: Whoever, secret: UUID) -> Response:
        # Programs that look at links before people do change nothing.
        return await of_token(request, who, secret)

    # Who has the token needs no other proof, and mail programs have no cookie (RFC 8058).
    @made.post("/subscriptions/{secret}")
    async def change(
        request: Request,
        who: Whoever,
        secret: UUID,
        action: Annotated[str, Form()] = "",
        one: Annotated[int | None, Form()] = None,
    ) -> Response:
        form = await request.form()
        if form.get("List-Unsubscribe") == "One-Click":
            await shared.ask(lambda catalog: catalog.unsubscribe_all(secret))
            return PlainTextResponse("unsubscribed\n", headers=_SECRET)
        now = datetime.now(UTC)
        match action:
            case "confirm":
                await shared.ask(lambda catalog: catalog.confirm_subscription(secret, now))
                return await of_token(request, who, secret, "It is confirmed.")
            case "end":
                left = await shared.ask(lambda catalog: _end(catalog, secret, one))
                if left is not None:
                    return await of_token(request, who, left, "That one has ended.")
            case "end-all":
                await shared.ask(lambda catalog: catalog.unsubscribe_all(secret))
            case _:
                raise InputError("action: confirm, end or end-all")
        return answered(request, who, [], "You are told nothing more.")

    return made


async def _read(form: FormData) -> tuple[str, float | None, BaseGeometry]:
    """Read a wish: address, least magnitude, area."""
    magnitude = number_of(form, "magnitude")
    if magnitude is not None and not 0 <= magnitude <= 10:
        raise InputError("magnitude: from 0 to 10")
    match text_of(form, "where"):
        case "earth":
            area = _EARTH
        case "drawn":
            found = await area_of(form)
            if found is None:
                raise InputError("draw the area on the map, or choose a file")
            area = found
        case _:
            circled = circle_of(form)
            if circled is None:
                raise InputError("say where: latitude, longitude and radius")
            area = circled
    return text_of(form, "address", 254), magnitude, area


def _wish(
    shared: Shared, catalog: Catalog, address: str, area: BaseGeometry, magnitude: float | None
) -> None:
    found = catalog.wish(address, area, magnitude, datetime.now(UTC))
    if found is not None:
        queue_confirmation(shared.settings, catalog, found, _words(found))


def _end(catalog: Catalog, secret: UUID, number: int | None) -> UUID | None:
    """End one subscription of an address; a token of one that is left."""
    found = catalog.subscriptions_of(secret)
    ending = next((one for one in found if one.id == number), None)
    if ending is None:
        raise InputError("there is no such subscription of this address")
    catalog.unsubscribe(ending.id)
    left = [one for one in found if one.id != ending.id]
    if not left or left[0] is found[0]:
        return secret if left else None
    # The link was that of the one that has ended.
    return catalog.new_link(left[0].id)


def _words(one: Subscription) -> str:
    """Say where, in words: ``around 31.1° N, 8.0° W (7,400 km²)``."""
    if one.area.equals(_EARTH):
        return "anywhere"
    west, south, east, north = bounding_box(one.area)
    middle = (west + (east + 360 if east < west else east)) / 2
    about = place((south + north) / 2, (middle + 180) % 360 - 180, 1)
    return f"around {about} ({area_km2(to_geojson(one.area)):,.0f} km²)"


def _described(one: Subscription) -> str:
    size = "of any size" if one.magnitude is None else f"of magnitude {one.magnitude:g} and more"
    return f"events {size}, {_words(one)}"


def _shown(form: FormData, name: str) -> str:
    given = form.get(name, "")
    return given[:100_000] if isinstance(given, str) else ""
