"""Line of sight, ground under time and range, layover and shadow."""

from pathlib import Path

import numpy as np
import pytest
from test_20_orbit import circular

from geobservatory.errors import InputError
from geobservatory.insar.dem import Dem
from geobservatory.insar.geo2rdr import geo2rdr
from geobservatory.insar.ground import ground
from geobservatory.insar.layover import LAYOVER, SHADOW, UNKNOWN, layover_shadow
from geobservatory.insar.look import look
from geobservatory.insar.rdr2geo import rdr2geo
from geobservatory.insar.track import Track, make_track
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT
from geobservatory.sentinel1.safe import open_product

CELL = 1 / 3600


def equator() -> Track:
    """Eastward over the equator at longitude about 0; the right side is south."""
    orbit, _ = circular()
    return make_track(orbit, orbit.epoch, orbit.epoch + np.timedelta64(150, "s"), 0)


def flat_place(track: Track, time: float, distance: float) -> tuple[float, float]:
    latitude, longitude = rdr2geo(track, np.array([time]), np.array([distance]), np.zeros(1))
    return float(np.degrees(latitude[0])), float(np.degrees(longitude[0]))


def patch(latitude: float, longitude: float, rows: int, cols: int) -> tuple[Dem, np.ndarray]:
    """Make a flat DEM about a place, and the metres north of its middle of each row."""
    top = latitude + CELL * (rows - 1) / 2
    dem = Dem(
        np.zeros((rows, cols), np.float32), longitude - CELL * (cols - 1) / 2, top, CELL, -CELL, "x"
    )
    return dem, (top - latitude - CELL * np.arange(rows)) * 110_574.0


def test_incidence_is_that_of_the_processor(shared_data: Path) -> None:
    """The grid's angle is 0.03 degrees smaller than the one to the ellipsoid's normal."""
    for path in sorted((shared_data / "sentinel1").glob("*.zip")):
        product = open_product(path)
        for channel in product.channels:
            one = product.annotation(*channel)
            grid = one.geolocation_grid
            track = make_track(one.orbit, grid.azimuth_time.min(), grid.azimuth_time.max(), 10)
            seen = look(track, np.radians(grid.latitude), np.radians(grid.longitude), grid.height_m)
            difference = np.degrees(seen.incidence_angle) - grid.incidence_angle_deg
            assert np.abs(difference - 0.03).max() < 0.015
            norm = np.sqrt(seen.east**2 + seen.north**2 + seen.up**2)
            assert np.abs(norm - 1).max() < 1e-12
            # A right-looking satellite stands west of what it sees going up, east going down.
            assert (np.sign(seen.east) == (1 if one.direction == "descending" else -1)).all()


def test_sight_is_the_gradient_of_range() -> None:
    """Moving the ground along a unit vector shortens the range by its part along the sight."""
    track = equator()
    lat, lon = (np.radians(x) for x in flat_place(track, 75.0, 850e3))
    seen = look(track, np.array(lat), np.array(lon), np.array(300.0))
    step = 1.0
    _, r0 = geo2rdr(track, np.array(lat), np.array(lon), np.array(300.0))
    _, up = geo2rdr(track, np.array(lat), np.array(lon), np.array(300.0 + step))
    _, north = geo2rdr(track, np.array(lat + step / 6_335_500.0), np.array(lon), np.array(300.0))
    assert float(r0 - up) == pytest.approx(float(seen.up), abs=2e-6)
    assert float(r0 - north) == pytest.approx(float(seen.north), abs=2e-4)
    assert np.isnan(look(track, np.array(lat), np.array(lon + 1.0), np.array(0.0)).up)


def test_ground_lies_on_the_dem_and_is_seen_where_it_was_asked() -> None:
    track = equator()
    latitude, longitude = flat_place(track, 75.0, 850e3)
    dem, north = patch(latitude, longitude, 1801, 901)
    ridges = 1500 + 700 * np.sin(north / 900.0)
    dem.heights[:] = (ridges[:, None] + 300 * np.cos(np.arange(901) / 27.0)).astype(np.float32)
    time = np.linspace(74.6, 75.4, 12)[:, None] + np.zeros((1, 50))
    distance = np.linspace(846e3, 852e3, 50)[None, :] + np.zeros((12, 1))
    lat, lon, height = ground(track, dem, time, distance)
    assert np.isfinite(height).all()
    assert np.abs(dem.sample(np.degrees(lat), np.degrees(lon)) - height).max() < 2e-4
    again, back = geo2rdr(track, lat, lon, height)
    assert np.abs(again - time).max() < 1e-8
    assert np.abs(back - distance).max() < 1e-3


