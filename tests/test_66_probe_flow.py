"""Probing as it runs: the flow under a real Prefect server, and the commands, at real hubs."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
import requests
from click.testing import Result
from hub_world import fault, make_products, world
from typer.testing import CliRunner

from console.main import load_commands
from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.deliveries import Delivered
from geobservatory.catalog.measurements import Kind, Measured
from geobservatory.errors import ConfigurationError, InputError
from geobservatory.probing.prober import Prober
from geobservatory.sandbox.profile import write_profile
from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.world import Addresses
from geobservatory.settings import load_settings
from geobservatory.transfer.slots import CatalogSlots

pytestmark = [pytest.mark.one_database, pytest.mark.server, pytest.mark.timeout(600)]

HUBS = (DhusConfig(name="rolling"), CdseConfig(name="cdse", linger_s=0.1), AsfConfig(name="asf"))
ALL = [Kind.SEARCH, Kind.METADATA, Kind.TRANSFER, Kind.INTEGRITY, Kind.WINDOW]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    products = tmp_path_factory.mktemp("probed")
    make_products(products)
    with world(products, HUBS) as served:
        yield served


@pytest.fixture
def catalog(
    addresses: Addresses, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Catalog]:
    """Open the catalogue that the settings name, with the sandbox's hubs in them."""
    profile = write_profile(addresses, tmp_path / "data", tmp_path / "geobs.toml")
    monkeypatch.setenv("GEOBS_CONFIG", str(profile))
    monkeypatch.setenv("GEOBS_DATABASE_URL", database_url)
    monkeypatch.setenv("GEOBS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("GEOBS_PROBING__LIMIT_S", "10")
    monkeypatch.setenv("GEOBS_PROBING__SAMPLE_MB", "0.1")
    monkeypatch.chdir(tmp_path)
    with open_catalog(database_url) as opened:
        know(opened)
        yield opened


def know(catalog: Catalog) -> None:
    """Let the catalogue know what hubs published yesterday: of these a product is asked for.

    The world's products were published years ago.
    """
    from geobservatory.hubs.connectors import connect
    from geobservatory.hubs.model import Query

    settings = load_settings()
    for hub in settings.hubs:
        connector = connect(hub, settings.data_dir)
        query = Query(product_type=None, mode=None)
        catalog.record_offers([one for page in connector.search(query) for one in page])
    from sqlalchemy import text

    with catalog.engine.begin() as connection:
        connection.execute(text("UPDATE offers SET published_at = now() - interval '1 day'"))


def measured(catalog: Catalog, hub: str) -> list[Measured]:
    return catalog.measurements(hub, list(Kind), datetime.now(UTC) - timedelta(hours=1))


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(folder))
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=120):
            yield


@pytest.mark.usefixtures("prefect")
def test_a_hub_that_hangs_holds_up_no_other_in_the_flow(
    catalog: Catalog, addresses: Addresses, tmp_path: Path
) -> None:
    """It is asked three times, ten seconds each, and the others are done meanwhile."""
    from prefect.artifacts import Artifact

    from flows.probing import probe_hubs

    def done(hub: str) -> bool:
        return {one.kind for one in measured(catalog, hub)} >= set(ALL)

    failed: list[BaseException] = []

    def run() -> None:
        try:
            probe_hubs()
        except BaseException as error:
            failed.append(error)
            raise

    # What the portal delivered long ago is summed up by the way.
    now = datetime.now(UTC)
    for days in (100, 1):
        catalog.record_delivery(
            Delivered("S1A_one", "", "ada", "archive", now - timedelta(days=days), 1, 1, 7, "whole")
        )
    with fault(addresses, "hang", {"kind": "latency", "seconds": 30}, hub="rolling"):
        thread = Thread(target=run)
        thread.start()
        deadline = time.monotonic() + 300
        while not (done("cdse") and done("asf")):
            assert thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.2)
        # What was measured of a hub is written when its round is over.
        assert measured(catalog, "rolling") == []
        thread.join()
    assert failed == []
    assert [(one.kind, one.cause) for one in measured(catalog, "rolling")] == [
        (Kind.SEARCH, "hung")
    ] * 3
    told = Artifact.get("hubs")
    assert told is not None and told.data is not None
    rows = {one["hub"]: one for one in json.loads(str(told.data))}
    assert rows["cdse"]["state"] == "well" and rows["cdse"]["as checksums say"] == "100.00%"
    assert rows["cdse"]["online"] == "100.00%"
    assert rows["rolling"]["answers"] == "0.00%" and rows["rolling"]["download"] == ""
    published = Artifact.get("hubs-published")
    assert published is not None and published.data is not None
    counted = [one for one in json.loads(str(published.data)) if one["hub"] == "cdse"]
    assert [(one["type"], one["published"]) for one in counted] == [("SLC", 3)]
    page = (tmp_path / "data" / "products" / "hubs" / "index.html").read_text()
    assert "<td>rolling</td>" in page
    assert len(catalog.deliveries(now - timedelta(days=200))) == 1
    found = catalog.numbers(now.date() - timedelta(days=200), now.date()).scenes
    assert sum(one.count for one in found) == 2 and sum(one.bytes for one in found) == 14


