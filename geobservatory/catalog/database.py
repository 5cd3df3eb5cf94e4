"""Open the catalogue: find its server, bring it to today's version, hand out what can be asked."""

from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from geobservatory.catalog.accounts import AccountQueries
from geobservatory.catalog.activations import ActivationQueries
from geobservatory.catalog.audit import AuditQueries
from geobservatory.catalog.browsing import BrowsingQueries
from geobservatory.catalog.deliveries import DeliveryQueries
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.catalog.hearing import HearingQueries
from geobservatory.catalog.hubs import HubQueries
from geobservatory.catalog.incidents import IncidentQueries
from geobservatory.catalog.interferograms import InterferogramQueries
from geobservatory.catalog.listing import ListingQueries
from geobservatory.catalog.measurements import MeasurementQueries
from geobservatory.catalog.migrate import upgrade
from geobservatory.catalog.mirror import MirrorQueries
from geobservatory.catalog.mirror_figures import FigureQueries
from geobservatory.catalog.mirror_ledger import LedgerQueries
from geobservatory.catalog.mirror_plan import PlanQueries
from geobservatory.catalog.mirror_roll import RollQueries
from geobservatory.catalog.mirror_shelf import ShelfQueries
from geobservatory.catalog.notices import NoticeQueries
from geobservatory.catalog.numbers import NumberQueries
from geobservatory.catalog.overview import OverviewQueries
from geobservatory.catalog.pairs import PairQueries
from geobservatory.catalog.publications import PublicationQueries
from geobservatory.catalog.results import ResultQueries
from geobservatory.catalog.scenes import SceneQueries
from geobservatory.catalog.tokens import TokenQueries
from geobservatory.catalog.totals import TotalQueries
from geobservatory.errors import ConfigurationError, TransientError
from geobservatory.settings import Settings

_CONNECT_LIMIT_S = 10
_MOST_CONNECTIONS = 64


class Catalog(
    ActivationQueries,
    HearingQueries,
    HubQueries,
    MeasurementQueries,
    PublicationQueries,
    IncidentQueries,
    SceneQueries,
    PairQueries,
    InterferogramQueries,
    NoticeQueries,
    TotalQueries,
    MirrorQueries,
    ShelfQueries,
    LedgerQueries,
    PlanQueries,
    RollQueries,
    FigureQueries,
    ListingQueries,
    DeliveryQueries,
    ResultQueries,
    OverviewQueries,
    NumberQueries,
    AccountQueries,
    TokenQueries,
    AuditQueries,
    BrowsingQueries,
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


def beside(catalog: Catalog, connections: int, wait_s: float) -> Catalog:
    """Give a catalogue of the same database with connections of its own.

    What asks much of them keeps nobody else waiting.

    Parameters
    ----------
    connections
        How many there are at most.
    wait_s
        How long one is waited for.
    """
    return Catalog(
        create_engine(
            catalog.engine.url,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=wait_s,
            pool_pre_ping=True,
            connect_args={"connect_timeout": _CONNECT_LIMIT_S},
        )
    )


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
            url,
            pool_pre_ping=True,
            # Each lock that lasts holds a connection: a download of the mirror three.
            max_overflow=_MOST_CONNECTIONS,
            connect_args={"connect_timeout": _CONNECT_LIMIT_S},
        )
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise ConfigurationError("GEOBS_DATABASE_URL is not a database address") from error
