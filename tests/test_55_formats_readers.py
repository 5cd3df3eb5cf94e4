"""Maps written for other programs, read back by those programs: values, places, signs, angles.

The motion is known: a bulge, and in one case ground that moves east, seen from both sides.
"""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from drawn_maps import GRID, HEADING_DEG, WAVELENGTH_M, Drawn, bulge, draw
from kite_reader import load_kite
from numpy.typing import NDArray
from pyproj import Transformer

from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.formats.angles import earth_radius, slant_range
from geobservatory.products.formats.dimap import read_dimap
from geobservatory.products.formats.export import Exported, export_maps
from geobservatory.products.formats.gamma import Parameters, read_georeference, read_raster
from geobservatory.products.formats.made_map import maps_in

BOTH = pytest.mark.parametrize("direction", ["ascending", "descending"])
# Cells of the drawn map that hold nothing: ten by ten in the lower left.
HOLE = 10
# What bilinear interpolation takes off the top of the bulge, cell² / 8 · (f_xx + f_yy), and what
# float32 does. Half a cell aside would be a millimetre.
BILINEAR_M = 40**2 / 8 * (4 * 0.08 / 900**2) * 0.8 + 2e-6


def exported(folder: Path, form: str, *drawn: Drawn) -> Exported:
    for number, one in enumerate(drawn):
        draw(folder / "maps" / f"map-{number}", one)
    return export_maps(maps_in(folder / "maps"), form, folder / form, lambda what, share: None)


def peak(drawn: Drawn) -> float:
    return float(drawn.motion().max())


def places(grid: MapGrid, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    """Projected coordinates of longitudes and latitudes."""
    return Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(x, y)


@BOTH
def test_mintpy_reads_and_inverts_a_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direction: str
) -> None:
    """Uplift comes out of MintPy's own inversion as motion toward the satellite."""
    # Another box of the same lattice: the stack holds both.
    beside = MapGrid(GRID.crs, GRID.left + 400, GRID.top + 200, GRID.step, GRID.rows, GRID.cols)
    one = Drawn(direction=direction)
    two = Drawn(
        grid=beside, days=("20230916", "20230928"), direction=direction, baseline_m=-20.0,
        uplift=lambda x, y: 0.5 * bulge(x, y),
    )  # fmt: skip
    done = exported(tmp_path, "mintpy", one, two)
    (track,) = done.folder.iterdir()
    assert track.name == f"track-052{direction[0].upper()}"
    from mintpy.objects import geometry, ifgramStack
    from mintpy.utils import readfile
    from mintpy.utils import utils as ut

    stack = ifgramStack(str(track / "inputs/ifgramStack.h5"))
    stack.open(print_msg=False)
    assert stack.date12List == ["20230904_20230916", "20230916_20230928"]
    np.testing.assert_array_equal(stack.pbaseIfgram, np.float32([34.5, -20.0]))
    assert stack.datasetNames == ["unwrapPhase", "coherence", "connectComponent", "wrapPhase"]
    assert (stack.length, stack.width) == (95, 130)
    phase = stack.read("unwrapPhase-20230904_20230916", print_msg=False)
    own = phase[5:, :120]
    seen = np.ones(own.shape, bool)
    seen[-HOLE:, :HOLE] = False
    expected = -4 * math.pi / WAVELENGTH_M * one.motion()
    np.testing.assert_allclose(own[seen], expected[seen], atol=1e-5)
    assert np.all(own[~seen] == 0)
    assert np.all(phase[:5] == 0)
    atr = readfile.read_attribute(str(track / "inputs/ifgramStack.h5"))
    assert (atr["ORBIT_DIRECTION"], atr["UTM_ZONE"]) == (direction.upper(), "29N")
    assert float(atr["HEADING"]) == pytest.approx(HEADING_DEG[direction], abs=1e-4)
    assert (float(atr["X_FIRST"]), float(atr["Y_FIRST"])) == (GRID.left, GRID.top + 200)
    # MintPy's own idea of the direction to the satellite, of the geometry file.
    shape = geometry(str(track / "inputs/geometryGeo.h5"))
    shape.open(print_msg=False)
    inc, az = (shape.read(f"{one}Angle", print_msg=False) for one in ("incidence", "azimuth"))
    vector = ut.get_unit_vector4component_of_interest(inc, az, comp="enu2los")
    for found, ours in zip(vector, one.sight(), strict=True):
        np.testing.assert_allclose(found[5:, :120], ours, atol=1e-6)
    assert (
        ut.enu2los(1.0, 0.0, 0.0, inc, az_angle=az)[50, 50]
        * (1 if direction == "descending" else -1)
        > 0.5
    )
    _invert(track, monkeypatch)
    series, about = readfile.read(str(track / "timeseries.h5"))
    assert about["UNIT"] == "m"
    together = seen & (series[2][5:, :120] != 0)
    moved = (series[2] - series[2, 5, 115])[5:, :120]
    truth = 1.5 * one.motion()
    truth -= truth[0, 115]
    np.testing.assert_allclose(moved[together], truth[together], atol=1e-5)
    assert moved.max() == pytest.approx(1.5 * peak(one), rel=1e-3)


