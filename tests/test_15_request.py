"""Request files: the good ones are read, every malformed one is refused with its place."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyproj import Geod
from shapely.geometry import shape

from geobservatory.errors import InputError
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import EventType
from geobservatory.events.request import parse_request, read_request
from geobservatory.globe import circle

SQUARE = [[[-9.0, 30.7], [-8.1, 30.7], [-8.1, 31.3], [-9.0, 31.3], [-9.0, 30.7]]]


def feature(**properties: Any) -> dict[str, Any]:
    base = {"event_time": "2023-09-08T22:11:01Z", "event_type": "earthquake"}
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": SQUARE},
        "properties": base | properties,
    }


def without(key: str) -> dict[str, Any]:
    made = feature()
    del made["properties"][key]
    return made


def with_geometry(geometry: Any) -> dict[str, Any]:
    return feature() | {"geometry": geometry}


def polygon(*points: tuple[float, float]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [list(points)]}


def test_reads_what_was_asked() -> None:
    request = parse_request(feature(magnitude=6.8, tracks=[154, 52, 52], priority=3)).to_request()
    assert request.event.event_type is EventType.EARTHQUAKE
    assert request.event.time == datetime(2023, 9, 8, 22, 11, 1, tzinfo=UTC)
    assert request.tracks == (52, 154)
    assert request.priority == 3
    # The place of an event that names none lies inside its area.
    assert -9.0 < request.event.longitude < -8.1
    assert 30.7 < request.event.latitude < 31.3


def test_other_time_zones_become_utc() -> None:
    request = parse_request(feature(event_time="2023-09-09T00:11:01+02:00"))
    assert request.event_time == datetime(2023, 9, 8, 22, 11, 1, tzinfo=UTC)


def test_a_collection_is_one_area() -> None:
    east = with_geometry(polygon((10, 30), (11, 30), (11, 31), (10, 30)))
    east["properties"] = {}
    request = parse_request({"type": "FeatureCollection", "features": [feature(), east]})
    assert request.area is not None
    assert request.area["type"] == "MultiPolygon"


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], "not a GeoJSON object"),
        ({"type": "Point"}, "type: must be Feature"),
        ({"type": "FeatureCollection", "features": []}, "features: must be"),
        ({"type": "FeatureCollection", "features": [3]}, "features[0]: not a GeoJSON Feature"),
        ({"type": "FeatureCollection"}, "features: must be"),
        (
            {"type": "FeatureCollection", "features": [feature(), feature(magnitude=5)]},
            "features[1].properties.magnitude: differs",
        ),
        (feature() | {"properties": None}, "properties: missing"),
        (without("event_time"), "properties.event_time: missing"),
        (without("event_type"), "properties.event_type: missing"),
        (feature(event_time="last Friday"), "properties.event_time:"),
        (feature(event_time="2023-09-08T22:11:01"), "properties.event_time:"),
        (feature(event_time="2023-13-08T22:11:01Z"), "properties.event_time:"),
        (feature(event_time=1694211061), "properties.event_time: must be ISO 8601"),
        (feature(event_type="tsunami"), "properties.event_type:"),
        (feature(magnitude=12), "properties.magnitude:"),
        (feature(magnitude="strong"), "properties.magnitude:"),
        (feature(depth_km=6000), "properties.depth_km:"),
        (feature(magntude=6), "properties.magntude: unknown"),
        (feature(tracks=[176]), "properties.tracks: 176"),
        (feature(days_after=0), "properties.days_after:"),
        (feature(longitude=3.0), "longitude and latitude come together"),
        (with_geometry(None), "geometry: missing"),
        (with_geometry({"type": "Point", "coordinates": [1, 2]}), "geometry: its type"),
        (with_geometry({"type": "Polygon"}), "geometry: its coordinates"),
        (with_geometry({"type": "Polygon", "coordinates": "x"}), "geometry"),
        (with_geometry(polygon((0, 0), (1, 1))), "geometry: its coordinates"),
        (with_geometry(polygon((0, 0), (1, 1), (1, 0), (0, 1), (0, 0))), "not a valid polygon"),
        (with_geometry(polygon((0, 0), (0, 0), (0, 0), (0, 0))), "not a valid polygon"),
        (with_geometry({"type": "Polygon", "coordinates": []}), "the area is empty"),
        (with_geometry(polygon((170, 0), (190, 0), (190, 1), (170, 0))), "antimeridian"),
        (with_geometry(polygon((0, 88), (1, 95), (2, 88), (0, 88))), "outside longitude"),
    ],
)
def test_malformed_requests_are_refused_with_their_place(document: Any, place: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_request(document)
    assert place in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b'{"type": "Feature",\n "properties": {', "line 2, column"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"type": NaN}', "NaN is not a JSON number"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_unreadable_files_name_file_and_place(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "event.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as refusal:
        read_request(path)
    assert str(path) in str(refusal.value)
    assert reason in str(refusal.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_request(path)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text("\ufeff" + json.dumps(feature()), encoding="utf-8")
    assert read_request(path).event_type is EventType.EARTHQUAKE


def test_a_request_survives_the_form() -> None:
    request = parse_request(feature(magnitude=6.8, name="Al Haouz", depth_km=18.5)).to_request()
    assert ActivationForm.from_request(request).to_request() == request


@pytest.mark.parametrize(
    ("longitude", "latitude", "kind"),
    [(-8.4, 31.1, "Polygon"), (179.9, -17.0, "MultiPolygon"), (-179.9, 52.0, "MultiPolygon")],
)
def test_a_place_alone_becomes_a_circle(longitude: float, latitude: float, kind: str) -> None:
    form = ActivationForm(
        event_time="2023-09-08T22:11:01Z", longitude=longitude, latitude=latitude, radius_km=50
    )
    area = shape(form.to_request().area)
    assert area.geom_type == kind
    assert area.is_valid
    # A polygon of 72 vertices within the circle of radius 50 km has 0.13 % less area than it.
    expected = 72 / 2 * math.sin(2 * math.pi / 72) * 50_000**2
    parts = getattr(area, "geoms", [area])
    measured = sum(abs(Geod(ellps="WGS84").geometry_area_perimeter(part)[0]) for part in parts)
    assert measured == pytest.approx(expected, rel=1e-3)


def test_a_circle_about_a_pole_is_a_cap() -> None:
    area = circle(12.0, 89.9, 100_000)
    assert area.bounds[0] == -180
    assert area.bounds[2] == 180
    assert area.bounds[3] == 90
    assert area.bounds[1] == pytest.approx(89.0, abs=0.01)


def test_a_form_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a place"):
        ActivationForm(event_time="2023-09-08T22:11:01Z")