def run(*arguments: str) -> Result:
    return CliRunner().invoke(load_commands(), list(arguments))


def test_the_commands_probe_and_tell(catalog: Catalog) -> None:
    result = run("probe", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["problems"]) == (0, []), result.output
    by_hub: dict[str, set[str]] = {}
    for one in told["measured"]:
        by_hub.setdefault(one["hub"], set()).add(one["kind"])
    usual = {kind.value for kind in ALL}
    assert by_hub["rolling"] >= usual and by_hub["cdse"] >= usual | {"token", "online"}
    assert by_hub["asf"] >= usual | {"token", "online"}
    assert "MB/s" in run("probe", "cdse", "--kind", "transfer", "--kind", "search").stdout
    assert run("probe", "cdse", "--due").exit_code == 0
    assert isinstance(run("probe", "cdse", "--kind", "nonsense").exception, InputError)
    assert isinstance(run("probe", "nowhere").exception, ConfigurationError) or (
        "no hub is named" in run("probe", "nowhere").output
    )
    compared = run("hubs", "--compare").stdout
    for word in ("first byte", "online", "checksums", "cdse", "100.0%"):
        assert word in compared
    history = run("hubs", "--history", "--days", "3").stdout
    assert "3 SLC" in history
    (cdse,) = [
        one
        for one in json.loads(run("hubs", "--compare", "--json").stdout)["hubs"]
        if one["hub"] == "cdse"
    ]
    assert cdse["online"]["share"] == cdse["integrity"]["share"] == 1.0
    assert cdse["types"]["SLC"]["published"] == 3
    assert cdse["types"]["SLC"]["downloads"]["asked"] == cdse["downloads"]["asked"] > 0
    assert cdse["types"]["SLC"]["first_byte_s"]["count"] > 0
    assert sum(day["published"].get("SLC", 0) for day in cdse["days"]) == 3


def test_what_fails_ends_with_three(catalog: Catalog, addresses: Addresses) -> None:
    with fault(addresses, "ill", {"kind": "maintenance"}, hub="rolling"):
        result = run("probe", "rolling", "--kind", "search")
    assert result.exit_code == 3
    assert "broken" in result.stdout


def downloads(addresses: Addresses, hub: str) -> int:
    told = requests.get(f"{addresses['control']}/requests", timeout=10).json()[hub]
    return sum("$value" in str(one) for one in told)


def test_samples_take_a_place_among_all_transfers(catalog: Catalog, addresses: Addresses) -> None:
    """Where all places are taken the hub sees no request, be it due or asked for."""
    settings = load_settings()
    limits = {hub.name: hub.max_concurrent_downloads for hub in settings.hubs}
    slots = CatalogSlots(catalog.engine, limits)
    taken = [slots.take("rolling") for _ in range(limits["rolling"])]
    assert all(taken) and slots.take("rolling") is None
    before = downloads(addresses, "rolling")
    found = Prober(settings, catalog).probe("rolling", [Kind.SEARCH, Kind.METADATA, Kind.TRANSFER])
    assert found is not None and {one.kind for one in found} >= {Kind.SEARCH, Kind.METADATA}
    assert Kind.TRANSFER not in {one.kind for one in found}
    assert downloads(addresses, "rolling") == before
    for release in taken:
        assert release is not None
        release()
    found = Prober(settings, catalog).probe("rolling", [Kind.TRANSFER])
    assert found is not None
    assert [one.ok for one in found if one.kind is Kind.TRANSFER] == [True]
    assert downloads(addresses, "rolling") > before
    assert slots.in_use("rolling") == 0


def test_samples_stop_where_their_share_of_the_quota_ends(
    catalog: Catalog, addresses: Addresses
) -> None:
    """A share of half a megabyte is five samples of a tenth of one, however often it is asked."""
    settings = load_settings()
    hubs = tuple(one.model_copy(update={"daily_quota_gb": 0.05}) for one in settings.hubs)
    prober = Prober(settings.model_copy(update={"hubs": hubs}), catalog)
    counts = []
    for _ in range(9):
        found = prober.probe("rolling", [Kind.TRANSFER])
        assert found is not None
        counts.append(sum(one.kind is Kind.TRANSFER for one in found))
    received = catalog.received_bytes("rolling", datetime.now(UTC) - timedelta(hours=1))
    assert 300_000 < received <= 500_000
    assert sum(counts) in (3, 4, 5) and counts[-1] == 0
