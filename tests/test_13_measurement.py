"""Pixels, calibration and noise: read as another library wrote them, refused when damaged."""

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from geobservatory.errors import InputError
from geobservatory.sentinel1.annotation import Annotation
from geobservatory.sentinel1.calibration import read_calibration, read_noise
from geobservatory.sentinel1.measurement import Measurement, open_measurement
from geobservatory.sentinel1.safe import SafeProduct, open_product

LINES, SAMPLES, BURSTS = 40, 300, 2


def pixels(seed: int = 3) -> np.ndarray:
    """Make complex integers that use the whole range of 16 bits."""
    rng = np.random.default_rng(seed)
    parts = rng.integers(-32768, 32768, (2, LINES * BURSTS, SAMPLES))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


@pytest.fixture
def make(shared_data: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a small product of a real annotation, cut to a few lines, and a TIFF GDAL writes."""

    def made(form: str, write: Callable[[Path], object] | None = None) -> Path:
        source = min((shared_data / "sentinel1").glob("S1A*.zip"))
        folder = tmp_path / "made"
        shutil.rmtree(folder, ignore_errors=True)
        with zipfile.ZipFile(source) as archive:
            archive.extractall(folder)
        root = next(folder.glob("*.SAFE"))
        annotation = next((root / "annotation").glob("*iw1*.xml"))
        _shrink(annotation)
        (root / "measurement").mkdir()
        tiff = root / "measurement" / f"{annotation.stem}.tiff"
        (write or write_tiff)(tiff)
        if form == "folder":
            return root
        packed = tmp_path / f"{root.name}.zip"
        kind = zipfile.ZIP_STORED if form == "stored" else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(packed, "w", kind) as archive:
            for file in sorted(root.rglob("*")):
                archive.write(file, str(file.relative_to(folder)))
        shutil.rmtree(folder)
        return packed

    return made


def write_tiff(path: Path, **options: object) -> None:
    profile = {"driver": "GTiff", "height": LINES * BURSTS, "width": SAMPLES, "count": 1}
    profile |= {"dtype": "complex_int16"} | options
    with rasterio.open(path, "w", **profile) as tiff:
        tiff.write(pixels(), 1)


def _shrink(path: Path) -> None:
    """Cut an annotation to `BURSTS` bursts of `LINES` lines of `SAMPLES` samples."""
    from lxml import etree

    tree = etree.parse(path)
    burst_list = tree.find("swathTiming/burstList")
    assert burst_list is not None
    for burst in list(burst_list)[BURSTS:]:
        burst_list.remove(burst)
    for burst in burst_list:
        for name in ("firstValidSample", "lastValidSample"):
            node = burst.find(name)
            assert node is not None
            node.text = " ".join(["10"] * LINES)
    for name, value in {
        "swathTiming/linesPerBurst": LINES,
        "swathTiming/samplesPerBurst": SAMPLES,
        "imageAnnotation/imageInformation/numberOfLines": LINES * BURSTS,
        "imageAnnotation/imageInformation/numberOfSamples": SAMPLES,
    }.items():
        node = tree.find(name)
        assert node is not None
        node.text = str(value)
    tree.write(path)


@pytest.mark.parametrize("form", ["folder", "stored", "deflated"])
def test_windows_are_what_was_written(make: Callable[..., Path], form: str) -> None:
    product = open_product(make(form))
    truth = pixels()
    with open_measurement(product, "IW1", "VV") as measured:
        assert measured.shape == truth.shape
        whole = measured.read(slice(None))
        assert whole.dtype == np.complex64
        assert np.array_equal(whole, truth)
        window = measured.read(slice(7, 33), slice(20, 131))
        assert np.array_equal(window, truth[7:33, 20:131])
        # Backwards, past the ends, and nothing at all.
        assert np.array_equal(measured.read(slice(0, 2), slice(298, 999)), truth[:2, 298:])
        assert measured.read(slice(50, 50)).shape == (0, SAMPLES)
        annotation = product.annotation("IW1", "VV")
        assert np.array_equal(measured.burst(annotation, 1), truth[LINES:])


@pytest.mark.parametrize(
    "options",
    [
        {"BIGTIFF": "YES"},
        {"BLOCKYSIZE": 16},
        {"ENDIANNESS": "BIG"},
        {"BLOCKYSIZE": LINES * BURSTS},
    ],
)
def test_every_plain_layout_is_read(make: Callable[..., Path], options: dict[str, object]) -> None:
    product = open_product(make("stored", lambda path: write_tiff(path, **options)))
    with open_measurement(product, "IW1", "VV") as measured:
        assert np.array_equal(measured.read(slice(3, 70), slice(1, 9)), pixels()[3:70, 1:9])


@given(
    first=st.integers(-5, 90),
    rows=st.integers(0, 90),
    left=st.integers(-5, 310),
    cols=st.integers(),
)
def test_slices_are_those_of_numpy(first: int, rows: int, left: int, cols: int) -> None:
    truth = pixels()
    raw = np.stack([truth.real, truth.imag], -1).astype("<i2").tobytes()
    offsets = np.arange(LINES * BURSTS) * SAMPLES * 4
    measured = Measurement("x", truth.shape, np.dtype("<i2"), offsets, None, io.BytesIO(raw))
    lines, samples = slice(first, first + rows), slice(left, left + cols)
    assert np.array_equal(measured.read(lines, samples), truth[lines, samples])


@pytest.mark.parametrize("form", ["folder", "stored", "deflated"])
def test_what_is_cut_or_wrong_is_refused(make: Callable[..., Path], form: str) -> None:
    def refused(write: Callable[[Path], object], match: str) -> None:
        product = open_product(make(form, write))
        with pytest.raises(InputError, match=match):
            open_measurement(product, "IW1", "VV").read(slice(None))

    def cut(path: Path) -> None:
        write_tiff(path)
        path.write_bytes(path.read_bytes()[:-1000])

    def wide(path: Path) -> None:
        with rasterio.open(
            path, "w", driver="GTiff", height=80, width=301, count=1, dtype="complex_int16"
        ) as tiff:
            tiff.write(np.zeros((80, 301), np.complex64), 1)

    refused(cut, "cut short|not a whole TIFF")
    refused(wide, "80 lines of 301 samples, but its annotation says 80 of 300")
    refused(lambda path: write_tiff(path, compress="deflate"), "not an uncompressed TIFF")
    refused(lambda path: write_tiff(path, dtype="complex64"), "complex 16-bit")
    refused(lambda path: path.write_bytes(b"<html>maintenance</html>"), "not a whole TIFF")
    refused(lambda path: path.write_bytes(b""), "not a whole TIFF")
    refused(lambda path: path.write_bytes(b"II*\0\xff\xff\xff\x7f"), "not a whole TIFF")
    refused(lambda path: None, "is missing; its pixels cannot be read")


def test_a_damaged_member_of_a_zip_is_told(make: Callable[..., Path]) -> None:
    path = make("deflated")
    content = bytearray(path.read_bytes())
    at = content.index(b".tiff") + 20_000
    content[at : at + 64] = bytes(64)
    path.write_bytes(content)
    with (
        pytest.raises(InputError, match=r"damaged|not a whole"),
        open_measurement(open_product(path), "IW1", "VV") as measured,
    ):
        measured.read(slice(None))


@pytest.fixture(scope="module")
def products(shared_data: Path) -> list[SafeProduct]:
    return [open_product(path) for path in sorted((shared_data / "sentinel1").glob("*.zip"))]


def _grid(one: Annotation) -> tuple[np.ndarray, np.ndarray]:
    return np.linspace(0, one.lines - 1, 7), np.linspace(0, one.samples - 1, 11)


def test_calibration_of_real_products(products: list[SafeProduct]) -> None:
    """A_beta is the same all over; A_sigma follows from it by the sine of the incidence angle."""
    for product in products:
        for channel in product.channels:
            one = product.annotation(*channel)
            tables = read_calibration(product, *channel)
            lines, samples = _grid(one)
            beta, sigma = tables.beta_nought(lines, samples), tables.sigma_nought(lines, samples)
            assert beta == pytest.approx(237.0, abs=0.1)
            # sigma0 = beta0 sin(incidence), so A_sigma = A_beta / sqrt(sin(incidence)).
            incidence = np.arcsin((beta / sigma) ** 2)
            grid = np.radians(one.geolocation_grid.incidence_angle_deg)
            # The grid's angle is that on mountains of up to 4 km.
            assert np.abs(incidence[3].min() - grid.min()) < np.radians(0.5)
            assert np.abs(incidence[3].max() - grid.max()) < np.radians(0.5)
            assert (np.diff(incidence[3]) > 0).all()
            gamma = tables.gamma(lines, samples)
            assert gamma == pytest.approx(sigma * np.sqrt(np.cos(incidence)), rel=1e-3)


def test_noise_of_real_products(products: list[SafeProduct]) -> None:
    for product in products:
        for channel in product.channels:
            lines, samples = _grid(product.annotation(*channel))
            noise = read_noise(product, *channel)
            power = noise(lines, samples)
            assert power.shape == (7, 11)
            assert np.isfinite(power).all()
            assert (power > 10).all()
            assert noise.azimuth is not None
            # Noise-equivalent sigma0 of Sentinel-1 is specified below -22 dB, off the edges.
            sigma = read_calibration(product, *channel).sigma_nought(lines, samples)
            assert (10 * np.log10(power / sigma**2)[:, 1:-1] < -22).all()


def test_noise_before_2018_has_no_azimuth(shared_data: Path, tmp_path: Path) -> None:
    source = min((shared_data / "sentinel1").glob("S1A*.zip"))
    with zipfile.ZipFile(source) as archive:
        archive.extractall(tmp_path)
    root = next(tmp_path.glob("*.SAFE"))
    file = next((root / "annotation" / "calibration").glob("noise-*iw1*.xml"))
    expected = read_noise(open_product(root), "IW1", "VV").range_table(
        np.array([100.0]), np.array([5000.0])
    )
    text = file.read_text()
    text = text[: text.index("<noiseAzimuthVectorList")] + "</noise>"
    for new, old in (
        ("noiseRangeVectorList", "noiseVectorList"),
        ("noiseRangeVector", "noiseVector"),
        ("noiseRangeLut", "noiseLut"),
    ):
        text = text.replace(new, old)
    file.write_text(text)
    noise = read_noise(open_product(root), "IW1", "VV")
    assert noise.azimuth is None
    assert noise(np.array([100.0]), np.array([5000.0])) == pytest.approx(expected)
    file.write_text(text.replace("<pixel count", "<pixel>0 1 2</pixel><pixels count", 1))
    with pytest.raises(InputError):
        read_noise(open_product(root), "IW1", "VV")
    file.unlink()
    with pytest.raises(InputError, match=r"noise-.* is missing"):
        read_noise(open_product(root), "IW1", "VV")


def test_the_old_processor_s_antenna_phase_is_known(shared_data: Path, tmp_path: Path) -> None:
    source = min((shared_data / "sentinel1").glob("S1A*.zip"))
    assert not open_product(source).lacks_elevation_pattern_phase
    with zipfile.ZipFile(source) as archive:
        archive.extractall(tmp_path)
    root = next(tmp_path.glob("*.SAFE"))
    manifest = root / "manifest.safe"
    new = open_product(root).ipf_version
    assert new is not None
    for version, lacks in (("002.36", True), ("002.43", False), ("2.10", True)):
        text = manifest.read_text().replace(f'version="{new}"', f'version="{version}"')
        manifest.write_text(text)
        assert open_product(root).lacks_elevation_pattern_phase is lacks
        new = version
