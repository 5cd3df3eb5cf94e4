"""The sandbox as a user meets it: its commands, its servers over a simulated scenario."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import rasterio
import requests
from sentinelsat import SentinelAPI
from test_34_simulation import plan_of
from test_50_commands import geobs

from geobservatory.insar.dem_files import make_dem
from geobservatory.sandbox.profile import write_profile
from geobservatory.sandbox.scenario import Acquisition, find_scenario
from geobservatory.sandbox.simulate import simulate
from geobservatory.sandbox.tiles import write_tiles
from geobservatory.sandbox.world import HEIGHT, STEP
from geobservatory.settings import load_settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulate a strip of a scenario, which takes seconds."""
    folder = tmp_path_factory.mktemp("served")
    scenario = find_scenario("al-haouz-2023")
    plan = plan_of(scenario, Acquisition(days=12), Acquisition(days=24))
    simulate(plan, folder, lambda lines: None)
    write_tiles(plan, folder / "dem")
    return folder


def test_list_and_simulate(tmp_path: Path) -> None:
    listed = json.loads(geobs("sandbox", "list", "--json").stdout)
    assert [one["name"] for one in listed] == ["al-haouz-2023", "amatrice-2016", "rift-opening"]
    assert "descending-52 (3 dates)" in geobs("sandbox", "list").stdout
    wrong = geobs("sandbox", "simulate", "atlantis", "--out", str(tmp_path), ok=False)
    assert "there are al-haouz-2023" in wrong.stderr
    wrong = geobs(
        "sandbox", "simulate", "rift-opening", "--pass", "x", "--out", str(tmp_path), ok=False
    )
    assert "descending-87" in wrong.stderr
    occupied = tmp_path / "file"
    occupied.write_text("")
    wrong = geobs("sandbox", "simulate", "rift-opening", "--out", str(occupied), ok=False)
    assert "cannot be written" in wrong.stderr


def test_serve_points_the_whole_system_at_itself(folder: Path, tmp_path: Path) -> None:
    """Start the command, read the profile it writes, and use every server in it."""
    script = (
        "import console.sandbox as s;"
        "s._simulate = s._write_tiles = lambda *a: [];"
        "from console.main import main; main()"
    )
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps([{"name": "m", "hub": "asf", "fault": {"kind": "maintenance"}}]))
    arguments = ["sandbox", "serve", "--folder", str(folder), "--speed", "0"]
    arguments += ["--faults", str(faults)]
    server = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ),
    )
    try:
        profile = folder / "geobs.toml"
        deadline = time.monotonic() + 60
        while not profile.exists() and time.monotonic() < deadline:
            assert server.poll() is None, server.stdout and server.stdout.read()
            time.sleep(0.1)
        os.environ["GEOBS_CONFIG"] = str(profile)
        settings = load_settings()
        _use(settings, folder, tmp_path)
    finally:
        os.environ.pop("GEOBS_CONFIG", None)
        server.send_signal(signal.SIGINT)
        output, _ = server.communicate(timeout=30)
    assert server.returncode == 0
    assert "2023-09-08 22:10 UTC" in output
    assert "stopped" in output


def test_the_profile_names_no_address_of_the_real_world(tmp_path: Path) -> None:
    """Not even where the sandbox has no such server: better nobody than somebody else."""
    path = write_profile({}, tmp_path / 'a "quoted" folder', tmp_path / "geobs.toml")
    document = tomllib.loads(path.read_text())
    assert document["data_dir"] == str(tmp_path / 'a "quoted" folder')
    sections = ("orbits", "dem", "feeds")
    values = [value for key in sections for value in document[key].values()]
    named = [value for value in values if isinstance(value, str) and "://" in value]
    assert len(named) == 7
    assert all("127.0.0.1" in value for value in named)


def test_tiles_past_the_antimeridian_are_read_back(tmp_path: Path) -> None:
    scenario = find_scenario("al-haouz-2023")
    event = scenario.event.model_copy(update={"longitude": 179.97, "latitude": 30.5, "sources": ()})
    plan = plan_of(
        scenario.model_copy(update={"event": event}), Acquisition(days=0), Acquisition(days=12)
    )
    paths = write_tiles(plan, tmp_path)
    names = {path.stem for path in paths}
    assert "Copernicus_DSM_COG_10_N30_00_E179_00_DEM" in names
    assert "Copernicus_DSM_COG_10_N30_00_W180_00_DEM" in names
    for path in paths:
        with rasterio.open(path) as tiff:
            assert -180.001 < tiff.bounds.left < 180
            west = 179 if "E179" in path.stem else -180
            assert tiff.bounds.left == pytest.approx(west, abs=0.001)


def _use(settings: object, folder: Path, tmp_path: Path) -> None:
    hubs = {hub.name: hub for hub in settings.hubs}  # type: ignore[attr-defined]
    assert set(hubs) == {"cdse", "rolling", "archive", "asf"}
    # One date is before the event, and so published; the other is a week away.
    names = {path.name.removesuffix(".SAFE.zip") for path in folder.glob("*.zip")}
    assert len(names) == 2
    early = min(names)
    answer = requests.get(
        f"{hubs['cdse'].address}/odata/v1/Products",
        params={"$filter": "Collection/Name eq 'SENTINEL-1'"},
        timeout=10,
    )
    found = [one["Name"] for one in answer.json()["value"]]
    assert found == [f"{early}.SAFE"]
    for name in ("rolling", "archive"):
        hub = hubs[name]
        api = SentinelAPI(hub.user, hub.password.get_secret_value(), hub.address)
        assert {one["title"] for one in api.query(platformname="Sentinel-1").values()} <= {early}
    down = requests.get(f"{hubs['asf'].address}/services/search/param", timeout=10)
    assert (down.status_code, down.headers["Content-Type"][:9]) == (200, "text/html")
    west, south = -8.45, 31.0
    dem = make_dem(
        settings.dem.source,  # type: ignore[attr-defined]
        (west, south, west + 0.1, south + 0.1),
        None,
        tmp_path,
        tiles_address=settings.dem.address,  # type: ignore[attr-defined]
        grids_address=settings.dem.grids_address,  # type: ignore[attr-defined]
    )
    plan = plan_of(find_scenario("al-haouz-2023"), Acquisition(days=12), Acquisition(days=24))
    rows = np.arange(8, 100, 7) + round((south - plan.world.latitude) / STEP)
    cols = np.arange(8, 100, 7) + round((west - plan.world.longitude) / STEP)
    truth = plan.world.layers[np.ix_(rows, cols, [HEIGHT])][..., 0]
    latitude = plan.world.latitude + rows * STEP
    longitude = plan.world.longitude + cols * STEP
    assert np.abs(dem.sample(latitude[:, None], longitude[None, :]) - truth).max() < 2e-3
    feeds = settings.feeds  # type: ignore[attr-defined]
    listed = requests.get(feeds.emsc_fdsn, params={"format": "json", "limit": 5}, timeout=10)
    assert listed.status_code in (200, 204)
    orbits = requests.get(f"{settings.orbits.address}/", params={"prefix": "AUX_"}, timeout=10)  # type: ignore[attr-defined]
    assert orbits.status_code == 200
