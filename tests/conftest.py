"""What every test may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from geobservatory.catalog.embedded import EmbeddedPostgres

_SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_EXTERNAL = os.environ.get("GEOBS_TEST_DATABASE_URL")


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


@pytest.fixture(params=["embedded", *(["external"] if _EXTERNAL else [])])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of a fresh, empty database: on the embedded server, and on the one named outside."""
    if request.param == "external":
        server = str(_EXTERNAL)
    else:
        server = request.getfixturevalue("embedded").status().url
    name = f"test_{uuid4().hex[:12]}"
    engine = create_engine(
        make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
