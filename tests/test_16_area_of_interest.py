"""What displacement to expect, and the area that follows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from shapely.geometry import Point, shape

from geobservatory.events.area import (
    GREATEST_RADIUS_M,
    LEAST_RADIUS_M,
    area_of_interest,
    radius_of_interest,
)
from geobservatory.events.expected import expected
from geobservatory.events.form import ActivationForm
from geobservatory.events.okada import Dislocation, displacement
from geobservatory.events.scaling import Faulting, rupture
from geobservatory.globe import area_km2

WGS84 = Geod(ellps="WGS84")


@pytest.mark.parametrize(
    ("magnitude", "depth_km", "los_cm"),
    # Told of COMET's limits by somebody with another scaling (Wells and Coppersmith's form).
    [(5.5, 10, 1.3), (6.0, 18, 2.2), (6.5, 36, 3.3), (7.0, 73, 4.6)],
)
def test_the_peak_at_comets_limits(magnitude: float, depth_km: float, los_cm: float) -> None:
    assert expected(magnitude, depth_km).beyond(0) * 100 == pytest.approx(los_cm, rel=0.12)


@pytest.mark.parametrize(("magnitude", "reach_km"), [(5.5, 7), (6.0, 23), (6.5, 55), (7.0, 133)])
def test_how_far_a_centimetre_reaches_at_eight_kilometres(
    magnitude: float, reach_km: float
) -> None:
    assert expected(magnitude, 8).reach(0.01) / 1000 == pytest.approx(reach_km, rel=0.1)


def test_no_mechanism_shows_more_or_less_than_the_range() -> None:
    """Ruptures of random strike within the three mechanisms, by satellites that fly both ways."""
    random = np.random.default_rng(7)
    shown = expected(6.3, 12)
    azimuth, radius = np.meshgrid(np.arange(0, 360, 3.0), np.geomspace(300, 80_000, 90))
    kinds = (
        (Faulting.STRIKE_SLIP, 90, 0), (Faulting.DIP_SLIP, 60, -90), (Faulting.DIP_SLIP, 30, 90),
    )  # fmt: skip
    lon, lat, _ = WGS84.fwd(
        np.full_like(azimuth, 25.0), np.full_like(azimuth, 40.0), azimuth, radius
    )
    peaks = []
    for _ in range(40):
        faulting, dip, rake = kinds[random.integers(3)]
        size = rupture(6.3, faulting)
        place = math.radians(25), math.radians(40), 12_000.0
        angles = random.uniform(0, 2 * math.pi), math.radians(dip), math.radians(rake)
        fault = Dislocation(*place, *angles, size.length_m, size.width_m, size.slip_m)
        east, north, up = displacement([fault], np.radians(lat), np.radians(lon))
        seen = [
            np.abs(
                math.sin(math.radians(39)) * (east * math.sin(toward) + north * math.cos(toward))
                + math.cos(math.radians(39)) * up
            )
            for toward in (math.radians(258), math.radians(102))
        ]
        for one in seen:
            # Farther out than a distance nothing shows more than is told for it.
            far = radius > 30_000
            assert one[far].max() <= shown.beyond(30_000) * 1.02
        peaks.append(max(one.max() for one in seen))
    assert shown.least_m * 0.97 <= min(peaks) and max(peaks) <= shown.beyond(0) * 1.02


@given(st.floats(4, 9.4), st.floats(-5, 60))
@settings(max_examples=25, deadline=None)
def test_more_magnitude_reaches_farther_and_less_is_left_farther_out(
    magnitude: float, depth_km: float
) -> None:
    shown = expected(magnitude, depth_km)
    assert (np.diff(shown.greatest_m) <= 0).all()
    assert 0 < shown.least_m <= shown.beyond(0)
    assert shown.reach(0.01) <= expected(magnitude + 0.1, depth_km).reach(0.01)
    assert shown.reach(math.inf) == 0


def test_the_area_holds_what_moves_and_half_the_rupture() -> None:
    radius = radius_of_interest(6.8, 19)
    shown = expected(6.8, 14)
    assert radius == shown.reach(0.01) + shown.rupture_length_m / 2 + 10_000
    # Al Haouz 2023: the lobes that were mapped reach some 30 km from the epicentre.
    assert 60_000 < radius < 200_000


@pytest.mark.parametrize(
    ("magnitude", "depth_km", "radius_m"),
    [(3.0, 5, LEAST_RADIUS_M), (4.5, 10, LEAST_RADIUS_M), (9.1, 29, GREATEST_RADIUS_M),
     (10, None, GREATEST_RADIUS_M), (6.5, 700, None), (6.5, None, None)],
)  # fmt: skip
def test_the_radius_is_bounded(
    magnitude: float, depth_km: float | None, radius_m: float | None
) -> None:
    found = radius_of_interest(magnitude, depth_km)
    assert LEAST_RADIUS_M <= found <= GREATEST_RADIUS_M
    assert radius_m is None or found == radius_m


@pytest.mark.parametrize(
    ("longitude", "latitude"),
    [(179.9, -17.0), (-180.0, 52.0), (10.0, 89.9), (-60.0, -89.9), (8, 46)],
)
def test_the_area_is_the_same_anywhere_on_the_globe(longitude: float, latitude: float) -> None:
    area = area_of_interest(longitude, latitude, 6.5, 10)
    radius = radius_of_interest(6.5, 10)
    assert area.is_valid
    west, south, east, north = area.bounds
    assert -180 <= west and east <= 180 and -90 <= south and north <= 90
    if abs(latitude) < 89:
        whole = math.pi * radius**2 / 1e6
        assert area_km2(area.__geo_interface__) == pytest.approx(whole, rel=0.01)
        for azimuth in range(0, 360, 45):
            lon, lat, _ = WGS84.fwd(longitude, latitude, azimuth, 0.98 * radius)
            assert area.buffer(1e-6).contains(Point(lon, lat))


def test_a_form_with_a_magnitude_gets_the_area_that_follows() -> None:
    given_ = {"event_time": "2023-09-08T22:11:01Z", "longitude": -8.4, "latitude": 31.1}
    plain = ActivationForm.model_validate(given_).to_request()
    told = ActivationForm.model_validate({**given_, "magnitude": 6.8, "depth_km": 19}).to_request()
    by_hand = ActivationForm.model_validate(
        {**given_, "magnitude": 6.8, "depth_km": 19, "radius_km": 30}
    ).to_request()
    volcano = ActivationForm.model_validate(
        {**given_, "magnitude": 6.8, "event_type": "volcano"}
    ).to_request()
    assert area_km2(plain.area) == pytest.approx(math.pi * 50**2, rel=0.01)
    assert area_km2(volcano.area) == pytest.approx(math.pi * 50**2, rel=0.01)
    assert area_km2(by_hand.area) == pytest.approx(math.pi * 30**2, rel=0.01)
    expected_area = area_of_interest(-8.4, 31.1, 6.8, 19)
    assert shape(told.area).equals(expected_area)
