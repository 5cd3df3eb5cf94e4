"""Maps for the viewer: tiles, small pictures, values at a place and along a line."""

import base64
import csv
import io
import math
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from geobservatory.errors import InputError
from geobservatory.products import tiles
from geobservatory.products.tiles import LAYERS
from portal.access.guard import Reader
from portal.results import ResultFiles
from portal.shared import Places, Shared

_PLACE = "/activations/{activation}/maps/{name}"
_DRAWING, _LIMIT_S = 4, 20.0
# The digest of the map stands in the address: what is drawn of it stays.
_KEEP = {"Cache-Control": "private, max-age=604800, immutable"}
# One transparent cell: where a map has nothing, browsers find no fault.
_NOTHING = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)
_MOST_VERTICES = 20
_Latitude = Annotated[float, Query(ge=-90, le=90)]
_Longitude = Annotated[float, Query(ge=-540, le=540)]


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter(include_in_schema=False)
    results, drawing = ResultFiles(shared), Places(_DRAWING, _LIMIT_S)

    @made.get(_PLACE + "/{layer}/{zoom}/{x}/{y}.png")
    async def tile(
        who: Reader, activation: str, name: str, layer: str, zoom: int, x: int, y: int
    ) -> Response:
        path = await results.layer(await results.map(activation, name), layer)
        drawn = await drawing.do(lambda: tiles.tile(path, layer, zoom, x, y))
        return Response(drawn or _NOTHING, media_type="image/png", headers=_KEEP)

    @made.get(_PLACE + "/{layer}.png")
    async def picture(who: Reader, activation: str, name: str, layer: str) -> Response:
        path = await results.layer(await results.map(activation, name), layer)
        drawn = await drawing.do(lambda: tiles.picture(path, layer))
        return Response(drawn, media_type="image/png", headers=_KEEP)

    @made.get(_PLACE + "/value")
    async def value(
        who: Reader, activation: str, name: str, lat: _Latitude, lon: _Longitude
    ) -> dict[str, float | None]:
        known = await results.map(activation, name)
        paths = {
            layer: await results.layer(known, layer)
            for layer, one in LAYERS.items()
            if one.file in known.files
        }
        longitude = _within_180(lon)

        def read() -> dict[str, float | None]:
            found = {layer: tiles.value(path, longitude, lat) for layer, path in paths.items()}
            return {
                layer: None if one is None else one * LAYERS[layer].scale
                for layer, one in found.items()
            }

        return await drawing.do(read)

    @made.get(_PLACE + "/profile")
    async def profile(
        who: Reader,
        activation: str,
        name: str,
        layer: str,
        line: Annotated[str, Query(max_length=1000)],
        form: Annotated[str, Query(pattern="^(json|csv)$")] = "json",
    ) -> Response:
        path = await results.layer(await results.map(activation, name), layer)
        places = _line(line)
        found = await drawing.do(lambda: tiles.profile(path, places))
        return _csv(found, layer) if form == "csv" else JSONResponse(_json(found, layer))

    return made


def _line(text: str) -> list[tuple[float, float]]:
    """Read a line: longitude and latitude with a comma between, places with semicolons."""
    places = []
    for part in text.split(";"):
        try:
            longitude, latitude = (float(one) for one in part.split(","))
        except ValueError:
            raise InputError(f"line: {part[:40]!r} is no place, as -8.39,31.06") from None
        if not (math.isfinite(longitude) and abs(latitude) <= 90 and abs(longitude) <= 540):
            raise InputError(f"line: {part[:40]!r} is not on the globe")
        places.append((_within_180(longitude), latitude))
    if not 2 <= len(places) <= _MOST_VERTICES:
        raise InputError(f"line: 2 to {_MOST_VERTICES} places, not {len(places)}")
    return places


def _within_180(longitude: float) -> float:
    return (longitude + 180) % 360 - 180


def _json(found: tiles.Profile, layer: str) -> dict[str, Any]:
    scale = LAYERS[layer].scale
    return {
        "unit": LAYERS[layer].unit,
        "title": LAYERS[layer].title,
        "points": [
            [
                round(lon, 6),
                round(lat, 6),
                round(along, 1),
                round(one * scale, 5) if math.isfinite(one) else None,
            ]
            for lon, lat, along, one in _rows(found)
        ],
    }


def _csv(found: tiles.Profile, layer: str) -> Response:
    out = io.StringIO()
    writer = csv.writer(out)
    unit = LAYERS[layer].unit or "1"
    writer.writerow(("longitude", "latitude", "distance_m", f"{LAYERS[layer].file} ({unit})"))
    scale = LAYERS[layer].scale
    for lon, lat, along, one in _rows(found):
        told = f"{one * scale:.5f}" if math.isfinite(one) else ""
        writer.writerow((f"{lon:.6f}", f"{lat:.6f}", f"{along:.1f}", told))
    headers = {"Content-Disposition": f'attachment; filename="profile-{layer}.csv"'}
    return Response(out.getvalue(), 200, headers, "text/csv; charset=utf-8")


def _rows(found: tiles.Profile) -> Any:
    return zip(
        found.longitudes.tolist(), found.latitudes.tolist(), found.distances_m.tolist(),
        found.values.tolist(), strict=True,
    )  # fmt: skip
