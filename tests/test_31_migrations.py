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


def test_an_empty_database_becomes_what_the_tables_say(database_url: str) -> None:
    engine = open_engine(database_url)
    upgrade(engine)
    upgrade(engine)
    with engine.connect() as connection:
        assert revision(connection) == newest_revision()
        context = MigrationContext.configure(connection, opts={"compare_type": True})
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
        assert inspect(connection).get_table_names() == []
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
