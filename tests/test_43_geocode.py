"""The map's grid, the way from it to the radar's grid, and interpolation."""

import numpy as np
import pytest
from pyproj import Transformer
from shapely.geometry import Point, box
from test_34_simulation import plan_of

from geobservatory.errors import InputError
from geobservatory.insar.geocode import Lookup, interpolate, line_of_sight, look_up, nearest
from geobservatory.insar.ground import ground
from geobservatory.insar.map_grid import MapGrid, make_map_grid
from geobservatory.insar.pair import BurstPair, lay_out
from geobservatory.sandbox.annotate import annotation_xml
from geobservatory.sandbox.geolocation import world_dem
from geobservatory.sandbox.product import channels
from geobservatory.sandbox.scenario import Acquisition, find_scenario
from geobservatory.sentinel1.annotation import read_annotation
from geobservatory.sentinel1.bursts import BurstId


def exact(grid: MapGrid) -> tuple[np.ndarray, np.ndarray]:
    back = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    x = grid.left + (np.arange(grid.cols) + 0.5) * grid.step
    y = grid.top - (np.arange(grid.rows) + 0.5) * grid.step
    longitude, latitude = back.transform(*np.meshgrid(x, y))
    return np.asarray(latitude), np.asarray(longitude)


@pytest.mark.parametrize(
    ("outline", "crs", "bound_m"),
    [
        (box(-9.0, 30.5, -8.2, 31.2), "EPSG:32629", 0.05),
        (box(13.0, -42.9, 13.5, -42.5), "EPSG:32733", 0.05),
        (box(20, 85, 24, 85.3), "EPSG:32661", 0.25),
        (box(20, -82, 24, -81.7), "EPSG:32761", 0.25),
    ],
)
def test_centres_of_cells_are_where_the_projection_puts_them(
    outline: box, crs: str, bound_m: float
) -> None:
    grid = make_map_grid(outline, 100.0)
    assert grid.crs == crs
    latitude, longitude = grid.places(0, grid.rows)
    there = exact(grid)
    metres = np.hypot(
        (latitude - there[0]) * 111e3,
        ((longitude - there[1] + 180) % 360 - 180) * 111e3 * np.cos(np.radians(latitude)),
    )
    assert metres.max() < bound_m
    for lon, lat in outline.exterior.coords:
        x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
        col, row = ~grid.transform @ (x, y)
        assert 0 <= col <= grid.cols
        assert 0 <= row <= grid.rows


def test_rows_of_a_grid_do_not_depend_on_where_one_starts() -> None:
    grid = make_map_grid(box(-9.0, 30.5, -8.8, 30.8), 40.0)
    whole = grid.places(0, grid.rows)
    part = grid.places(37, 101)
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_allclose(one[37:101], other, atol=1e-9)


def test_longitudes_run_on_over_the_antimeridian() -> None:
    grid = make_map_grid(box(179.5, -18, 180.5, -17), 200.0)
    _, longitude = grid.places(0, grid.rows)
    assert (np.diff(longitude, axis=1) > 0).all()
    assert longitude.min() < 180 < longitude.max()


def test_grids_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="too large"):
        make_map_grid(box(-9, 30, 1, 40), 5.0)
    with pytest.raises(InputError, match="cannot be made"):
        make_map_grid(Point(0, 0).buffer(0), 40.0)


@pytest.mark.parametrize("looks", [(1, 1), (3, 11), (4, 20)])
def test_centres_of_look_cells_come_back_to_themselves(looks: tuple[int, int]) -> None:
    """By way of `ground`, which knows nothing of `look_up`: a half-pixel error would show."""
    scenario = find_scenario("al-haouz-2023")
    plan = plan_of(scenario, Acquisition(days=0), Acquisition(days=12))
    one, other = (
        read_annotation(annotation_xml(channels(plan, shot)[0], 0), "made") for shot in plan.shots
    )
    pair = BurstPair(BurstId(52, 1, "IW2"), one, one.bursts[0], other, other.bursts[0], 0, 0)
    layout, dem = lay_out([pair], looks), world_dem(plan)
    rows, cols = np.array([40, 60]), np.array([10, 15])
    line = (rows + 0.5) * looks[0] - 0.5
    sample = (cols + 0.5) * looks[1] - 0.5
    start = float(one.orbit.seconds(layout.first_time))
    latitude, longitude, _ = ground(
        layout.track(one.orbit),
        dem,
        start + line * layout.line_s,
        layout.near_m + sample * layout.sample_m,
    )
    for k in range(2):
        # A map of one cell, its centre on the place.
        there = Transformer.from_crs("EPSG:4326", "EPSG:32629", always_xy=True)
        x, y = there.transform(np.degrees(longitude[k]), np.degrees(latitude[k]))
        grid = MapGrid("EPSG:32629", x - 20, y + 20, 40.0, 1, 1)
        found = look_up(grid, layout, one.orbit, dem)
        assert found.row[0, 0] == pytest.approx(rows[k], abs=0.002)
        assert found.col[0, 0] == pytest.approx(cols[k], abs=0.002)
        sight = line_of_sight(found, layout, one.orbit)[:, 0, 0]
        assert np.hypot.reduce(sight) == pytest.approx(1, abs=1e-6)
        # Descending and looking right: the satellite is east of the ground.
        assert sight[0] > 0.4
        assert sight[2] > 0.6


def at(row: float, col: float) -> Lookup:
    grid = MapGrid("EPSG:32629", 0, 0, 1, 1, 1)
    return Lookup(
        grid,
        np.array([[row]], np.float32),
        np.array([[col]], np.float32),
        np.zeros((1, 1), np.float32),
    )


def test_interpolation_is_exact_for_a_parabola() -> None:
    y, x = np.mgrid[0:9, 0:9].astype(np.float32)
    values = 2 + 0.5 * y - 0.25 * x + 0.125 * y * x + 0.1 * x**2 - 0.2 * y**2
    found = interpolate(values.astype(np.float32), at(3.3, 4.6))[0, 0]
    y, x = 3.3, 4.6
    assert found == pytest.approx(
        2 + 0.5 * y - 0.25 * x + 0.125 * y * x + 0.1 * x**2 - 0.2 * y**2, abs=1e-4
    )


def test_holes_do_not_spread_and_do_not_fill() -> None:
    values = np.ones((8, 8), np.complex64)
    values[3, 4] = np.nan
    assert np.isnan(interpolate(values, at(3.0, 4.0))[0, 0])
    assert np.isnan(interpolate(values, at(3.2, 4.2))[0, 0])
    assert interpolate(values, at(2.2, 4.0))[0, 0] == pytest.approx(1)
    assert interpolate(values, at(3.0, 5.9))[0, 0] == pytest.approx(1)
    assert np.isnan(interpolate(values, at(-0.6, 4.0))[0, 0])
    assert np.isnan(interpolate(values, at(np.nan, 4.0))[0, 0])
    assert interpolate(values, at(-0.4, 0.0))[0, 0] == pytest.approx(1)


def test_labels_are_those_of_the_nearest_cell() -> None:
    labels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    assert nearest(labels, at(1.4, 2.6), 99)[0, 0] == labels[1, 3]
    assert nearest(labels, at(-0.4, 0.2), 99)[0, 0] == labels[0, 0]
    assert nearest(labels, at(2.6, 0.2), 99)[0, 0] == 99
    assert nearest(labels, at(np.nan, 0.2), 99)[0, 0] == 99
