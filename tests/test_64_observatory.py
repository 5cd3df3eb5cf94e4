"""The main job through the real thing: it waits, goes on when an image comes, repeats nothing."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
import shapely
from shapely.geometry import box, mapping
from test_34_simulation import plan_of
from test_60_up import HTTP, System, until

from geobservatory.sandbox.compare import compare
from geobservatory.sandbox.profile import write_profile
from geobservatory.sandbox.scenario import Acquisition, find_scenario
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.world import WorldConfig, running
from geobservatory.sandbox.simulate import Simulated, simulate
from geobservatory.sentinel1.bursts import place_bursts
from geobservatory.sentinel1.safe import open_product

pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class World:
    """A sandbox of these days: the event was three days ago, the image after it two."""

    system: System
    made: Simulated
    folder: Path
    control: str
    event: datetime

    def set_clock(self, now: datetime) -> None:
        answer = requests.post(f"{self.control}/time", json={"now": now.isoformat()}, timeout=10)
        answer.raise_for_status()

    def show(self, identifier: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.system.json("show", identifier)
        return shown

    def in_state(self, identifier: str, state: str) -> dict[str, Any]:
        found: dict[str, Any] = until(
            lambda: (one := self.show(identifier))["state"] == state and one, 240
        )
        return found

    def artifact(self, key: str) -> str:
        address = f"{self.system.api}/artifacts/{key}/latest".lower()
        return str(HTTP.get(address, timeout=10).json()["data"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("observatory")
    today = datetime.now(UTC).replace(microsecond=0)
    scenario = find_scenario("al-haouz-2023")
    event = scenario.event.model_copy(update={"time": today - timedelta(days=3)})
    passing = scenario.passes[0]
    first = datetime.combine((today - timedelta(days=26)).date(), passing.time.timetz())
    scenario = scenario.model_copy(
        update={"event": event, "passes": (passing.model_copy(update={"time": first}),)}
    )
    dates = [Acquisition(days=12 * n, perpendicular_m=30.0 * n) for n in range(3)]
    plan = plan_of(scenario, *dates, bursts=2)
    made = simulate(plan, folder / "world", lambda lines: None)
    hubs = [CdseConfig(name="cdse")]
    start = event.time + timedelta(minutes=5)
    config = WorldConfig(products=folder / "world", hubs=hubs, start=start, speed=0)
    with running(config) as addresses:
        profile = write_profile(addresses, folder / "data", folder / "geobs.toml")
        orbits = folder / "orbits"
        orbits.mkdir()
        text = profile.read_text().replace('source = "glo30"', f'source = "{made.dem}"')
        text = text.replace("[orbits]\n", f'[orbits]\nfolder = "{orbits}"\nfetch = false\n')
        profile.write_text(text)
        system = System(folder)
        system.environment |= {"GEOBS_CONFIG": str(profile)}
        system.geobs("up", "--detach")
        yield World(system, made, folder, addresses["control"], event.time)
        system.geobs("down")


@pytest.fixture(scope="module")
def activation(world: World) -> str:
    """Trigger the event while only images from before it are published."""
    request = world.folder / "event.json"
    properties = {
        "event_type": "earthquake",
        "event_time": world.event.isoformat(),
        "latitude": 31.058,
        "longitude": -8.391,
        "magnitude": 6.8,
        "name": "Al Haouz",
    }
    # What the images see, so that two slices of a strip are worth a map.
    bursts = place_bursts(open_product(world.made.products[0]))
    area = mapping(box(*shapely.union_all([one.footprint for one in bursts]).bounds))
    request.write_text(json.dumps({"type": "Feature", "geometry": area, "properties": properties}))
    identifier = str(world.system.json("trigger", str(request))["id"])
    world.in_state(identifier, "waiting")
    return identifier


@pytest.fixture(scope="module")
def mapped(world: World, activation: str) -> str:
    """Have the image from after the event come, and its map made."""
    world.set_clock(datetime.now(UTC))
    # As a mirror would say it, or a hub's subscription; nobody waits for the schedule.
    published = {
        "id": str(uuid4()),
        "event": "geobservatory.product.published",
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": "geobservatory.product.S1A_IW_SLC"},
    }
    HTTP.post(f"{world.system.api}/events", json=[published], timeout=10).raise_for_status()
    world.in_state(activation, "complete")
    return activation


def test_what_is_not_there_yet_is_waited_for_and_said(world: World, activation: str) -> None:
    found = world.show(activation)
    assert "waits for track 52: an image from after the event" in found["reason"]
    # What can be made is made: the pair from before, where nothing moved.
    (quiet,) = found["interferograms"]
    assert (quiet["state"], quiet["pair_id"][:9]) == ("complete", "pre-event")
    assert "an image from after the event" in world.artifact(f"tracks-{activation}")
    assert '"track": 52' in world.artifact(f"passes-{activation}")
    page = Path(found["page"]).read_text()
    assert "Still to come" in page
    assert "Sees of the area" in page
    # Nothing has come: nothing is begun.
    before = len(world.system.flow_runs(activation))
    run = world.system.start_deployment("revisit-activations/revisit", {})
    until(lambda: _ended(world, run["id"]))
    assert len(world.system.flow_runs(activation)) == before


def test_an_image_that_comes_is_made_into_a_map(world: World, mapped: str) -> None:
    found = world.show(mapped)
    assert found["reason"] == "2 of 2 maps made"
    shown = next(one for one in found["interferograms"] if one["pair_id"].startswith("co-event"))
    assert shown["verdict"] in ("good", "usable with care")
    assert shown["version"] == 1
    # Provenance down to the checksums of what was read.
    about = shown["provenance"]
    assert about["flow_run_id"]
    assert all(len(digest) == 64 for digest in about["images"].values())
    (truth,) = (world.folder / "world").glob("truth-*")
    assert truth.is_dir()
    made = world.folder / "data" / "products" / shown["folder"]
    against = compare(made, world.folder / "world")
    assert abs(against.moved_mm) > 40
    assert against.error_mm < 3
    assert world.artifact(f"map-{mapped}-{shown['pair_id']}").startswith("data:image/jpeg")


@pytest.mark.slow
def test_again_nothing_is_made_that_is_there(world: World, mapped: str) -> None:
    before = _files(world)
    _retry(world, mapped)
    assert _files(world) == before


@pytest.mark.slow
def test_a_better_orbit_makes_a_version_that_supersedes(world: World, mapped: str) -> None:
    for orbit in world.made.orbits:
        (world.folder / "orbits" / orbit.name).write_bytes(orbit.read_bytes())
    _retry(world, mapped)
    found = world.show(mapped)
    versions = [(one["version"], one["state"]) for one in found["interferograms"]]
    assert sorted(versions) == [(1, "superseded")] * 2 + [(2, "complete")] * 2
    assert "-v2/" in Path(found["page"]).read_text()


@pytest.mark.slow
def test_what_was_damaged_is_made_again(world: World, mapped: str) -> None:
    before = _files(world)
    spoilt = next(name for name in before if name.endswith("-v2/los_displacement.tif"))
    (world.folder / "data" / "products" / spoilt).write_bytes(b"nothing")
    _retry(world, mapped)
    after = _files(world)
    assert after[spoilt] == before[spoilt]
    done = world.system.geobs("export", mapped, "--out", str(world.folder / "stick"))
    assert "index.html" in done.stdout


@pytest.mark.slow
def test_a_program_of_ones_own_makes_them_by_one_setting(world: World, mapped: str) -> None:
    """The engine is another; flow, products and metadata are the same."""
    native = _metadata(world, world.show(mapped))
    # A program that is not there is said before anything is fetched or made.
    _set_engine(world, ["no-such-program"])
    world.system.geobs("retry", mapped)
    until(lambda: world.show(mapped)["state"] != "complete", 240)
    found = world.in_state(mapped, "failed")
    assert "no-such-program is missing: install it" in json.dumps(found)
    program = Path(__file__).with_name("own_program.py")
    _set_engine(
        world,
        [sys.executable, str(program), "{inputs}", "{outputs}", "{work}",
         "--world", str(world.folder / "world"), "--positive", "toward"],
    )  # fmt: skip
    _retry(world, mapped)
    shown = world.show(mapped)
    made = _metadata(world, shown)
    assert made.keys() == native.keys()
    for pair, item in made.items():
        assert item["properties"].keys() == native[pair]["properties"].keys()
        assert item["assets"].keys() >= native[pair]["assets"].keys()
        assert item["properties"]["geobs:engine"] == "command"
    newest = [one for one in shown["interferograms"] if one["state"] == "complete"]
    assert {one["version"] for one in newest} == {3}
    for one in newest:
        against = compare(
            world.folder / "data" / "products" / one["folder"], world.folder / "world"
        )
        assert against.error_mm < 1
    assert "-v3/" in Path(shown["page"]).read_text()


def _set_engine(world: World, run: list[str]) -> None:
    profile = world.folder / "geobs.toml"
    text = profile.read_text().partition("[engine]")[0]
    profile.write_text(
        f"""{text}[engine]
