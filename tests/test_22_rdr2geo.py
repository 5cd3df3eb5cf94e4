"""rdr2geo: back to where geo2rdr came from, on real geometry and in corners."""

from pathlib import Path

import numpy as np
from test_20_orbit import circular

from geobservatory.insar.geo2rdr import geo2rdr
from geobservatory.insar.rdr2geo import LEFT, RIGHT, rdr2geo
from geobservatory.insar.track import make_track
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT
from geobservatory.sentinel1.safe import open_product


def test_there_and_back_on_every_real_swath(shared_data: Path) -> None:
    for path in sorted((shared_data / "sentinel1").glob("*.zip")):
        product = open_product(path)
        for channel in product.channels:
            one = product.annotation(*channel)
            start = one.orbit.seconds(one.first_line_time)
            time = start + np.linspace(0, 25, 40)[:, None] + np.zeros((1, 30))
            pixel = np.linspace(0, one.samples, 30)[None, :] + np.zeros((40, 1))
            slant_range = (
                (one.slant_range_time_s + pixel / one.range_sampling_rate_hz) * SPEED_OF_LIGHT / 2
            )
            height = np.linspace(-400, 8800, 1200).reshape(40, 30)
            track = make_track(one.orbit, one.start_time, one.stop_time, margin_s=10)
            latitude, longitude = rdr2geo(track, time, slant_range, height)
            again, distance = geo2rdr(track, latitude, longitude, height)
            assert np.abs(again - time).max() / one.azimuth_time_interval_s < 1e-4
            assert np.abs(distance - slant_range).max() / one.range_pixel_spacing_m < 1e-4


def test_the_grid_of_the_processor(shared_data: Path) -> None:
    """Place every grid point by its own time and range: within the 5 cm of its microseconds."""
    for path in sorted((shared_data / "sentinel1").glob("S1A*.zip")):
        product = open_product(path)
        for channel in product.channels:
            one = product.annotation(*channel)
            grid = one.geolocation_grid
            times = one.orbit.seconds(grid.azimuth_time)
            track = make_track(one.orbit, grid.azimuth_time.min(), grid.azimuth_time.max(), 10)
            latitude, longitude = rdr2geo(
                track, times, grid.slant_range_time_s * SPEED_OF_LIGHT / 2, grid.height_m
            )
            north = (latitude - np.deg2rad(grid.latitude)) * 6.37e6
            east = (longitude - np.deg2rad(grid.longitude)) * 6.37e6 * np.cos(latitude)
            # A line is 14 m: the thousandth of a line geo2rdr differs by is 15 mm.
            assert np.hypot(north, east).max() < 0.03


def test_right_and_left_are_mirrored_and_on_their_side() -> None:
    orbit, rate = circular()
    track = make_track(orbit, orbit.epoch, orbit.epoch + np.timedelta64(150, "s"), 0)
    # Eastward over the equator: right is south.
    for side, sign in ((RIGHT, -1), (LEFT, 1)):
        latitude, longitude = rdr2geo(
            track, np.array([75.0]), np.array([850e3]), np.array([0.0]), side
        )
        assert np.sign(latitude[0]) == sign
        assert abs(longitude[0] - rate * 75) < 1e-9


def test_what_cannot_be_seen_is_nan() -> None:
    orbit, _ = circular()
    track = make_track(orbit, orbit.epoch, orbit.epoch + np.timedelta64(150, "s"), 0)
    time = np.array([-1.0, 151.0, 75.0, 75.0, np.nan, 75.0])
    distance = np.array([850e3, 850e3, 600e3, 2e7, 850e3, np.nan])
    latitude, longitude = rdr2geo(track, time, distance, np.zeros(6))
    assert np.isnan(latitude).all()
    assert np.isnan(longitude).all()
