"""What every test may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from databases import fresh_database

from geobservatory.catalog.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from browser import Page
    from mail_servers import Mailbox
    from people_world import World

_SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_EXTERNAL = os.environ.get("GEOBS_TEST_DATABASE_URL")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several run at once, begin with what waits for servers: last, others would idle."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda one: one.get_closest_marker("server") is None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the checkout; a test that asks for it skips where it is absent."""
    if not _SHARED_DATA.is_dir():
        pytest.skip("real test data (../shared/data) is not beside this checkout")
    return _SHARED_DATA


@pytest.fixture(autouse=True)
def _only_our_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.startswith(("GEOBS_", "PREFECT_")) and name != "GEOBS_TEST_DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-configuration"))
    monkeypatch.setenv("GEOBS_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One embedded server for the whole session."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("server") / "postgres")
    server.start()
    yield server
    server.stop()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a database on both, but for what is far above it (`one_database`)."""
    if "database_url" in metafunc.fixturenames:
        both = _EXTERNAL and metafunc.definition.get_closest_marker("one_database") is None
        servers = ["embedded", "external"] if both else ["embedded"]
        metafunc.parametrize("database_url", servers, indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of a fresh, empty database: on the embedded server, and on the one named outside."""
    if request.param == "external":
        server = str(_EXTERNAL)
    else:
        server = request.getfixturevalue("embedded").status().url
    with fresh_database(server) as address:
        yield address


@pytest.fixture(scope="session")
def strip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the interferogram of a strip of Al Haouz, once; who changes it copies it."""
    from test_34_simulation import plan_of

    from geobservatory.engines import native
    from geobservatory.engines.request import Heights, Request
    from geobservatory.sandbox.scenario import Acquisition, find_scenario
    from geobservatory.sandbox.simulate import simulate

    folder = tmp_path_factory.mktemp("world")
    dates = Acquisition(days=12, perpendicular_m=20.0), Acquisition(days=24, shift_lines=2)
    plan = plan_of(find_scenario("al-haouz-2023"), *dates, bursts=2)
    world = simulate(plan, folder, lambda lines: None)
    out = tmp_path_factory.mktemp("strip") / "co-event-052-20230904T063742-20230916T063742"
    one, other = ((path,) for path in world.products)
    native.make(
        Request(one, other, out, folder / "cache", heights=Heights(world.dem), orbits=folder)
    )
    return out


@pytest.fixture(scope="session")
def mailbox() -> Iterator["Mailbox"]:
    """One mail server for the portal of `site`."""
    from mail_servers import mail_server

    with mail_server() as opened:
        yield opened


@pytest.fixture(scope="session")
def site(
    embedded: EmbeddedPostgres,
    tmp_path_factory: pytest.TempPathFactory,
    strip: Path,
    mailbox: "Mailbox",
) -> Iterator["World"]:
    """One portal with some activations, for all tests of its pages."""
    from people_world import world

    folder = tmp_path_factory.mktemp("people")
    with (
        fresh_database(str(embedded.status().url)) as address,
        world(address, folder, strip, mailbox.port) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Page"]:
    """Open a browser with one tab."""
    from browser import browser

    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened
