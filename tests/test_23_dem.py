"""Heights from files: every cell where it belongs, above the ellipsoid, nothing invented."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from dem_bucket import geoid, geoid_grid, geotiff, plane, raster, truth_error, written
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.transform import Affine

from geobservatory.errors import InputError
from geobservatory.insar import geoid_grids
from geobservatory.insar.dem_files import make_dem
from geobservatory.insar.dem_lattice import Lattice
from geobservatory.insar.dem_voids import WIDEST_VOID, fill_voids
from geobservatory.insar.geoid_grids import GRIDS_ADDRESS, load_geoid

BOX = (10.2, 44.3, 10.8, 44.7)
STEP = 1 / 120


def high(longitude: Any, latitude: Any) -> Any:
    return 2000 + 300 * (longitude - 10) - 200 * (latitude - 44)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "heights"


@pytest.fixture
def ellipsoidal(tmp_path: Path) -> Any:
    return partial(make_dem, datum="ellipsoid", cache=tmp_path / "cache")


def one(**changes: Any) -> bytes:
    """One raster that covers the box."""
    given = {"west": 10.0, "north": 45.0, "steps": (STEP, STEP), "shape": (121, 121), **changes}
    return raster(surface=high, **given)


def test_a_height_belongs_to_the_centre_of_its_cell(folder: Path, ellipsoidal: Any) -> None:
    # A file that says its cells are points, and one that says they are areas, are the same.
    for name, tags in (("area", {}), ("point", {"AREA_OR_POINT": "Point"})):
        path = written(folder / f"{name}.tif", one(tags=tags))
        dem = ellipsoidal(path, BOX)
        assert truth_error(dem, high, BOX) < 1e-3
        west, south, east, north = dem.bounds
        beyond = np.array([BOX[0] - west, east - BOX[2], BOX[1] - south, north - BOX[3]])
        assert (beyond > -1e-9).all() and (beyond < STEP).all()
        assert dem.known == 1 and dem.filled == 0 and "above the ellipsoid" in dem.source


@pytest.mark.parametrize(
    "east_half",
    [
        # The same lattice, side by side without sharing a column.
        {"west": 10.5, "steps": (STEP, STEP)},
        # Half a cell off, overlapping; coarser; coarser and off in latitude.
        {"west": 10.45 + STEP / 2, "steps": (STEP, STEP)},
        {"west": 10.4, "steps": (STEP * 1.5, STEP)},
        {"west": 10.4, "north": 45.0 - STEP / 3, "steps": (STEP * 2, STEP * 2)},
    ],
)
def test_a_plane_goes_through_seams(
    folder: Path, ellipsoidal: Any, east_half: dict[str, Any]
) -> None:
    written(folder / "a.tif", one(shape=(121, 60)))
    written(folder / "b.tif", one(**{"shape": (121, 80), **east_half}))
    assert truth_error(ellipsoidal(folder, BOX), high, BOX) < 1e-3


@settings(max_examples=30, deadline=None)
@given(
    west=st.floats(10.01, 10.5),
    south=st.floats(44.02, 44.5),
    width=st.floats(0.001, 0.48),
    height=st.floats(0.001, 0.48),
)
def test_any_box_within_is_covered(
    tmp_path_factory: pytest.TempPathFactory, west: float, south: float, width: float, height: float
) -> None:
    box = (west, south, west + width, south + height)
    path = written(tmp_path_factory.getbasetemp() / "any.tif", one())
    assert truth_error(make_dem(path, box, "ellipsoid", path.parent), high, box) < 1e-3


def test_over_the_antimeridian(folder: Path, ellipsoidal: Any) -> None:
    def around(lon: Any, lat: Any) -> Any:
        return plane(np.where(lon < 0, lon + 360, lon), lat)

    written(folder / "a.tif", raster(179.0, 1.0, (STEP, STEP), (121, 120), around))
    written(folder / "b.tif", raster(-180.0, 1.0, (STEP, STEP), (121, 120), around))
    box = (179.5, 0.2, 180.5, 0.8)
    assert truth_error(ellipsoidal(folder, box), plane, box) < 1e-3
    # The same place in other turns; and a world map, whose last column meets its first.
    assert ellipsoidal(folder, (-180.5, 0.2, -179.5, 0.8)).known == 1

    def wave(lon: Any, lat: Any) -> Any:
        return 50 * np.cos(np.radians(lon)) + lat

    world = written(folder.parent / "world.tif", raster(-180, 60, (0.5, 0.5), (241, 720), wave))
    assert truth_error(ellipsoidal(world, box), wave, box) < 1e-3
    assert ellipsoidal(world, (0, 0, 360, 10)).known == 1


def test_utm_over_the_antimeridian(folder: Path, ellipsoidal: Any) -> None:
    # Fiji in zone 1 south, which begins at 180; the middle of the raster lies on it.
    to_ground = Affine(100, 0, 146e3, 0, -100, 8120e3)
    path = written(folder / "a.tif", geotiff(np.full((500, 700), 70.0), to_ground, "EPSG:32701"))
    dem = ellipsoidal(path, (179.8, -17.3, 180.1, -17.1))
    assert dem.known == 1 and (dem.heights == 70).all()
    assert ellipsoidal(path, (-180.2, -17.3, -179.9, -17.1)).known == 1


def test_utm_and_rotated_rasters_are_resampled_in_place(folder: Path, ellipsoidal: Any) -> None:
    to_utm = Transformer.from_crs(4326, 32632, always_xy=True)

    def in_utm(lon: Any, lat: Any) -> Any:
        x, y = to_utm.transform(*np.broadcast_arrays(lon, lat))
        return 1000 + 0.01 * (x - 600e3) - 0.02 * (y - 4930e3)

    cols, rows = np.meshgrid(np.arange(800) + 0.5, np.arange(900) + 0.5)
    for name, to_ground in {
        "straight": Affine(100, 0, 580e3, 0, -100, 4970e3),
        "rotated": Affine(99.5, 10, 575e3, 10, -99.5, 4965e3),
    }.items():
        x = to_ground.a * cols + to_ground.b * rows + to_ground.c
        y = to_ground.d * cols + to_ground.e * rows + to_ground.f
        heights = 1000 + 0.01 * (x - 600e3) - 0.02 * (y - 4930e3)
        path = written(folder / f"{name}.tif", geotiff(heights, to_ground, "EPSG:32632"))
        dem = ellipsoidal(path, BOX)
        # Straight in UTM, but not along the meridians the cells now lie on.
        assert truth_error(dem, in_utm, BOX) < 5e-3
        assert dem.longitude_step == pytest.approx(100 / 79_500, rel=0.05)
        rows_, cols_ = dem.heights.shape
        lat = dem.latitude + dem.latitude_step * np.arange(rows_)[:, None]
        lon = dem.longitude + dem.longitude_step * np.arange(cols_)[None, :]
        assert np.abs(dem.heights - in_utm(lon, lat)).max() < 1e-3


@pytest.mark.parametrize("crs", ["EPSG:4258", "EPSG:4269"])
def test_degrees_of_another_datum(folder: Path, ellipsoidal: Any, crs: str) -> None:
    # ETRS89 and NAD83: converted, here by nothing, and by the same path as a projection.
    path = written(folder / "a.tif", one(crs=crs))
    for turn in (0, 360):
        box = (BOX[0] + turn, BOX[1], BOX[2] + turn, BOX[3])
        dem = ellipsoidal(path, box)
        assert truth_error(dem, lambda lon, lat, turn=turn: high(lon - turn, lat), box) < 1e-3


def test_a_place_nobody_covers_is_unknown(folder: Path, ellipsoidal: Any) -> None:
    path = written(folder / "a.tif", one())
    dem = ellipsoidal(path, (10.5, 44.5, 11.5, 44.9))
    assert dem.known == pytest.approx(0.5, abs=0.02) and "cells unknown" in dem.source
    assert truth_error(dem, high, (10.5, 44.5, 11.0, 44.9)) < 1e-3
    assert np.isnan(dem.sample(44.7, 11.1)) and dem.interpolated is None
    with pytest.raises(
        InputError, match=r"covers 10\.\.11° E, 44\.\.45° N, nothing of 20\.\.21° E"
    ):
        ellipsoidal(path, (20, 44, 21, 45))


@pytest.mark.parametrize(("mark", "declared"), [(-32768, True), (-32767, False), (9999, False)])
def test_voids(folder: Path, ellipsoidal: Any, mark: int, declared: bool) -> None:
    rows, cols = np.mgrid[0:240, 0:240]
    truth = 500.0 + 2 * rows - 3 * cols
    heights = truth.copy()
    heights[100 : 100 + WIDEST_VOID, 60:75] = mark  # small
    heights[40, 150:220] = mark  # a line
    heights[150:166, 150:166] = mark  # one cell too wide
    nodata = {"nodata": mark} if declared else {}
    to_ground = Affine(STEP, 0, 10, 0, -STEP, 45)
    path = written(folder / "v.tif", geotiff(heights, to_ground, "EPSG:4326", **nodata))
    dem = ellipsoidal(path, (10.1, 43.1, 11.9, 44.9))
    assert dem.interpolated is not None
    assert dem.interpolated.sum() == WIDEST_VOID * 15 + 70
    assert np.isnan(dem.heights).sum() == 256
    left, top = round((dem.longitude - 10) / STEP - 0.5), round((45 - dem.latitude) / STEP - 0.5)
    part = truth[top : top + dem.heights.shape[0], left : left + dem.heights.shape[1]]
    assert np.nanmax(np.abs(dem.heights - part)) < 1e-3
    assert "295 cells of voids up to 15 wide bridged; 256 cells unknown" in dem.source


def test_a_small_void_at_the_edge_of_the_box_is_bridged_from_both_sides(
    folder: Path, ellipsoidal: Any
) -> None:
    heights = np.full((200, 200), 100.0)
    heights[95:105, 95:105] = np.nan
    to_ground = Affine(STEP, 0, 10, 0, -STEP, 45)
    path = written(folder / "v.tif", geotiff(heights, to_ground, "EPSG:4326"))
    middle = (10 + 100 * STEP, 45 - 100 * STEP)
    dem = ellipsoidal(path, (middle[0], middle[1] - 0.5, middle[0] + 0.5, middle[1]))
    assert dem.known == 1 and dem.filled > 0 and (dem.heights == 100).all()


def test_a_bridge_stays_between_the_heights_of_its_rim() -> None:
    heights = np.random.default_rng(4).normal(1000, 200, (40, 40)).astype(np.float32)
    heights[12:26, 9:22] = np.nan
    rim = np.concatenate([heights[11:27, [8, 22]].ravel(), heights[[11, 26], 8:23].ravel()])
    filled = fill_voids(heights)
    assert filled.sum() == 14 * 13
    assert rim.min() <= heights[filled].min() and heights[filled].max() <= rim.max()
    for edge in (np.s_[:1], np.s_[-1:], np.s_[:, :1], np.s_[:, -1:]):
        heights[edge] = np.nan
        assert not fill_voids(heights).any()


@pytest.mark.parametrize(
    ("crs", "tags", "stated"),
    [
        ("EPSG:9707", {}, "EGM96"),
        ("EPSG:4326+5773", {"GEOTIFF_VERSION": "1.0"}, "EGM96"),
        ("EPSG:9518", {}, "EGM2008"),
        ("EPSG:4326+3855", {}, "EGM2008"),
        ("EPSG:4979", {}, "ellipsoid"),
        ("EPSG:4326", {"tags": {"VERTICAL_DATUM": "EGM 2008"}}, "EGM2008"),
        ("EPSG:4326", {}, None),
    ],
)
def test_the_datum_is_the_files_or_the_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch, crs: str, tags: Any, stated: str | None
) -> None:
    # Grids that differ from each other, where they are looked for first.
    for model, shift in (("EGM96", 0.0), ("EGM2008", 0.5)):
        name = geoid_grids._NAMES[model][0]
        grid = geoid_grid(surface=lambda lon, lat, shift=shift: geoid(lon, lat) + shift)
        written(folder / "proj" / name, grid)
    monkeypatch.setattr(geoid_grids, "_folders", lambda: [folder / "proj"])
    path = written(folder / "a.tif", one(crs=crs, **tags))
    truths = {
        "ellipsoid": high,
        "EGM96": lambda lon, lat: high(lon, lat) + geoid(lon, lat),
        "EGM2008": lambda lon, lat: high(lon, lat) + geoid(lon, lat) + 0.5,
    }
    for given_datum, truth in truths.items():
        if stated in (None, given_datum):
            dem = make_dem(path, BOX, given_datum, folder)
            assert truth_error(dem, truth, BOX) < 1e-3 and given_datum in dem.source
        else:
            with pytest.raises(InputError, match=f"says {stated}, but dem.datum is {given_datum}"):
                make_dem(path, BOX, given_datum, folder)
    if stated is None:
        with pytest.raises(InputError, match=r"set dem\.datum to one of ellipsoid, EGM96, EGM2008"):
            make_dem(path, BOX, None, folder)
    else:
        assert truth_error(make_dem(path, BOX, None, folder), truths[stated], BOX) < 1e-3


def test_files_of_two_datums_are_not_mixed(folder: Path, tmp_path: Path) -> None:
    written(folder / "a.tif", one(crs="EPSG:4979"))
    written(folder / "b.tif", one(crs="EPSG:9707"))
    with pytest.raises(InputError, match="different datums"):
        make_dem(folder, BOX, None, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crs": None}, "does not say where it lies"),
        ({"crs": "EPSG:4326+5703"}, "NAVD88 height; convert"),
        ({"crs": "EPSG:4326+8228"}, "foot"),
        ({"crs": "EPSG:4326+5715"}, "down|depth"),
        ({"crs": "EPSG:4978"}, "neither geographic nor projected"),
        ({"unit": "cm"}, "heights in 'cm'"),
        ({"tags": {"units": "feet"}}, "heights in 'feet'"),
        ({"tags": {"VERTICAL_DATUM": "NAVD88"}}, "NAVD88"),
        ({"scale": 0.01}, "scaled"),
        ({"count": 3}, "3 bands"),
        ({"dtype": "uint8"}, "uint8"),
    ],
)
def test_files_that_are_no_heights_are_refused(
    folder: Path, ellipsoidal: Any, changes: dict[str, Any], message: str
) -> None:
    path = written(folder / "a.tif", one(**changes))
    with pytest.raises(InputError, match=message):
        ellipsoidal(path, BOX)


def test_other_sources_that_are_none(folder: Path, ellipsoidal: Any) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        ellipsoidal(folder / "missing.tif", BOX)
    folder.mkdir()
    with pytest.raises(InputError, match="no GeoTIFF"):
        ellipsoidal(folder, BOX)
    path = written(folder / "a.tif", one()[:3000])
    with pytest.raises(InputError, match="cannot be read"):
        ellipsoidal(path, BOX)
    path = written(folder / "a.tif", one())
    with pytest.raises(InputError, match=r"dem\.datum is 'EGM84'"):
        make_dem(path, BOX, "EGM84", folder)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((10, 44, 11, 90.5), "latitudes"),
        ((10, -91, 11, 44), "latitudes"),
        ((10, 45, 11, 44), "latitudes"),
        ((10, 44, 11, float("nan")), "latitudes"),
        ((179, 44, -179, 45), "the east is past 180"),
        ((0, 44, 361, 45), "by 360 degrees at most"),
    ],
)
def test_boxes_that_are_none(folder: Path, ellipsoidal: Any, box: Any, message: str) -> None:
    path = written(folder / "a.tif", one())
    with pytest.raises(InputError, match=message):
        ellipsoidal(path, box)


def test_a_box_up_to_a_pole(folder: Path, ellipsoidal: Any) -> None:
    def cap(lon: Any, lat: Any) -> Any:
        return 90 - lat + 0 * lon

    path = written(folder / "a.tif", raster(-180, 90, (0.5, 0.25), (41, 720), cap))
    dem = ellipsoidal(path, (-180, 85, 180, 90))
    assert dem.bounds[3] == 90 and truth_error(dem, cap, (-180, 85, 180, 90)) < 1e-3


def test_more_cells_than_fit_are_refused(folder: Path, ellipsoidal: Any) -> None:
    # A fine file in a large box: little of it known, all of it to be held.
    path = written(folder / "a.tif", raster(10, 45, (1e-4, 1e-4), (60, 60)))
    with pytest.raises(InputError, match="ask for less"):
        ellipsoidal(path, (5, 40, 15, 50))


def test_a_lattice_counts_a_tile_from_its_west_and_up_to_its_north() -> None:
    lattice = Lattice(9.5, 46.0, 0.25, 0.25, 9, 9)
    rows, cols = lattice.tile(10, 45)
    assert lattice.longitudes[cols].tolist() == [10, 10.25, 10.5, 10.75]
    assert lattice.latitudes[rows].tolist() == [46, 45.75, 45.5, 45.25]
    assert lattice.tile(20, 45)[1] == slice(42, 9)
    assert lattice.longitudes[lattice.tile(20, 45)[1]].size == 0


def test_real_heights_keep_their_places(shared_data: Path, tmp_path: Path) -> None:
    paths = sorted((shared_data / "dem").glob("*.tiff"))
    both = make_dem(shared_data / "dem", (-9.8, 31.6, -7.9, 31.95), "ellipsoid", tmp_path)
    for path in paths:
        with rasterio.open(path) as file:
            heights = file.read(1).astype(float)
            rows, cols = (g.ravel() for g in np.mgrid[40:560:37, 40:1800:53])
            lon, lat = map(np.array, file.xy(rows, cols))
            west, south, east, north = file.bounds
        box = (west + 0.01, south + 0.01, east - 0.01, north - 0.01)
        alone = make_dem(path, box, "ellipsoid", tmp_path)
        assert np.abs(alone.sample(lat, lon) - heights[rows, cols]).max() < 1e-6
        # In the mosaic one of them keeps its cells, the other is resampled where it is alone.
        off = both.sample(lat, lon) - heights[rows, cols]
        assert np.nanmedian(np.abs(off)) < 0.5 and np.nanmax(np.abs(off)) < 30


def test_real_heights_are_raised_by_the_geoid(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("dem_stitcher", reason="the EGM96 grid comes with dem-stitcher")
    path = sorted((shared_data / "dem").glob("*.tiff"))[0]
    box = (-8.85, 31.6, -7.9, 31.85)
    above = make_dem(path, box, "EGM96", tmp_path)
    raw = make_dem(path, box, "ellipsoid", tmp_path)
    raised = above.heights - raw.heights
    assert 40 < raised.min() and raised.max() < 51 and "egm96_15" in above.source
    expected = load_geoid("EGM96", tmp_path, GRIDS_ADDRESS, print).undulation(31.7, -8.2)
    assert above.sample(31.7, -8.2) - raw.sample(31.7, -8.2) == pytest.approx(expected, abs=1e-3)
