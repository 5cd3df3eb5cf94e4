"""Bring a database to the version this program knows; safe when several do so at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from geobservatory.errors import CatalogError

# Any number will do, as long as every process uses the same.
_LOCK = 0x6E0B5_0001

# The tables that have a GeoJSON footprint, for QGIS and others that read PostGIS geometry.
_FOOTPRINTS = {"scenes": "footprint", "subscriptions": "area", "interferograms": "footprint"}


def revision(connection: Connection) -> str | None:
    """Read the version of a database; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """Name the version this program knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101  the package ships its migrations
    return head


def upgrade(engine: Engine) -> None:
    """Upgrade the database to the newest version, in one transaction.

    Raises
    ------
    CatalogError
        If the database is of a version this program does not know.
    """
    with engine.connect() as connection:
        if revision(connection) == newest_revision():
            return
    with engine.begin() as connection:
        # Held until the transaction ends, however it ends.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = revision(connection)
        if found is not None and found not in _known_revisions():
            raise CatalogError(
                f"the catalogue is of version {found}, which this program does not know: "
                "it was made by a newer version of geobs; upgrade geobs"
            )
        command.upgrade(_config(connection), "head")
        _add_geometry_views(connection)


def _known_revisions() -> set[str]:
    return {step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _add_geometry_views(connection: Connection) -> None:
    """Where the server has PostGIS, add views with geometry so that QGIS opens the catalogue."""
    found = connection.execute(text("SELECT 1 FROM pg_extension WHERE extname = 'postgis'"))
    if found.first() is None:
        return
    as_geometry = "ST_SetSRID(ST_GeomFromGeoJSON({}), 4326)"
    views = {
        f"{table}_map": f"SELECT *, {as_geometry.format(column)} AS geometry FROM {table}"  # noqa: S608
        for table, column in _FOOTPRINTS.items()
    }
    area = as_geometry.format("request->'area'")
    views["activations_map"] = f"SELECT *, {area} AS geometry FROM activations"  # noqa: S608
    point = "ST_SetSRID(ST_MakePoint(longitude, latitude), 4326)"
    views["events_map"] = f"SELECT *, {point} AS geometry FROM events"  # noqa: S608
    for name, query in views.items():
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
        connection.execute(text(f"CREATE VIEW {name} AS {query}"))
