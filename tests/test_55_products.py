"""Files made of finished maps: rasters that can be read piece by piece, and what they say."""

import subprocess
import sys

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling

from geobservatory.errors import InputError
from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.cog import write_cog

GRID = MapGrid("EPSG:32629", 499_980.0, 7_100_040.0, 20.0, 1300, 1700)


def relief() -> np.ndarray:
    rows, cols = np.mgrid[0 : GRID.rows, 0 : GRID.cols].astype(np.float32)
    values = np.sin(rows / 70) * np.cos(cols / 90) * np.float32(0.3)
    values[:200, :400] = np.nan
    return values


def first_tiles(data: bytes) -> list[int]:
    """Offset of the first tile in each image directory of a little-endian classic TIFF."""
    assert data[:4] == b"II*\0"
    found = []
    at = int.from_bytes(data[4:8], "little")
    while at:
        assert at < 2000, "the directories come before the pixels"
        count = int.from_bytes(data[at : at + 2], "little")
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            if int.from_bytes(data[entry : entry + 2], "little") == 324:  # TileOffsets
                tiles = int.from_bytes(data[entry + 4 : entry + 8], "little")
                where = int.from_bytes(data[entry + 8 : entry + 12], "little")
                first = where if tiles == 1 else int.from_bytes(data[where : where + 4], "little")
                found.append(first)
        end = at + 2 + 12 * count
        at = int.from_bytes(data[end : end + 4], "little")
    return found


def test_a_layer_comes_back_as_it_was_with_its_place_and_its_words(tmp_path):
    values = relief()
    path = tmp_path / "displacement.tif"
    write_cog(path, values, GRID, description="LOS", units="m", tags={"reference": "S1A_X"})
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), values)
        assert file.transform == GRID.transform
        assert file.crs.to_epsg() == 32629
        assert np.isnan(file.nodata)
        assert file.descriptions == ("LOS",) and file.units == ("m",)
        assert file.tags()["reference"] == "S1A_X"
        assert file.tags()["AREA_OR_POINT"] == "Area"
    assert [one.name for one in tmp_path.iterdir()] == ["displacement.tif"]


def test_a_layer_is_laid_out_for_reading_piece_by_piece(tmp_path):
    path = tmp_path / "displacement.tif"
    write_cog(path, relief(), GRID, description="LOS", units="m")
    with rasterio.open(path) as file:
        image = file.tags(ns="IMAGE_STRUCTURE")
        assert image["LAYOUT"] == "COG" and image["COMPRESSION"] == "DEFLATE"
        assert image["PREDICTOR"] == "3"
        assert file.block_shapes == [(512, 512)]
        assert file.overviews(1) == [2, 4]
    with rasterio.open(path, overview_level=1) as file:
        assert file.shape == (325, 425) and file.block_shapes == [(512, 512)]
    whole, half, quarter = first_tiles(path.read_bytes())
    assert quarter < half < whole, "the smallest image comes first"


def test_overviews_average_what_is_smooth_and_keep_what_must_not_be_mixed(tmp_path):
    phase = np.where(np.indices((GRID.rows, GRID.cols)).sum(0) % 2, 3.1, -3.1).astype(np.float32)
    for how in ("average", "nearest"):
        write_cog(
            tmp_path / f"{how}.tif", phase, GRID, description="p", units="radian", overviews=how
        )
    with rasterio.open(tmp_path / "average.tif", overview_level=0) as file:
        np.testing.assert_allclose(file.read(1), 0, atol=1e-6)
    with rasterio.open(tmp_path / "nearest.tif", overview_level=0) as file:
        np.testing.assert_allclose(np.abs(file.read(1)), 3.1, rtol=1e-6)


def test_an_average_leaves_out_cells_without_data(tmp_path):
    values = relief()
    values[300, 300] = np.nan
    path = tmp_path / "a.tif"
    write_cog(path, values, GRID, description="LOS", units="m")
    with rasterio.open(path, overview_level=0) as file:
        small = file.read(1)
    assert small[150, 150] == pytest.approx(np.nanmean(values[300:302, 300:302]), abs=1e-6)
    assert np.isnan(small[50, 50])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
def test_whole_numbers_keep_their_type_and_what_stands_for_nothing(tmp_path, kind):
    labels = np.arange(GRID.rows * GRID.cols).reshape(GRID.rows, GRID.cols) % np.iinfo(kind).max
    path = tmp_path / "labels.tif"
    write_cog(
        path, labels.astype(kind), GRID, description="component", units="1", nodata=0,
        overviews="nearest",
    )  # fmt: skip
    with rasterio.open(path) as file:
        assert file.dtypes == (np.dtype(kind).name,) and file.nodata == 0
        assert file.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "2"
        np.testing.assert_array_equal(file.read(1), labels)
        small = file.read(1, out_shape=(650, 850), resampling=Resampling.nearest)
    assert np.isin(small, labels).all()


def test_a_map_of_one_cell_is_a_file_too(tmp_path):
    grid = MapGrid("EPSG:4326", 179.9, -16.0, 0.001, 1, 1)
    write_cog(tmp_path / "a.tif", np.float32([[2.5]]), grid, description="x", units="m")
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.read(1).tolist() == [[2.5]]


@pytest.mark.parametrize(
    ("values", "nodata", "says"),
    [
        (np.zeros((2, 2)), None, "float64"),
        (np.zeros((2, 2), np.float32), None, "the grid has 1300 × 1700"),
        (np.zeros((GRID.rows, GRID.cols), np.float32), -9999, "they are NaN"),
    ],
)
def test_values_that_do_not_fit_are_refused(tmp_path, values, nodata, says):
    with pytest.raises(InputError, match=says):
        write_cog(tmp_path / "a.tif", values, GRID, description="x", units="m", nodata=nodata)
    assert not list(tmp_path.iterdir())


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.cog import write_cog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
values = np.random.default_rng(1).normal(size=(900, 900)).astype(np.float32)
grid = MapGrid("EPSG:32629", 5e5, 7.1e6, 20.0, 900, 900)
try:
    write_cog(Path(sys.argv[1]) / "a.tif", values, grid, description="x", units="m")
except OSError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("bytes_let", [1000, 2_000_000])
def test_where_no_room_is_left_nothing_is_left_behind(tmp_path, bytes_let):
    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path, str(bytes_let)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("refused:")
    assert not list(tmp_path.iterdir())
