"""The main job with SNAP or GAMMA behind it: from a request to a catalogued map, by stand-ins."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import shapely
import standins
from shapely.geometry import box, mapping
from standins.gamma_commands import install_gamma
from test_34_simulation import plan_of
from test_60_up import System, until

from geobservatory.sandbox.compare import compare
from geobservatory.sandbox.profile import write_profile
from geobservatory.sandbox.scenario import Acquisition, find_scenario
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.world import WorldConfig, running
from geobservatory.sandbox.simulate import simulate
from geobservatory.sentinel1.bursts import place_bursts
from geobservatory.sentinel1.safe import open_product

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(3000)]


@pytest.fixture(params=["snap", "gamma"])
def job(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[System, str, str, Path]]:
    """Run everything with one engine set, and trigger an event whose images are there."""
    name, today = str(request.param), datetime.now(UTC).replace(microsecond=0)
    scenario = find_scenario("al-haouz-2023")
    event = scenario.event.model_copy(update={"time": today - timedelta(days=8)})
    passing = scenario.passes[0]
    first = datetime.combine((today - timedelta(days=14)).date(), passing.time.timetz())
    scenario = scenario.model_copy(
        update={"event": event, "passes": (passing.model_copy(update={"time": first}),)}
    )
    dates = [Acquisition(days=12 * n, perpendicular_m=30.0 * n) for n in range(2)]
    made = simulate(plan_of(scenario, *dates, bursts=2), tmp_path / "world", lambda lines: None)
    (gpt,) = standins.install(tmp_path / "bin", "snap_gpt", ["gpt"])
    home = install_gamma(tmp_path / "GAMMA_SOFTWARE-20250625")
    (home / "products.txt").write_text(str(tmp_path / "world"))
    config = WorldConfig(
        products=tmp_path / "world", hubs=[CdseConfig(name="cdse")], start=today, speed=0
    )
    with running(config) as addresses:
        profile = write_profile(addresses, tmp_path / "data", tmp_path / "geobs.toml")
        (tmp_path / "orbits").mkdir()
        text = profile.read_text().replace('source = "glo30"', f'source = "{made.dem}"')
        text = text.replace(
            "[orbits]\n", f'[orbits]\nfolder = "{tmp_path / "orbits"}"\nfetch = false\n'
        )
        text = f'{text}\n[engine]\nname = "{name}"\n'.replace("[engine]\n\n[engine]", "[engine]")
        text += f'[engine.snap]\ngpt = "{gpt}"\nmemory_gb = 2\n[engine.gamma]\nhome = "{home}"\n'
        profile.write_text(text)
        system = System(tmp_path)
        system.environment |= {"GEOBS_CONFIG": str(profile)}
        system.geobs("up", "--detach")
        request_file = tmp_path / "event.json"
        bursts = place_bursts(open_product(made.products[0]))
        area = mapping(box(*shapely.union_all([one.footprint for one in bursts]).bounds))
        properties = {
            "event_type": "earthquake", "event_time": event.time.isoformat(), "magnitude": 6.8,
            "latitude": 31.058, "longitude": -8.391, "name": "Al Haouz",
        }  # fmt: skip
        request_file.write_text(
            json.dumps({"type": "Feature", "geometry": area, "properties": properties})
        )
        yield system, name, str(system.json("trigger", str(request_file))["id"]), tmp_path
        system.geobs("down")


def test_a_map_is_catalogued_whichever_engine_made_it(
    job: tuple[System, str, str, Path],
) -> None:
    system, name, identifier, folder = job

    def made() -> dict | None:
        shown = system.json("show", identifier)
        assert shown["state"] != "failed", shown
        found = [one for one in shown["interferograms"] if one["pair_id"].startswith("co-event")]
        assert all(one["state"] != "failed" for one in found), found
        return next((one for one in found if one["state"] == "complete"), None)

    one = until(made, 1500)
    (metadata,) = (folder / "data" / "products").rglob("metadata.json")
    about = json.loads(metadata.read_text())["properties"]
    assert about["geobs:engine"] == name
    assert one["verdict"] in ("good", "usable with care")
    compared = compare(metadata.parent, folder / "world")
    assert compared.error_mm < 3
    assert abs(compared.moved_mm) > 50
