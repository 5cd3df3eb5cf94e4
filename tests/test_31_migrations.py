"""Migrations: from nothing, again, and all at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from shapely.geometry import box, mapping
from sqlalchemy import inspect, text

from geobservatory.catalog.database import open_catalog, open_engine
from geobservatory.catalog.migrate import _config, newest_revision, revision, upgrade
from geobservatory.catalog.tables import Base
from geobservatory.errors import (
    CatalogError,
    ConfigurationError,
    NotFoundError,
    TransientError,
)
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


def test_links_in_mails_outlive_the_secrets_in_the_tables(database_url: str) -> None:
    """Of 0009, where they lay plain: the links stay good, and stand nowhere."""
    known, wish, gone = (uuid4() for _ in range(3))
    engine = open_engine(database_url)
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0009")
        # As where the server has PostGIS: it must not hold on to the column.
        connection.execute(text("CREATE VIEW subscriptions_map AS SELECT * FROM subscriptions"))
        subscribed = text(
            "INSERT INTO subscriptions (address, area, confirmed_at, token, west, south, east,"
            " north) VALUES (:who, CAST(:area AS jsonb), :at, :token, 0, 0, 1, 1) RETURNING id"
        )
        noticed = text(
            "INSERT INTO notices (kind, key, recipient, content, state, expires_at)"
            " VALUES ('confirm-subscription', :key, :who, CAST(:content AS jsonb), 'waiting',"
            " now() + interval '1 day')"
        )
        area = json.dumps(mapping(box(0, 0, 1, 1)))
        numbers = []
        for who, token, at in (("a@x.org", known, datetime.now(UTC)), ("b@x.org", wish, None)):
            given = {"who": who, "area": area, "at": at, "token": token}
            numbers.append(connection.execute(subscribed, given).scalar_one())
        for token in (wish, gone):
            link = f"https://x.org/subscriptions/{token}"
            content = json.dumps({"subject": "s", "said": [], "link": link})
            about = {"key": f"{token} 20261128T04", "who": "b@x.org", "content": content}
            connection.execute(noticed, about)
    with open_catalog(database_url) as catalog:
        assert [one.address for one in catalog.subscriptions_of(known)] == ["a@x.org"]
        assert catalog.confirm_subscription(wish, datetime.now(UTC)).id == numbers[1]
        with pytest.raises(NotFoundError):
            catalog.subscriptions_of(gone)
        keys = sorted(one.key for one in catalog.notices())
        assert keys == [f"{numbers[1]} 20261128T04", "ended 2"]
    with engine.connect() as connection:
        dumped = "".join(
            str(connection.execute(text(f"SELECT * FROM {table}")).all())  # noqa: S608
            for table in ("subscriptions", "subscription_links", "notices")
        )
    assert not any(str(one) in dumped or one.hex in dumped for one in (known, wish, gone))
    engine.dispose()


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