name = "command"
[engine.command]
program = "own"
run = {json.dumps(run)}
[engine.command.outputs.wrapped_phase]
file = "wrapped.tif"
positive = "toward"
[engine.command.outputs.coherence]
file = "coherence.tif"
"""
    )


def _metadata(world: World, shown: dict[str, Any]) -> dict[str, Any]:
    """Give the metadata of the newest map of each pair."""
    products = world.folder / "data" / "products"
    return {
        one["pair_id"]: json.loads((products / one["folder"] / "metadata.json").read_text())
        for one in shown["interferograms"]
        if one["state"] == "complete"
    }


def _retry(world: World, activation: str) -> None:
    world.system.geobs("retry", activation)
    time.sleep(2)
    runs = world.system.flow_runs(activation)
    newest = max(runs, key=lambda one: one["created"])
    until(lambda: _ended(world, newest["id"]), 240)
    world.in_state(activation, "complete")


def _ended(world: World, run: str) -> bool:
    found = HTTP.get(f"{world.system.api}/flow_runs/{run}", timeout=10).json()
    assert found["state_type"] not in ("FAILED", "CRASHED"), found["state"]["message"]
    return bool(found["state_type"] == "COMPLETED")


def _files(world: World) -> dict[str, bytes]:
    """Give every layer that was published."""
    products = world.folder / "data" / "products"
    return {str(path.relative_to(products)): path.read_bytes() for path in products.rglob("*.tif")}
