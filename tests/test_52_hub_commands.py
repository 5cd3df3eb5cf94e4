"""`geobs hubs`, `search` and `fetch` as an operator types them, against the sandbox's hubs."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from hub_world import fault, make_products, world
from typer.testing import CliRunner

from console.main import load_commands
from geobservatory.errors import GeobservatoryError
from geobservatory.hubs.access import Hubs
from geobservatory.hubs.model import Query
from geobservatory.sandbox.profile import write_profile
from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.offers import OfferPolicy
from geobservatory.sandbox.servers.world import Addresses
from geobservatory.settings import load_settings

pytestmark = pytest.mark.one_database

HUBS = (
    DhusConfig(name="rolling"),
    CdseConfig(name="cdse"),
    AsfConfig(name="asf"),
    DhusConfig(name="archive", offer=OfferPolicy(offline_after_days=1, retrieval_s=0)),
)
AREA = {"type": "Polygon", "coordinates": [[[-9, 31], [-8, 31], [-8, 32], [-9, 32], [-9, 31]]]}


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands") / "products"
    make_products(folder, 5)
    return folder


@pytest.fixture
def addresses(products: Path) -> Iterator[Addresses]:
    """Serve a new world: what one test ordered from an archive, another has to order again."""
    with world(products, HUBS) as opened:
        yield opened


@pytest.fixture
def folder(
    addresses: Addresses, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Make a folder to work in, with the sandbox's hubs in its settings."""
    profile = write_profile(addresses, tmp_path / "data", tmp_path / "geobs.toml")
    monkeypatch.setenv("GEOBS_CONFIG", str(profile))
    monkeypatch.setenv("GEOBS_DATABASE_URL", database_url)
    monkeypatch.setenv("GEOBS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(load_commands(), list(arguments))


def test_search_prints_a_table_json_and_geojson(folder: Path) -> None:
    (folder / "area.json").write_text(json.dumps(AREA))
    asked = ("search", "--aoi", "area.json", "--start", "2023-09-01", "--end", "2023-09-20")
    result = run(*asked)
    assert result.exit_code == 0
    assert "2 images" in result.stdout
    for name in ("rolling", "archive", "cdse", "asf"):
        assert result.stdout.count(name) == 2
    assert "cdse: 2 products in" in result.stderr
    told = json.loads(run(*asked, "--json").stdout)
    assert len(told["scenes"]) == 2
    assert {one["hub"] for one in told["hubs"]} == {"rolling", "cdse", "asf", "archive"}
    assert all(one["failure"] is None for one in told["hubs"])
    collection = json.loads(run(*asked, "--geojson").stdout)
    assert collection["type"] == "FeatureCollection"
    assert collection["features"][0]["geometry"]["type"] == "Polygon"
    assert len(json.loads(run("search", "--hub", "cdse", "--json").stdout)["hubs"]) == 1


def test_search_says_who_failed_and_ends_with_3_when_all_did(
    folder: Path, addresses: Addresses
) -> None:
    with fault(addresses, "down", {"kind": "status", "code": 500}, hub="rolling"):
        result = run("search")
    assert result.exit_code == 0
    assert "rolling: 0 products in" in result.stderr
    assert "500" in result.stderr
    with fault(addresses, "down", {"kind": "maintenance"}):
        result = run("search")
    assert result.exit_code == 3
    assert "0 images" in result.stdout


def test_fetch_brings_explains_and_is_remembered(folder: Path, products: Path) -> None:
    names = [path.name.removesuffix(".zip") for path in sorted(products.glob("*T063730*"))][:2]
    explained = run("fetch", *names, "--explain")
    assert explained.exit_code == 0
    assert explained.stdout.count("MB/s (not known yet)") == 8
    assert "to be ordered from its long-term archive" in explained.stdout
    result = run("fetch", *names)
    assert result.exit_code == 0, result.stderr
    paths = [Path(line) for line in result.stdout.split()]
    for path, name in zip(paths, names, strict=True):
        assert path.name == f"{name}.SAFE.zip"
        assert path.read_bytes() == (products / f"{name}.zip").read_bytes()
    listed = {one["hub"]: one for one in json.loads(run("hubs", "--json").stdout)}
    assert sum(one["transfers"] for one in listed.values()) == 2
    assert listed["archive"]["asked"] >= 1
    table = run("hubs")
    assert "times well" in table.stdout
    # Again: they are here.
    assert run("fetch", *names).stdout == result.stdout


def test_fetch_from_tape_orders_and_waits(
    folder: Path, products: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geobservatory.hubs.access._ASK_AGAIN_S", 0.05)
    name = sorted(products.glob("*20220101*"))[0].name.removesuffix(".zip")
    result = run("fetch", name, "--from", "archive", "--out", str(folder / "here"))
    assert result.exit_code == 0, result.stderr
    assert "ordered from the long-term archive of archive" in result.stderr
    assert (folder / "here" / f"{name}.SAFE.zip").exists()


def test_one_that_cannot_be_had_does_not_stop_the_other(folder: Path, products: Path) -> None:
    name = sorted(products.glob("*20220101*"))[1].name.removesuffix(".zip")
    none = name[:-4] + "0000"
    result = run("fetch", none, name, "--json")
    assert result.exit_code == 1
    failed, fetched = json.loads(result.stdout)
    assert "no hub has it" in failed["failure"]
    assert fetched["failure"] is None
    assert Path(fetched["path"]).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fetch", "no-name"), "not the name of a Sentinel-1 product"),
        (("search", "--hub", "none"), "no hub is named"),
        (("search", "--name", "S1A' or true"), "neither a product's name"),
        (("search", "--start", "2023-02-01", "--end", "2023-01-01"), "is not before"),
        (("search", "--aoi", "none.json"), "none.json"),
    ],
)
def test_what_is_wrong_is_said(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, GeobservatoryError)
    assert message in str(result.exception)


def test_no_secret_in_any_log(
    folder: Path, addresses: Addresses, products: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With every library as talkative as it can be, and hubs that fail."""
    secret = "correct-horse-battery"
    profile = Path("geobs.toml")
    profile.write_text(profile.read_text().replace('"sandbox"\n', f'"{secret}"\n'))
    caplog.set_level(logging.DEBUG)
    hubs = Hubs(load_settings())
    hubs.search(Query())
    name = sorted(products.glob("*T063730*"))[0].name.removesuffix(".zip")
    with pytest.raises(GeobservatoryError) as raised:
        hubs.fetch(name, wait=lambda seconds: None, patience_s=3)
    assert secret not in str(raised.value)
    assert secret not in caplog.text
    assert len(caplog.text) > 100
