"""geo2rdr against the processor's own grid, and against closed forms."""

from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer
from test_20_orbit import circular

from geobservatory.errors import InputError
from geobservatory.insar.check import check_geometry
from geobservatory.insar.ellipsoid import to_ecef, to_geodetic
from geobservatory.insar.geo2rdr import geo2rdr
from geobservatory.insar.track import make_track, state
from geobservatory.sentinel1.safe import open_product


def test_every_point_of_every_real_grid(shared_data: Path) -> None:
    checks = [
        check_geometry(product.annotation(*channel))
        for path in sorted((shared_data / "sentinel1").glob("*.zip"))
        for product in [open_product(path)]
        for channel in product.channels
    ]
    assert len(checks) == 9
    assert max(check.azimuth_lines for check in checks) < 0.005
    assert max(check.range_m for check in checks) < 0.001


def test_the_track_is_the_orbit() -> None:
    orbit, _ = circular()
    start = orbit.epoch + np.timedelta64(50, "s")
    stop = orbit.epoch + np.timedelta64(90, "s")
    track = make_track(orbit, start, stop, margin_s=10)
    for time in np.linspace(41, 99, 977):
        position, velocity = orbit.interpolate(time)
        found = np.array(state(track.cubics, track.start_s, track.step_s, time))
        assert np.abs(found[:3] - position).max() < 1e-7
        assert np.abs(found[3:6] - velocity).max() < 1e-7


def test_a_circular_orbit_over_the_equator_in_closed_form() -> None:
    orbit, rate = circular()
    track = make_track(orbit, orbit.epoch, orbit.epoch + np.timedelta64(150, "s"), 0)
    # The plane of the orbit is the equator: a point is abeam when the satellite has its longitude.
    time = np.linspace(5, 145, 200)
    latitude = np.linspace(-0.1, 0.1, 200)
    height = np.linspace(-400, 8000, 200)
    found, slant_range = geo2rdr(track, latitude, rate * time, height)
    assert np.abs(found - time).max() < 1e-9
    points = np.array([to_ecef(*one) for one in zip(latitude, rate * time, height, strict=True)])
    satellite = 7_071_000.0 * np.stack([np.cos(rate * time), np.sin(rate * time), 0 * time], 1)
    assert np.abs(slant_range - np.linalg.norm(points - satellite, axis=1)).max() < 1e-6


def test_points_that_are_not_seen_are_nan() -> None:
    orbit, rate = circular()
    track = make_track(orbit, orbit.epoch, orbit.epoch + np.timedelta64(150, "s"), 0)
    longitude = np.array([rate * 75, rate * 200, -0.05, np.nan, np.pi])
    time, slant_range = geo2rdr(track, np.zeros(5), longitude, np.zeros(5))
    assert np.isfinite(time[0])
    assert np.isnan(time[1:]).all()
    assert np.array_equal(np.isnan(time), np.isnan(slant_range))


def test_a_span_the_orbit_does_not_cover_is_refused() -> None:
    orbit, _ = circular()
    with pytest.raises(InputError, match="orbit covers"):
        make_track(orbit, orbit.epoch, orbit.epoch + np.timedelta64(151, "s"), 0)


def test_the_ellipsoid_is_that_of_proj() -> None:
    rng = np.random.default_rng(1)
    latitude = np.r_[rng.uniform(-90, 90, 500), 90, -90, 0, 0]
    longitude = np.r_[rng.uniform(-180, 180, 500), 0, 0, 180, -180]
    height = np.r_[rng.uniform(-500, 9000, 500), 0, 10, 0, 5]
    there = Transformer.from_crs(4979, 4978, always_xy=True)
    truth = np.array(there.transform(longitude, latitude, height)).T
    for lat, lon, h, xyz in zip(
        np.deg2rad(latitude), np.deg2rad(longitude), height, truth, strict=True
    ):
        ours = to_ecef(lat, lon, h)
        assert np.abs(ours - xyz).max() < 1e-8
        back = to_geodetic(*ours)
        assert abs(back[0] - lat) < 1e-13
        assert abs(back[2] - h) < 1e-6
