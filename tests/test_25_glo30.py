"""Copernicus GLO-30 over HTTP: what is land, what is sea, what is a failure, and what stays."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dem_bucket import CELLS, Bucket, geoid, geoid_grid, geotiff, plane, serving, truth_error
from rasterio.transform import Affine

from geobservatory.errors import InputError, TransientError
from geobservatory.fetch import cached, folder_name
from geobservatory.insar import geoid_grids, glo30
from geobservatory.insar.dem import Dem
from geobservatory.insar.dem_files import make_dem

# Four tiles about the crossing of 11° E and 45° N, away from their outer edges.
BOX = (10.2, 44.3, 11.8, 45.7)
_FETCH = """
import sys
from pathlib import Path
from geobservatory.fetch import cached
cached(sys.argv[1], Path(sys.argv[2]), lambda path: None, lambda seconds: None)
"""


def raised(longitude: Any, latitude: Any) -> Any:
    return plane(longitude, latitude) + geoid(longitude, latitude)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setattr(geoid_grids, "_folders", list)
    with serving(Bucket()) as bucket:
        bucket.put_grid(geoid_grid())
        yield bucket


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def heights(bucket: Bucket, cache: Path, waits: list[float]) -> Any:
    return partial(
        make_dem,
        "glo30",
        datum=None,
        cache=cache,
        tiles_address=f"{bucket.address}/",
        grids_address=f"{bucket.address}/",
        wait=waits.append,
    )


def put_four(bucket: Bucket) -> None:
    for west in (10, 11):
        for south in (44, 45):
            bucket.put_tile(west, south)


def tiles_in(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "glo30").rglob("*.tif"))


@pytest.mark.parametrize(
    ("west", "south"),
    [
        # The same spacing on both sides; 1" and 1.5"; 1.5" and 2", north and south of the equator;
        # the tiles named 0 and -1; the antimeridian.
        (10, 44),
        (10, 49),
        (10, 59),
        (10, -52),
        (-62, -61),
        (-1, -1),
        (179, 59),
    ],
)
def test_a_plane_goes_through_all_seams(
    bucket: Bucket, heights: Any, west: int, south: int
) -> None:
    for column in (west, west + 1):
        for row in (south, south + 1):
            bucket.put_tile(column, row)
    box = (west + 0.3, south + 0.2, west + 1.7, south + 1.8)
    dem: Dem = heights(bounds=box)
    assert truth_error(dem, raised, box) < 1e-3
    assert dem.known == 1 and dem.interpolated is None
    assert "EGM2008 heights raised by us_nga_egm08_25.tif" in dem.source
    assert glo30.tile_name(west, south) in dem.source


def test_one_tile_gives_its_own_cells_unchanged(bucket: Bucket, heights: Any) -> None:
    def rough(lon: Any, lat: Any) -> Any:
        return np.random.default_rng(3).normal(500, 100, np.broadcast(lon, lat).shape)

    bucket.put_tile(10, 44, rough)
    box = (10.3, 44.3, 10.4, 44.4)
    dem = heights(bounds=box)
    truth = rough(np.zeros((CELLS, CELLS)), np.zeros((CELLS, CELLS)))
    rows = np.round((45 - (dem.latitude - np.arange(7) / CELLS)) * CELLS).astype(int)
    cols = np.round((dem.longitude + np.arange(7) / CELLS - 10) * CELLS).astype(int)
    assert dem.heights.shape == (7, 7) and rows[0] == 36 and cols[0] == 18
    undulation = geoid(10 + cols[None, :] / CELLS, 45 - rows[:, None] / CELLS)
    np.testing.assert_allclose(dem.heights, truth[np.ix_(rows, cols)] + undulation, atol=1e-3)


def test_sea_is_the_geoid_and_marked(bucket: Bucket, heights: Any, cache: Path) -> None:
    # Land to the west of 11° E and north of 45° N; the rest has no tile.
    bucket.put_tile(10, 45, lambda lon, lat: 20 + 0 * lon * lat)
    dem: Dem = heights(bounds=BOX)
    lat, lon = np.meshgrid(np.linspace(44.3, 44.97, 50), np.linspace(11.02, 11.8, 50))
    np.testing.assert_allclose(dem.sample(lat, lon), geoid(lon, lat), atol=1e-3)
    assert dem.sample(45.5, 10.5) == pytest.approx(20 + geoid(10.5, 45.5), abs=1e-3)
    assert dem.known == 1 and dem.interpolated is not None
    lon = dem.longitude + dem.longitude_step * np.arange(dem.heights.shape[1])
    lat = dem.latitude + dem.latitude_step * np.arange(dem.heights.shape[0])
    # A tile has the meridian at its west and the parallel at its north.
    land = (lon[None, :] < 11 - 1e-9) & (lat[:, None] > 45 + 1e-9)
    np.testing.assert_array_equal(dem.interpolated, ~land)
    assert "sea: Copernicus_DSM_COG_10_N44_00_E010_00_DEM" in dem.source
    # Known from now on without asking.
    bucket.asked.clear()
    np.testing.assert_array_equal(heights(bounds=BOX).heights, dem.heights)
    assert bucket.asked == []


def test_the_coast_between_a_land_and_a_sea_tile_of_another_spacing(
    bucket: Bucket, heights: Any
) -> None:
    # South of 60° N cells are finer and give the grid; north of it land ends a cell short of 11° E.
    bucket.put_tile(10, 59, lambda lon, lat: 60 + 0 * lon * lat)
    bucket.put_tile(10, 60, lambda lon, lat: 60 + 0 * lon * lat)
    dem: Dem = heights(bounds=(10.4, 59.4, 11.6, 60.6))
    assert dem.longitude_step == pytest.approx(1.5 / CELLS)
    last, width = 11 - 2 / CELLS, 2 / CELLS
    lon = dem.longitude + dem.longitude_step * np.arange(dem.heights.shape[1])
    between = lon[(lon > last + 1e-9) & (lon < 11 - 1e-9)]
    assert between.size == 1
    slope = 60 * (11 - between) / width
    assert dem.sample(60.5, between) == pytest.approx(slope + geoid(between, 60.5), abs=1e-3)
    assert dem.interpolated is not None
    np.testing.assert_array_equal(dem.interpolated, np.broadcast_to(lon > 11 - 1e-9, (73, 49)))


def test_nothing_but_sea(bucket: Bucket, heights: Any) -> None:
    bucket.list_tile(100, 10)
    box = (-140.02, 55.0, -140.01, 55.01)
    dem = heights(bounds=box)
    assert truth_error(dem, geoid, box) < 1e-3 and dem.filled == 1
    assert dem.longitude_step == pytest.approx(1.5 / 3600)


def test_land_that_is_not_public_is_no_sea(bucket: Bucket, heights: Any) -> None:
    bucket.put_tile(43, 39)
    dem = heights(bounds=(43.5, 39.2, 44.5, 39.8))
    assert np.isnan(dem.sample(39.5, 44.3)) and dem.interpolated is None
    assert "not public, left unknown: Copernicus_DSM_COG_10_N39_00_E044_00_DEM" in dem.source
    with pytest.raises(InputError, match=r"no height in .* left unknown"):
        heights(bounds=(44.2, 39.2, 44.5, 39.8))
    # Should it be published one day, it is taken.
    bucket.put_tile(45, 39)
    assert heights(bounds=(45.2, 39.2, 45.5, 39.8)).known == 1


def test_a_listed_tile_that_is_missing_is_no_sea(bucket: Bucket, heights: Any) -> None:
    put_four(bucket)
    del bucket.files[f"/{glo30.tile_name(11, 44)}/{glo30.tile_name(11, 44)}.tif"]
    with pytest.raises(InputError, match=r"N44_00_E011.*404.*tileList\.txt names it"):
        heights(bounds=BOX)


def test_a_tile_that_the_list_forgot_is_no_sea(bucket: Bucket, heights: Any) -> None:
    put_four(bucket)
    bucket.files["/tileList.txt"] = f"{glo30.tile_name(10, 44)}\n".encode()
    assert truth_error(heights(bounds=BOX), raised, BOX) < 1e-3


@pytest.mark.parametrize("listed", [True, False])
def test_a_busy_server_is_no_sea(
    bucket: Bucket, heights: Any, waits: list[float], cache: Path, listed: bool
) -> None:
    path = bucket.put_tile(10, 44, listed=listed)
    bucket.list_tile(50, 50)
    box = (10.3, 44.3, 10.6, 44.6)
    bucket.faults[path] = [503] * 5
    with pytest.raises(TransientError, match=r"503 .*gave up after 5 attempts"):
        heights(bounds=box)
    assert len(waits) == 4 and tiles_in(cache) == []
    bucket.faults[path] = [500, 503]
    waits.clear()
    assert truth_error(heights(bounds=box), raised, box) < 1e-3
    assert len(waits) == 2 and 0.5 <= waits[0] <= 1.5 and 1 <= waits[1] <= 3


def test_waits_as_long_as_the_server_asks(bucket: Bucket, heights: Any, waits: list[float]) -> None:
    path = bucket.put_tile(10, 44)
    bucket.headers["Retry-After"] = "17"
    bucket.faults[path] = [429]
    heights(bounds=(10.3, 44.3, 10.6, 44.6))
    assert waits == [17]


def test_a_server_that_refuses_is_not_asked_again(
    bucket: Bucket, heights: Any, waits: list[float]
) -> None:
    path = bucket.put_tile(10, 44)
    bucket.faults[path] = [403]
    with pytest.raises(InputError, match="403"):
        heights(bounds=(10.3, 44.3, 10.6, 44.6))
    assert waits == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: [body[: len(body) // 2]], r"bytes|IncompleteRead"),
        (lambda body: [body[:400], bytes(20), body[420:]], "MD5"),
    ],
)
def test_a_damaged_body_is_fetched_again(
    bucket: Bucket, heights: Any, waits: list[float], cache: Path, change: Any, message: str
) -> None:
    path = bucket.put_tile(10, 44)
    box = (10.3, 44.3, 10.6, 44.6)
    bucket.faults[path] = [change] * 5
    with pytest.raises(TransientError, match=message):
        heights(bounds=box)
    assert [p for p in cache.rglob("*") if "E010" in p.name] == []
    bucket.faults[path] = [change]
    assert truth_error(heights(bounds=box), raised, box) < 1e-3
    assert tiles_in(cache) == [f"{glo30.tile_name(10, 44)}.tif"]


def wrong_place() -> bytes:
    return geotiff(np.zeros((60, 60)), Affine(1 / 60, 0, 10, 0, -1 / 60, 45), "EPSG:4326")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>please log in</html>", "cannot be read"),
        # Its cells half a cell off: edges, not centres, on whole degrees.
        (wrong_place(), "its cells are not those of"),
    ],
)
def test_what_is_no_such_tile_is_not_kept(
    bucket: Bucket, heights: Any, cache: Path, content: bytes, message: str
) -> None:
    bucket.files[bucket.put_tile(10, 44)] = content
    with pytest.raises(TransientError, match=message):
        heights(bounds=(10.3, 44.3, 10.6, 44.6))
    assert tiles_in(cache) == []


def test_a_damaged_cache_is_fetched_again(bucket: Bucket, heights: Any, cache: Path) -> None:
    path = bucket.put_tile(10, 44)
    box = (10.3, 44.3, 10.6, 44.6)
    first = heights(bounds=box)
    kept = cache / "glo30" / folder_name(bucket.address) / Path(path).name
    assert kept.with_name(kept.name + ".sha256").read_text().endswith(f"  {kept.name}\n")
    for damage in (
        lambda: kept.write_bytes(kept.read_bytes()[:-1]),
        lambda: kept.with_name(kept.name + ".sha256").unlink(),
        kept.unlink,
    ):
        damage()
        bucket.asked.clear()
        np.testing.assert_array_equal(heights(bounds=box).heights, first.heights)
        assert bucket.asked == [path]
    # Without a server what is kept is enough.
    bucket.files.clear()
    np.testing.assert_array_equal(heights(bounds=box).heights, first.heights)


def test_two_servers_do_not_share_a_folder() -> None:
    assert folder_name("https://copernicus-dem-30m.s3.amazonaws.com") == (
        "copernicus-dem-30m.s3.amazonaws.com"
    )
    assert folder_name("http://me:secret@127.0.0.1:8080/dem/") == "127.0.0.1-8080-dem"


def test_killed_while_fetching_leaves_no_half_file(bucket: Bucket, tmp_path: Path) -> None:
    path = bucket.put_tile(10, 44)
    url, kept = bucket.address + path, tmp_path / "tile.tif"
    half_sent, go_on = threading.Event(), threading.Event()

    def stall(body: bytes) -> Iterator[bytes]:
        yield body[: len(body) // 2]
        half_sent.set()
        go_on.wait(60)

    bucket.faults[path] = [stall]
    process = subprocess.Popen([sys.executable, "-c", _FETCH, url, str(kept)])
    assert half_sent.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    go_on.set()
    assert not kept.exists()
    # What it left beside is cleared when old, and the file comes.
    part = tmp_path / ".tile.tif.1.abc.part"
    part.write_bytes(b"half")
    os.utime(part, (0, 0))
    cached(url, kept, lambda path: None, lambda seconds: None)
    assert kept.read_bytes() == bucket.files[path] and not part.exists()


def test_two_processes_fetch_at_once(bucket: Bucket, tmp_path: Path) -> None:
    path = bucket.put_tile(10, 44)
    url, kept = bucket.address + path, tmp_path / "tile.tif"
    both = threading.Barrier(2)

    def together(body: bytes) -> list[bytes]:
        both.wait(60)
        return [body]

    bucket.faults[path] = [together, together]
    processes = [subprocess.Popen([sys.executable, "-c", _FETCH, url, str(kept)]) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tile.tif", "tile.tif.sha256"]
    bucket.asked.clear()
    cached(url, kept, lambda path: None, lambda seconds: None)
    assert bucket.asked == []


def test_what_is_no_bucket(bucket: Bucket, heights: Any, waits: list[float]) -> None:
    with pytest.raises(InputError, match="is no bucket of GLO-30 tiles"):
        heights(bounds=BOX)
    bucket.files["/tileList.txt"] = b"<html>welcome</html>"
    with pytest.raises(TransientError, match="no list of GLO-30 tiles"):
        heights(bounds=BOX)


def test_glo30_has_its_own_datum(bucket: Bucket, heights: Any) -> None:
    with pytest.raises(InputError, match=r"dem\.datum is EGM96, but glo30 is EGM2008"):
        heights(bounds=BOX, datum="EGM96")
    put_four(bucket)
    assert heights(bounds=BOX, datum="EGM2008").known == 1


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        ((10.2, 44.3, 10.8, 44.7), [(10, 44)]),
        # A tile ends a cell short of the next: the last cell needed is the next tile's.
        ((10.2, 44.3, 10.9999, 44.7), [(10, 44), (11, 44)]),
        ((10.0, 44.0, 10.5, 44.5), [(10, 43), (10, 44)]),
        ((10.2, 44.00001, 10.5, 45.0), [(10, 43), (10, 44)]),
        ((179.5, -0.5, 180.5, -0.2), [(179, -1), (180, -1)]),
        ((10.2, 89.5, 10.5, 90), [(10, 89)]),
        ((10.2, -90, 10.5, -89.5), [(10, -90)]),
    ],
)
def test_the_tiles_of_a_box(box: Any, wanted: list[tuple[int, int]]) -> None:
    assert list(glo30.tiles(box)) == wanted


def test_names_and_spacings() -> None:
    assert glo30.tile_name(-9, 30) == "Copernicus_DSM_COG_10_N30_00_W009_00_DEM"
    assert glo30.tile_name(180, -1) == "Copernicus_DSM_COG_10_S01_00_W180_00_DEM"
    assert glo30.tile_name(0, 0) == "Copernicus_DSM_COG_10_N00_00_E000_00_DEM"
    seconds = {0: 1, 49: 1, 50: 1.5, 60: 2, 70: 3, 80: 5, 85: 10, -50: 1, -51: 1.5, -61: 2, -90: 10}
    assert {s: round(glo30.longitude_step(s) * 3600, 9) for s in seconds} == seconds
    assert sum(map(len, glo30._WITHHELD.values())) == 25
