"""Asking for a map by hand: an area drawn or uploaded, checked as a request file is."""

import json
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from geobservatory.errors import InputError
from geobservatory.events.form import ActivationForm
from geobservatory.events.geojson import to_geojson
from geobservatory.events.model import EventType
from geobservatory.events.request import first_error
from portal.access.forms import genuine, token
from portal.access.guard import Operator
from portal.access.record import note
from portal.people.areas import area_of, number_of, text_of
from portal.people.frame import page
from portal.shared import Shared
from portal.starting import start

_NUMBERS = (
    "latitude", "longitude", "radius_km", "magnitude", "depth_km", "days_before", "days_after",
    "priority",
)  # fmt: skip
_FIELDS = ("event_type", "event_time", "name", "area", "tracks", *_NUMBERS)
_WHOLE = ("days_before", "days_after", "priority")


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter(include_in_schema=False)

    def form_page(request: Request, who: Operator, status: int = 200, **about: Any) -> Response:
        shown = {"given": {**dict.fromkeys(_FIELDS, ""), "event_type": "earthquake"}, "wrong": ""}
        return page(
            request, shared, who, "request.html", status,
            kinds=list(EventType), form_token=token(request), **{**shown, **about},
        )  # fmt: skip

    @made.api_route("/request", methods=["GET", "HEAD"])
    async def show(request: Request, who: Operator) -> Response:
        return form_page(request, who)

    @made.post("/request", dependencies=[Depends(genuine)])
    async def ask(request: Request, who: Operator) -> Response:
        form = await request.form()
        try:
            wanted = await _read(form, who.name)
        except InputError as error:
            given = {name: str(form.get(name, ""))[:100_000] for name in _FIELDS}
            return form_page(request, who, 400, wrong=str(error), given=given)
        activation, created, _ = await start(shared, wanted)
        await note(request, who, "activation.new", activation.id)
        asked = "recorded" if created else "known"
        root = request.scope.get("root_path", "")
        return RedirectResponse(f"{root}/activations/{activation.id}?asked={asked}", 303)

    return made


async def _read(form: FormData, who: str) -> ActivationForm:
    """Read what is asked for.

    Raises
    ------
    InputError
        With the field, and what is wrong with it.
    """
    given: dict[str, Any] = {"source": f"portal: {who}"[:100]}
    for name in _NUMBERS:
        value = number_of(form, name)
        if value is not None:
            given[name] = int(value) if name in _WHOLE and value == int(value) else value
    given["event_type"] = text_of(form, "event_type")
    given["event_time"] = _time(text_of(form, "event_time"))
    given["name"] = text_of(form, "name")
    tracks = text_of(form, "tracks").replace(",", " ").split()
    given["tracks"] = tracks
    area = await area_of(form)
    if area is not None:
        given["area"] = to_geojson(area)
        given.pop("radius_km", None)
    try:
        return ActivationForm.model_validate_json(json.dumps(given))
    except ValidationError as error:
        raise InputError(first_error(error).lstrip(".: ")) from None


def _time(text: str) -> str:
    """Read a time; one without a zone is in UTC, as the field says."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"event_time: {text[:40]!r} is no time, as 2023-09-08T22:11:01") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()
