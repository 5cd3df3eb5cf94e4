"""The geoid: against the values NGA published, and grids from wherever they come."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dem_bucket import Bucket, geoid, geoid_grid, raster, serving, written

from geobservatory.errors import InputError, TransientError
from geobservatory.fetch import folder_name
from geobservatory.insar import geoid_grids
from geobservatory.insar.geoid import Geoid, read_geoid
from geobservatory.insar.geoid_grids import GRIDS_ADDRESS, load_geoid


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No grid on this machine."""
    monkeypatch.setattr(geoid_grids, "_folders", list)


@pytest.fixture(scope="module")
def egm96(tmp_path_factory: pytest.TempPathFactory) -> Geoid:
    pytest.importorskip("dem_stitcher", reason="the EGM96 grid comes with dem-stitcher")
    return load_geoid("EGM96", tmp_path_factory.mktemp("none"), GRIDS_ADDRESS, print)


@pytest.mark.parametrize(
    ("latitude", "longitude", "published"),
    [
        # NGA's F477 with the model's coefficients: OUTPUT.DAT beside the program.
        (38.6281550, 269.7791550, -31.628),
        (-14.6212170, 305.0211140, -2.969),
        (46.8743190, 102.4487290, -43.575),
        (-23.6174460, 133.8747120, 15.871),
        (38.6254730, 359.9995000, 50.066),
        (-0.4667440, 0.0023000, 17.329),
    ],
)
def test_egm96_is_nga_s(egm96: Geoid, latitude: float, longitude: float, published: float) -> None:
    assert egm96.undulation(latitude, longitude) == pytest.approx(published, abs=0.0035)
    assert egm96.undulation(latitude, longitude - 360) == pytest.approx(published, abs=0.0035)


def test_between_nodes_it_is_nearer_than_straight_lines(egm96: Geoid) -> None:
    # Every other node taken out, the rest restores them: 0.072 m rms where lines give 0.206 m.
    # (With all its nodes the grid is some twenty times better than this.)
    nodes = egm96.undulations.astype(float)
    half = Geoid("EGM96", egm96.undulations[::2, ::2].copy(), egm96.longitude, "every other node")
    lat, lon = 90 - 0.25 * np.arange(1, 720, 2), -180 + 0.25 * np.arange(1, 1439, 2)
    truth = nodes[1::2, 1:1439:2]
    curved = half.undulation(lat[:, None], lon[None, :]) - truth
    corners = nodes[::2, ::2]
    straight = (corners[:-1, :-1] + corners[1:, :-1] + corners[:-1, 1:] + corners[1:, 1:]) / 4
    weights = np.broadcast_to(np.cos(np.radians(lat))[:, None], truth.shape)
    assert np.sqrt(np.average(curved**2, weights=weights)) == pytest.approx(0.072, abs=0.002)
    rms_straight = np.sqrt(np.average((straight - truth) ** 2, weights=weights))
    assert rms_straight == pytest.approx(0.206, abs=0.002)


@pytest.mark.parametrize(("step", "first"), [(2.0, -180.0), (2.0, 0.0), (1.0, -180.0)])
def test_a_smooth_field_is_restored(tmp_path: Path, step: float, first: float) -> None:
    read = read_geoid(written(tmp_path / "g.tif", geoid_grid(step, first)), "EGM2008")
    rng = np.random.default_rng(5)
    # Right up to the poles, where the meridian goes on on the other side, and round every turn.
    lat = np.concatenate([rng.uniform(-90, 90, 2000), [90, 90, -90, 89.999, -89.999]])
    lon = np.concatenate([rng.uniform(-540, 540, 2000), [0, 77, 180, 12, 359.9999]])
    assert np.abs(read.undulation(lat, lon) - geoid(lon, lat)).max() < 3e-5
    assert read.undulation(np.zeros((3, 1)), np.zeros((1, 4))).shape == (3, 4)


