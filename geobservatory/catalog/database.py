"""Open the catalogue: find its server, bring it to today's version, hand out what can be asked."""

from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from geobservatory.catalog.activations import ActivationQueries
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.catalog.hearing import HearingQueries
from geobservatory.catalog.hubs import HubQueries
from geobservatory.catalog.incidents import IncidentQueries
from geobservatory.catalog.interferograms import InterferogramQueries
from geobservatory.catalog.measurements import MeasurementQueries
from geobservatory.catalog.migrate import upgrade
from geobservatory.catalog.notices import NoticeQueries
from geobservatory.catalog.pairs import PairQueries
from geobservatory.catalog.scenes import SceneQueries
from geobservatory.catalog.totals import TotalQueries
from geobservatory.errors import ConfigurationError, TransientError
from geobservatory.settings import Settings

_CONNECT_LIMIT_S = 10


class Catalog(
    ActivationQueries,
    HearingQueries,
    HubQueries,
    MeasurementQueries,
    IncidentQueries,
    SceneQueries,
    PairQueries,
    InterferogramQueries,
    NoticeQueries,
    TotalQueries,
):
    """The catalogue; a context manager that gives its connections back."""

    def __enter__(self) -> Self:
        """Use it in a `with` statement."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        self._engine.dispose()


def open_configured_catalog(settings: Settings) -> Catalog:
    """Open the catalogue the settings name; the embedded server is started if need be."""
    return open_catalog(catalog_url(settings))


def catalog_url(settings: Settings) -> str:
    """Address of the catalogue's database; the embedded server is started if need be."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return embedded_server(settings.data_dir).start()


def embedded_server(data_dir: Path) -> EmbeddedPostgres:
    """Name the embedded server of a data folder."""
    return EmbeddedPostgres(data_dir / "postgres")


def open_catalog(database_url: str) -> Catalog:
    """Open a catalogue and upgrade it if it is older than this program.

    Parameters
    ----------
    database_url
        ``postgresql://user:password@host/database`` or any SQLAlchemy address of PostgreSQL.

    Raises
    ------
    ConfigurationError
        If the address is not one of PostgreSQL.
    TransientError
        If the server does not answer.
    CatalogError
        If the database is of a newer version than this program.
    """
    engine = open_engine(database_url)
    try:
        upgrade(engine)
    except OperationalError as error:
        engine.dispose()
        where = engine.url.render_as_string(hide_password=True)
        # The server's own words, without the address that psycopg may repeat with a password.
        reason = str(error.orig).strip().splitlines()[0] if error.orig else "no answer"
        raise TransientError(f"the catalogue at {where} cannot be reached: {reason}") from None
    except BaseException:
        engine.dispose()
        raise
    return Catalog(engine)


def open_engine(database_url: str) -> Engine:
    """Make an engine; nothing is asked of the server yet."""
    try:
        url = make_url(database_url)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        if url.drivername != "postgresql+psycopg":
            raise ConfigurationError(
                f"the catalogue needs PostgreSQL, not {url.drivername} (GEOBS_DATABASE_URL)"
            )
        return create_engine(
            url, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_LIMIT_S}
        )
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise ConfigurationError("GEOBS_DATABASE_URL is not a database address") from error
