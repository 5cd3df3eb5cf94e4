"""Files made of finished maps: rasters that can be read piece by piece, and what they say."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pystac
import pytest
import rasterio
from jsonschema import Draft7Validator, ValidationError
from pystac.validation.local_validator import get_local_schema_cache
from rasterio.enums import Resampling
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7
from shapely import Polygon, box

from geobservatory.errors import InputError
from geobservatory.insar.judge import Level, Verdict
from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.cog import write_cog
from geobservatory.products.description import Asset, Description, OrbitFile, Scene
from geobservatory.products.stac import make_item, write_item

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


def describe(**changes) -> Description:
    grid = MapGrid("EPSG:32637", 499_960.0, 4_380_040.0, 40.0, 1200, 1500)
    about = Description(
        id="ovacik-145-20261102-20261114",
        title="M 6.4 earthquake, Ovacık",
        footprint=Polygon([(39.0, 39.1), (39.1, 39.6), (39.7, 39.5), (39.6, 39.0)]),
        grid=grid,
        reference=Scene(("S1A_SLC_A",), "S1A", datetime(2026, 11, 2, 15, 49, 7, tzinfo=UTC)),
        secondary=Scene(("S1A_SLC_B",), "S1A", datetime(2026, 11, 14, 15, 49, 8, tzinfo=UTC)),
        relative_orbit=145,
        direction="ascending",
        polarisation="VV",
        swaths=("IW1", "IW2"),
        bursts=("145_310912_IW1", "145_310912_IW2"),
        wavelength_m=0.05546576,
        looks=(8, 2),
        looks_effective=np.float32(10.7),
        spacing_m=40.0,
        perpendicular_baseline_m=-83.2,
        temporal_baseline_days=12.0,
        orbit_files=(OrbitFile("S1A_OPER_AUX_RESORB.EOF", "RESORB", "ab" * 32),),
        dem="Copernicus GLO-30",
        parameters={"filter": 0.5, "unwrap": True},
        software={"geobservatory": "0.1.0"},
        engine="native",
        processing_seconds=412.5,
        quality={"mean_coherence": np.float64(0.41), "height_correlation": math.nan},
        verdict=Verdict(Level.CARE, ("only 43% of the cells are coherent",)),
        deformation={"detected": np.True_, "peak_m": 0.41, "detection_limit_m": math.inf},
        made=datetime(2026, 11, 14, 18, 2, tzinfo=UTC),
        assets={
            "displacement.tif": Asset(
                "Displacement", "Along the line of sight", ("data",),
                "image/tiff; application=geotiff; profile=cloud-optimized", "0f" * 32, 12_345,
                "m", "float32", math.nan,
            ),
            "quicklook.png": Asset(
                "Picture", "Motion over relief", ("overview",), "image/png", "1e" * 32, 678
            ),
        },
    )  # fmt: skip
    return replace(about, **changes)


def check_against_schema(item: dict) -> None:
    """Validate the core by its own schema; the extensions' schemas are not to be had offline."""
    schemas = get_local_schema_cache()
    registry = Registry().with_resources(
        (name, Resource.from_contents(one, DRAFT7)) for name, one in schemas.items()
    )
    name = "https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/item.json"
    Draft7Validator(schemas[name], registry=registry).validate(item)


def test_the_description_is_a_valid_item(tmp_path):
    path = tmp_path / "metadata.json"
    write_item(path, make_item(describe()))
    text = path.read_text("utf-8")
    item = json.loads(text, parse_constant=lambda what: pytest.fail(f"{what} is not JSON"))
    check_against_schema(item)
    broken = {**item, "properties": {**item["properties"], "datetime": "14 November"}}
    with pytest.raises(ValidationError):
        check_against_schema(broken)
    assert item["stac_version"] == "1.1.0"
    assert "Ovacık" in text
    assert pystac.Item.from_dict(item).id == "ovacik-145-20261102-20261114"


def test_the_item_says_what_the_radar_did_and_when():
    item = make_item(describe())
    said = item["properties"]
    assert said["start_datetime"] == "2026-11-02T15:49:07Z"
    assert said["datetime"] == said["end_datetime"] == "2026-11-14T15:49:08Z"
    assert said["platform"] == "sentinel-1a" and said["constellation"] == "sentinel-1"
    assert said["sar:instrument_mode"] == "IW" and said["sar:frequency_band"] == "C"
    assert said["sar:center_frequency"] == pytest.approx(5.405, abs=1e-4)
    assert said["sar:polarizations"] == ["VV"] and said["sar:product_type"] == "INSAR"
    assert (said["sar:looks_range"], said["sar:looks_azimuth"]) == (8, 2)
    assert said["sar:observation_direction"] == "right"
    assert (said["sat:orbit_state"], said["sat:relative_orbit"]) == ("ascending", 145)
    prefixes = {
        name.split(":")[0]
        for name in [*said, *item["assets"]["displacement.tif"]]
        if ":" in name and not name.startswith("geobs:")
    }
    named = {one.split("/")[3] for one in item["stac_extensions"]}
    assert named == {{"proj": "projection"}.get(one, one) for one in prefixes}