def _invert(track: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the two steps of MintPy that make a time series, as its users type them."""
    from mintpy.cli import ifgram_inversion, reference_point

    monkeypatch.chdir(track)
    reference_point.main(["inputs/ifgramStack.h5", "-y", "5", "-x", "115"])
    ifgram_inversion.main(["inputs/ifgramStack.h5", "-w", "no"])


@BOTH
def test_kite_reads_a_scene(tmp_path: Path, direction: str) -> None:
    drawn = Drawn(direction=direction, title="M 6.8 'it's: [a] # title' \n & more")
    done = exported(tmp_path, "kite", drawn)
    scene = load_kite().Scene.load(str(done.folder / "map-0.yml"))
    assert scene.meta.scene_title == "M 6.8 'it's: [a] # title'   & more"
    assert scene.meta.orbital_node == direction.capitalize()
    assert scene.meta.wavelength == WAVELENGTH_M
    # 2023-09-04T06:37:32Z
    assert scene.meta.time_master == 1693809452.0
    assert scene.meta.time_slave - scene.meta.time_master == 12 * 86400
    # Every cell, at the place where Kite's models have it, shows the motion that was drawn there.
    where = scene.frame.coordinates
    x, y = places(GRID, where[:, 0], where[:, 1])
    found = scene.displacement.ravel()
    inside = np.isfinite(found)
    assert inside.mean() > 0.9
    up = np.sin(scene.theta).ravel()
    np.testing.assert_allclose(found[inside], (bulge(x, y) * up)[inside], atol=BILINEAR_M)
    assert np.nanmax(found) == pytest.approx(peak(drawn), rel=1e-3)
    # Kite's own unit vector toward the satellite.
    for name, ours in zip("ENU", drawn.sight(), strict=True):
        vector = getattr(scene.los, f"unit{name}")
        assert np.nanmedian(vector) == pytest.approx(np.median(ours), abs=2e-4)
    assert (np.nanmedian(scene.los.unitE) > 0) == (direction == "descending")


@BOTH
def test_kite_and_mintpy_read_gamma_files(tmp_path: Path, direction: str) -> None:
    drawn = Drawn(direction=direction)
    done = exported(tmp_path, "gamma", drawn)
    base = done.folder / "map-0/20230904_20230916"
    unwrapped = Path(f"{base}.unw")
    reader = load_kite().scene_io.Gamma()
    assert reader.validate(str(unwrapped))
    found = reader.read(str(unwrapped))
    seen = np.isfinite(found.displacement)
    np.testing.assert_allclose(found.displacement[seen], drawn.motion()[::-1][seen], atol=1e-5)
    assert found.displacement[seen].max() == pytest.approx(peak(drawn), rel=1e-4)
    east, north, up = drawn.sight()
    np.testing.assert_allclose(np.sin(found.theta), up[::-1], atol=1e-6)
    np.testing.assert_allclose(np.cos(found.theta) * np.cos(found.phi), east[::-1], atol=1e-6)
    np.testing.assert_allclose(np.cos(found.theta) * np.sin(found.phi), north[::-1], atol=1e-6)
    from mintpy.utils import readfile

    shape = readfile.read_gamma_par(f"{base}.dem_par")
    rows, cols = int(shape["LENGTH"]), int(shape["WIDTH"])
    phase = readfile.read_binary(str(unwrapped), (rows, cols), byte_order="big-endian")
    np.testing.assert_allclose(phase[:80], -4 * math.pi / WAVELENGTH_M * drawn.motion()[:80], 1e-6)
    of_pass = readfile.read_gamma_par(str(done.folder / "map-0/20230904.par"))
    assert of_pass["ORBIT_DIRECTION"] == direction
    assert float(of_pass["WAVELENGTH"]) == pytest.approx(WAVELENGTH_M, rel=1e-7)
    assert float(of_pass["CENTER_LINE_UTC"]) == 6 * 3600 + 37 * 60 + 40


def test_gamma_files_hold_what_our_reader_finds(tmp_path: Path) -> None:
    done = exported(tmp_path, "gamma", Drawn())
    base = done.folder / "map-0/20230904_20230916"
    parameters = Parameters.read(Path(f"{base}.dem_par"))
    assert read_georeference(parameters).grid() == GRID
    turned = read_raster(Path(f"{base}.diff"), parameters, "FCOMPLEX")
    unwrapped = read_raster(Path(f"{base}.unw"), parameters)
    seen = unwrapped != 0
    assert not seen[-HOLE:, :HOLE].any()
    assert seen.sum() == seen.size - HOLE * HOLE
    away = np.angle(turned[seen] * np.exp(-1j * unwrapped[seen]))
    np.testing.assert_allclose(away, 0, atol=1e-4)
    displacement = read_raster(Path(f"{base}.disp"), parameters)
    scale = -WAVELENGTH_M / (4 * math.pi)
    np.testing.assert_allclose(displacement[seen], unwrapped[seen] * scale, atol=1e-7)
    np.testing.assert_array_equal(read_raster(Path(f"{base}.mli"), parameters), 120.0**2)


@BOTH
def test_dimap_is_read_by_gdal_and_mintpy(tmp_path: Path, direction: str) -> None:
    drawn = Drawn(direction=direction)
    done = exported(tmp_path, "dimap", drawn)
    (header,) = [one for one in done.files if one.suffix == ".dim"]
    product = read_dimap(done.folder / header)
    assert product.metadata["PASS"] == direction.upper()
    assert product.metadata["MISSION"] == "SENTINEL-1A"
    wavelength = 299.792458 / float(product.metadata["radar_frequency"])
    assert wavelength == pytest.approx(WAVELENGTH_M, rel=1e-9)
    pair = product.baselines["Ref_04Sep2023"]["Secondary_16Sep2023"]
    assert float(pair["Perp Baseline"]) == 34.5
    # SNAP's rule for motion, of the band that it would look for.
    (name,) = [one for one in product.bands if one.lower().startswith("unw")]
    band = product.bands[name]
    assert band.georeference is not None
    assert band.georeference.grid() == GRID
    moved = -wavelength / (4 * math.pi) * band.read()
    assert np.nanmax(moved) == pytest.approx(peak(drawn), rel=1e-4)
    np.testing.assert_allclose(moved, product.bands["displacement"].read(), atol=1e-6)
    with rasterio.open(band.path) as file:
        np.testing.assert_array_equal(file.read(1), band.read())
        assert file.transform == GRID.transform
    from mintpy.utils import readfile

    data, about = readfile.read(str(band.path))
    assert (about["FILE_TYPE"], about["PROCESSOR"]) == (".unw", "snap")
    np.testing.assert_array_equal(np.nan_to_num(data), np.nan_to_num(band.read()))


@BOTH
def test_licsbas_finds_its_files(tmp_path: Path, direction: str) -> None:
    """LiCSBAS is not on PyPI: this does what its LiCSBAS02_ml_prep does with each file."""
    one = Drawn(direction=direction, baseline_m=30.0)
    two = Drawn(direction=direction, days=("20230916", "20231010"), baseline_m=-50.0)
    done = exported(tmp_path, "licsbas", one, two)
    track = f"052{direction[0].upper()}"
    geoc = done.folder / f"track-{track}" / "GEOC"
    pairs = sorted(path.name for path in geoc.iterdir() if path.is_dir())
    assert pairs == ["20230904_20230916", "20230916_20231010"]
    with rasterio.open(geoc / pairs[0] / f"{pairs[0]}.geo.unw.tif") as file:
        unwrapped, transform, crs = file.read(1), file.transform, file.crs
    assert (unwrapped.dtype, crs.to_epsg()) == (np.float32, 4326)
    unwrapped[unwrapped == 0] = np.nan
    with rasterio.open(geoc / pairs[0] / f"{pairs[0]}.geo.cc.tif") as file:
        coherence = file.read(1)
    assert coherence.dtype == np.uint8
    assert set(np.unique(coherence)) == {0, 204}
    layers = {}
    for name in ("E", "N", "U", "hgt", "mli"):
        (path,) = geoc.glob(f"*.geo.{name}.tif")
        with rasterio.open(path) as file:
            assert (file.shape, file.transform) == (unwrapped.shape, transform)
            layers[name] = np.where(file.read(1) == 0, np.nan, file.read(1))
    # LiCSBAS13_sb_inv: rad to mm, positive toward the satellite.
    moved = -WAVELENGTH_M / 4 / np.pi * 1000 * unwrapped
    cols, rows = np.meshgrid(np.arange(moved.shape[1]) + 0.5, np.arange(moved.shape[0]) + 0.5)
    x, y = places(GRID, *(transform @ (cols, rows)))
    inside = np.isfinite(moved) & np.isfinite(layers["U"])
    assert inside.mean() > 0.9
    expected = 1000 * bulge(x, y) * layers["U"]
    np.testing.assert_allclose(moved[inside], expected[inside], atol=1000 * BILINEAR_M)
    assert np.nanmax(moved) == pytest.approx(1000 * peak(one), rel=1e-3)
    # LiCSBAS_decomposeLOS: seen from the east where E is positive.
    assert (np.nanmedian(layers["E"]) > 0) == (direction == "descending")
    assert np.nanmedian(layers["mli"]) == pytest.approx(120.0**2)
    lines = [line.split() for line in (geoc / "baselines").read_text().splitlines()]
    assert lines == [
        ["20230904", "20230916", "30.0", "12.0"],
        ["20230904", "20231010", "-20.0", "36.0"],
    ]
    said = dict(line.split("=") for line in (geoc / "metadata.txt").read_text().splitlines())
    assert said["center_time"] == "06:37:40.000000"
    assert float(said["heading"]) == pytest.approx(HEADING_DEG[direction], abs=1e-3)


def test_ground_that_moves_east_is_told_from_ground_that_moves_up(tmp_path: Path) -> None:
    """Angles and signs of both sides together: east and up come back out of two scenes of Kite."""
    moved = {"east": 0.03, "up": -0.01}
    rows, seen = [], []
    for direction in HEADING_DEG:
        still = Drawn(direction=direction)
        east, _, up = (float(np.mean(one)) for one in still.sight())

        # Drawn motion is uplift times up: such an uplift as looks like this motion from here.
        def uplift(x: NDArray, y: NDArray, east: float = east, up: float = up) -> NDArray:
            along = moved["east"] * east + moved["up"] * up
            return np.full(x.shape, along / up)

        draw(tmp_path / direction, Drawn(direction=direction, uplift=uplift))
        done = export_maps(
            maps_in(tmp_path / direction), "kite", tmp_path / f"{direction}-kite",
            lambda what, share: None,
        )  # fmt: skip
        scene = load_kite().Scene.load(str(done.folder / f"{direction}.yml"))
        rows.append([np.nanmean(scene.los.unitE), np.nanmean(scene.los.unitU)])
        seen.append(np.nanmean(scene.displacement))
    found = np.linalg.solve(rows, seen)
    np.testing.assert_allclose(found, [moved["east"], moved["up"]], atol=2e-4)


def test_mintpy_is_told_of_water_and_shadow(tmp_path: Path) -> None:
    done = exported(tmp_path, "mintpy", Drawn())
    with h5py.File(done.folder / "track-052D/inputs/geometryGeo.h5") as file:
        land, shadow = file["waterMask"][()], file["shadowMask"][()]
        distance = file["slantRangeDistance"][()]
    assert not land[:4, :4].any()
    assert shadow[:4, 4:8].all()
    assert land.sum() == land.size - 16
    assert shadow.sum() == 16
    assert 840e3 < distance.min() < distance.max() < 870e3


def test_the_distance_of_the_satellite_is_near_a_real_one(shared_data: Path) -> None:
    parameters = Parameters.read(shared_data / "gamma/headers/r20180106_VV_8rlks_mli.par")
    radius = earth_radius(parameters.number("center_latitude"))
    assert radius == pytest.approx(parameters.number("earth_radius_below_sensor"), rel=1e-4)
    angle = np.float32(parameters.number("incidence_angle"))
    found = float(slant_range(angle, radius, 0.0))
    assert found == pytest.approx(parameters.number("center_range_slc"), rel=0.01)


def test_nothing_is_written_beside_what_is_told(tmp_path: Path) -> None:
    """Files alone are written: none beside the folder, nothing hidden in it."""
    done = exported(tmp_path, "dimap", Drawn())
    assert {one.name for one in tmp_path.iterdir()} == {"dimap", "maps"}
    found = {path.relative_to(done.folder) for path in done.folder.rglob("*") if path.is_file()}
    assert found == set(done.files)
