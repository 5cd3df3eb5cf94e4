"""The portal over real HTTP and a real PostgreSQL: what monitors are told is what was recorded."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
import requests
from mail_servers import free_port
from portal_server import serving
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from test_50_commands import EVENT

import portal.shared
from console.services import answers
from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.catalog.measurements import Kind, Measured
from geobservatory.events.request import parse_request
from geobservatory.hubs.outlook import deliveries
from geobservatory.probing.objectives import budgets
from geobservatory.probing.statistics import spread
from geobservatory.settings.model import Hub, HubKind, Settings
from portal.metrics import families
from portal.readings import Reader

pytestmark = pytest.mark.one_database

NOW = datetime.now(UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
KEEP = timedelta(days=400)

Metrics = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def _this_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin each test now: the file may have been read long ago."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    hubs = tuple(Hub(name=name, kind=HubKind.FOLDER, address="/x") for name in ("alpha", "beta"))
    return Settings(data_dir=tmp_path / "data", hubs=hubs)


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


@pytest.fixture
def address(settings: Settings, catalog: Catalog, database_url: str) -> Iterator[str]:
    with serving(settings, lambda: open_catalog(database_url)) as made:
        yield made


def scrape(address: str) -> Metrics:
    answer = requests.get(f"{address}/metrics", timeout=20)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return parse(answer.text)


def parse(exposed: str) -> Metrics:
    found: Metrics = {}
    for family in text_string_to_metric_families(exposed):
        assert family.documentation and family.type != "unknown", family.name
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


def get(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.get((f"geobs_{name}", frozenset(labels.items())))


def record(catalog: Catalog, *measured: Measured) -> None:
    catalog.record_measurements(measured)
    catalog.roll_up(NOW, KEEP)


def transfer(at: datetime, speed: float, hub: str = "alpha") -> Measured:
    told = {"name": "x", "bytes": 8_000_000, "seconds": 8e6 / speed, "first_byte_s": 0.1}
    return Measured(hub, Kind.TRANSFER, at, speed, detail={**told, "outcome": "done"})


def recorded() -> list[Measured]:
    """Give measurements of some days of one hub; the other has none."""
    times = [NOW - n * 7 * HOUR - MINUTE for n in range(20)]
    made = [transfer(at, 1e6 * (1 + n)) for n, at in enumerate(times)]
    for n, at in enumerate(times):
        made += [
            Measured("alpha", Kind.SEARCH, at - s * MINUTE, 0.1 * (n + s + 1)) for s in range(5)
        ]
        made += [Measured("alpha", Kind.LATENCY, at, 3600.0 * (n + 1), product_type="IW_SLC__1S")]
    made += [Measured("alpha", Kind.SEARCH, NOW - n * DAY, None, False, "hung") for n in range(4)]
    made += [
        Measured("alpha", Kind.LATENCY, NOW - 5 * DAY, 7200.0, product_type="GRD"),
        Measured("alpha", Kind.FIRST_BYTE, NOW - HOUR, 0.3, product_type="IW_SLC__1S"),
        Measured("alpha", Kind.ONLINE, NOW - HOUR, 1.0, product_type="IW_SLC__1S"),
        Measured("alpha", Kind.ONLINE, NOW - 2 * HOUR, 0.0, product_type="GRD"),
        Measured("alpha", Kind.ONLINE, NOW - 3 * DAY, 0.0, product_type="GRD"),
        Measured("alpha", Kind.INTEGRITY, NOW - HOUR, None, False, "wrong"),
        Measured("alpha", Kind.COMPLETENESS, NOW - HOUR, 0.75),
        Measured("alpha", Kind.COMPLETENESS, NOW - HOUR, 0.1, product_type="IW_SLC__1S"),
        Measured("alpha", Kind.CERTIFICATE, NOW - 2 * HOUR, 86_400.0),
        Measured("alpha", Kind.WINDOW, NOW - DAY, 2.6e6),
        Measured("alpha", Kind.WINDOW, NOW - HOUR, None, False, "hung"),
        # Of a hub that the settings do not name any more.
        Measured("gone", Kind.SEARCH, NOW - HOUR, 1.0),
    ]
    return made


def test_metrics_are_what_was_recorded(address: str, catalog: Catalog, settings: Settings) -> None:
    record(catalog, *recorded())
    catalog.request_activation(parse_request(EVENT).to_request())
    found = scrape(address)
    assert get(found, "activations", state="requested") == 1
    assert get(found, "activations", state="failed") == 0
    assert get(found, "hub_up", hub="alpha") == get(found, "hub_up", hub="beta") == 1
    asked = {"hub": "alpha", "kind": "search"}
    assert get(found, "hub_answers_total", **asked) == 100
    assert get(found, "hub_failures_total", **asked) == 4
    assert get(found, "hub_answers_total", hub="alpha", kind="latency") is None
    lately = [one for one in catalog.rollups(NOW - DAY) if one.hub == "alpha"]
    for kind, name in (
        (Kind.SEARCH, "hub_search_seconds"),
        (Kind.TRANSFER, "hub_download_bytes_per_second"),
        (Kind.LATENCY, "hub_publication_delay_seconds"),
    ):
        of_kind = [one for one in lately if one.kind is kind]
        for part in ("0.5", "0.9"):
            expected = spread(of_kind).quantile(float(part))
            assert get(found, name, hub="alpha", quantile=part) == pytest.approx(expected)
            assert get(found, name, hub="beta", quantile=part) is None
        values = [one.value for one in recorded() if one.kind is kind and one.hub == "alpha"]
        good = [value for value in values if value is not None]
        assert get(found, f"{name}_count", hub="alpha") == len(good)
        assert get(found, f"{name}_sum", hub="alpha") == pytest.approx(sum(good))
    assert get(found, "hub_completeness_ratio", hub="alpha") == 0.75
    assert get(found, "hub_published_total", hub="alpha", product_type="IW_SLC__1S") == 20
    assert get(found, "hub_published_total", hub="alpha", product_type="GRD") == 1
    first = get(found, "hub_first_byte_seconds", hub="alpha", quantile="0.5")
    assert first == pytest.approx(0.3, rel=0.05)
    assert get(found, "hub_online_ratio", hub="alpha") == 0.5
    assert get(found, "hub_online_ratio", hub="beta") is None
    assert get(found, "hub_failures_total", hub="alpha", kind="integrity") == 1
    assert get(found, "hub_answers_total", hub="alpha", kind="first-byte") is None
    left = get(found, "hub_certificate_expiry_seconds", hub="alpha")
    assert left == pytest.approx(86_400 - 7200, abs=60)
    assert get(found, "hub_window_seconds", hub="alpha") == 2.6e6
    for kind, at in (("search", NOW), ("window", NOW - HOUR), ("transfer", NOW - MINUTE)):
        probed = get(found, "hub_last_probe_timestamp_seconds", hub="alpha", kind=kind)
        assert probed == pytest.approx(at.timestamp(), abs=1e-3)
    delivery = deliveries(settings, catalog, datetime.now(UTC))
    for hub in ("alpha", "beta"):
        expected = get(found, "hub_expected_delivery_seconds", hub=hub)
        assert expected == pytest.approx(delivery[hub].seconds, rel=0.01)
    assert not any(("hub", "gone") in labels for _, labels in found)


def test_budgets_are_those_of_the_whole_month(catalog: Catalog, settings: Settings) -> None:
    """They are added up of two parts; the status page counts them in one."""
    record(catalog, *recorded())
    held = budgets(settings.probing.objectives, catalog.rollups(NOW - 30 * DAY, hub="alpha"), NOW)
    assert len(held) == 4
    reader = Reader(settings)
    # Half an hour later most of it is what was kept.
    for at in (NOW, NOW + 30 * MINUTE):
        found = reader.read(catalog, at).budgets
        assert {one.name: (one.good, one.asked) for one in found["alpha"]} == {
            one.name: (one.good, one.asked) for one in held
        }
        assert found["beta"] == []
    read = reader.read(catalog, NOW)
    shown = {
        sample.labels["objective"]: sample.value
        for family in families(read)
        if family.name == "geobs_hub_error_budget_left_ratio"
        for sample in family.samples
    }
    assert shown == {one.name: pytest.approx(one.left) for one in held}
    burn = {one.name: one.burn for one in read.budgets["alpha"]}
    assert burn == {one.name: pytest.approx(one.burn) for one in held}


def test_counters_only_grow(catalog: Catalog, settings: Settings) -> None:
    """Whatever comes late, and however what is kept is renewed."""
    reader, before = Reader(settings), 0
    for step in range(12):
        ago = (0, 3 * DAY, 30 * HOUR, 40 * DAY)[step % 4] or timedelta()
        record(catalog, Measured("alpha", Kind.SEARCH, NOW - ago, 1.0))
        now = NOW + step * 25 * MINUTE
        total = reader.read(catalog, now).totals["alpha", Kind.SEARCH].good
        assert before <= total <= step + 1
        before = total
    assert reader.read(catalog, now + HOUR).totals["alpha", Kind.SEARCH].good == 12


def test_an_incident_is_told_and_so_is_its_end(address: str, catalog: Catalog) -> None:
    cause = 'evil"} 1\ngeobs_hub_up{hub="alpha"} 7\n# TYPE \\ <script>'
    opened = catalog.open_incident("alpha", "reachable", NOW - HOUR, NOW, cause, {})
    # No aspect is such a text; what is in a table is not trusted all the same.
    catalog.open_incident("beta", cause, NOW - HOUR, NOW, cause, {})
    catalog.open_incident("gone", "reachable", NOW - HOUR, NOW, cause, {})
    found = scrape(address)
    assert get(found, "hub_up", hub="alpha") == 0
    assert get(found, "hub_up", hub="beta") == 1
    assert get(found, "hub_incident_open", hub="alpha", aspect="reachable") == 1
    assert get(found, "hub_incident_open", hub="beta", aspect=cause) == 1
    assert get(found, "hub_up", hub="gone") is None
    assert opened is not None
    catalog.end_incident(opened.id, NOW)
    found = scrape(address)
    assert get(found, "hub_up", hub="alpha") == 1
    assert get(found, "hub_incident_open", hub="alpha", aspect="reachable") == 0


def test_an_empty_catalogue_and_no_hub(catalog: Catalog, database_url: str, tmp_path: Path) -> None:
    with serving(Settings(data_dir=tmp_path), lambda: open_catalog(database_url)) as address:
        assert get(scrape(address), "activations", state="running") == 0


def test_many_scrapes_at_once(settings: Settings, catalog: Catalog, database_url: str) -> None:
    record(catalog, *recorded())
    opened = []

    def open_it() -> Catalog:
        opened.append(open_catalog(database_url))
        return opened[-1]

    with serving(settings, open_it) as address, ThreadPoolExecutor(12) as pool:
        found = list(pool.map(scrape, [address] * 24))
    assert len(opened) == 1
    for one in found:
        assert get(one, "hub_answers_total", hub="alpha", kind="search") == 100
        assert one.keys() == found[0].keys()


def refused(address: str, path: str, limit_s: float = 20) -> str:
    answer = requests.get(f"{address}{path}", timeout=limit_s)
    assert answer.status_code == 503
    assert answer.text.count("\n") == 1
    assert "Traceback" not in answer.text and "Error" not in answer.text
    return answer.text


def test_a_catalogue_that_stops_is_503_until_it_is_back(settings: Settings, tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    url = server.start()
    try:
        with serving(settings, lambda: open_catalog(url)) as address:
            scrape(address)
            assert requests.get(f"{address}/healthz", timeout=20).status_code == 200
            for _ in range(2):
                server.stop()
                for path in ("/metrics", "/healthz", "/metrics"):
                    assert "catalogue" in refused(address, path)
                assert requests.get(f"{address}/favicon.ico", timeout=20).status_code == 200
                assert server.start() == url
                assert requests.get(f"{address}/healthz", timeout=20).status_code == 200
                scrape(address)
    finally:
        server.stop()


def test_a_portal_that_starts_before_its_catalogue(settings: Settings, tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    url = server.start()
    server.stop()
    try:
        with serving(settings, lambda: open_catalog(url)) as address:
            assert "cannot be reached" in refused(address, "/metrics")
            server.start()
            scrape(address)
    finally:
        server.stop()


@contextmanager
def frozen(server: EmbeddedPostgres) -> Iterator[None]:
    postmaster = psutil.Process(server.status().pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for one in processes:
        one.suspend()
    try:
        yield
    finally:
        for one in processes:
            one.resume()


def test_a_catalogue_that_freezes_holds_up_nobody_for_long(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    url = server.start()
    # Its tables are made first: that takes longer.
    with open_catalog(url):
        pass
    with serving(settings, lambda: open_catalog(url)) as address:
        scrape(address)
        with frozen(server), monkeypatch.context() as patched, ThreadPoolExecutor(12) as pool:
            patched.setattr(portal.shared, "LIMIT_S", 0.5)
            paths = ["/metrics", "/healthz"] * 6
            said = list(pool.map(lambda path: refused(address, path, 5), paths))
        assert set(said) == {"the catalogue does not answer in time\n"}
        time.sleep(1)
        scrape(address)
    server.stop()


def test_a_table_that_is_not_there_is_503(address: str, catalog: Catalog) -> None:
    scrape(address)
    with catalog.engine.begin() as connection:
        connection.execute(text("ALTER TABLE incidents RENAME TO away"))
    assert refused(address, "/metrics") == "the catalogue cannot be read just now\n"
    with catalog.engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO incidents"))
    scrape(address)


def test_an_account_that_is_wrong_stops_no_metrics(settings: Settings, database_url: str) -> None:
    hub = Hub(name="asf", kind=HubKind.ASF, address="https://cmr.earthdata.nasa.gov", user="u")
    wrong = settings.model_copy(update={"hubs": (*settings.hubs, hub)})
    with serving(wrong, lambda: open_catalog(database_url)) as address:
        found = scrape(address)
        assert get(found, "hub_expected_delivery_seconds", hub="asf") > 0


def test_pages(address: str, settings: Settings) -> None:
    home = requests.get(address, timeout=20)
    assert 'href="/hubs"' in home.text and 'href="/metrics"' in home.text
    live = requests.get(f"{address}/hubs", timeout=20)
    assert "<td>alpha</td>" in live.text and "<td>beta</td>" in live.text
    written = settings.data_dir / "products" / "hubs" / "index.html"
    written.parent.mkdir(parents=True)
    written.write_text("<p>geschrieben: ü")
    served = requests.get(f"{address}/hubs", timeout=20)
    assert "<p>geschrieben: ü" in served.content.decode()
    assert served.headers["Content-Type"] == "text/html; charset=utf-8"
    assert requests.head(f"{address}/hubs", timeout=20).status_code == 200
    assert requests.post(f"{address}/metrics", timeout=20).status_code == 405
    assert requests.get(f"{address}/hubs/../../secret", timeout=20).status_code == 404


def test_a_page_of_hubs_without_anything_says_what_to_do(
    settings: Settings, database_url: str, catalog: Catalog
) -> None:
    headings = "Trouble now", "Answers, hour by hour", "Objectives", "Incidents"
    none = settings.model_copy(update={"hubs": ()})
    with serving(none, lambda: open_catalog(database_url)) as address:
        page = requests.get(f"{address}/hubs", timeout=20).text
    assert "No hub is configured" in page and "[[hubs]]" in page and "<table" not in page
    assert not any(f"<h2>{one}</h2>" in page for one in headings)
    with serving(settings, lambda: open_catalog(database_url)) as address:
        page = requests.get(f"{address}/hubs", timeout=20).text
    assert "None was probed yet" in page and "geobs probe" in page and "<td>alpha</td>" in page
    assert not any(f"<h2>{one}</h2>" in page for one in headings)
    catalog.record_measurements([Measured("alpha", Kind.SEARCH, NOW, 0.5)])
    catalog.roll_up(NOW, KEEP)
    with serving(settings, lambda: open_catalog(database_url)) as address:
        page = requests.get(f"{address}/hubs", timeout=20).text
    assert "None was probed yet" not in page and "1 of 2 are well." in page
    assert all(f"<h2>{one}</h2>" in page for one in headings)


# The command.

COMMAND = [sys.executable, "-c", "from console.main import main; main()", "portal"]


def environment(tmp_path: Path, database_url: str, port: int) -> dict[str, str]:
    return {
        **{name: one for name, one in os.environ.items() if not name.startswith("GEOBS_")},
        "GEOBS_DATA_DIR": str(tmp_path / "data"),
        "GEOBS_DATABASE_URL": database_url,
        "GEOBS_SERVICES__PORTAL_PORT": str(port),
        "XDG_CONFIG_HOME": str(tmp_path),
    }


@contextmanager
def command(tmp_path: Path, database_url: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    port = free_port()
    process = subprocess.Popen(
        COMMAND,
        env=environment(tmp_path, database_url, port),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not answers(f"{address}/healthz"):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        yield process, address
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_told_to_stop(
    tmp_path: Path, database_url: str, number: signal.Signals
) -> None:
    with command(tmp_path, database_url) as (process, address):
        scrape(address)
        process.send_signal(number)
        printed, complained = process.communicate(timeout=20)
    assert process.returncode == 0
    assert printed == f"{address}\n"
    assert complained == ""


def test_the_command_ends_though_its_catalogue_is_frozen(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    with command(tmp_path, server.start()) as (process, address), frozen(server):
        with pytest.raises(requests.Timeout):
            requests.get(f"{address}/metrics", timeout=1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    server.stop()


def test_a_taken_port_is_one_line(tmp_path: Path, database_url: str) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = environment(tmp_path, database_url, port)
        done = subprocess.run(COMMAND, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "GEOBS_SERVICES__PORTAL_PORT" in done.stderr
    assert done.stderr.count("\n") == 1
