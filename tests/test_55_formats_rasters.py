"""BEAM-DIMAP and GAMMA files: read, written, and held against real headers and other readers."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS

from geobservatory.errors import InputError
from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.formats.dimap import read_dimap
from geobservatory.products.formats.dimap_writer import About, NewBand, write_dimap
from geobservatory.products.formats.gamma import (
    Parameters,
    dem_parameters,
    read_georeference,
    read_raster,
    write_raster,
)
from geobservatory.products.formats.georeference import Georeference, crs_name

HEADERS = Path(__file__).parents[2] / "shared/data/gamma/headers"
UTM = Georeference("EPSG:32629", Affine(40.0, 0.0, 600000.0, 0.0, -40.0, 3450000.0), 3, 5)
SOUTH = Georeference("EPSG:32719", Affine(20.0, 0.0, 350000.0, 0.0, -20.0, 7500000.0), 4, 3)
DEGREES = Georeference("EPSG:4326", Affine(0.001, 0.0, -9.0, 0.0, -0.0008, 31.5), 3, 5)
TIME = datetime(2023, 9, 4, 6, 37, 32, 123456, UTC)
ABOUT = About("SLC", "Phase & coherence <é>", TIME, TIME, {"MISSION": "SENTINEL-1A", "n": 3})


def values(place: Georeference) -> np.ndarray:
    made = np.arange(place.rows * place.cols, dtype=np.float32).reshape(place.rows, place.cols)
    made[0, 1] = np.nan
    return made


@pytest.mark.parametrize("place", [UTM, SOUTH, DEGREES])
def test_dimap_comes_back_as_it_was_written(tmp_path: Path, place: Georeference) -> None:
    bands = (
        NewBand("Unw_Phase_ifg", values(place), "phase", "radians, <away> is positive"),
        NewBand("mask", np.ones((place.rows, place.cols), np.uint8), nodata=0),
    )
    write_dimap(tmp_path / "pair.dim", iter(bands), place, ABOUT)
    found = read_dimap(tmp_path / "pair.dim")
    assert list(found.bands) == ["Unw_Phase_ifg", "mask"]
    phase = found.bands["Unw_Phase_ifg"]
    np.testing.assert_array_equal(phase.read(), values(place))
    assert (phase.unit, phase.description) == ("phase", "radians, <away> is positive")
    assert phase.georeference == place
    assert found.bands["mask"].read().dtype == np.uint8
    assert found.metadata == {"MISSION": "SENTINEL-1A", "n": "3"}


@pytest.mark.parametrize("place", [UTM, SOUTH, DEGREES])
def test_gdal_finds_the_bands_of_dimap_where_they_are(tmp_path: Path, place: Georeference) -> None:
    write_dimap(tmp_path / "pair.dim", [NewBand("coh", values(place))], place, ABOUT)
    with rasterio.open(tmp_path / "pair.data/coh.img") as file:
        np.testing.assert_array_equal(file.read(1), values(place))
        assert file.transform.almost_equals(place.transform, 1e-9)
        assert CRS.from_wkt(file.crs.to_wkt()).equals(CRS(place.crs), ignore_axis_order=True)


def test_the_coordinate_systems_that_snap_writes_are_known() -> None:
    """Geographic ones without a code, and UTM zones under a name of its own (AUTO:42001)."""
    utm = CRS("EPSG:32629").to_wkt("WKT1_GDAL")
    own = utm.replace("WGS 84 / UTM zone 29N", "UTM Zone 29 / World Geodetic System 1984")
    own = own.replace(',AUTHORITY["EPSG","32629"]]', "]")
    assert crs_name(own, "x.dim") == "EPSG:32629"
    assert crs_name(CRS("EPSG:32719").to_wkt("WKT1_ESRI"), "x.dim") == "EPSG:32719"
    assert crs_name(CRS("EPSG:3035").to_wkt("WKT1_GDAL"), "x.dim") == "EPSG:3035"
    with pytest.raises(InputError, match=r"x\.dim: its coordinate system cannot be read"):
        crs_name("PROJCS[", "x.dim")


SNAP = """<?xml version="1.0" encoding="ISO-8859-1"?>
<Dimap_Document name="S1A_ifg.dim">
  <Metadata_Id><METADATA_FORMAT version="2.12.1">DIMAP</METADATA_FORMAT>
    <METADATA_PROFILE>BEAM-DATAMODEL-V1</METADATA_PROFILE></Metadata_Id>
  <Production><PRODUCT_TYPE>SLC</PRODUCT_TYPE></Production>
  <Raster_Dimensions><NCOLS>2</NCOLS><NROWS>2</NROWS><NBANDS>3</NBANDS></Raster_Dimensions>
  <Data_Access>
    <Data_File><DATA_FILE_PATH href="S1A_ifg.data/q.hdr"/><BAND_INDEX>1</BAND_INDEX></Data_File>
    <Data_File><DATA_FILE_PATH href="S1A_ifg.data/i.hdr"/><BAND_INDEX>0</BAND_INDEX></Data_File>
  </Data_Access>
  <Image_Interpretation>
    <Spectral_Band_Info><BAND_INDEX>0</BAND_INDEX><BAND_NAME>i</BAND_NAME>
      <DATA_TYPE>int16</DATA_TYPE><SCALING_FACTOR>0.5</SCALING_FACTOR>
      <NO_DATA_VALUE_USED>true</NO_DATA_VALUE_USED><NO_DATA_VALUE>0.0</NO_DATA_VALUE>
      <VALID_MASK_TERM>x != 0</VALID_MASK_TERM></Spectral_Band_Info>
    <Spectral_Band_Info><BAND_INDEX>1</BAND_INDEX><BAND_NAME>q</BAND_NAME>
      <DATA_TYPE>int16</DATA_TYPE></Spectral_Band_Info>
    <Spectral_Band_Info><BAND_INDEX>2</BAND_INDEX><BAND_NAME>Phase</BAND_NAME>
      <DATA_TYPE>float32</DATA_TYPE><VIRTUAL_BAND>true</VIRTUAL_BAND>
      <EXPRESSION>atan2(q, i)</EXPRESSION></Spectral_Band_Info>
  </Image_Interpretation>
  <Dataset_Sources><MDElem name="metadata"><MDElem name="Abstracted_Metadata">
    <MDATTR name="PASS" type="ascii">DESCENDING</MDATTR>
    <MDElem name="Baselines"><MDElem name="Ref_04Sep2023"><MDElem name="Secondary_16Sep2023">
      <MDATTR name="Perp Baseline" type="float64" mode="rw">-29.5</MDATTR>
    </MDElem></MDElem></MDElem></MDElem></MDElem></Dataset_Sources>