def test_the_item_says_where_the_map_lies_and_what_its_files_are():
    item = make_item(describe())
    said = item["properties"]
    assert said["proj:code"] == "EPSG:32637" and said["proj:shape"] == [1200, 1500]
    assert said["proj:transform"] == [40.0, 0.0, 499_960.0, 0.0, -40.0, 4_380_040.0]
    assert said["proj:bbox"] == [499_960.0, 4_332_040.0, 559_960.0, 4_380_040.0]
    asset = item["assets"]["displacement.tif"]
    assert asset["href"] == "./displacement.tif" and asset["roles"] == ["data"]
    assert asset["file:checksum"] == "1220" + "0f" * 32 and asset["file:size"] == 12_345
    assert asset["bands"] == [
        {"name": "displacement", "data_type": "float32", "unit": "m", "nodata": "nan"}
    ]
    assert "bands" not in item["assets"]["quicklook.png"]
    ring = item["geometry"]["coordinates"][0]
    assert Polygon(ring).exterior.is_ccw
    assert item["bbox"] == [39.0, 39.0, 39.7, 39.6]


def test_the_item_says_how_it_was_made_and_what_it_is_worth():
    said = make_item(describe())["properties"]
    assert said["processing:software"] == {"geobservatory": "0.1.0"}
    for name in ("S1A_SLC_A", "S1A_SLC_B", "GLO-30", "RESORB"):
        assert name in said["processing:lineage"]
    assert said["geobs:reference"]["products"] == ["S1A_SLC_A"]
    assert said["geobs:orbit_files"][0]["sha256"] == "ab" * 32
    assert said["geobs:quality"] == {"mean_coherence": 0.41, "height_correlation": None}
    assert said["geobs:deformation"] == {
        "detected": True, "peak_m": 0.41, "detection_limit_m": None,
    }  # fmt: skip
    assert said["geobs:verdict"] == "usable with care"
    assert said["geobs:reasons"] == ["only 43% of the cells are coherent"]
    assert "positive toward the satellite" in said["geobs:conventions"]["displacement"]
    assert "positive where the ground moved away" in said["geobs:conventions"]["phase"]


def test_a_map_over_the_antimeridian_has_its_footprint_split_there():
    item = make_item(describe(footprint=box(179.5, -17.0, 180.5, -16.0)))
    check_against_schema(item)
    assert item["geometry"]["type"] == "MultiPolygon"
    assert item["bbox"] == [179.5, -17.0, -179.5, -16.0]


def test_images_of_two_satellites_are_both_named():
    other = Scene(("S1C_IW_SLC",), "S1C", datetime(2026, 11, 8, 15, 49, tzinfo=UTC))
    said = make_item(describe(secondary=other))["properties"]
    assert "platform" not in said
    assert said["geobs:platforms"] == ["sentinel-1a", "sentinel-1c"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reference": Scene(("A",), "S1A", datetime(2026, 11, 2))}, "in UTC"),  # noqa: DTZ001
        ({"reference": Scene(("A",), "S1A", datetime(2027, 1, 1, tzinfo=UTC))}, "not later"),
        ({"footprint": Polygon()}, "footprint"),
        ({"assets": {"a.tif": Asset("", "", (), "image/tiff", "0F", 1)}}, "SHA-256"),
    ],
)
def test_a_description_that_cannot_be_is_refused(changes, says):
    with pytest.raises(InputError, match=says):
        make_item(describe(**changes))


def test_a_number_that_is_not_known_is_left_out_where_no_null_may_stand():
    said = make_item(describe(looks_effective=math.nan, perpendicular_baseline_m=math.nan))
    assert "sar:looks_equivalent_number" not in said["properties"]
    assert said["properties"]["geobs:perpendicular_baseline_m"] is None


def test_what_json_cannot_hold_is_not_written(tmp_path):
    with pytest.raises(InputError, match=r"metadata\.json"):
        write_item(tmp_path / "metadata.json", {"x": math.nan})
    assert not list(tmp_path.iterdir())