def test_a_grid_may_repeat_its_first_column_and_hold_points_or_areas(tmp_path: Path) -> None:
    plain = read_geoid(written(tmp_path / "a.tif", geoid_grid()), "EGM96")
    for changes in ({"shape": (91, 181)}, {"tags": {"AREA_OR_POINT": "Point"}}):
        given: dict[str, Any] = {"shape": (91, 180), **changes}
        content = raster(-180, 90, (2.0, 2.0), surface=geoid, **given)
        other = read_geoid(written(tmp_path / "b.tif", content), "EGM96")
        assert other.undulations.shape == (91, 180)
        np.testing.assert_array_equal(other.undulations, plain.undulations)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no raster", "cannot be read"),
        (raster(-180, 90, (2, 2), (80, 180), geoid), "pole to pole"),
        (raster(-180, 90, (2, 2), (91, 90), geoid), "all the way round"),
        (raster(-180, 89, (2, 2), (90, 180), geoid), "pole to pole"),
        (raster(-180, 90, (2, 2), (91, 180), lambda x, y: 9 * y + 0 * x), "±150 m"),
        (raster(-180, 90, (2, 2), (91, 180), lambda x, y: x * np.nan + y), "±150 m"),
    ],
)
def test_what_is_no_grid_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_geoid(written(tmp_path / "g.tif", content), "EGM96")


def test_a_grid_in_proj_s_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geoid_grids, "get_user_data_dir", lambda: str(tmp_path / "proj"))
    written(tmp_path / "proj/egm08_25.gtx", geoid_grid())
    found = load_geoid("EGM2008", tmp_path / "cache", GRIDS_ADDRESS, print)
    assert found.model == "EGM2008" and found.source == "egm08_25.gtx"
    with pytest.raises(InputError, match="EGM84 is no known geoid"):
        load_geoid("EGM84", tmp_path, GRIDS_ADDRESS, print)


def test_a_grid_is_fetched_once_and_checked(tmp_path: Path, nowhere: None) -> None:
    with serving(Bucket()) as bucket:
        bucket.put_grid(geoid_grid())
        first = load_geoid("EGM2008", tmp_path, bucket.address, print)
        again = load_geoid("EGM2008", tmp_path, bucket.address, print)
        assert bucket.asked == ["/files.geojson", "/us_nga_egm08_25.tif"]
        np.testing.assert_array_equal(first.undulations, again.undulations)
        assert again.undulation(10, 20) == pytest.approx(geoid(20, 10), abs=3e-5)
        # Damaged in the cache: fetched anew, against the list as it is now.
        path = tmp_path / "grids" / folder_name(bucket.address) / "us_nga_egm08_25.tif"
        path.write_bytes(path.read_bytes()[:-7])
        bucket.put_grid(geoid_grid(step=1.0))
        assert load_geoid("EGM2008", tmp_path, bucket.address, print).undulations.shape == (
            181,
            360,
        )


def test_a_grid_that_cannot_be_had(tmp_path: Path, nowhere: None) -> None:
    waits: list[float] = []
    with serving(Bucket()) as bucket:
        with pytest.raises(InputError, match=r"pyproj sync --file us_nga_egm08_25\.tif"):
            load_geoid("EGM2008", tmp_path, bucket.address, waits.append)
        bucket.put_grid(geoid_grid())
        with pytest.raises(InputError, match=r"does not list us_nga_egm96_15\.tif"):
            load_geoid("EGM96", tmp_path, bucket.address, waits.append)
        assert waits == []
        # Not what the list says it is.
        bucket.files["/us_nga_egm08_25.tif"] = geoid_grid(step=1.0)
        with pytest.raises(TransientError, match="SHA-256 is not"):
            load_geoid("EGM2008", tmp_path, bucket.address, waits.append)
        assert len(waits) == 4 and not list(tmp_path.rglob("*.tif"))
        address = bucket.address
    with pytest.raises(TransientError, match=r"or put us_nga_egm08_25\.tif into"):
        load_geoid("EGM2008", tmp_path, address, waits.append)
