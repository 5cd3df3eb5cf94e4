"""`geobs pairs` and `geobs passes`: of a file without network, and of the hubs."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import shapely
from hub_world import make_products, world
from shapely.geometry import mapping
from test_41_pairs import AREA, SLICE, cycles
from test_50_commands import EVENT as REQUEST
from typer.testing import CliRunner

from console.main import load_commands
from geobservatory.errors import GeobservatoryError
from geobservatory.hubs.model import Product
from geobservatory.pairs.scenes_file import direction_at
from geobservatory.sandbox.profile import write_profile
from geobservatory.sandbox.servers.cdse import CdseConfig

pytestmark = pytest.mark.one_database


def feature(product: Product, **more: Any) -> dict[str, Any]:
    properties = {"name": product.name, **more}
    return {"type": "Feature", "geometry": mapping(SLICE), "properties": properties}


def run(*arguments: str) -> Any:
    return CliRunner().invoke(load_commands(), list(arguments))


@pytest.fixture
def event(tmp_path: Path) -> str:
    path = tmp_path / "event.json"
    geometry = {"geometry": mapping(AREA)}
    path.write_text(json.dumps({**REQUEST, **geometry}))
    return str(path)


def scenes(folder: Path, features: list[dict[str, Any]]) -> str:
    path = folder / "scenes.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def test_pairs_of_a_file(event: str, tmp_path: Path) -> None:
    images = cycles(-16.6, -4.6, 7.4)
    path = scenes(tmp_path, [feature(one) for one in images])
    answer = run("pairs", event, "--scenes", path, "--json")
    assert answer.exit_code == 0, answer.output
    (pair,) = json.loads(answer.stdout)
    assert set(pair) == {
        "kind", "relative_orbit", "direction", "reference", "secondary", "reason"
    }  # fmt: skip
    assert (pair["kind"], pair["relative_orbit"], pair["direction"]) == (
        "co-event",
        52,
        "descending",
    )
    assert (pair["reference"], pair["secondary"]) == ([images[1].name], [images[2].name])
    more = run("pairs", event, "--scenes", path, "--json", "--pre-event", "--alternatives", "1")
    assert [one["kind"] for one in json.loads(more.stdout)] == ["co-event", "co-event", "pre-event"]
    shown = run("pairs", event, "--scenes", path)
    assert "track 52, descending, 100% of the area" in shown.stdout


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"type": "Feature", "geometry": mapping(SLICE), "properties": {}}, "properties.name"),
        (
            {"type": "Feature", "geometry": None, "properties": {"name": cycles(1)[0].name}},
            "missing",
        ),
        (
            {"type": "Feature", "geometry": mapping(SLICE), "properties": {"name": "image"}},
            "name of a",
        ),
        (feature(cycles(1)[0], direction="sideways"), "sideways"),
        (feature(cycles(1)[0], relative_orbit="x"), "features"),
    ],
)
def test_scenes_that_are_none(event: str, tmp_path: Path, broken: dict, said: str) -> None:
    path = scenes(tmp_path, [feature(cycles(-4)[0]), broken])
    answer = run("pairs", event, "--scenes", path)
    assert isinstance(answer.exception, GeobservatoryError), answer.exception
    assert "scenes.geojson: features[1]" in str(answer.exception)
    assert said in str(answer.exception)


def test_directions_as_the_mission_had_them(shared_data: Path) -> None:
    quakes = json.loads((shared_data / "pairs" / "coseismic-pairs.json").read_text())
    for pair in (pair for quake in quakes for pair in quake["pairs"]):
        time = datetime.strptime(pair["pre"][0][17:32], "%Y%m%dT%H%M%S")  # noqa: DTZ007
        longitude = shapely.geometry.shape(pair["product_outline"]).centroid.x
        assert direction_at(time, longitude) == pair["direction"].lower()


def test_pairs_and_passes_of_hubs(
    event: str, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_products(tmp_path / "products", 0)
    with world(tmp_path / "products", (CdseConfig(name="cdse"),)) as addresses:
        profile = write_profile(addresses, tmp_path / "data", tmp_path / "geobs.toml")
        monkeypatch.setenv("GEOBS_CONFIG", str(profile))
        monkeypatch.setenv("GEOBS_DATABASE_URL", database_url)
        answer = run("pairs", event, "--json")
        assert answer.exit_code == 0, answer.output
        found = json.loads(answer.stdout)
        assert found and {one["relative_orbit"] for one in found} == {52}
        asked = ("--lat", "31.5", "--lon", "-8.5", "--after", "2023-09-10")
        (first, *_) = json.loads(run("passes", *asked, "--json").stdout)
        assert first["relative_orbit"] == 52
        assert first["time"].startswith("2023-09-16")
        assert "2023-09-16" in run("passes", *asked).stdout


def test_without_a_hub_it_is_said(event: str, database_url: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("GEOBS_DATABASE_URL", database_url)
    answer = run("passes", "--lat", "31", "--lon", "-8")
    assert "no hub is configured" in str(answer.exception)