</Dimap_Document>
"""


@pytest.fixture
def snap(tmp_path: Path) -> Path:
    """Lay out a product in radar geometry, with scaled and virtual bands, as SNAP would."""
    (tmp_path / "S1A_ifg.data").mkdir()
    for name in "iq":
        np.array([[0, 2], [3, 4]], ">i2").tofile(tmp_path / f"S1A_ifg.data/{name}.img")
    (tmp_path / "S1A_ifg.dim").write_text(SNAP)
    return tmp_path / "S1A_ifg.dim"


def test_what_snap_adds_is_understood(snap: Path) -> None:
    found = read_dimap(snap)
    assert list(found.bands) == ["i", "q"]
    assert found.virtual == {"Phase": "atan2(q, i)"}
    np.testing.assert_array_equal(found.bands["i"].read(), [[np.nan, 1.0], [1.5, 2.0]])
    np.testing.assert_array_equal(found.bands["q"].read(), [[0, 2], [3, 4]])
    assert found.bands["i"].georeference is None
    assert found.baselines["Ref_04Sep2023"]["Secondary_16Sep2023"]["Perp Baseline"] == "-29.5"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("BEAM-DATAMODEL-V1", "SPOTSCENE_1A", "no BEAM-DIMAP header"),
        ("S1A_ifg.data/i.hdr", "../../etc/passwd", "a file outside its folder"),
        ("S1A_ifg.data/i.hdr", "/etc/passwd", "a file outside its folder"),
        ("<DATA_TYPE>int16", "<DATA_TYPE>complex_int16", "'complex_int16' is none of"),
        ("</Dimap_Document>", "", "not well-formed XML"),
        ("<?xml", '<!DOCTYPE a [<!ENTITY b "c">]><?xml', "declares a document type"),
        ("Data_File>", "Other>", "holds no band|not well-formed"),
        ("<SCALING_FACTOR>0.5", "<SCALING_FACTOR>half", "'half' is not a number"),
    ],
)
def test_a_header_that_lies_is_refused(snap: Path, old: str, new: str, message: str) -> None:
    text = snap.read_text()
    assert old in text
    snap.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_dimap(snap)


def test_a_band_that_was_cut_short_is_refused(snap: Path) -> None:
    band = read_dimap(snap).bands["i"]
    band.path.write_bytes(band.path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"i\.img: has 7 bytes, 8 were to be there"):
        band.read()
    band.path.unlink()
    with pytest.raises(InputError, match=r"i\.img: is missing"):
        band.read()


def test_a_product_half_written_has_no_header(tmp_path: Path) -> None:
    write_dimap(tmp_path / "pair.dim", [NewBand("a", values(UTM))], UTM, ABOUT)
    bad = NewBand("b", np.zeros((1, 1), np.float32))
    with pytest.raises(InputError, match="b: "):
        write_dimap(tmp_path / "pair.dim", [NewBand("a", values(UTM)), bad], UTM, ABOUT)
    assert not (tmp_path / "pair.dim").exists()


def test_parameter_files_come_back_to_the_byte(tmp_path: Path) -> None:
    if not HEADERS.is_dir():
        pytest.skip("the data shared with the project is not here")
    files = sorted([*HEADERS.glob("*.par"), *(HEADERS.parent / "geometry").glob("*_base.par")])
    assert len(files) > 40
    for path in files:
        parameters = Parameters.read(path)
        parameters.write(tmp_path / "copy.par")
        assert (tmp_path / "copy.par").read_bytes() == path.read_bytes()
    slc = Parameters.read(HEADERS / "r20180106_VV_slc.par")
    assert slc.text("image_format") == "FCOMPLEX"
    assert slc.number("radar_frequency") == 5.4050005e9
    assert slc.units("radar_frequency") == ("Hz",)
    assert slc.numbers("state_vector_position_1")[2] == 2082951.4020
    assert "software: Sentinel-1 IPF 002.84" in slc.text("title")
    base = Parameters.read(HEADERS.parent / "geometry/20180307-20180319_VV_8rlks_base.par")
    assert base.numbers("initial_baseline(TCN)") == (-0.0000004, 4.1283381, 0.3230800)


def test_what_is_replaced_keeps_its_columns_and_its_unit() -> None:
    text = "heading:                 -12.2742586   degrees\ndate:      2018 01 06\ntitle: a b\n"
    parameters = Parameters(text)
    parameters.replace("heading", "-167.5")
    parameters.replace("title", "c")
    parameters.replace("date", "2023 09 04")
    assert str(parameters) == (
        "heading:                      -167.5   degrees\ndate:      2023 09 04\ntitle:   c\n"
    )
    with pytest.raises(InputError, match="has no prf"):
        parameters.replace("prf", 1)
    with pytest.raises(InputError, match="title is 'c', not a number"):
        parameters.number("title")


@pytest.mark.parametrize("place", [UTM, SOUTH, DEGREES])
def test_gamma_counts_from_the_centre_of_the_first_cell(place: Georeference) -> None:
    parameters = dem_parameters(place, "pair")
    x, y = ("corner_lon", "corner_lat") if place is DEGREES else ("corner_east", "corner_north")
    centre = place.transform @ (0.5, 0.5)
    assert (parameters.number(x), parameters.number(y)) == pytest.approx(centre, abs=1e-9)
    found = read_georeference(Parameters(str(parameters)))
    assert (found.crs, found.rows, found.cols) == (place.crs, place.rows, place.cols)
    assert found.transform.almost_equals(place.transform, 1e-9)


def test_a_real_map_header_is_placed() -> None:
    if not HEADERS.is_dir():
        pytest.skip("the data shared with the project is not here")
    place = read_georeference(Parameters.read(HEADERS / "cropA_20180106_VV_8rlks_eqa_dem.par"))
    assert (place.crs, place.rows, place.cols) == ("EPSG:4326", 60, 100)
    assert place.transform @ (0.5, 0.5) == pytest.approx(
        (-99.1910697816367417, 19.4512926234517565), abs=1e-12
    )


def test_gamma_rasters_are_big_endian_and_have_zero_for_nothing(tmp_path: Path) -> None:
    path, parameters = tmp_path / "unw", dem_parameters(UTM, "unw")
    write_raster(path, values(UTM))
    assert path.read_bytes()[8:12] == b"\x40\x00\x00\x00"
    found = read_raster(path, parameters)
    np.testing.assert_allclose(found, np.nan_to_num(values(UTM)), atol=1e-37)
    # What is 0 is told from what is nothing.
    assert (found[0, 0] > 0, found[0, 1]) == (True, 0)
    turned = np.exp(1j * values(UTM)).astype(np.complex64)
    write_raster(path, turned)
    np.testing.assert_array_equal(read_raster(path, parameters, "FCOMPLEX"), np.nan_to_num(turned))
    with pytest.raises(InputError, match=r"unw: has 120 bytes, 3 lines of 5 REAL\*4 are 60"):
        read_raster(path, parameters)
    with pytest.raises(InputError, match="float64"):
        write_raster(path, np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("UTM\ndata", "LCC\ndata", "is on LCC; EQA and UTM are read"),
        ("298.2572236", "299.1528128", "not that of WGS 84"),
        ("corner_east:", "corner_x:", "has no corner_east"),
        ("width:                   5", "width: 0", "has 3 lines of 0 cells"),
    ],
)
def test_map_headers_that_cannot_be_placed_are_refused(old: str, new: str, message: str) -> None:
    text = str(dem_parameters(UTM, "t"))
    assert old in text
    with pytest.raises(InputError, match=message):
        read_georeference(Parameters(text.replace(old, new)))


def test_binary_is_no_parameter_file(tmp_path: Path) -> None:
    (tmp_path / "a.par").write_bytes(b"\0\1")
    with pytest.raises(InputError, match="but binary"):
        Parameters.read(tmp_path / "a.par")
    (tmp_path / "a.par").write_bytes(b"nothing here")
    with pytest.raises(InputError, match="has no line"):
        Parameters.read(tmp_path / "a.par")


def test_grids_of_our_maps_come_and_go() -> None:
    grid = MapGrid("EPSG:32629", 600000.0, 3450000.0, 40.0, 3, 5)
    assert Georeference.of(grid) == UTM
    assert UTM.grid() == grid
    with pytest.raises(InputError, match="not square"):
        DEGREES.grid()