def test_ground_on_real_heights(shared_data: Path) -> None:
    """Round trip below 1e-4 pixel on the processor's own grid of a mountain."""
    one = open_product(min((shared_data / "sentinel1").glob("S1A*.zip"))).annotation("IW1", "VV")
    grid = one.geolocation_grid
    track = make_track(one.orbit, one.start_time, one.stop_time, 10)
    west, east = grid.longitude.min() - 0.1, grid.longitude.max() + 0.1
    south, north = grid.latitude.min() - 0.1, grid.latitude.max() + 0.1
    rows, cols = int((north - south) / 0.01), int((east - west) / 0.01)
    rng = np.random.default_rng(1)
    rough = rng.normal(1200, 250, (rows, cols)).astype(np.float32)
    dem = Dem(rough, west, north, 0.01, -0.01, "random heights")
    time = one.orbit.seconds(grid.azimuth_time)
    distance = grid.slant_range_time_s * SPEED_OF_LIGHT / 2
    lat, lon, height = ground(track, dem, time, distance)
    again, back = geo2rdr(track, lat, lon, height)
    assert np.nanmax(np.abs(again - time)) / one.azimuth_time_interval_s < 1e-4
    assert np.nanmax(np.abs(back - distance)) / one.range_pixel_spacing_m < 1e-4
    assert np.isfinite(height).mean() > 0.99


def test_where_the_dem_ends_there_is_no_ground() -> None:
    track = equator()
    latitude, longitude = flat_place(track, 75.0, 850e3)
    dem, _ = patch(latitude, longitude, 301, 301)
    dem.heights[:, 180:] = np.nan
    _, degrees = flat_place(track, 75.3, 850e3)
    assert degrees > longitude + 30 * CELL
    _, _, height = ground(
        track, dem, np.array([75.0, 75.0, 75.3, np.nan]), np.array([850e3, 900e3, 850e3, 850e3])
    )
    assert height[0] == pytest.approx(0, abs=1e-3)
    assert np.isnan(height[1:]).all()
    dem.heights[:] = np.nan
    for call in (
        lambda: ground(track, dem, np.array([75.0]), np.array([850e3])),
        lambda: layover_shadow(track, dem, np.array([75.0]), 850e3, 10.0, 5),
    ):
        with pytest.raises(InputError, match="no heights"):
            call()


def _roof(front_deg: float, back_deg: float) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Mask of one line across a ridge with plane slopes, range of its bins, its height, incidence.

    The satellite looks south: the northern slope faces it.
    """
    track = equator()
    latitude, longitude = flat_place(track, 75.0, 850e3)
    dem, north = patch(latitude, longitude, 3601, 5)
    peak = 1500.0
    front = peak - np.maximum(north, 0) * np.tan(np.radians(front_deg))
    back = peak + np.minimum(north, 0) * np.tan(np.radians(back_deg))
    dem.heights[:] = np.maximum(np.minimum(front, back), 0).astype(np.float32)[:, None]
    seen = look(
        track, np.radians(np.array(latitude)), np.radians(np.array(longitude)), np.array(0.0)
    )
    near, spacing, count = 842e3, 5.0, 3000
    mask = layover_shadow(track, dem, np.array([75.0]), near, spacing, count)[0]
    return mask, near + spacing * np.arange(count), peak, float(seen.incidence_angle)


def test_gentle_slopes_are_clear() -> None:
    mask, _, _, incidence = _roof(15, 30)
    assert np.radians(15) < incidence < np.radians(60)
    assert not mask.any()


def test_layover_begins_and_ends_where_the_fold_does() -> None:
    """A slope steeper than the incidence angle folds over, at ranges told by plane geometry."""
    mask, ranges, peak, incidence = _roof(60, 20)
    laid = ranges[(mask & LAYOVER) > 0]
    foot = peak / np.tan(np.radians(60))
    # Range of the crest and of the foot, from that of the flat ground under the crest.
    crest_range = 850e3 - peak * np.cos(incidence)
    foot_range = 850e3 - foot * np.sin(incidence)
    assert crest_range < foot_range
    assert laid.min() == pytest.approx(crest_range, abs=25)
    assert laid.max() == pytest.approx(foot_range, abs=25)
    assert np.diff(laid).max() <= 5.01
    assert not (mask & SHADOW).any()


def test_shadow_is_as_long_as_the_ray_over_the_crest() -> None:
    mask, ranges, peak, incidence = _roof(20, 75)
    dark = ranges[(mask & SHADOW) > 0]
    # The ray over the crest meets flat ground peak / cos(incidence) further on.
    assert dark.min() == pytest.approx(850e3 - peak * np.cos(incidence), abs=120)
    assert dark.max() == pytest.approx(
        850e3 - peak * np.cos(incidence) + peak / np.cos(incidence), abs=60
    )
    assert not (mask & LAYOVER).any()


def test_unknown_heights_are_marked() -> None:
    track = equator()
    latitude, longitude = flat_place(track, 75.0, 850e3)
    dem, _ = patch(latitude, longitude, 901, 5)
    mask = layover_shadow(track, dem, np.array([75.0]), 849e3, 10.0, 200)[0]
    assert not mask.any()
    dem.heights[440:460] = np.nan
    mask = layover_shadow(track, dem, np.array([75.0]), 849e3, 10.0, 200)[0]
    assert (mask[95:105] & UNKNOWN).all()
    assert not mask[:60].any()
