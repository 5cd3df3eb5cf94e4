"""`geobs scene`, `geobs bursts` and `geobs baseline`, as a user types them."""

import json
from pathlib import Path

import pytest
from shapely.geometry import shape
from test_50_commands import geobs

AOI = "events/al-haouz-aoi.geojson"


@pytest.fixture(scope="module")
def paths(shared_data: Path) -> list[str]:
    return [str(path) for path in sorted((shared_data / "sentinel1").glob("*.zip"))]


def test_scene_says_what_it_is_and_what_it_lacks(paths: list[str], tmp_path: Path) -> None:
    out = tmp_path / "bursts.geojson"
    found = json.loads(geobs("scene", paths[0], "--json", "--geojson", str(out)).stdout)
    assert (found["relative_orbit"], found["direction"]) == (52, "descending")
    assert len(found["bursts"]) == 27
    assert found["bursts"][0]["id"] == "052_110431_IW1"
    features = json.loads(out.read_text())["features"]
    assert len(features) == 27
    assert all(shape(one["geometry"]).is_valid for one in features)
    assert list(tmp_path.glob(".*")) == []
    damaged = geobs("scene", paths[2]).stdout
    assert "s1b-iw3-slc-vv" in damaged
    assert "is missing" in damaged
    geobs("scene", paths[0], "--geojson", str(tmp_path / "nowhere" / "x.json"), ok=False)
    assert "no such file" in geobs("scene", "absent.SAFE", ok=False).stderr


def test_scene_checks_geometry(paths: list[str]) -> None:
    """The bars are 0.005 line and 1 mm, over every swath of every product."""
    for path in paths:
        checks = json.loads(geobs("scene", path, "--check-geometry", "--json").stdout)
        for one in checks["geometry_check"]:
            assert set(one) == {"swath", "polarisation", "azimuth_lines", "range_m"}
            assert one["azimuth_lines"] < 0.005
            assert one["range_m"] < 0.001


def test_baseline_of_the_pair(paths: list[str]) -> None:
    rows = json.loads(geobs("baseline", paths[0], paths[1], "--json").stdout)
    assert [one["swath"] for one in rows] == ["IW1", "IW2", "IW3"]
    for one in rows:
        assert 25 < one["perpendicular_least_m"] < one["perpendicular_m"]
        assert one["perpendicular_m"] < one["perpendicular_greatest_m"] < 32
        assert one["temporal_days"] == pytest.approx(12, abs=1e-5)
        assert -14 < one["parallel_m"] < -8
    assert "25.2 to 31.1 m" in geobs("baseline", paths[0], paths[1]).stdout
    assert "no common burst" in geobs("baseline", paths[0], paths[2], ok=False).stderr
    absent = geobs("baseline", paths[0], paths[1], "--orbits", "/nowhere", ok=False)
    assert "no such file or folder of orbit files" in absent.stderr


def test_bursts_over_an_area(paths: list[str], shared_data: Path, tmp_path: Path) -> None:
    aoi = str(shared_data / AOI)
    found = json.loads(geobs("bursts", paths[0], "--aoi", aoi, "--json").stdout)
    assert found["covered_fraction"] == 1
    assert len(found["bursts"]) == 9
    assert {one["swath"] for one in found["bursts"]} == {"IW1", "IW2"}
    assert "9 bursts meet the area and cover 100%" in geobs("bursts", paths[0], "--aoi", aoi).stdout
    assert "no burst" in geobs("bursts", paths[2], "--aoi", aoi, ok=False).stderr
    line = tmp_path / "line.geojson"
    line.write_text('{"type": "LineString", "coordinates": [[0, 0], [1, 1]]}')
    assert "must be" in geobs("bursts", paths[0], "--aoi", str(line), ok=False).stderr
    line.write_text('{"type": "Polygon"')
    assert "not JSON" in geobs("bursts", paths[0], "--aoi", str(line), ok=False).stderr
