"""Products: real ones are read in place; damaged ones are refused, or used as far as they go."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geobservatory.errors import InputError
from geobservatory.sentinel1.annotation import read_annotation
from geobservatory.sentinel1.bursts import footprint
from geobservatory.sentinel1.safe import open_product
from geobservatory.sentinel1.xml import parse


@pytest.fixture(scope="module")
def al_haouz(shared_data: Path) -> Path:
    return next((shared_data / "sentinel1").glob("S1A*20230904*.zip"))


@pytest.fixture(scope="module")
def damaged(shared_data: Path) -> Path:
    return next((shared_data / "sentinel1").glob("S1B*.zip"))


def test_what_a_real_product_says(al_haouz: Path) -> None:
    product = open_product(al_haouz)
    assert product.relative_orbit == 52
    assert product.ipf_version == "003.61"
    assert list(product.channels) == [("IW1", "VV"), ("IW2", "VV"), ("IW3", "VV")]
    one = product.annotation("IW1", "VV")
    assert one.direction == "descending"
    assert one.first_line_time == np.datetime64("2023-09-04T06:37:31.072288000")
    assert len(one.bursts) == 9
    assert one.bursts[0].esa_id == 110431
    assert one.wavelength_m == pytest.approx(0.05546576, abs=1e-8)
    assert one.azimuth_steering_rate_rad_s == pytest.approx(np.deg2rad(1.590368784))
    # Range sampling and pixel spacing are two statements of one fact.
    assert 299_792_458 / 2 / one.range_sampling_rate_hz == pytest.approx(
        one.range_pixel_spacing_m, rel=1e-6
    )


def test_folder_and_zip_say_the_same(al_haouz: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(al_haouz) as archive:
        archive.extractall(tmp_path)
    folder = open_product(next(tmp_path.iterdir()))
    zipped = open_product(al_haouz)
    assert folder.members == zipped.members
    for channel in zipped.channels:
        ours, theirs = folder.annotation(*channel), zipped.annotation(*channel)
        assert ours.start_time == theirs.start_time
        assert np.array_equal(ours.orbit.positions_m, theirs.orbit.positions_m)


def test_an_incomplete_product_is_used_as_far_as_it_goes(damaged: Path) -> None:
    product = open_product(damaged)
    assert list(product.channels) == [("IW1", "VH"), ("IW1", "VV"), ("IW2", "VH")]
    assert any("iw3" in problem for problem in product.problems)
    with pytest.raises(InputError, match="no annotation of IW3 VV; it has IW1 VH"):
        product.annotation("IW3", "VV")


def test_a_zip_cut_short_is_refused(al_haouz: Path, tmp_path: Path) -> None:
    cut = tmp_path / al_haouz.name
    cut.write_bytes(al_haouz.read_bytes()[:100_000])
    with pytest.raises(InputError, match=r"not a whole zip.*fetch it again"):
        open_product(cut)


def test_a_zip_with_flipped_bytes_is_refused(al_haouz: Path, tmp_path: Path) -> None:
    content = bytearray(al_haouz.read_bytes())
    with zipfile.ZipFile(al_haouz) as archive:
        entry = next(e for e in archive.infolist() if "/annotation/s1a-iw1" in e.filename)
    at = entry.header_offset + 500
    content[at : at + 50] = b"\0" * 50
    broken = tmp_path / al_haouz.name
    broken.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        open_product(broken).annotation("IW1", "VV")


def test_other_things_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_product(tmp_path / "absent.SAFE")
    grd = tmp_path / "S1A_IW_GRDH_1SDV_20160401T052622_20160401T052722_010617_00FC9A_ABCD.SAFE"
    grd.mkdir()
    with pytest.raises(InputError, match="a GRD product"):
        open_product(grd)
    empty = tmp_path / "S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1.SAFE"
    empty.mkdir()
    with pytest.raises(InputError, match="no annotation of a swath"):
        open_product(empty)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not well-formed"),
        (b"<a><b></a>", "not well-formed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        (b"<a/>" + b" " * 64_000_001, "larger than"),
    ],
)
def test_untrusted_documents_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse(content, "x.xml")


@pytest.fixture(scope="module")
def annotation_xml(al_haouz: Path) -> bytes:
    product = open_product(al_haouz)
    return product.read(product.channels["IW1", "VV"])


def test_every_cut_is_refused(annotation_xml: bytes) -> None:
    for length in np.linspace(0, len(annotation_xml) - 20, 40).astype(int):
        with pytest.raises(InputError, match=r"x\.xml"):
            read_annotation(annotation_xml[:length], "x.xml")


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_damage_ends_in_our_errors(annotation_xml: bytes, data: st.DataObject) -> None:
    """Overwrite, drop or repeat a part of a real document: it is read, or refused by us."""
    at = data.draw(st.integers(0, len(annotation_xml) - 1))
    length = data.draw(st.integers(0, 400))
    new = data.draw(st.one_of(st.binary(max_size=40), st.sampled_from([b"nan", b"-1", b"9" * 400])))
    content = annotation_xml[:at] + new + annotation_xml[at + length :]
    try:
        read_annotation(content, "x.xml")
    except InputError as error:
        assert "x.xml" in str(error)


def test_a_file_of_another_size_and_a_grid_off_the_globe_are_told(
    shared_data: Path, tmp_path: Path
) -> None:
    source = min((shared_data / "sentinel1").glob("S1A*.zip"))
    with zipfile.ZipFile(source) as archive:
        archive.extractall(tmp_path)
    root = next(tmp_path.glob("*.SAFE"))
    annotation = next((root / "annotation").glob("*iw2-slc-vv*.xml"))
    text = annotation.read_text()
    annotation.write_text(text.replace("<latitude>3", "<latitude>93", 1))
    product = open_product(root / "manifest.safe")
    assert any(
        annotation.name in one and "bytes; fetch it again" in one for one in product.problems
    )
    with pytest.raises(InputError, match="leaves the globe"):
        product.annotation("IW2", "VV")
    annotation.write_text(text.replace("<slantRangeTime>5", "<slantRangeTime>5e300", 1))
    with pytest.raises(InputError):
        footprint(
            open_product(root).annotation("IW2", "VV"),
            open_product(root).annotation("IW2", "VV").bursts[0],
        )
