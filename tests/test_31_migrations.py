"""Migrations: from nothing, again, and all at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from geobservatory.catalog.database import open_catalog, open_engine
from geobservatory.catalog.migrate import newest_revision, revision, upgrade
from geobservatory.catalog.tables import Base
from geobservatory.errors import CatalogError, ConfigurationError, TransientError
from geobservatory.events.form import ActivationForm


def ours(name: str | None, kind: str, parents: object) -> bool:
    """Pass over what is not ours: PostGIS has a table of its own."""
    return kind != "table" or name in Base.metadata.tables


def test_an_empty_database_becomes_what_the_tables_say(database_url: str) -> None:
    engine = open_engine(database_url)
    upgrade(engine)
    upgrade(engine)
    with engine.connect() as connection:
        assert revision(connection) == newest_revision()
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": ours}
        )
        assert compare_metadata(context, Base.metadata) == []
        checks = {
            check["name"]
            for table in Base.metadata.tables
            for check in inspect(connection).get_check_constraints(table)
        }
    # Alembic does not compare check constraints.
    wanted = {
        constraint.name
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint"
    }
    assert checks == wanted
    engine.dispose()


def test_ten_at_once_on_an_empty_database(database_url: str) -> None:
    def start(_: int) -> list[object]:
        with open_catalog(database_url) as catalog:
            return list(catalog.activations())

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(start, range(10))) == [[]] * 10


def test_a_newer_database_is_refused_and_untouched(database_url: str) -> None:
    with open_catalog(database_url):
        pass
    engine = open_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CatalogError, match="made by a newer version of geobs"):
        open_catalog(database_url)
    with engine.connect() as connection:
        assert revision(connection) == "9999"
    engine.dispose()


def test_a_migration_that_dies_leaves_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(connection: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("geobservatory.catalog.migrate._add_geometry_views", die)
        with pytest.raises(KeyboardInterrupt):
            open_catalog(database_url)
    engine = open_engine(database_url)
    with engine.connect() as connection:
        assert not set(inspect(connection).get_table_names()) & set(Base.metadata.tables)
    engine.dispose()
    with open_catalog(database_url) as catalog:
        assert catalog.activations() == []


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(TransientError) as error:
        open_catalog("postgresql://me:geheim@127.0.0.1:1/geobs")
    assert "127.0.0.1:1" in str(error.value)
    assert "geheim" not in str(error.value)


@pytest.mark.parametrize("address", ["sqlite:///x.db", "mysql://h/d", "nonsense", ""])
def test_other_databases_are_refused(address: str) -> None:
    with pytest.raises(ConfigurationError):
        open_catalog(address)


def test_postgis_gets_views_that_qgis_opens(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        offered = connection.execute(
            text("SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'")
        ).first()
        if offered is None:
            pytest.skip("this server has no PostGIS; GEOBS_TEST_DATABASE_URL names one that has")
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS postgis"))
    with open_catalog(database_url) as catalog:
        form = ActivationForm(event_time="2023-09-08T22:11:01Z", longitude=-8.4, latitude=31.1)
        catalog.request_activation(form.to_request())
    with engine.connect() as connection:
        area, place = (
            connection.execute(text(query)).scalar_one()
            for query in (
                "SELECT ST_Area(geometry::geography) / 1e6 FROM activations_map",
                "SELECT ST_AsText(geometry) FROM events_map",
            )
        )
        for view in ("scenes_map", "subscriptions_map"):
            assert connection.execute(text(f"TABLE {view}")).first() is None
    # The area of a circle of 50 km, as a polygon of 72 vertices.
    assert area == pytest.approx(7844, rel=1e-3)
    assert place == "POINT(-8.4 31.1)"
    engine.dispose()
